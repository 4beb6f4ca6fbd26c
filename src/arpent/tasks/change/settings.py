"""What users can set when two dates are compared. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from arpent.core import Language
from arpent.engine import PredictSettings
from arpent.errors import InvalidSetting
from arpent.pixels import usable

__all__ = [
    "COSINE",
    "PROBABILITY",
    "ChangeSettings",
    "MissingQuality",
    "Profile",
    "Qualities",
    "Score",
    "TableForm",
    "Wanted",
]

Profile = Literal["arpent", "planaura"]
MissingQuality = Literal["error", "clear"]
Wanted = Literal["auto", "yes", "no"]
Score = Literal["auto", "cosine_map", "change_probability"]
TableForm = Literal["none", "geoparquet", "csv"]


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    usable(np.zeros(1, np.uint8), names)
    return names


Qualities = Annotated[tuple[str, ...], AfterValidator(_known)]
"""Names of qualities, such as cloud, shadow and snow; another word is refused whatever is read."""

COSINE = 0.75
"""Cosine below which ground counts as changed, where neither people nor the model say otherwise."""
PROBABILITY = 0.5
"""Probability from which on it does, likewise."""

_REFERENCE_VALID = 0.9


class ChangeSettings(PredictSettings):
    """How dates are compared, and what is kept of it."""

    profile: Profile = "arpent"
    """Rules of tiling and merging: arpent, or planaura for the numbers of the reference."""
    tile: Annotated[int, Field(ge=0)] = 0
    """Side in pixels of the tiles that the network sees; 0 for the side that the model was trained on."""
    stride: Annotated[int, Field(ge=0)] = 0
    """Pixels between answers: the side of the model's patch (also as 0), or a whole fraction of it, down to 1."""
    attention: bool = True
    """Let the patches of all dates attend to one another; without it, patches are compared as embedded."""
    upsample: bool = True
    """Bring answers to the pixels of the image; without it, products have one pixel per answer."""
    dates: Wanted = "auto"
    """Also write the dates that were compared: yes, no, or auto for wherever all of them are known."""
    quality: Wanted = "auto"
    """Also write the quality of the dates compared: yes, no, or auto for wherever a quality layer is found."""
    missing_quality: MissingQuality = "error"
    """What a date without a quality layer means where one is wanted: error, or clear everywhere."""
    exclude: Qualities = ()
    """Qualities that are not compared, such as cloud,shadow,snow: no data there."""
    reconstruct: bool = False
    """Also run the decoder, and write the images that it paints."""
    features: bool = False
    """Also write the embeddings of each date as an image with one band per dimension."""
    dims: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Dimensions of the embeddings to keep; all if not given."""
    table: TableForm = "none"
    """Also write the embeddings of each date as a table with one row per answer: geoparquet or csv."""
    table_dims: Literal["same", "all"] = "same"
    """Dimensions in such a table: the same as in images, or all of them whatever the images have."""
    table_pixels: bool = False
    """One row per pixel in such a table, with what lies between the answers; without it, one row per answer."""
    table_type: Literal["float16", "float32"] = "float16"
    """Type of the numbers in such a table."""
    minimum_valid: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of a tile that must hold data at each date for it to count; 0 if not given, 0.9 with profile planaura."""
    score: Score = "auto"
    """Layer that says what has changed, in the figures of a run and among its polygons: cosine_map,
    change_probability, or auto for the probability where the model has a change head, unless only a threshold of
    cosines is given."""
    threshold: Annotated[float, Field(ge=-1, le=1)] | None = None
    """Cosine below which ground counts as changed; if not given, what the model's training found, else 0.75."""
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    """Probability from which on ground counts as changed; if not given, what the model's training found, else 0.5."""
    polygons: Literal["no", "geoparquet", "gpkg"] = "no"
    """Also outline what changed, as polygons: no, geoparquet or gpkg."""
    min_area: Annotated[float, Field(ge=0)] = 0.0
    """Smallest change in m² among the polygons."""
    compression: Literal["deflate", "zstd"] = "deflate"
    """Compression of maps: deflate, which everything reads, or zstd, which is written faster."""
    box: tuple[float, float, float, float] | None = None
    """Only this part: left, bottom, right, top."""
    box_crs: str | None = None
    """Reference system of the box; that of the first image if not given."""
    shift: Annotated[int, Field(ge=0)] = 0
    """Pixels by which the first tile begins further down and to the right; what lies before is left out."""
    sensor: str | None = None
    """Whose images they are, where neither files nor names say so."""
    language: Language = "en"
    """Language of titles and pictures: en or fr."""

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        """Refuses what no computer or profile can do, before anything is opened."""
        if self.profile == "planaura" and self.overlap is not None:
            raise InvalidSetting(
                "the profile planaura has its own overlap: half of a tile",
                found=f"an overlap of {self.overlap}",
                cure="Leave out --overlap, or take --profile arpent.",
            )
        return self

    @property
    def least_valid(self) -> float:
        """`minimum_valid`, or what the profile takes for it."""
        if self.minimum_valid is not None:
            return self.minimum_valid
        return _REFERENCE_VALID if self.profile == "planaura" else 0.0
