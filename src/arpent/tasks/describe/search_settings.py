"""What users can set of a search. Opens without torch and without a database."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from arpent.core import Language, Settings

__all__ = ["SearchSettings"]


class SearchSettings(Settings):
    """What is looked for, besides words."""

    like: str | None = None
    """Parcel that others shall be like, perhaps with its day: "field 7@2022-06-01"."""
    where: str | None = None
    """Condition on columns: "ndvi_mean > 0.5 and date > '2022-05-01'"."""
    count: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Results at most."""
    each_date: bool = False
    """Every date of a parcel is a result; without it, a parcel is one, with its best date."""
    answer: bool = False
    """Also answer in words, each statement citing the parcels that it rests on."""
    cite: Annotated[int, Field(ge=1, le=50)] = 5
    """Parcels that an answer may cite."""
    language: Language = "en"
    """Language of what is told: en or fr."""
