"""Share a plan out among machines: every tile goes to one of them, and is the tile that it would have been.

A shard is a box of tiles. What it reads is all that its tiles read; what is its own, its core, is what the cores of its
tiles cover, so that the cores of the shards partition the image. Its pixels are those of the whole image, but for the
ring along its inner borders, where the whole would have been mixed with a tile that belongs to another shard.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from arpent.core import Window
from arpent.errors import InvalidSetting
from arpent.tiling.plan import Span, TilePlan

__all__ = ["Shard", "shards_of"]


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of an image that is predicted by itself.

    Attributes:
        number: from 1 on, row by row from the upper left.
        window: the pixels that it reads and maps, inside the image.
        core: the pixels that are its own.
        tiles: that it holds.
        seen: pixels of these tiles, those twice that two of them share.
    """

    number: int
    window: Window
    core: Window
    tiles: int
    seen: int


def shards_of(plan: TilePlan, count: int) -> tuple[Shard, ...]:
    """So many shards of a plan, about as wide as they are high, and of about as many tiles each.

    Raises:
        InvalidSetting: there are fewer tiles than shards.
    """
    if not 1 <= count <= len(plan):
        raise InvalidSetting(
            "each shard needs a tile",
            found=f"{count} shards of {len(plan)} tiles",
            expected=f"1 to {len(plan)}",
            cure="Take fewer shards, or smaller tiles.",
        )
    shards: list[Shard] = []
    for down, among in _rows(plan, count):
        for across in _parts(plan.cols, [1] * among):
            shards.append(_shard(len(shards) + 1, plan, down, across))
    return tuple(shards)


def _rows(plan: TilePlan, count: int) -> list[tuple[tuple[Span, ...], int]]:
    """Rows of shards: their tiles down, and how many shards stand in each."""
    rows, cols = len(plan.rows), len(plan.cols)
    high = min(max(round((count * plan.height / plan.width) ** 0.5), -(-count // cols), 1), rows, count)
    among = [count // high + (number < count % high) for number in range(high)]
    return list(zip(_parts(plan.rows, among), among, strict=True))


def _parts(spans: tuple[Span, ...], weights: list[int]) -> list[tuple[Span, ...]]:
    """The spans in parts whose lengths are as the weights, one span at least in each."""
    total, ends, sum_ = sum(weights), [0], 0
    for number, weight in enumerate(weights):
        sum_ += weight
        left = len(weights) - number - 1
        ends.append(min(max(round(len(spans) * sum_ / total), ends[-1] + 1), len(spans) - left))
    return [spans[first:last] for first, last in pairwise(ends)]


def _shard(number: int, plan: TilePlan, down: tuple[Span, ...], across: tuple[Span, ...]) -> Shard:
    image = Window(0, 0, plan.height, plan.width)
    return Shard(
        number,
        Window.between(down[0].start, across[0].start, down[-1].end, across[-1].end).intersect(image),
        Window.between(down[0].core_start, across[0].core_start, down[-1].core_end, across[-1].core_end),
        len(down) * len(across),
        _length(down) * _length(across),
    )


def _length(spans: tuple[Span, ...]) -> int:
    return sum(span.end - span.start for span in spans)
