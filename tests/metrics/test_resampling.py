"""How figures with intervals are told."""

from __future__ import annotations

import math

import pytest

from arpent.core import Language
from arpent.metrics import Interval


@pytest.mark.parametrize(
    ("one", "language", "told"),
    [
        (Interval(0.9123, 0.89, 0.9306), "en", "0.912 (0.890 – 0.931)"),
        (Interval(0.9123, 0.89, 0.9306), "fr", "0,912 (0,890 – 0,931)"),
        (Interval(0.5, math.nan, math.nan), "en", "0.500"),
        (Interval(math.nan, 0.1, 0.2), "en", "–"),
    ],
)
def test_an_interval_is_told_as_far_as_it_is_known(one: Interval, language: Language, told: str) -> None:
    assert one.told(language) == told
