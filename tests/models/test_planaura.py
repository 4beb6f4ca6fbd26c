"""Planaura against its golden answers, against a plain rewriting of its dense rule, and against bad input."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from arpent.core.settings import parse
from arpent.errors import ContractMismatch, InvalidSetting, UnknownSetting
from arpent.models.load import load_state
from arpent.models.openvino import openvino
from arpent.models.planaura import Planaura, PlanauraSettings
from arpent.models.planaura_answer import INVALID, MISSING, likeness
from arpent.models.planaura_weights import planaura_state

GOLDEN = Path(__file__).parents[1] / "golden"
TINY = {
    "image_size": 64,
    "width": 96,
    "depth": 2,
    "heads": 4,
    "decoder_width": 64,
    "decoder_depth": 1,
    "decoder_heads": 4,
}


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN / "planaura_tiny_golden.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, Tensor]:
    return torch.load(GOLDEN / "planaura_tiny_official_layout.pth", weights_only=True)


@pytest.fixture(scope="module")
def make(checkpoint: dict[str, Tensor]) -> Callable[..., Planaura]:
    def build(**changes: Any) -> Planaura:
        model = Planaura(PlanauraSettings(**{**TINY, **changes}))
        load_state(model, planaura_state(checkpoint), "the golden checkpoint")
        return model.eval().requires_grad_(False)

    return build


@pytest.fixture(scope="module")
def tiny(make: Callable[..., Planaura]) -> Planaura:
    return make()


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("stride", [16, 1])
@pytest.mark.parametrize("attention", [True, False])
def test_golden_answers(tiny: Planaura, golden: dict[str, Tensor], stride: int, attention: bool) -> None:
    out = tiny(golden["input"], stride=stride, attention=attention, reconstruct=True)
    name = f"s{stride}_{'att' if attention else 'noatt'}"
    every, each = (8, 4) if stride == 1 else (1, 1)
    exact = {"rtol": 0, "atol": 1e-5}  # the specification allows 1e-4
    assert out.cosine is not None and out.which_before is not None and out.reconstruction is not None
    torch.testing.assert_close(out.cosine, golden[f"{name}_cosine"], **exact)
    torch.testing.assert_close(out.features[:, :, ::every, ::every], golden[f"{name}_features"], **exact)
    painted = out.reconstruction[..., ::each, ::each]
    torch.testing.assert_close(painted, golden[f"s{stride}_reconstruction"], **exact)
    assert torch.equal(out.which_before == INVALID, out.cosine == INVALID)
    assert set(out.which_before.unique().tolist()) == {int(INVALID), 0}


def test_names_and_shapes_are_the_published_ones(checkpoint: dict[str, Tensor]) -> None:
    own = Planaura(PlanauraSettings(**TINY)).state_dict()
    assert {f"backbone.{name}": tensor.shape for name, tensor in own.items()} == {
        name: tensor.shape for name, tensor in checkpoint.items()
    }


def test_published_size() -> None:
    with torch.device("meta"):
        state = Planaura(PlanauraSettings()).state_dict()
    count = {prefix: sum(t.numel() for n, t in state.items() if n.startswith(prefix)) for prefix in ("", "encoder.")}
    assert len(state) == 254
    assert count == {"": 115_262_208, "encoder.": 87_810_816}


def test_fresh_positions_are_the_published_ones(checkpoint: dict[str, Tensor]) -> None:
    fresh = Planaura(PlanauraSettings(**TINY)).state_dict()
    for name in ("encoder.pos_embed", "decoder_pos_embed"):
        torch.testing.assert_close(fresh[name], checkpoint[f"backbone.{name}"], rtol=0, atol=1e-6)


def dense_answer(model: Planaura, x: Tensor, stride: int) -> Tensor:
    """The published rule at a fine stride, in its plainest form: all tokens at once, then one part at a time."""
    patch, encoder = model.settings.patch, model.encoder
    step = patch // stride
    projection = encoder.patch_embed.proj
    tokens = functional.conv3d(x, projection.weight, projection.bias, stride=(1, stride, stride)).movedim(1, -1)
    batch, frames, rows, cols, width = tokens.shape
    side = math.isqrt((encoder.pos_embed.shape[1] - 1) // model.settings.frames)
    table = encoder.pos_embed[0, 1:].unflatten(0, (-1, side, side)).movedim(-1, 1)
    dense = functional.interpolate(table, (rows, cols), mode="bilinear", antialias=True, align_corners=False)
    tokens = tokens + dense.movedim(1, -1)[:frames]
    longest = tokens[:, :, ::step, ::step].flatten(1, 3).shape[1]
    answer = torch.zeros_like(tokens)
    for row in range(min(step, rows)):
        for col in range(min(step, cols)):
            part = tokens[:, :, row::step, col::step]
            sequence = part.flatten(1, 3)
            zeros = sequence.new_zeros(batch, longest - sequence.shape[1], width)
            out = encoder(torch.cat([sequence, zeros], dim=1))
            answer[:, :, row::step, col::step] = out[:, : sequence.shape[1]].reshape(part.shape)
    return answer


@pytest.mark.parametrize(
    ("stride", "height", "width"), [(8, 64, 64), (8, 75, 52), (4, 48, 66), (2, 40, 35), (1, 21, 37), (1, 16, 34)]
)
def test_strides_between_follow_the_same_rule(tiny: Planaura, stride: int, height: int, width: int) -> None:
    x = images(2, 6, 2, height, width)
    out = tiny(x, stride=stride)
    expected = dense_answer(tiny, x, stride)
    assert out.features.shape[2:4] == ((height - 16) // stride + 1, (width - 16) // stride + 1)
    torch.testing.assert_close(out.features, expected, rtol=0, atol=1e-5)
    assert out.cosine is not None
    a, b = expected[:, 0], expected[:, 1]
    torch.testing.assert_close(out.cosine, functional.cosine_similarity(a, b, dim=-1), rtol=0, atol=1e-5)


def test_answer_does_not_depend_on_how_much_is_attended_at_once(make: Callable[..., Planaura]) -> None:
    model, x = make(), images(2, 6, 2, 45, 40)
    whole = model(x, stride=4)
    for tokens_at_once in (1, 70, 10**9):
        model.tokens_at_once = tokens_at_once
        torch.testing.assert_close(model(x, stride=4).features, whole.features, rtol=0, atol=1e-5)


class Largest(TorchDispatchMode):
    """Watches every operation for the numbers of new tensors and of those that only give a name to others."""

    def __init__(self) -> None:
        super().__init__()
        self.storages: dict[int, int] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, Tensor):
                self.storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return out


@pytest.mark.parametrize("attention", [True, False])
def test_dense_tokens_are_held_once_or_not_at_all(make: Callable[..., Planaura], attention: bool) -> None:
    model, x = make(), images(1, 6, 2, 96, 96)
    model.tokens_at_once = 256
    dense = 2 * 81 * 81 * 96 * 4  # bytes of all attended tokens
    with Largest() as seen:
        kept = model(x, stride=1, attention=attention)
    assert sum(size >= dense // 4 for size in seen.storages.values()) == 1
    with Largest() as seen:
        alone = model(x, stride=1, attention=attention, dims=())
    assert max(seen.storages.values()) < dense / 8
    assert alone.features.shape == (1, 2, 81, 81, 0)
    assert kept.cosine is not None and alone.cosine is not None and torch.equal(alone.cosine, kept.cosine)


def test_chosen_dims(tiny: Planaura) -> None:
    x = images(1, 6, 2, 40, 48)
    for stride in (16, 8):
        whole = tiny(x, stride=stride)
        chosen = tiny(x, stride=stride, dims=(70, 0, 71))
        assert torch.equal(chosen.features, whole.features[..., [70, 0, 71]])
        assert torch.equal(chosen.cosine, whole.cosine)


def test_decoder_runs_only_when_asked(make: Callable[..., Planaura]) -> None:
    model, x = make(), images(1, 6, 2, 32, 32)
    calls: list[nn.Module] = []
    for module in (model.decoder_embed, model.decoder_pred):
        module.register_forward_hook(lambda own, *_: calls.append(own))
    model(x)
    model(x, stride=8, attention=False)
    assert not calls
    assert model(x, reconstruct=True).reconstruction is not None
    assert calls == [model.decoder_embed, model.decoder_pred]


@given(
    stride=st.sampled_from([16, 8, 4]),
    at=st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 47), st.integers(0, 39)),
    value=st.sampled_from([MISSING, math.nan, math.inf, -math.inf]),
)
@settings(max_examples=25)
def test_missing_pixel_voids_the_tokens_that_touch_it(
    tiny: Planaura, stride: int, at: tuple[int, int, int, int], value: float
) -> None:
    band, date, y, x = at
    holed = images(1, 6, 2, 48, 40)
    holed[0, band, date, y, x] = value
    out = tiny(holed, stride=stride, reconstruct=False)
    rows, cols = out.features.shape[2:4]
    tops, lefts = torch.arange(rows)[:, None] * stride, torch.arange(cols) * stride
    touched = (tops <= y) & (y < tops + 16) & (lefts <= x) & (x < lefts + 16)
    assert out.cosine is not None and out.which_before is not None
    assert torch.equal(out.cosine[0] == INVALID, touched)
    assert torch.equal(out.which_before[0] == int(INVALID), touched)
    assert torch.equal((out.features[0] == INVALID).all(-1), touched.expand(2, -1, -1))
    assert torch.isfinite(out.features).all()


def test_missing_pixels_are_missing_in_every_band_and_date_painted(tiny: Planaura) -> None:
    holed = images(1, 6, 2, 32, 32)
    holed[0, 3, 1, 5, 7] = math.nan
    painted = tiny(holed, reconstruct=True).reconstruction
    assert painted is not None
    assert torch.equal((painted == MISSING).all(dim=(0, 1, 2)).nonzero(), torch.tensor([[5, 7]]))
    assert int((painted == MISSING).sum()) == 12


def test_not_a_number_counts_as_no_data(tiny: Planaura) -> None:
    x = images(1, 6, 2, 48, 48)
    told, broken = x.clone(), x.clone()
    told[0, :, 0, :9, :9], broken[0, :, 0, :9, :9] = MISSING, math.nan
    assert torch.equal(tiny(told).features, tiny(broken).features)


def test_nothing_but_missing_pixels(tiny: Planaura) -> None:
    out = tiny(torch.full((1, 6, 2, 32, 32), math.nan), reconstruct=True)
    assert (out.features == INVALID).all() and (out.cosine == INVALID).all()
    assert (out.reconstruction == MISSING).all()


def test_one_date_has_features_and_no_cosine(tiny: Planaura) -> None:
    out = tiny(images(1, 6, 1, 64, 64))
    assert out.features.shape == (1, 1, 4, 4, 96)
    assert out.cosine is None and out.which_before is None


def test_three_dates_take_the_earlier_one_most_alike(make: Callable[..., Planaura]) -> None:
    x = images(1, 6, 3, 48, 48)
    x[:, :, 1] = x[:, :, 2]  # the second date repeats the last
    out = make(positions="computed")(x, attention=False)
    assert out.cosine is not None and out.which_before is not None
    assert (out.which_before == 1).all()
    pair = make(positions="computed")(x[:, :, :2], attention=False)
    assert pair.cosine is not None and (out.cosine > pair.cosine).all()


def test_dates_attend_to_one_another(tiny: Planaura) -> None:
    x = images(1, 6, 2, 48, 48)
    other = x.clone()
    other[:, :, 1] = images(1, 6, 48, 48, seed=9)
    assert not torch.allclose(tiny(x).features[:, 0], tiny(other).features[:, 0], atol=1e-2)
    alone = [tiny(one, attention=False).features[:, 0] for one in (x, other)]
    assert torch.equal(*alone)


def test_likeness_knows_equal_opposite_and_perpendicular() -> None:
    first, second = torch.tensor([1.0, 0.0, 2.0]), torch.tensor([0.0, 5.0, 0.0])
    features = torch.stack([torch.stack([-first, second, 3 * first])])[:, :, None, None]
    cosine, which = likeness(features)
    assert cosine.item() == 0.0 and which.item() == 1
    cosine, which = likeness(torch.stack([torch.stack([first, second, 7 * first])])[:, :, None, None])
    assert math.isclose(cosine.item(), 1.0, abs_tol=1e-6) and which.item() == 0


def test_images_of_a_batch_do_not_mix(tiny: Planaura) -> None:
    x = images(3, 6, 2, 40, 40)
    together = tiny(x, stride=8, reconstruct=False)
    for index in range(3):
        alone = tiny(x[index : index + 1], stride=8)
        torch.testing.assert_close(together.features[index : index + 1], alone.features, rtol=0, atol=1e-5)


def test_computed_positions_equal_the_stored_ones_on_the_grid_of_training(make: Callable[..., Planaura]) -> None:
    x = images(1, 6, 2, 64, 64)
    stored, computed = (make(positions=kind)(x, reconstruct=True) for kind in ("stored", "computed"))
    torch.testing.assert_close(stored.features, computed.features, rtol=0, atol=1e-5)
    torch.testing.assert_close(stored.reconstruction, computed.reconstruction, rtol=0, atol=1e-5)
    dense = [make(positions=kind)(x, stride=4, dims=(0,)).features for kind in ("stored", "computed")]
    assert not torch.allclose(*dense, atol=1e-3)  # stretched against counted on


def test_all_tokens_visible_paint_what_forward_paints(tiny: Planaura) -> None:
    x = images(2, 6, 2, 32, 48)
    order = torch.stack([torch.randperm(12, generator=torch.Generator().manual_seed(k)) for k in (1, 2)])
    torch.testing.assert_close(tiny.complete(x, order), tiny(x, reconstruct=True).reconstruction, rtol=0, atol=1e-5)


def test_hidden_patches_are_painted_unseen(tiny: Planaura) -> None:
    x = images(1, 6, 2, 32, 32)
    visible = torch.tensor([[0, 1, 2, 3, 5]])  # the first date, and one patch of the second
    hidden = x.clone()
    hidden[..., 1, 16:, :16] += 3.0
    assert torch.equal(tiny.complete(x, visible), tiny.complete(hidden, visible))
    seen = x.clone()
    seen[..., 1, :16, 16:] += 3.0
    assert not torch.allclose(tiny.complete(x, visible), tiny.complete(seen, visible), atol=1e-2)


def test_every_parameter_learns_from_completion() -> None:
    torch.manual_seed(0)
    model = Planaura(PlanauraSettings(**TINY))
    model.complete(images(2, 6, 2, 32, 32), torch.tensor([[0, 3], [5, 6]])).square().mean().backward()
    still = [name for name, own in model.named_parameters() if own.grad is None or not own.grad.abs().sum()]
    assert not still


def test_fine_tuning_reaches_the_encoder_through_the_features() -> None:
    torch.manual_seed(0)
    model = Planaura(PlanauraSettings(**TINY))
    out = model(images(1, 6, 2, 40, 40), stride=8)
    assert out.cosine is not None
    out.cosine.mean().backward()
    assert all(own.grad is not None for own in model.encoder.blocks.parameters())
    assert model.decoder_pred.weight.grad is None


def test_half_precision_stays_near(make: Callable[..., Planaura]) -> None:
    x = images(1, 6, 2, 64, 64)
    exact = make()(x, stride=8)
    reduced = make().bfloat16()(x, stride=8)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = make()(x, stride=8)
    for out in (reduced, mixed):
        assert out.features.dtype == torch.float32
        torch.testing.assert_close(out.cosine, exact.cosine, rtol=0, atol=0.02)


class Fixed(nn.Module):
    """One choice of options, and answers without gaps and in float32, as the engine asks converters for them.

    Some releases of OpenVINO give whole numbers as float32, others as what they are.
    """

    def __init__(self, model: Planaura, **options: Any) -> None:
        super().__init__()
        self.model, self.options = model, options

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(answer.float() for answer in self.model(x, **self.options) if answer is not None)


def test_converts_to_openvino_for_any_batch(tiny: Planaura) -> None:
    if find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed: pip install 'arpent[fast]'")
    library = openvino()
    model = Fixed(tiny, reconstruct=True)
    x = images(3, 6, 2, 64, 64)
    x[0, 0, 0, 3, 3] = MISSING
    sizes = ({0: torch.export.Dim("images")},)
    graph = library.convert_model(torch.export.export(model, (x[:2],), dynamic_shapes=sizes))
    compiled = library.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for answer, expected in zip(compiled(x.numpy()).values(), model(x), strict=True):
        torch.testing.assert_close(torch.from_numpy(answer), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "options", "says"),
    [
        ((1, 4, 2, 64, 64), {}, "6 bands"),
        ((1, 6, 64, 64), {}, "dates"),
        ((1, 6, 2, 15, 64), {}, "at least 16 px"),
        ((1, 6, 3, 64, 64), {}, "at most 2"),
        ((1, 6, 2, 65, 64), {"reconstruct": True}, "65 × 64 px"),
    ],
)
def test_images_that_do_not_fit(tiny: Planaura, shape: tuple[int, ...], options: dict[str, bool], says: str) -> None:
    with pytest.raises(ContractMismatch, match=says):
        tiny(torch.zeros(shape), **options)


@pytest.mark.parametrize("stride", [0, 3, 32, -1])
def test_strides_that_do_not_fit(tiny: Planaura, stride: int) -> None:
    with pytest.raises(InvalidSetting, match="16, 8, 4, 2, 1"):
        tiny(torch.zeros(1, 6, 2, 64, 64), stride=stride)


def test_settings_are_checked() -> None:
    with pytest.raises(UnknownSetting, match="decoder_depth"):
        parse(PlanauraSettings, {"decoder_deph": 2}, "planaura")
    for wrong in ({"heads": 7}, {"decoder_heads": 3}, {"image_size": 100}, {"width": 100}, {"frames": 0}):
        with pytest.raises(InvalidSetting):
            parse(PlanauraSettings, wrong, "planaura")
