"""What users can set for a series of dates. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language
from arpent.engine import PredictSettings
from arpent.tasks.change.settings import ChangeSettings, Qualities

__all__ = ["SeriesSettings"]


class SeriesSettings(PredictSettings):
    """How the strongest lasting change of a series is found."""

    tile: Annotated[int, Field(ge=0)] = 0
    """Side in pixels of the tiles that the network sees; 0 for the side that the model was trained on."""
    stride: Annotated[int, Field(ge=0)] = 0
    """Pixels between answers: the side of the model's patch (also as 0), or a whole fraction of it, down to 1."""
    attention: bool = True
    """Let the patches of an image attend to one another; without it, patches are compared as embedded."""
    hold: Annotated[int, Field(ge=1)] = 2
    """Usable dates on each side of a change that must bear witness to it; half of the dates where there are few."""
    share: Annotated[float, Field(gt=0.5, le=1)] = 0.9
    """Share of the pairs of dates across a change that must be at least as unlike as its strength says."""
    threshold: Annotated[float, Field(ge=0, le=2)] = 0.25
    """Strength from which on ground counts as changed in the figures of the run."""
    quality: Literal["auto", "yes", "no"] = "auto"
    """Use quality layers: yes, no, or auto where they are found beside the images."""
    missing_quality: Literal["error", "clear"] = "error"
    """What a date without a quality layer means where others have one: error, or clear everywhere."""
    exclude: Qualities = ("cloud", "shadow", "snow")
    """Qualities that hide the ground: a patch that has any of them is not used at that date."""
    sensor: str | None = None
    """Whose images they are, where neither files nor names say so."""
    language: Language = "en"
    """Language of titles and pictures: en or fr."""

    def comparing(self, **changes: object) -> ChangeSettings:
        """The same, as far as a single date is concerned, in the words of a comparison."""
        shared = self.model_dump(include=PredictSettings.model_fields.keys() & ChangeSettings.model_fields.keys())
        own = {name: getattr(self, name) for name in ("stride", "attention", "quality", "missing_quality", "sensor")}
        return ChangeSettings.model_validate(shared | own | changes)
