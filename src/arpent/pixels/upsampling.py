"""Bring the answers of a network that speaks for patches to the pixels beneath them.

Along one axis, token k of a tile looks at the pixels ``stride · k`` to ``stride · k + patch - 1``, so its answer
belongs to their middle. Between the middles a cubic spline runs through the answers, and beyond the outermost ones
they go on as they are. All this is linear: one matrix for each axis, made once. A map ``X`` of tokens becomes
``down · X · acrossᵀ``.

Where tokens are missing there are two ways. `upsample` fills a hole from its rim first, so that a constant stays
constant up to the hole. `upsample_with_zeros` lets holes count as 0, which pulls the pixels beside them towards 0:
it exists because published figures were made in this way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from arpent.errors import InvalidSetting

__all__ = ["TokenAxis", "Upsampled", "nearest_tokens", "upsample", "upsample_with_zeros", "upsampling_matrix"]

_EXTENT = 12
"""Tokens that an axis is continued by at both ends; a spline forgets 73 % of an error with each."""

_REACH = 6
"""How many tokens deep a hole is filled from its rim: beyond, less than 0.04 % of a value would be felt."""

_COVERED = 0.9
"""Least weight of true answers at a pixel that `upsample_with_zeros` gives a value."""

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TokenAxis:
    """Where tokens lie along one axis of a tile, and where their answers are wanted.

    Attributes:
        tokens: how many there are.
        stride: pixels from one token to the next.
        patch: pixels that a token looks at.
        step: pixels of the image per pixel of the answer; 1 for full resolution.
    """

    tokens: int
    stride: int
    patch: int
    step: int = 1

    def __post_init__(self) -> None:
        if min(self.tokens, self.stride, self.patch, self.step) < 1 or self.stride > self.patch:
            raise InvalidSetting(
                "tokens cannot be laid along an axis like this",
                found=str(self),
                expected="at least one of each, and a stride no longer than the patch",
                cure="Give the stride and the patch of the network.",
            )

    @classmethod
    def over(cls, length: int, stride: int, patch: int, step: int = 1) -> TokenAxis:
        """The axis of a tile of `length` pixels."""
        return cls((length - patch) // stride + 1, stride, patch, step)

    @property
    def length(self) -> int:
        """Pixels of the answer: those that the tokens look at, counted in steps."""
        return -(-((self.tokens - 1) * self.stride + self.patch) // self.step)

    @property
    def places(self) -> NDArray[np.float64]:
        """Where the middles of the answer's pixels lie, counted in tokens: 0 is the middle of the first one."""
        middles = np.arange(self.length) * self.step + (self.step - 1) / 2
        return np.asarray((middles - (self.patch - 1) / 2) / self.stride)


@lru_cache(maxsize=32)
def upsampling_matrix(axis: TokenAxis) -> Values:
    """The cubic spline through the tokens as a read-only matrix ``(axis.length, axis.tokens)``; rows add up to 1."""
    tokens, count = axis.tokens, axis.tokens + 2 * _EXTENT
    # A spline is a sum of bells; their heights follow from what the spline passes through.
    bells = (
        np.diag(np.full(count, 4 / 6)) + np.diag(np.full(count - 1, 1 / 6), 1) + np.diag(np.full(count - 1, 1 / 6), -1)
    )
    bells[0, 1] = bells[-1, -2] = 2 / 6
    continued = np.eye(tokens)[np.clip(np.arange(count) - _EXTENT, 0, tokens - 1)]
    heights = np.linalg.solve(bells, continued)

    places = np.clip(axis.places, 2 - _EXTENT, tokens + _EXTENT - 4) + _EXTENT
    first = np.floor(places).astype(int)
    part = (places - first)[:, None]
    weights = np.hstack(
        [(1 - part) ** 3, 4 - 6 * part**2 + 3 * part**3, 4 - 6 * (1 - part) ** 2 + 3 * (1 - part) ** 3, part**3]
    )
    matrix = np.asarray(np.einsum("pb,pbt->pt", weights / 6, heights[first[:, None] + np.arange(-1, 3)]), np.float32)
    matrix.flags.writeable = False
    return matrix


