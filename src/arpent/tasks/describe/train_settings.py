"""What users can set when a describer is trained. Opens without torch."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from arpent.core import Language, Settings
from arpent.engine import FitSettings, OptimiserSettings
from arpent.models.describer_settings import LoraSettings, SmallModelSettings

__all__ = ["SMALL", "DescribeTrainSettings", "HeldOutSettings", "SmallLessonSettings"]

SMALL = "small"
"""The language model that Arpent makes itself, where no published one is at hand."""


def _written(day: object) -> object:
    """A day as text, where YAML has made a date of it."""
    return day.isoformat() if isinstance(day, dt.date) and not isinstance(day, dt.datetime) else day


Day = Annotated[str, BeforeValidator(_written)]
"""A day, as 2021-07-21; in YAML with or without quotes."""


class HeldOutSettings(Settings):
    """Which images and places nothing is learnt from."""

    dates: tuple[Day, ...] = ()
    """Days (2021-07-21) that only a later evaluation may see."""
    places: tuple[str, ...] = ()
    """Places that only a later evaluation may see."""
    validation_dates: tuple[Day, ...] = ()
    """Days by which the best epoch is picked; if neither these nor places are given, the last of the remaining ones."""
    validation_places: tuple[str, ...] = ()
    """Places by which the best epoch is picked."""


class SmallLessonSettings(Settings):
    """How the small language model learns its language, from texts about land that does not exist."""

    model: SmallModelSettings = SmallModelSettings()
    """Its size."""
    texts: Annotated[int, Field(ge=1)] = 6_000
    """Texts that it reads."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Texts per step."""
    rate: Annotated[float, Field(gt=0)] = 4e-3
    """Learning rate at its peak."""
    sights: Annotated[int, Field(ge=1)] = 48_000
    """Images from which the adapter by itself learns to write numbers, before any word."""
    listed: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the lessons that are bare lists of numbers, from which digits are learnt fastest."""
    days: bool = True
    """Whether its texts speak of the day that it is told; a wrong one makes all that is said of it wrong."""
    told: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the texts before which it is told the measurements in words; before the others, in vectors alone."""


class DescribeTrainSettings(Settings):
    """How adapter and LoRA are trained."""

    name: str = "describer"
    """Name of the run."""
    table: str
    """Measurements, as 'arpent describe indices' writes them."""
    captions: str
    """Texts to learn, as 'arpent describe caption' writes them."""
    embeddings: str
    """Visual tokens, as 'arpent describe embed' makes them."""
    base: str = "qwen2-1.5b"
    """Language model: a folder, a name of the catalog or of a hub, or small for one that is made here."""
    weights: Literal["f32", "bf16", "f16"] = "f32"
    """Type of the language model's weights, which stay as they are."""
    quantise: Literal["none", "4bit"] = "none"
    """Squeeze the language model's weights into 4 bits (QLoRA), which needs a GPU and bitsandbytes."""
    small: SmallLessonSettings = SmallLessonSettings()
    """How the small language model is made."""
    hidden: Annotated[int, Field(ge=1)] | None = None
    """Numbers between the two layers of the adapter; as many as the language model has per word if not given, and four
    times as many for the small one."""
    lora: LoraSettings = LoraSettings()
    """How the language model is bent."""
    grounded: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the samples that are told what was measured; the others have the image alone."""
    gauge: Annotated[float, Field(ge=0)] | None = None
    """What counts, beside the words, that the adapter writes the measurements in the code that the small language model
    reads; 1 for that one and 0 for others if not given."""
    stress: Annotated[float, Field(gt=0)] = 3.0
    """How much more a digit counts than another word."""
    wordings: Annotated[int, Field(ge=1)] | None = None
    """Ways of saying the same, where the grammar writes lessons itself; any if not given. Few are learnt sooner."""
    number_first: bool = False
    """Where the grammar writes lessons itself, each number comes before the word that follows from it, so that a small
    model need not know the word before it has looked the number up."""
    samples: Annotated[int, Field(ge=1)] | None = None
    """Samples per epoch; every text once if not given."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Samples per step."""
    held_out: HeldOutSettings = HeldOutSettings()
    """What nothing is learnt from."""
    profile: Literal["arpent", "xvision"] = "arpent"
    """xvision also writes the files under the names that its programs look for."""
    fit: FitSettings = FitSettings(epochs=3, optimiser=OptimiserSettings(rate=1e-4, schedule="one-cycle", warm_up=0.1))
    """How it is trained."""
    language: Language = "en"
    """Language of what is said: en or fr."""
