"""Cut an image into tiles, and say which pixels of each tile's answer count.

Along one axis a tile is a *core*, a *blend ring* around it and a *discarded halo* around that::

    read    |—halo—|—ring—|————————— core —————————|—ring—|—halo—|
    kept           |———————————————————————————————————————|
                                             boundary with the next tile's core ^, in the middle of its ramp

Cores partition the image. Within `ring` pixels of a boundary two tiles are mixed; further than that a tile is
alone; its halo is context for the network and never seen. At the image's own edges a tile begins and ends with
the image, as the network would see it whole. Tiles begin at multiples of `align`, the network's stride, so that
its pooling cells are those of the whole image. The last tile is as small as it can be or, for networks that take
one size only, moved back inside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from arpent.core import Window
from arpent.errors import InvalidSetting

__all__ = ["Span", "Tile", "TilePlan", "TileShape", "larger_tile"]


_TOO_MUCH, _WELL = 2.0, 1.5
"""Pixels that the network sees per pixel of the image: as many in overlaps as in the work, and few enough."""
_WORTH_IT = 1.25
_LARGEST = 1024
"""Side of a tile that is still advised: more takes memory that not every machine has."""


@dataclass(frozen=True, slots=True)
class TileShape:
    """How tiles are cut; all in pixels.

    Attributes:
        size: side of the square that the network sees.
        ring: half width of the ramp over which neighbours are mixed.
        halo: rim that is read and then discarded.
        align: stride of the network; tiles begin at its multiples.
        quantum: pixels of the image per pixel of the coarsest product; boundaries fall on its multiples.
        fixed: whether the network takes tiles of exactly this size (position tables, compiled shapes).
    """

    size: int = 512
    ring: int = 16
    halo: int = 16
    align: int = 32
    quantum: int = 1
    fixed: bool = False

    def __post_init__(self) -> None:
        if min(self.size, self.align, self.quantum) < 1 or min(self.ring, self.halo) < 0:
            raise InvalidSetting(
                "tile sizes must be positive", found=str(self), cure="Give a tile of at least one pixel."
            )
        for name in ("size", "align", "ring", "halo"):
            unit = self.align if name == "size" else self.quantum
            if getattr(self, name) % unit:
                raise InvalidSetting(
                    f"the {name} of a tile must be a multiple of {unit}",
                    found=getattr(self, name),
                    cure=f"Use {math.ceil(getattr(self, name) / unit) * unit}.",
                )
        if self.step < self.align:
            raise InvalidSetting(
                "nothing of a tile is left between its overlaps",
                found=f"size {self.size}, ring {self.ring}, halo {self.halo}",
                expected=f"a size of at least {2 * (self.ring + self.halo) + self.align}",
                cure="Take larger tiles or a smaller overlap.",
            )

    @property
    def step(self) -> int:
        """Distance between the starts of neighbouring tiles."""
        return (self.size - 2 * (self.ring + self.halo)) // self.align * self.align


def larger_tile(height: int, width: int, shape: TileShape) -> TileShape | None:
    """Tiles of twice the side, or four times …, where those of a shape go into their overlaps more than into the work.

    Args:
        height: of the image, in pixels.
        width: likewise.
        shape: of the tiles.

    Returns:
        The first that is worth it; None where the tiles will do, or the network takes no others.
    """
    seen = TilePlan.of(height, width, shape).cost
    if shape.fixed or seen < _TOO_MUCH:
        return None
    found, best = None, seen / _WORTH_IT
    while 2 * shape.size <= _LARGEST and best > _WELL:
        shape = replace(shape, size=2 * shape.size)
        own = TilePlan.of(height, width, shape).cost
        if own <= best:
            found, best = shape, own
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """A tile along one axis. Ends are not included.

    Attributes:
        start, end: what is read; the end may lie beyond the image.
        core_start, core_end: the pixels that are this tile's own.
        kept_start, kept_end: core and blend ring.
        final_end: below this, no later tile contributes.
        ramp_in, ramp_out: lengths of the ramps at both sides; 0 at the image's edges.
    """

    start: int
    end: int
    core_start: int
    core_end: int
    kept_start: int
    kept_end: int
    final_end: int
    ramp_in: int
    ramp_out: int

    def coarsened(self, factor: int) -> Span:
        """The same span counted in pixels `factor` times as large."""
        return Span(
            self.start // factor,
            -(-self.end // factor),
            self.core_start // factor,
            -(-self.core_end // factor),
            self.kept_start // factor,
            -(-self.kept_end // factor),
            -(-self.final_end // factor),
            self.ramp_in // factor,
            self.ramp_out // factor,
        )

    @property
    def kept(self) -> slice:
        """The kept pixels, counted from the start of the span."""
        return slice(self.kept_start - self.start, self.kept_end - self.start)


def _spans(length: int, shape: TileShape) -> tuple[Span, ...]:
    """The tiles along an axis of `length` pixels."""
    padded = math.ceil(length / shape.align) * shape.align
    if shape.fixed:
        padded = max(padded, shape.size)
    starts = [0]
    while starts[-1] + shape.size < padded:
        starts.append(starts[-1] + shape.step)
    ends = [min(start + shape.size, padded) for start in starts]
    if shape.fixed:
        starts[-1] = padded - shape.size
    middles = [(end + start) // 2 for end, start in zip(ends, starts[1:], strict=False)]
    inner = [middle // shape.quantum * shape.quantum for middle in middles]
    edges = [0, *inner, length]
    spans = []
    for number, start in enumerate(starts):
        first, last = number == 0, number == len(starts) - 1
        kept_end = length if last else min(edges[number + 1] + shape.ring, length)
        spans.append(
            Span(
                start=start,
                end=ends[number],
                core_start=edges[number],
                core_end=edges[number + 1],
                kept_start=0 if first else edges[number] - shape.ring,
                kept_end=kept_end,
                final_end=length if last else edges[number + 1] - shape.ring,
                ramp_in=0 if first else 2 * shape.ring,
                ramp_out=0 if last else 2 * shape.ring,
            )
        )
    return tuple(spans)


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a plan: its place in the rows and columns of tiles, and its spans down and across."""

    row: int
    col: int
    down: Span
    across: Span

    @property
    def window(self) -> Window:
        """The pixels to read; may reach beyond the image at the bottom and on the right."""
        return Window.between(self.down.start, self.across.start, self.down.end, self.across.end)

    @property
    def core(self) -> Window:
        """The pixels that are this tile's own."""
        return Window.between(self.down.core_start, self.across.core_start, self.down.core_end, self.across.core_end)

    @property
    def kept(self) -> Window:
        """Core and blend ring."""
        return Window.between(self.down.kept_start, self.across.kept_start, self.down.kept_end, self.across.kept_end)

    @property
    def final(self) -> Window:
        """The pixels that are finished once this tile has been added, if tiles come row by row, left to right."""
        return Window.between(self.down.kept_start, self.across.kept_start, self.down.final_end, self.across.final_end)

    def require_turn(self, expected: tuple[int, int]) -> None:
        """Raises InvalidSetting where this is not the tile of that row and column, whose turn it is."""
        if (self.row, self.col) != expected:
            raise InvalidSetting(
                "tiles must come row by row, left to right",
                found=f"tile {(self.row, self.col)}",
                expected=f"tile {expected}",
                cure="Feed them in the order of the plan.",
            )


