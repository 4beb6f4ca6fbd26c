"""What users can say of how the images of a series are read, wherever series are. Opens without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from arpent.core import Settings

__all__ = ["SeriesSettings"]


class SeriesSettings(Settings):
    """How the images of a radar series are to be understood."""

    units: Literal["auto", "linear", "db"] = "auto"
    """What the pixels are: linear power or decibels; auto takes values below 0 for decibels, and says so."""
    date_pattern: str | None = None
    r"""How names give their dates: a regular expression whose first group is 20240301, 2024-03-01 or 2024061."""
    allow_mixed_orbits: bool = False
    """Put images of several orbits or kinds of product into one series."""
    bounds: tuple[float, float, float, float] | None = None
    """Place of pictures without georeference: west, south, east, north, in units of `crs`."""
    crs: str = "EPSG:4326"
    """Reference system of `bounds`."""
    mask_codes: str | None = None
    """List of numbers that the masks found use, such as commune; if not given, what the files say."""

    @model_validator(mode="after")
    def _of_one_place(self) -> SeriesSettings:
        if self.bounds is not None and (self.bounds[0] == self.bounds[2] or self.bounds[1] >= self.bounds[3]):
            raise ValueError("the bounds are west, south, east and north, in this order")
        return self
