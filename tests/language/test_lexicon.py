"""The phrases: closed keys, both languages, and no key used that is not there."""

import ast
import string
from datetime import date
from pathlib import Path

import pytest

from arpent.errors import InvalidSetting, UnknownName
from arpent.language import LANGUAGES, keys, language_named, say
from arpent.language.lexicon import FORMATS, PLURAL, _phrases


def test_every_phrase_is_there_in_both_languages() -> None:
    for key, words in _phrases().items():
        assert set(words) == set(LANGUAGES), key
        assert all(text and text == text.strip() for text in words.values()), key


def test_both_languages_take_the_same_values_in_known_formats() -> None:
    for key, words in _phrases().items():
        fields = {
            language: [(name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name is not None]
            for language, text in words.items()
        }
        assert {name for name, _ in fields["en"]} == {name for name, _ in fields["fr"]}, key
        for _, spec in fields["en"] + fields["fr"]:
            assert spec in FORMATS or PLURAL.fullmatch(spec or ""), f"{key}: format '{spec}'"


def test_every_key_used_in_the_source_exists(root: Path) -> None:
    """`say` is called with a literal key, or with one built from a literal prefix that some phrase has."""
    known = keys()
    for path in (root / "src" / "arpent").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "say"):
                continue
            key = node.args[0]
            if isinstance(key, ast.Constant):
                assert key.value in known, f"{path.name}:{node.lineno} says '{key.value}', which no phrase is called"
            elif isinstance(key, ast.JoinedStr) and isinstance(key.values[0], ast.Constant):
                prefix = str(key.values[0].value)
                assert any(name.startswith(prefix) for name in known), f"{path.name}:{node.lineno}: '{prefix}…'"


def test_french_typography() -> None:
    """Colon, semicolon and percent stand apart, by a space of whatever width."""
    for key, words in _phrases().items():
        for mark in ":;%":
            before = words["fr"].split("{")[0].split(mark)
            assert all(part[-1:].isspace() for part in before[:-1]), f"{key}: '{mark}' without its space"


def test_values_are_written_in_the_language() -> None:
    assert (
        say("report.made_by", "fr", version="1.0", when=date(2024, 8, 1)) == "Produit par Arpent 1.0 le 1er août 2024"
    )
    assert say("progress.tiles", "en", done=1, total=1) == "1 of 1 tile"
    assert say("progress.tiles", "fr", done=0, total=2500) == "0 sur 2\N{NARROW NO-BREAK SPACE}500 tuiles"
    assert say("report.land_cover_of", "en", place="Saint-Aubin") == "Land cover of Saint-Aubin"


def test_values_without_a_format_are_written_plainly() -> None:
    assert FORMATS[""](True, "fr") == "True"
    assert FORMATS[""](0.123456, "fr") == "0,123"
    assert FORMATS[""](date(2024, 1, 2), "en") == "2 January 2024"


def test_an_unknown_phrase_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"Did you mean 'word\.class'"):
        say("word.clas", "en")


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="place"):
        say("report.land_cover_of", "fr")


@pytest.mark.parametrize(
    ("name", "language"),
    [("fr_FR.UTF-8", "fr"), ("Français", "fr"), ("en_GB", "en"), ("C.UTF-8", "en"), ("POSIX", "en"), ("", "en")],
)
def test_locales(name: str, language: str) -> None:
    assert language_named(name) == language


def test_other_languages_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="does not speak 'de_DE'"):
        language_named("de_DE")
