"""CROMA against its golden answers, in both published layouts, and against bad input."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from arpent.core.settings import parse
from arpent.errors import ContractMismatch, InvalidSetting, WeightsMismatch
from arpent.models.attention import attend
from arpent.models.croma import Croma, CromaSettings, croma_settings, croma_state, distance_bias
from arpent.models.load import load_state
from arpent.models.openvino import openvino

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = {  # ours, and the golden file's
    "optical": "optical_encodings",
    "optical_pooled": "optical_GAP",
    "radar": "sar_encodings",
    "radar_pooled": "sar_GAP",
    "joint": "joint_encodings",
    "joint_pooled": "joint_GAP",
}


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN / "croma_tiny_golden.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, dict[str, Tensor]]:
    return torch.load(GOLDEN / "croma_tiny_official_layout.pt", weights_only=True)


@pytest.fixture(scope="module")
def torchgeo(checkpoint: dict[str, dict[str, Tensor]], golden: dict[str, Tensor]) -> dict[str, Tensor]:
    flat = {f"{part}.{name}": tensor for part, tensors in checkpoint.items() for name, tensor in tensors.items()}
    return {"attn_bias": golden["attn_bias"], **flat}


def loaded(state: dict[str, Tensor]) -> Croma:
    model = Croma(croma_settings(state))
    load_state(model, state, "the golden checkpoint")
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def tiny(checkpoint: dict[str, Any]) -> Croma:
    return loaded(croma_state(checkpoint))


@pytest.mark.parametrize("layout", ["checkpoint", "torchgeo"])
def test_golden_answers(request: pytest.FixtureRequest, golden: dict[str, Tensor], layout: str) -> None:
    model = loaded(croma_state(request.getfixturevalue(layout)))
    out = model(golden["x_optical"], golden["x_sar"])
    for ours, theirs in NAMES.items():
        torch.testing.assert_close(getattr(out, ours), golden[theirs], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("given", "absent"), [("optical", "radar"), ("radar", "optical")])
def test_one_modality_alone(
    checkpoint: dict[str, Any], golden: dict[str, Tensor], tiny: Croma, given: str, absent: str
) -> None:
    pixels = {"optical": golden["x_optical"], "radar": golden["x_sar"]}[given]
    state = croma_state(checkpoint, (given,))
    part = loaded(state)
    assert part.settings == CromaSettings(modalities=(given,), width=64, depth=4)
    for model in (part, tiny):
        out = model(**{given: pixels})
        torch.testing.assert_close(getattr(out, given), golden[NAMES[given]], rtol=0, atol=1e-5)
        assert getattr(out, absent) is None and out.joint is None and out.joint_pooled is None
    with pytest.raises(ContractMismatch, match=f"no {absent} encoder"):
        part(golden["x_optical"], golden["x_sar"])


def test_bias_is_the_published_one(golden: dict[str, Tensor]) -> None:
    torch.testing.assert_close(distance_bias(3, 3, 16)[None], golden["attn_bias"], rtol=0, atol=1e-6)


def test_bias_of_a_strip() -> None:
    bias = distance_bias(2, 4, 16)
    assert bias.shape == (16, 8, 8)
    assert torch.equal(bias, bias.transpose(1, 2))
    torch.testing.assert_close(bias[:, 0, 7], -(0.5 ** (0.5 * torch.arange(1, 17))) * 10**0.5)


@pytest.mark.parametrize(
    ("width", "depth", "optical", "everything"),
    [(768, 12, 90_342_912, 194_365_440), (1024, 24, 311_420_928, 672_557_056)],
)
def test_published_sizes(width: int, depth: int, optical: int, everything: int) -> None:
    with torch.device("meta"):
        alone = Croma(CromaSettings(modalities=("optical",), width=width, depth=depth))
        both = Croma(CromaSettings(width=width, depth=depth))
    assert sum(own.numel() for own in alone.parameters()) == optical
    assert sum(own.numel() for own in both.parameters()) == everything
    assert croma_settings(both.state_dict()) == both.settings


@pytest.mark.parametrize(("height", "width"), [(8, 8), (24, 40), (64, 8)])
def test_any_size_in_whole_patches(tiny: Croma, height: int, width: int) -> None:
    out = tiny(torch.rand(2, 12, height, width), torch.rand(2, 2, height, width))
    assert out.joint is not None and out.joint.shape == (2, height * width // 64, 64)
    assert out.joint_pooled is not None and out.joint_pooled.shape == (2, 64)


def test_turned_image_turns_its_tokens(checkpoint: dict[str, Any]) -> None:
    """Distances know no direction: with patches that look alike turned, only the order of the tokens changes."""
    model = loaded(croma_state(checkpoint, ("optical",)))
    blocks = torch.rand(1, 12, 3, 5).repeat_interleave(8, 2).repeat_interleave(8, 3)
    tokens = model(blocks).optical.unflatten(1, (3, 5))
    turned = model(blocks.rot90(1, (2, 3))).optical.unflatten(1, (5, 3))
    torch.testing.assert_close(turned, tokens.rot90(1, (1, 2)), rtol=0, atol=1e-5)


def test_attention_is_softmax_of_scaled_scores() -> None:
    q, k, v = torch.randn(2, 3, 8), torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    bias = torch.randn(2, 3, 5)
    halves = [
        ((q[..., own] @ k[..., own].mT) * 4**-0.5 + bias[head]).softmax(-1) @ v[..., own]
        for head, own in enumerate((slice(0, 4), slice(4, 8)))
    ]
    torch.testing.assert_close(attend(q, k, v, 2, bias), torch.cat(halves, -1), rtol=0, atol=1e-6)


def test_half_precision_stays_near(checkpoint: dict[str, Any], golden: dict[str, Tensor], tiny: Croma) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        mixed = tiny(golden["x_optical"], golden["x_sar"])
    reduced = loaded(croma_state(checkpoint)).bfloat16()(golden["x_optical"].bfloat16())
    torch.testing.assert_close(mixed.joint_pooled.float(), golden["joint_GAP"], rtol=0, atol=0.05)
    torch.testing.assert_close(reduced.optical_pooled.float(), golden["optical_GAP"], rtol=0, atol=0.05)


def test_training_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    model = Croma(CromaSettings(width=32, depth=2))
    out = model(torch.rand(2, 12, 16, 16), torch.rand(2, 2, 16, 16))
    (out.optical_pooled.square().sum() + out.radar_pooled.square().sum() + out.joint_pooled[:, 0].sum()).backward()
    assert not [name for name, own in model.named_parameters() if own.grad is None]


class Pooled(nn.Module):
    def __init__(self, model: Croma) -> None:
        super().__init__()
        self.model = model

    def forward(self, optical: Tensor) -> Tensor:
        return self.model(optical).optical_pooled


def test_converts_to_openvino_for_any_size(tiny: Croma) -> None:
    if find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed: pip install 'arpent[fast]'")
    library = openvino()
    free = (dict.fromkeys((0, 2, 3), torch.export.Dim.AUTO),)
    graph = library.convert_model(torch.export.export(Pooled(tiny), (torch.rand(2, 12, 24, 24),), dynamic_shapes=free))
    compiled = library.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for shape in ((2, 12, 24, 24), (3, 12, 40, 16)):
        x = torch.rand(shape)
        answer = torch.from_numpy(compiled(x.numpy())[0])
        torch.testing.assert_close(answer, tiny(x).optical_pooled, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("optical", "radar", "says"),
    [
        (None, None, "no image"),
        ((1, 13, 24, 24), None, "12 bands"),
        ((1, 12, 20, 24), None, "multiples of 8"),
        ((12, 24, 24), None, "do not have the shape"),
        (None, (1, 2, 0, 8), "do not have the shape"),
        ((1, 12, 24, 24), (1, 2, 24, 32), "24 × 24 px and 24 × 32 px"),
    ],
)
def test_images_that_do_not_fit(
    tiny: Croma, optical: tuple[int, ...] | None, radar: tuple[int, ...] | None, says: str
) -> None:
    given = [None if shape is None else torch.zeros(shape) for shape in (optical, radar)]
    with pytest.raises(ContractMismatch, match=says):
        tiny(*given)


@pytest.mark.parametrize(
    "wrong", [{}, {"encoder.weight": torch.zeros(2)}, {"s2_encoder": {"linear_input.weight": 3}}, {"s2_encoder": {}}]
)
def test_checkpoints_of_something_else(wrong: dict[str, Any]) -> None:
    with pytest.raises(WeightsMismatch, match="not a checkpoint of CROMA"):
        croma_state(wrong)


def test_weights_without_an_encoder(checkpoint: dict[str, Any]) -> None:
    with pytest.raises(WeightsMismatch, match=r"linear_input\.weight"):
        croma_settings(croma_state({"joint_encoder": checkpoint["joint_encoder"]}))


def test_missing_tensor_is_listed(checkpoint: dict[str, Any]) -> None:
    state = croma_state(checkpoint)
    del state["joint_encoder.layers.1.1.to_k.weight"]
    with pytest.raises(WeightsMismatch, match=r"missing joint_encoder\.layers\.1\.1\.to_k\.weight"):
        loaded(state)


@pytest.mark.parametrize(
    "wrong",
    [{"modalities": []}, {"modalities": ["radar", "radar"]}, {"width": 100}, {"depth": 5}, {"modalities": ["x"]}],
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting):
        parse(CromaSettings, wrong, "croma")
