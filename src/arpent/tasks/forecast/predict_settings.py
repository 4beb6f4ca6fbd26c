"""What users can set when the coming dates of a series are foretold. Opens without torch."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language
from arpent.engine.settings import PredictSettings
from arpent.tasks.forecast.series_settings import SeriesSettings

__all__ = ["ForetellSettings"]


class ForetellSettings(SeriesSettings, PredictSettings):
    """From which date a forecast starts, how far it goes, and what is kept of it; and how images are read."""

    ring: Annotated[int, Field(ge=0)] = 16
    """Half width in pixels of the ramp over which neighbouring tiles are mixed."""
    halo: Annotated[int, Field(ge=0)] = 48
    """Rim in pixels that is read for context and then discarded; the receptive field gives the whole-image result."""
    runtime: Literal["torch", "openvino", "auto"] = "torch"
    """What runs the network: torch, openvino, or auto for the fastest that is installed."""
    issue: date | None = None
    """Issue date, the last that the forecast knows of, such as 2023-05-01; that of the last image if not given."""
    horizons: Annotated[int, Field(ge=0)] | None = None
    """How many steps ahead; 0 maps the observed dates alone; all that the model answers for if not given."""
    step: Annotated[float, Field(gt=0)] | None = None
    """Days of a step; the median of the series if not given."""
    coming: str | None = None
    """CSV table of what is known of the coming dates: column date, one for each covariate that the model was trained
    to know ahead, such as rain, and domain where places differ."""
    observed: Literal["past", "all"] = "past"
    """Observed dates that are mapped too: those that the forecast starts from, or all up to the issue date."""
    place: str | None = None
    """Place of a data set of several; all of them if not given."""
    probabilities: bool = True
    """Also write the probability of each class, in percent."""
    vector: bool = True
    """Also write the maps of the coming dates as polygons."""
    form: Literal["geoparquet", "gpkg"] = "geoparquet"
    """Format of polygons: geoparquet or gpkg."""
    min_area: Annotated[float, Field(ge=0)] = 0.0
    """Smallest polygon in m²; smaller patches join their largest neighbour."""
    simplify: Annotated[float, Field(ge=0)] = 1.0
    """How far the border of a polygon may move, in pixels; 0 keeps the pixels' stairs."""
    language: Language = "en"
    """Language of titles and pictures: en or fr."""
