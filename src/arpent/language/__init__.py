"""The words: names and sentences in French and English."""

from arpent.language.lexicon import LANGUAGES, keys, language_named, say
from arpent.language.measured import Measured
from arpent.language.quantities import area, day, duration, length, number, percent, plural, storage

__all__ = [
    "LANGUAGES",
    "Measured",
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
