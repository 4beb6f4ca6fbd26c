"""Warnings begin with the word for one, once."""

from __future__ import annotations

import pytest

from arpent.language import keys, say, warned
from arpent.language.lexicon import LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_word_stands_before_a_warning_once(language):
    plain = "the dates are guessed"
    first = warned(plain, language)
    assert first.endswith(plain) and first != plain
    assert warned(first, language) == first
    for key in ("drift.clipped", "runs.shipped"):
        assert key in keys()
        told = say(key, language, source="a.tif", model="change-nano")
        assert warned(told, language) == told
