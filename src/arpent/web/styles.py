"""How each kind of layer looks: its ramp or its entries, its title in two languages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from arpent.core import Language
from arpent.language import say
from arpent.web.layers import Entry, Kind, Legend

__all__ = ["RAMPS", "Title", "date_entries", "legend_of_change", "quality_legend", "ramp_legend", "titled"]

RAMPS: Final[dict[str, tuple[str, ...]]] = {
    "viridis": ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"),
    "cividis": ("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#fee838"),
    "blues": ("#eff3ff", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#084594"),
}
"""Colours at even steps; eyes of every kind tell their order."""

_REDS = ("#ffcbb1", "#fca582", "#fb5e3b", "#cb181d", "#7f0a10")
_UNCHANGED = "#d8d3cc"  # to be seen on a light ground and on a dark one
_STEPS = 41
"""Colours of a ramp of change: enough that its border lies where the threshold is, to a fortieth."""

_RAMP_OF: Final[dict[Kind, str]] = {
    "persistence": "blues",
    "agreement": "cividis",
    "probability": "viridis",
    "continuous": "viridis",
    "embedding": "cividis",
}
_QUALITY: Final = (
    (0, "clear", "#8fbf7f"),
    (1, "cloud", "#f2f2f2"),
    (2, "adjacent", "#c9b8d6"),
    (3, "shadow", "#4d4d4d"),
    (4, "snow", "#56b4e9"),
    (5, "water", "#1a5bab"),
    (6, "aerosol", "#e69f00"),
)
"""The codes of `arpent.pixels.Quality`, which a server need not hold in memory with the compiler behind that room."""


@dataclass(frozen=True, slots=True)
class Title:
    """The title of a layer in both languages."""

    en: str
    fr: str

    def of(self, name: str) -> Title:
        """The same, of something that has a name of its own."""
        both = {lang: say("map.band_of", lang, title=text, name=name) for lang, text in self._by_language}
        return Title(both["en"], both["fr"])

    @property
    def _by_language(self) -> tuple[tuple[Language, str], ...]:
        return ("en", self.en), ("fr", self.fr)


def titled(key: str) -> Title:
    """The phrase of that key, as a title."""
    return Title(say(key, "en"), say(key, "fr"))


def ramp_legend(kind: Kind, low: float, high: float, *, unit: Title | None = None) -> Legend:
    """The legend of a quantity between two ends."""
    ramp = RAMPS[_RAMP_OF.get(kind, "viridis")]
    return Legend((), ramp, low, high, unit.en if unit else "", unit.fr if unit else "")


def legend_of_change(low: float, high: float, threshold: float | None, *, rising: bool) -> Legend:
    """The red ramp: pale where the ground has not changed, the redder the more it has.

    Args:
        low: the least value that has a colour of its own.
        high: the greatest.
        threshold: where change begins; the middle if None.
        rising: whether high values mean change, or low ones.
    """
    border = (low + high) / 2 if threshold is None else min(max(threshold, low), high)
    worst = high if rising else low
    ramp = []
    for step in range(_STEPS):
        value = low + (high - low) * step / (_STEPS - 1)
        changed = value >= border if rising else value < border
        depth = abs(value - border) / max(abs(worst - border), 1e-9)
        ramp.append(_REDS[min(int(depth * len(_REDS)), len(_REDS) - 1)] if changed else _UNCHANGED)
    return Legend((), tuple(ramp), low, high)


def quality_legend() -> Legend:
    """What was seen at a pixel, by its code."""
    return Legend(
        tuple(
            Entry(code, colour, title.en, title.fr)
            for code, name, colour in _QUALITY
            for title in (titled(f"map.quality_{name}"),)
        )
    )


def date_entries(days: Sequence[int]) -> Legend:
    """Dates as years and days of the year (2024061), from early (dark) to late (bright)."""
    stops = RAMPS["cividis"]
    entries = []
    for place, number in enumerate(sorted(days)):
        day = dt.date(number // 1000, 1, 1) + dt.timedelta(days=number % 1000 - 1)
        colour = stops[round(place * (len(stops) - 1) / max(len(days) - 1, 1))]
        entries.append(Entry(number, colour, _written(day, "en"), _written(day, "fr")))
    return Legend(tuple(entries))


def _written(day: dt.date, language: Language) -> str:
    return say("map.day", language, day=day)
