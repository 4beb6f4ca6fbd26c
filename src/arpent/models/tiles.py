"""What a network needs of the tiles it is given."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TileNeeds"]


@dataclass(frozen=True)
class TileNeeds:
    """What tiles must be like, so that a network can take them and its answer does not depend on how they are cut.

    Attributes:
        stride: in pixels; the sides of tiles, and the places where they start, are multiples of it.
        receptive_field: how many pixels away from an output pixel, on each side, the input can still change it. None
            where that is the whole tile, or nobody has worked it out.
    """

    stride: int
    receptive_field: int | None = None
