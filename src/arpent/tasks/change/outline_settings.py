"""What users can set when change is outlined. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language, Settings
from arpent.tasks.change.settings import Qualities, Score

__all__ = ["OutlineSettings"]


class OutlineSettings(Settings):
    """What counts as change, and how it is outlined."""

    score: Score = "auto"
    """Layer that decides: cosine_map, change_probability, or auto for the probability where there is one, unless only
    a threshold of cosines is given."""
    threshold: Annotated[float, Field(ge=-1, le=1)] | None = None
    """Cosine below which ground counts as changed; if not given, that of the comparison, else 0.75."""
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    """Probability from which on ground counts as changed; if not given, that of the comparison, else 0.5."""
    min_area: Annotated[float, Field(ge=0)] = 0.0
    """Smallest change in m² that is kept; unchanged spots below it inside a change are taken as changed."""
    simplify: Annotated[float, Field(ge=0)] = 1.0
    """How far an outline may move, in pixels; 0 keeps the pixels' stairs."""
    exclude: Qualities = ()
    """Qualities that are no change whatever the score, such as cloud,shadow,snow."""
    form: Literal["geoparquet", "gpkg"] = "geoparquet"
    """Format of the polygons."""
    language: Language = "en"
    """Language of what is told: en or fr."""

    @property
    def suffix(self) -> str:
        """Ending of the file."""
        return ".gpkg" if self.form == "gpkg" else ".parquet"
