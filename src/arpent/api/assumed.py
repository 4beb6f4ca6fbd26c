"""The model that does the work where nobody has named one: the small one that comes with Arpent, never in silence."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from arpent.core import Language
from arpent.language import say
from arpent.store import Place

__all__ = ["Work", "work_of"]

_SHIPPED: Final = {"change": "change-nano", "classify": "classify-nano", "forecast": "forecast-nano"}
_CALLER = 3
"""Frames from the warning to the line that a user wrote: this module, the capability, the user."""


@dataclass(frozen=True)
class Work:
    """What does the work, and where it goes.

    Attributes:
        model: its name or path.
        place: of the run, which notes that nobody has chosen the model.
    """

    model: str | Path
    place: Place


def work_of(
    task: Literal["change", "classify", "forecast"],
    model: str | Path | None,
    place: Place,
    settings: Mapping[str, Any],
) -> Work:
    """The model that is named, or else the one that comes with Arpent for this task, with a warning.

    Args:
        task: the capability.
        model: what the caller has named.
        place: where the run goes.
        settings: as the caller has given them; ``language`` is that of the warning.
    """
    if model is not None:
        return Work(model, place)
    shipped = _SHIPPED[task]
    language: Language = "fr" if settings.get("language") == "fr" else "en"
    told = say("result.assumed", language, model=shipped, better=say(f"result.better_{task}", language))
    warnings.warn(told, stacklevel=_CALLER)
    return Work(shipped, replace(place, doubts=(*place.doubts, told), cautious=False))
