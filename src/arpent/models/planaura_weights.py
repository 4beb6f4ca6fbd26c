"""Published Planaura checkpoints, brought to the network of `arpent.models.planaura`."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

from torch import Tensor

from arpent.core import band_count
from arpent.errors import ContractMismatch, InvalidSetting, WeightsMismatch
from arpent.models.planaura import Planaura, PlanauraSettings
from arpent.models.planaura_tokens import TokenGrid, resample_table

__all__ = ["fit_planaura", "planaura_leftovers", "planaura_settings", "planaura_state"]

_PREFIX = "backbone."
_TABLES = ("encoder.pos_embed", "decoder_pos_embed")
_BY_BAND = ("encoder.patch_embed.proj.weight", "decoder_pred.weight", "decoder_pred.bias")
_PUBLISHED = PlanauraSettings()

# Files saved after inference carry two leftovers: a kernel of ones, and the positions at the stride that was run beside
# the original ones at the patch's own stride, which say all that the former do.
_KERNEL = "patchify_mask.weight"
_POSITIONS, _ORIGINAL = "encoder.pos_embed", "encoder.pos_embed_original"


def planaura_state(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the names that `Planaura` gives them.

    Args:
        checkpoint: a training checkpoint, which keeps them under ``model_state_dict``, or the tensors themselves;
            their names with or without the official ``backbone.`` prefix.

    Raises:
        WeightsMismatch: when something in it is not a tensor.
    """
    state = {name.removeprefix(_PREFIX): tensor for name, tensor in _tensors(checkpoint).items()}
    state.pop(_KERNEL, None)
    original = state.pop(_ORIGINAL, None)
    return state if original is None else {**state, _POSITIONS: original}


def planaura_leftovers(checkpoint: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a checkpoint's tensors that `planaura_state` sets aside.

    Raises:
        WeightsMismatch: when something in it is not a tensor.
    """
    names = {name.removeprefix(_PREFIX): name for name in _tensors(checkpoint)}
    aside = (_KERNEL, _POSITIONS) if _ORIGINAL in names else (_KERNEL,)
    return tuple(names[name] for name in aside if name in names)


def planaura_settings(
    state: Mapping[str, Tensor],
    *,
    frames: int | None = None,
    heads: int | None = None,
    decoder_heads: int | None = None,
) -> PlanauraSettings:
    """The shape of the network that a state dict belongs to.

    Args:
        state: as `planaura_state` returns it.
        frames: dates that its positions cover; by default the fewest that leave a square grid for each.
        heads: of the encoder's attention, which no tensor tells: needed unless the width is the published one.
        decoder_heads: likewise, of the decoder's.

    Raises:
        WeightsMismatch: a tensor that tells the shape is missing or has the wrong number of axes.
        InvalidSetting: the heads or the frames must be told.
    """
    kernel = _shape(state, "encoder.patch_embed.proj.weight", 5)
    width, channels, _, patch, _ = kernel
    decoder_width = _shape(state, "decoder_embed.weight", 2)[0]
    tokens = _shape(state, "encoder.pos_embed", 3)[1] - 1
    grid = _square_grid(tokens, frames)
    return PlanauraSettings(
        channels=channels,
        frames=grid.frames,
        image_size=grid.rows * patch,
        patch=patch,
        width=width,
        depth=_blocks(state, "encoder.blocks."),
        heads=heads or _published("heads", _PUBLISHED.heads, width, _PUBLISHED.width),
        decoder_width=decoder_width,
        decoder_depth=_blocks(state, "decoder_blocks."),
        decoder_heads=decoder_heads
        or _published("decoder_heads", _PUBLISHED.decoder_heads, decoder_width, _PUBLISHED.decoder_width),
    )


def fit_planaura(
    state: Mapping[str, Tensor],
    source: PlanauraSettings,
    target: PlanauraSettings,
    *,
    keep_positions: bool = True,
    reset_patch_embedding: bool = False,
) -> dict[str, Tensor]:
    """A state dict for a network of another image size, number of dates or list of bands.

    Args:
        state: tensors of a network of the shape `source`.
        source: its shape.
        target: the shape wanted; differs in ``image_size``, ``frames``, ``channels`` or ``positions`` alone.
        keep_positions: resample the stored positions; False computes those of the wanted grid anew.
        reset_patch_embedding: allow other bands, whose patch embedding and painted pixels start from random numbers.

    Raises:
        ContractMismatch: other bands without `reset_patch_embedding`, or more dates than the positions cover.
    """
    fitted = dict(state)
    fresh = Planaura(target).state_dict() if reset_patch_embedding or not keep_positions else {}
    if target.channels != source.channels:
        if not reset_patch_embedding:
            raise ContractMismatch(
                f"weights for {band_count(source.channels)} would leave the first layer untrained on other bands",
                found=band_count(target.channels),
                expected=f"{source.channels}",
                cure="Give the bands of the model's contract, or accept it with --reset-patch-embedding.",
            )
        fitted |= {name: fresh[name] for name in _BY_BAND}
    if not keep_positions:
        return fitted | {name: fresh[name] for name in _TABLES}
    if target.frames > source.frames:
        raise ContractMismatch(
            f"the stored positions cover {source.frames} dates",
            found=f"{target.frames} dates",
            cure="Give fewer dates, or compute the positions anew (keep_pos_embedding: false).",
        )
    if target.grid != source.grid:
        fitted |= {name: resample_table(fitted[name], target.grid, source.frames) for name in _TABLES}
    return fitted


def _tensors(checkpoint: Mapping[str, Any]) -> Mapping[str, Tensor]:
    tensors = checkpoint.get("model_state_dict", checkpoint)
    if not isinstance(tensors, Mapping) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise WeightsMismatch(
            "not a checkpoint of Planaura",
            found="values that are not tensors",
            expected="named tensors, or a training checkpoint with 'model_state_dict'",
            cure="Check the file, or the layout it is imported as.",
        )
    return tensors


def _shape(state: Mapping[str, Tensor], name: str, axes: int) -> tuple[int, ...]:
    found = tuple(state[name].shape) if name in state else None
    if found is None or len(found) != axes:
        raise WeightsMismatch(
            f"not the weights of Planaura: '{name}' should have {axes} axes",
            found="no such tensor" if found is None else found,
            cure="Check the file, or the layout it is imported as.",
        )
    return found


def _blocks(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).partition(".")[0] for name in state if name.startswith(prefix)})


def _square_grid(tokens: int, frames: int | None) -> TokenGrid:
    for count in range(1, tokens + 1) if frames is None else [frames]:
        side = isqrt(tokens // count)
        if count * side * side == tokens:
            return TokenGrid(count, side, side)
    raise InvalidSetting(
        f"positions of {tokens} tokens are no square grid for each date",
        found=f"{frames} dates",
        cure="Give the number of dates that the network was trained on.",
    )


def _published(name: str, heads: int, width: int, published_width: int) -> int:
    if width != published_width:
        raise InvalidSetting(
            f"the weights do not tell how many attention heads a width of {width} is split into",
            cure=f"Import the weights once with 'arpent models import … --as planaura --set {name}=…', "
            "and use the bundle; in a configuration of Planaura, give num_heads and decoder_num_heads.",
        )
    return heads
