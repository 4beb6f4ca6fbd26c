"""What is asked of a plan, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arpent.engine.calibration import Range

__all__ = ["Calibration", "LargerTile", "Planned", "PlannedShard", "Wanted", "together"]


@dataclass(frozen=True)
class Wanted:
    """What is to be planned besides the command itself.

    Attributes:
        square_metres: of ground, if it is not that of the image.
        gsd: metres per pixel of that ground.
        count: items of the list, if it is not those that are named.
        shards: machines.
        seconds: that the calibration may take, about.
    """

    square_metres: float | None = None
    gsd: float | None = None
    count: int | None = None
    shards: int = 1
    seconds: float = 30.0


@dataclass(frozen=True)
class Calibration:
    """Where the figures come from.

    Attributes:
        source: what was sampled.
        simulated: whether that was an image made up for the purpose.
        parts: runs whose figures count.
        units: tiles, or items, in them.
        seconds: of all runs.
        cores, threads: processors of this machine, and threads of the network.
        device: where the network ran.
        apart: see `Rates`.
        networked: whether images were read over the network, so that nobody has counted the bytes read.
    """

    source: str
    simulated: bool
    parts: int
    units: float
    seconds: float
    cores: int
    threads: int
    device: str
    apart: bool
    networked: bool = False


@dataclass(frozen=True)
class PlannedShard:
    """A part of the job.

    Attributes:
        number: from 1 on.
        units: tiles, or items.
        cost: by the name of the figure.
        extent: how large it is.
        command: that does it; None where the place of the job is not known.
        box, core: left, bottom, right, top of what it maps, and of what is its own.
    """

    number: int
    units: int
    cost: Mapping[str, Range]
    extent: str
    command: str | None = None
    box: tuple[float, ...] = ()
    core: tuple[float, ...] = ()

    def row(self) -> dict[str, object]:
        """The shard as a row of a table."""
        corners = ("left", "bottom", "right", "top")
        told: dict[str, object] = {"shard": self.number, "units": self.units, "extent": self.extent}
        for prefix, values in (("", self.box), ("core_", self.core)):
            told |= {f"{prefix}{name}": float(f"{x:.12g}") for name, x in zip(corners, values, strict=False)}
        told |= {name: round(one.typical, 1) for name, one in self.cost.items()}
        return told | {"command": self.command or ""}


@dataclass(frozen=True)
class LargerTile:
    """Tiles that would spare work.

    Attributes:
        now, side: of the tiles as they are, and of those, in pixels.
        seen_share: see `Planned`, with those.
    """

    now: int
    side: int
    seen_share: float


@dataclass(frozen=True)
class Planned:
    """A job, and what it takes.

    Attributes:
        command: as typed.
        unit: "tiles" or "items".
        units, size: how many, and pixels, or items again.
        shape: rows and columns of pixels; None for lists.
        gsd, square_metres: of the ground, where that is known.
        seen_share: pixels that the network sees, over those of the image.
        cost: by the name of the figure.
        calibration: where the figures come from.
        shards: one at least.
        overlap: share of the pixels that lie in two shards.
        larger_tile: what spares work, where overlaps cost more than it.
    """

    command: str
    unit: str
    units: int
    size: int
    cost: Mapping[str, Range]
    calibration: Calibration
    shards: tuple[PlannedShard, ...]
    shape: tuple[int, int] | None = None
    gsd: float | None = None
    square_metres: float | None = None
    seen_share: float | None = None
    overlap: float = 0.0
    larger_tile: LargerTile | None = None


def together(shards: Sequence[PlannedShard], device: str) -> dict[str, Range]:
    """What several shards cost together; a GPU is held as long as its shard takes."""
    cost = {
        name: Range(*(sum(getattr(one.cost[name], end) for one in shards) for end in ("low", "typical", "high")))
        for name in shards[0].cost
    }
    return cost if device == "cpu" else {**cost, "gpu_seconds": cost["seconds"]}
