"""Labellers in other programs: the same chances, whatever is there of pictures and captions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from arpent.core import Contract
from arpent.models import Bundle, export
from arpent.models.labelling import build_labeller
from arpent.models.labelling_settings import FusionName, ImageBranchSettings, LabellerSettings, TextBranchSettings
from arpent.models.openvino import openvino


def made(branch: str) -> Bundle:
    torch.manual_seed(4)
    image = None if branch in ("text", "words") else ImageBranchSettings(encoder="test_efficientnet", side=32)
    text = (
        None
        if branch == "image"
        else TextBranchSettings(words=50, length=4, reader="words" if branch == "words" else "lstm")
    )
    fusion: FusionName | None = None if image is None or text is None else branch  # type: ignore[assignment]
    settings = LabellerSettings(labels=4, image=image, text=text, fusion=fusion)
    model = build_labeller(settings).eval()
    _stir(model.head)
    recipe = {"labels": ["airplane", "sea", "bare soil", "été"]}
    described = {"task": "classify", "architecture": "labeller", "settings": settings.model_dump(mode="json")}
    contract = Contract.model_validate({**described, "bands": (), "recipe": recipe, "arpent": "0"})
    return Bundle(model, contract)


def _stir(head: torch.nn.Module) -> None:
    """Numbers of their own for every weight: a new head begins with zeros, behind which anything could be lost."""
    with torch.no_grad():
        for weight in head.parameters():
            weight.copy_(torch.randn(weight.shape) / weight.shape[-1] ** 0.5)
        for name, buffer in head.named_buffers():
            if buffer.is_floating_point():
                shift = 0.0 if name.endswith(("mean", "usual")) else 1.0  # what is divided by, or counts, is above 0
                buffer.copy_(shift + torch.rand(buffer.shape))


def given(bundle: Bundle) -> dict[str, torch.Tensor]:
    """Four pictures and captions, of which one lacks the first, one the second, and one both."""
    settings = bundle.model.settings
    tensors = {}
    if settings.image is not None:
        tensors["images"] = torch.randn(4, 3, 32, 32)
    if settings.text is not None:
        tensors["words"] = torch.randint(0, 50, (4, 4))
    if len(tensors) == 2:
        tensors["present"] = torch.tensor([[True, True], [False, True], [True, False], [False, False]])
    return tensors


def scores(bundle: Bundle, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    first = next(iter(tensors.values()))
    every = torch.ones(4, 2, dtype=torch.bool)
    with torch.inference_mode():
        parts = (tensors.get("images", first), tensors.get("words", first), tensors.get("present", every))
        return bundle.model(*parts).logits


def expected(bundle: Bundle, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.sigmoid(scores(bundle, tensors))


@pytest.mark.parametrize("branch", ["words", "concat", "gated", "late"])
def test_every_weight_of_what_is_exported_counts(branch: str) -> None:
    """Else the tests below could not fail for one that is lost."""
    bundle = made(branch)
    tensors = given(bundle)
    before = scores(bundle, tensors)
    assert before.std(dim=0).min() > 1e-3, "rows differ"
    for name, weight in bundle.model.head.named_parameters():
        kept = weight.detach().clone()
        with torch.no_grad():
            weight.add_(1.0)
        moved = (scores(bundle, tensors) - before).abs().max()
        with torch.no_grad():
            weight.copy_(kept)
        assert moved > 1e-4, name


@pytest.mark.parametrize("branch", ["image", "text", "words", "concat", "gated", "late"])
def test_onnx_gives_the_chances_of_torch(branch: str, tmp_path: Path) -> None:
    import onnxruntime

    bundle = made(branch)
    path = export(bundle, tmp_path / "labeller.onnx", "onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    tensors = given(bundle)
    assert [one.name for one in session.get_inputs()] == list(tensors)
    assert [one.name for one in session.get_outputs()] == ["chances"]
    (found,) = session.run(None, {name: tensor.numpy() for name, tensor in tensors.items()})
    assert torch.allclose(torch.from_numpy(found), expected(bundle, tensors), atol=1e-5)
    kept = json.loads(session.get_modelmeta().custom_metadata_map["arpent"])
    assert kept["recipe"]["labels"] == ["airplane", "sea", "bare soil", "été"]


def test_openvino_gives_the_chances_of_torch(tmp_path: Path) -> None:
    bundle = made("gated")
    path = export(bundle, tmp_path / "labeller.xml", "openvino")
    core = openvino().Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    tensors = given(bundle)
    found = compiled([tensor.numpy() for tensor in tensors.values()])[0]
    assert torch.allclose(torch.from_numpy(found), expected(bundle, tensors), atol=1e-5)