@dataclass(frozen=True)
class TilePlan:
    """All tiles of an image, row by row from the upper left.

    Attributes:
        height, width: of the image (or of the product, for a coarsened plan).
        rows: the spans down, one per row of tiles.
        cols: the spans across, one per column of tiles.
    """

    height: int
    width: int
    rows: tuple[Span, ...]
    cols: tuple[Span, ...]

    @classmethod
    def of(cls, height: int, width: int, shape: TileShape) -> TilePlan:
        """The plan for an image of this size."""
        return cls(height, width, _spans(height, shape), _spans(width, shape))

    def __len__(self) -> int:
        return len(self.rows) * len(self.cols)

    def row_of_tiles(self, row: int) -> Iterator[Tile]:
        """The tiles of one row, left to right."""
        for col, across in enumerate(self.cols):
            yield Tile(row, col, self.rows[row], across)

    def __iter__(self) -> Iterator[Tile]:
        for row in range(len(self.rows)):
            yield from self.row_of_tiles(row)

    def coarsened(self, factor: int) -> TilePlan:
        """The plan of a product whose pixels are `factor` times as large."""
        if factor == 1:
            return self
        return TilePlan(
            -(-self.height // factor),
            -(-self.width // factor),
            tuple(span.coarsened(factor) for span in self.rows),
            tuple(span.coarsened(factor) for span in self.cols),
        )

    @property
    def cost(self) -> float:
        """Pixels the network sees per pixel of the image."""
        down = sum(span.end - span.start for span in self.rows)
        across = sum(span.end - span.start for span in self.cols)
        return down * across / (self.height * self.width)
