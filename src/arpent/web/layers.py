"""What the map shows, as frozen values: layers of frames, each with its legend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, get_args

__all__ = ["CODED", "KINDS", "MOST_BANDS", "PAINTED", "VECTOR", "Bounds", "Entry", "Frame", "Kind", "Layer", "Legend"]

Kind = Literal[
    "classes",
    "change",
    "persistence",
    "agreement",
    "date",
    "fmask",
    "probability",
    "continuous",
    "reconstruction",
    "composite",
    "embedding",
    "parcels",
    "polygons",
    "places",
    "footprints",
]
"""What a layer is about; its style follows from it."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
MOST_BANDS: Final = 64
"""Bands of a layer that can be chosen: nobody looks at hundreds of dimensions one by one."""
PAINTED: Final[frozenset[Kind]] = frozenset({"composite", "reconstruction"})
"""Shown in their own colours, from three bands or one; they have no legend."""
CODED: Final[frozenset[Kind]] = frozenset({"classes", "date", "fmask"})
"""Numbers that have no in-between: each has an entry in the legend."""
VECTOR: Final[frozenset[Kind]] = frozenset({"parcels", "polygons", "places", "footprints"})
"""Shapes, not pixels."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A box in degrees; `west` is greater than `east` where it crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a legend.

    Attributes:
        value: in the file.
        colour: "#rrggbb".
        en, fr: what it means.
    """

    value: int
    colour: str
    en: str
    fr: str


@dataclass(frozen=True, slots=True)
class Legend:
    """How numbers become colours: by entries, or along a ramp.

    Attributes:
        entries: one per number, for kinds that are `CODED`.
        ramp: colours "#rrggbb" at even steps from `low` to `high`.
        low, high: the values at the ends of the ramp; all beyond has the colour of the end.
        unit_en, unit_fr: of the values.
    """

    entries: tuple[Entry, ...] = ()
    ramp: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unit_en: str = ""
    unit_fr: str = ""

    def entry_of(self, value: float) -> Entry | None:
        """The entry of a number; None where it has none."""
        return next((entry for entry in self.entries if entry.value == value), None)


@dataclass(frozen=True, slots=True)
class Frame:
    """A layer at one date.

    Attributes:
        date: the valid date; None where nothing tells.
        file: a raster, a GeoParquet or GeoPackage of shapes, or a STAC item where the layer is of footprints.
        horizon: steps after the issue date; None where there is none.
        observed: False for what is foretold.
        band: of the file, from 1 on, for layers of one band.
    """

    date: date | None
    file: Path
    horizon: int | None = None
    observed: bool = True
    band: int = 1


@dataclass(frozen=True, slots=True)
class Layer:
    """One product, at one date or at several.

    Attributes:
        key: tells it from the other layers of its run.
        name: as the run calls it.
        kind: what it is about.
        title_en, title_fr: for people.
        frames: in the order of their dates.
        legend: of its pixels.
        bounds: of all frames; None for shapes whose place is known only once they are read.
        issue: the last date that a forecast knew.
        skill: of a forecast: ``based_on`` (``en``, ``fr``) and ``iou``, a list of ``horizon``, ``model``,
            ``persistence``.
        bands: names of those that can be chosen, where there are several.
        warnings: what makes it doubtful.
    """

    key: str
    name: str
    kind: Kind
    title_en: str
    title_fr: str
    frames: tuple[Frame, ...]
    legend: Legend = Legend()
    bounds: Bounds | None = None
    issue: date | None = None
    skill: Mapping[str, Any] | None = None
    bands: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default_factory=tuple)

    @property
    def source(self) -> Literal["raster", "vector"]:
        """Whether it has pixels or shapes."""
        return "vector" if self.kind in VECTOR else "raster"
