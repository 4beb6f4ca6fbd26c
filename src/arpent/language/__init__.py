"""The words: names and sentences in French and English, and what a text asserts of the land."""

from arpent.language.axes import AXES, SHARES, Axis, Profile, axes_of, class_of
from arpent.language.cautions import warned
from arpent.language.claims import Claim, Finding, Sentence, check, contradictions, parse
from arpent.language.diversity import Diversity, diversity
from arpent.language.grammar import abstains, compose, templates, text
from arpent.language.lexicon import LANGUAGES, keys, language_named, say
from arpent.language.measured import Measured
from arpent.language.quantities import area, day, duration, length, number, percent, plural, signed, storage
from arpent.language.season import compose_season
from arpent.language.vocabulary import axis_words, class_words
from arpent.language.words import (
    LONGEST_CAPTION,
    Codes,
    Vocabulary,
    cleaned,
    concept,
    content_words,
    labels_named,
    masked,
    words_of,
)

__all__ = [
    "AXES",
    "LANGUAGES",
    "LONGEST_CAPTION",
    "SHARES",
    "Axis",
    "Claim",
    "Codes",
    "Diversity",
    "Finding",
    "Measured",
    "Profile",
    "Sentence",
    "Vocabulary",
    "abstains",
    "area",
    "axes_of",
    "axis_words",
    "check",
    "class_of",
    "class_words",
    "cleaned",
    "compose",
    "compose_season",
    "concept",
    "content_words",
    "contradictions",
    "day",
    "diversity",
    "duration",
    "keys",
    "labels_named",
    "language_named",
    "length",
    "masked",
    "number",
    "parse",
    "percent",
    "plural",
    "say",
    "signed",
    "storage",
    "templates",
    "text",
    "warned",
    "words_of",
]
