"""The words: names and sentences in French and English."""

from arpent.language.lexicon import LANGUAGES, keys, language_named, say
from arpent.language.quantities import area, day, duration, length, number, percent, plural, storage

__all__ = [
    "LANGUAGES",
    "area",
    "day",
    "duration",
    "keys",
    "language_named",
    "length",
    "number",
    "percent",
    "plural",
    "say",
    "storage",
]
