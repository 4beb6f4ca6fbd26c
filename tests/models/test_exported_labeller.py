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
    image = None if branch == "text" else ImageBranchSettings(encoder="mobilenetv2_035", side=64)
    text = None if branch == "image" else TextBranchSettings(words=50, length=4)
    fusion: FusionName | None = None if image is None or text is None else branch  # type: ignore[assignment]
    settings = LabellerSettings(labels=4, image=image, text=text, fusion=fusion)
    model = build_labeller(settings).eval()
    model.head.set_temperatures(1.3, 0.8, 1.1)
    recipe = {"labels": ["airplane", "sea", "bare soil", "été"]}
    described = {"task": "classify", "architecture": "labeller", "settings": settings.model_dump(mode="json")}
    contract = Contract.model_validate({**described, "bands": (), "recipe": recipe, "arpent": "0"})
    return Bundle(model, contract)


def given(bundle: Bundle) -> dict[str, torch.Tensor]:
    """Three pictures and captions, of which one lacks the first and one the second."""
    settings = bundle.model.settings
    tensors = {}
    if settings.image is not None:
        tensors["images"] = torch.randn(3, 3, 64, 64)
    if settings.text is not None:
        tensors["words"] = torch.randint(0, 50, (3, 4))
    if len(tensors) == 2:
        tensors["present"] = torch.tensor([[True, True], [False, True], [True, False]])
    return tensors


def expected(bundle: Bundle, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    first = next(iter(tensors.values()))
    every = torch.ones(3, 2, dtype=torch.bool)
    with torch.inference_mode():
        parts = (tensors.get("images", first), tensors.get("words", first), tensors.get("present", every))
        return torch.sigmoid(bundle.model(*parts).logits)


@pytest.mark.parametrize("branch", ["image", "text", "concat", "gated", "late"])
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
