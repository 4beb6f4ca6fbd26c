"""The words of reports, tables and the command line, in French and English: ``say("report.area", "fr")``.

The phrases lie in ``tables/lexicon.toml``; their keys are closed, so that a phrase missing in one language is found by
a test and not by a reader. A phrase may hold values: ``{total:area}`` writes the value `total` as an area. The
formats: ``area`` (m² in), ``count``, ``date``, ``decimals1`` … ``decimals4``, ``duration`` (s in), ``length`` (m in),
``percent`` (a share of one in), ``storage`` (bytes in), and ``plural(tile|tiles)``, which writes the form that the
number asks for. Without a format a number is written with three significant digits. Names of land classes are not
here: nomenclatures carry their own (`arpent.core.ClassMap`).
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from arpent.core import Language
from arpent.errors import InvalidSetting, UnknownName
from arpent.language import quantities

__all__ = ["LANGUAGES", "keys", "language_named", "say"]

LANGUAGES: tuple[Language, ...] = ("en", "fr")


def _plainly(value: object, language: Language) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | date):
        return str(value)
    if isinstance(value, date):
        return quantities.day(value, language)
    return quantities.number(value, language)


FORMATS: Mapping[str, Callable[[Any, Language], str]] = {
    "": _plainly,
    "area": quantities.area,
    "count": lambda value, language: quantities.number(value, language, 0),
    "date": quantities.day,
    "decimals1": lambda value, language: quantities.number(value, language, 1),
    "decimals2": lambda value, language: quantities.number(value, language, 2),
    "decimals3": lambda value, language: quantities.number(value, language, 3),
    "decimals4": lambda value, language: quantities.number(value, language, 4),
    "duration": quantities.duration,
    "length": quantities.length,
    "percent": quantities.percent,
    "percent0": lambda value, language: quantities.percent(value, language, 0),
    "storage": quantities.storage,
}
PLURAL = re.compile(r"plural\((?P<singular>[^|)]*)\|(?P<several>[^)]*)\)")


def say(key: str, language: Language, /, **values: object) -> str:
    """The phrase of that key in that language, with its values written in.

    Raises:
        UnknownName: no phrase has this key.
        KeyError: the phrase holds a value that is not given.
    """
    phrases = _phrases()
    if key not in phrases:
        raise UnknownName.among(key, phrases, "phrase")
    return _Writer(language).vformat(phrases[key][language], (), values)


def keys() -> tuple[str, ...]:
    """Every phrase there is, sorted."""
    return tuple(sorted(_phrases()))


def language_named(name: str) -> Language:
    """The language of a locale or option: ``fr``, ``fr_FR.UTF-8`` and ``Français`` are French.

    Raises:
        InvalidSetting: Arpent does not speak it.
    """
    folded = name.casefold()
    if folded.startswith(("fr", "français")):
        return "fr"
    if folded.startswith(("en", "c.", "posix")) or folded in {"", "c"}:
        return "en"
    raise InvalidSetting(
        f"Arpent does not speak '{name}'", expected="fr or en", cure="Choose the nearer of French and English."
    )


@cache
def _phrases() -> dict[str, dict[Language, str]]:
    text = files("arpent.language").joinpath("tables", "lexicon.toml").read_text("utf-8")
    return {f"{room}.{name}": words for room, entries in tomllib.loads(text).items() for name, words in entries.items()}


class _Writer(string.Formatter):
    """Python's own template language, with Arpent's formats in place of Python's."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: object, format_spec: str) -> str:
        forms = PLURAL.fullmatch(format_spec)
        if forms and isinstance(value, int | float):
            return quantities.plural(value, forms["singular"], forms["several"], self.language)
        return FORMATS[format_spec](value, self.language)
