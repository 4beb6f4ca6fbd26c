"""What users can set when series are prepared. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from arpent.core import Language
from arpent.tasks.forecast.series_settings import SeriesSettings

__all__ = ["PrepareSettings"]


class PrepareSettings(SeriesSettings):
    """How a folder or a table of radar images becomes a DATASET."""

    filter: Literal["none", "lee", "kuan", "enhanced_lee", "refined_lee", "frost", "gamma_map", "quegan_yu"] = "lee"
    """Speckle filter; quegan_yu averages the speckle over all dates of a place."""
    window: Annotated[int, Field(ge=3, le=99)] = 7
    """Side of the filter's window in pixels, an odd number."""
    enl: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Equivalent number of looks; auto is 4.4 for Sentinel-1 IW GRD and simulations, and else measures it in each band
    on the first date of every place; the highest is taken."""
    damping: Annotated[float, Field(gt=0)] | None = None
    """How fast enhanced_lee and frost turn from the mean to the pixel; if not given, 1 and 2."""
    past: Annotated[int, Field(ge=1, le=100)] = 3
    """Dates that a forecast starts from."""
    future: Annotated[int, Field(ge=1, le=100)] = 3
    """Dates that it looks ahead."""
    patch: Annotated[int, Field(ge=8, le=4096)] = 256
    """Pixels on a side of what networks are shown."""
    bands: tuple[Literal["vv", "vh"], ...] | None = None
    """Polarisations that are kept: vv, vh or both; all that every date has if not given."""
    classes: str = "sar"
    """Nomenclature of the masks that are written: sar, water, or a file."""
    split: Literal["auto", "place", "block", "time", "none"] = "auto"
    """Sides for training, validation and test: whole places, blocks of a place, or earlier and later dates; auto takes
    places where there are three, else blocks, else time."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the split."""
    language: Language = "en"
    """Language of what is told and drawn: en or fr."""

    @model_validator(mode="after")
    def _of_an_odd_window(self) -> PrepareSettings:
        if self.bands == ():
            raise ValueError("a series without polarisations holds nothing: give vv, vh or both")
        if self.window % 2 == 0:
            raise ValueError("the window of a filter is an odd number of pixels wide")
        return self
