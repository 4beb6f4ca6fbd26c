"""What was measured of a piece of land: everything that a sentence about it may state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

__all__ = ["Measured"]


@dataclass(frozen=True)
class Measured:
    """The measurements of one parcel on one date.

    Attributes:
        parcel: its name; that of the image where no parcels were given.
        indices: mean of each spectral index over the valid pixels, by the name of the index ("NDVI"). Without those
            that have no value.
        shares: of the valid pixels, 0 to 1: "vegetation", "soil" and "water"; without those that are not known.
        valid: share of the parcel's pixels that count, 0 to 1.
        cloud: share of the parcel's pixels under cloud, 0 to 1; None where nothing tells clouds.
        taken: the day.
        area: of the parcel, in square metres; None without georeference.
        crop: that a column of the user's names, or a probe that has learnt crops; None forbids naming one.
        place: that the parcel belongs to, where several are held together.
    """

    parcel: str
    indices: Mapping[str, float]
    shares: Mapping[str, float] = field(default_factory=dict)
    valid: float = 1.0
    cloud: float | None = None
    taken: date | None = None
    area: float | None = None
    crop: str | None = None
    place: str = ""