@lru_cache(maxsize=32)
def nearest_tokens(axis: TokenAxis) -> NDArray[np.intp]:
    """The number of the nearest token for each pixel of the answer ``(axis.length,)``: for codes and dates."""
    nearest = np.clip(np.floor(axis.places + 0.5), 0, axis.tokens - 1).astype(np.intp)
    nearest.flags.writeable = False
    return np.asarray(nearest)


@dataclass(frozen=True)
class Upsampled:
    """Answers at pixels.

    Attributes:
        values: ``(..., height, width)`` float32; 0 where not valid.
        valid: ``(..., height, width)``; where there is an answer.
    """

    values: Values
    valid: NDArray[np.bool_]


def upsample(values: NDArray[np.floating], valid: NDArray[np.bool_], down: TokenAxis, across: TokenAxis) -> Upsampled:
    """Answers ``(..., rows, cols)`` of tokens at the pixels; a pixel is valid where its nearest token is.

    Args:
        values: of the tokens; those not valid may be anything, NaN included.
        valid: ``(rows, cols)``, or of as many leading axes as `values` can be spread over.
        down: the tokens' rows.
        across: their columns.
    """
    _check(values, down, across)
    covered = valid[..., nearest_tokens(down)[:, None], nearest_tokens(across)]
    if valid.all():
        return Upsampled(_apply(values, down, across), covered)
    pixels = _apply(_filled(values, valid), down, across)
    pixels *= covered
    return Upsampled(pixels, covered)


def upsample_with_zeros(
    values: NDArray[np.floating], valid: NDArray[np.bool_], down: TokenAxis, across: TokenAxis
) -> Upsampled:
    """As `upsample`, but holes count as 0, and a pixel is valid where true answers make up more than 0.9 of it."""
    _check(values, down, across)
    whole = bool(valid.all())
    known = values if whole else np.where(valid, values, 0)
    covered = _apply(valid, down, across) > _COVERED
    pixels = _apply(known, down, across)
    if not whole:
        pixels *= covered
    return Upsampled(pixels, covered)


def _check(values: NDArray[np.generic], down: TokenAxis, across: TokenAxis) -> None:
    if values.shape[-2:] != (down.tokens, across.tokens):
        raise InvalidSetting(
            "the map of tokens does not fit its axes",
            found=values.shape[-2:],
            expected=(down.tokens, across.tokens),
            cure="Give the axes of the tile that the tokens were made from.",
        )


def _apply(values: NDArray[np.generic], down: TokenAxis, across: TokenAxis) -> Values:
    narrow = values.astype(np.float32, copy=False) @ upsampling_matrix(across).T
    return np.asarray(upsampling_matrix(down) @ narrow)


def _filled(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> Values:
    """Answers without holes: from the rim inwards, each missing one becomes the mean of those known around it."""
    known = np.broadcast_to(valid, values.shape)
    filled = np.where(known, values, 0).astype(np.float32)
    weight = known.astype(np.float32)
    axes = (-2, -1)
    mean = filled.sum(axis=axes, keepdims=True) / np.maximum(weight.sum(axis=axes, keepdims=True), 1)
    for _ in range(_REACH):
        if weight.all():
            return filled
        around, sums = _around(weight), _around(filled)
        new = (weight == 0) & (around > 0)
        filled[new] = sums[new] / around[new]
        weight[new] = 1
    return np.where(weight > 0, filled, mean)


def _around(values: Values) -> Values:
    """The sum of each number and its eight neighbours, in the last two axes."""
    framed = np.pad(values, ((0, 0),) * (values.ndim - 2) + ((1, 1), (1, 1)))
    rows = framed[..., :-2, :] + framed[..., 1:-1, :] + framed[..., 2:, :]
    return np.asarray(rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:])
