"""Checkpoints of Planaura: what is accepted, what shapes tell, and fitting another size, date or band list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from arpent.errors import ContractMismatch, InvalidSetting, WeightsMismatch
from arpent.models.load import load_state
from arpent.models.planaura import Planaura, PlanauraSettings
from arpent.models.planaura_weights import fit_planaura, planaura_leftovers, planaura_settings, planaura_state

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, Tensor]:
    return torch.load(GOLDEN / "planaura_tiny_official_layout.pth", weights_only=True)


@pytest.fixture
def state(checkpoint: dict[str, Tensor]) -> dict[str, Tensor]:
    return planaura_state(checkpoint)


@pytest.fixture
def shape(state: dict[str, Tensor]) -> PlanauraSettings:
    return planaura_settings(state, heads=4, decoder_heads=4)


def loaded(state: dict[str, Tensor], settings: PlanauraSettings) -> Planaura:
    model = Planaura(settings)
    load_state(model, state, "the test")
    return model.eval().requires_grad_(False)


def test_three_ways_to_keep_tensors_are_one(checkpoint: dict[str, Tensor]) -> None:
    bare = {name.removeprefix("backbone."): tensor for name, tensor in checkpoint.items()}
    training = {"model_state_dict": checkpoint, "epoch": 3, "optimizer_state_dict": {}}
    for other in (bare, training):
        found = planaura_state(other)
        assert found.keys() == planaura_state(checkpoint).keys()
        assert all(found[name] is bare[name] for name in bare)


def test_leftovers_of_inference_are_set_aside(checkpoint: dict[str, Tensor], shape: PlanauraSettings) -> None:
    original = checkpoint["backbone.encoder.pos_embed"]
    dense = torch.zeros(1, 1 + 2 * 49 * 49, 96)  # as a run at stride 1 leaves it
    left = {
        **checkpoint,
        "backbone.encoder.pos_embed": dense,
        "backbone.encoder.pos_embed_original": original,
        "backbone.patchify_mask.weight": torch.ones(1, 1, 16, 16),
    }
    found = planaura_state(left)
    assert found["encoder.pos_embed"] is original
    loaded(found, shape)
    assert planaura_leftovers(left) == ("backbone.patchify_mask.weight", "backbone.encoder.pos_embed")
    assert planaura_leftovers(checkpoint) == ()


@pytest.mark.parametrize("wrong", [{"model_state_dict": 3}, {"encoder.norm.weight": "text"}, {"epoch": 1}])
def test_no_tensors(wrong: dict[str, object]) -> None:
    with pytest.raises(WeightsMismatch, match="not a checkpoint of Planaura"):
        planaura_state(wrong)


def test_missing_and_unexpected_tensors_are_listed(state: dict[str, Tensor], shape: PlanauraSettings) -> None:
    state["encoder.blocks.0.attn.qkv.wieght"] = state.pop("encoder.blocks.0.attn.qkv.weight")
    with pytest.raises(WeightsMismatch, match=r"missing encoder\.blocks\.0\.attn\.qkv\.weight.*unexpected.*wieght"):
        loaded(state, shape)


def test_shapes_tell_the_settings(shape: PlanauraSettings) -> None:
    assert shape == PlanauraSettings(
        image_size=64, width=96, depth=2, heads=4, decoder_width=64, decoder_depth=1, decoder_heads=4
    )


def test_shapes_of_the_published_network_tell_all() -> None:
    with torch.device("meta"):
        assert planaura_settings(Planaura(PlanauraSettings()).state_dict()) == PlanauraSettings()


def test_heads_of_other_widths_must_be_told(state: dict[str, Tensor]) -> None:
    with pytest.raises(InvalidSetting, match="--set heads="):
        planaura_settings(state, decoder_heads=4)
    with pytest.raises(InvalidSetting, match="--set decoder_heads="):
        planaura_settings(state, heads=4)


def test_frames_can_be_told(state: dict[str, Tensor]) -> None:
    told = planaura_settings(state, frames=8, heads=4, decoder_heads=4)
    assert (told.frames, told.image_size) == (8, 32)
    with pytest.raises(InvalidSetting, match="square"):
        planaura_settings(state, frames=3, heads=4, decoder_heads=4)


@pytest.mark.parametrize("name", ["encoder.patch_embed.proj.weight", "decoder_embed.weight", "encoder.pos_embed"])
def test_weights_of_something_else(state: dict[str, Tensor], name: str) -> None:
    damaged = {**state, name: state[name].flatten()}
    for wrong in (damaged, {key: value for key, value in state.items() if key != name}):
        with pytest.raises(WeightsMismatch, match=name):
            planaura_settings(wrong, heads=4, decoder_heads=4)


def test_same_shape_is_left_as_it_is(state: dict[str, Tensor], shape: PlanauraSettings) -> None:
    fitted = fit_planaura(state, shape, shape)
    assert all(fitted[name] is tensor for name, tensor in state.items())


@pytest.mark.parametrize("size", [32, 128])
def test_other_image_size_resamples_the_positions(state: dict[str, Tensor], shape: PlanauraSettings, size: int) -> None:
    target = shape.model_copy(update={"image_size": size})
    fitted = fit_planaura(state, shape, target)
    for name in ("encoder.pos_embed", "decoder_pos_embed"):
        table = state[name]
        frames = table[0, 1:].unflatten(0, (2, 4, 4)).movedim(-1, 1)
        side = size // 16
        grown = functional.interpolate(frames, (side, side), mode="bilinear", antialias=True, align_corners=False)
        torch.testing.assert_close(fitted[name][0, 1:], grown.movedim(1, -1).flatten(0, 2), rtol=0, atol=1e-6)
        assert torch.equal(fitted[name][:, 0], table[:, 0])
    x = torch.randn(1, 6, 2, size, size)
    # A network resamples as it runs, so that fitting beforehand changes no answer.
    ahead, running = loaded(fitted, target)(x, reconstruct=True), loaded(state, shape)(x, reconstruct=True)
    torch.testing.assert_close(ahead.features, running.features, rtol=0, atol=1e-5)
    torch.testing.assert_close(ahead.reconstruction, running.reconstruction, rtol=0, atol=1e-5)


def test_fewer_dates_keep_the_first_positions(state: dict[str, Tensor], shape: PlanauraSettings) -> None:
    target = shape.model_copy(update={"frames": 1})
    fitted = fit_planaura(state, shape, target)
    assert torch.equal(fitted["encoder.pos_embed"], state["encoder.pos_embed"][:, :17])
    loaded(fitted, target)


def test_more_dates_need_positions_of_their_own(state: dict[str, Tensor], shape: PlanauraSettings) -> None:
    target = shape.model_copy(update={"frames": 3})
    with pytest.raises(ContractMismatch, match="cover 2 dates"):
        fit_planaura(state, shape, target)
    fresh = fit_planaura(state, shape, target, keep_positions=False)
    torch.testing.assert_close(fresh["encoder.pos_embed"][:, :33], state["encoder.pos_embed"], rtol=0, atol=1e-6)
    out = loaded(fresh, target)(torch.randn(1, 6, 3, 64, 64))
    assert out.which_before is not None and set(out.which_before.unique().tolist()) <= {0, 1}


def test_other_bands_must_be_said_aloud(state: dict[str, Tensor], shape: PlanauraSettings) -> None:
    target = shape.model_copy(update={"channels": 3})
    with pytest.raises(ContractMismatch, match="--reset-patch-embedding"):
        fit_planaura(state, shape, target)
    fitted = fit_planaura(state, shape, target, reset_patch_embedding=True)
    changed = {name for name in state if fitted[name] is not state[name]}
    assert changed == {"encoder.patch_embed.proj.weight", "decoder_pred.weight", "decoder_pred.bias"}
    loaded(fitted, target)(torch.randn(1, 3, 2, 64, 64))


def test_the_whole_way_from_file_to_answer(state: dict[str, Tensor], shape: PlanauraSettings) -> None:
    with np.load(GOLDEN / "planaura_tiny_golden.npz") as golden:
        out = loaded(state, shape)(torch.from_numpy(golden["input"]))
        assert out.cosine is not None
        np.testing.assert_allclose(out.cosine.numpy(), golden["s16_att_cosine"], rtol=0, atol=1e-5)
