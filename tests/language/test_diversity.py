"""The variety of texts."""

import pytest

from arpent.language import diversity


def test_variety_counts_pairs_duplicates_and_wordings() -> None:
    found = diversity(["a b c 0,1", "a b c 0,2", "a b c 0,1", "d e"])
    assert (found.texts, found.wordings) == (4, 2)
    assert found.duplicates == pytest.approx(0.25)
    assert found.distinct_2 == pytest.approx(5 / 10), "a-b, b-c, c-0,1, c-0,2, d-e of ten"


def test_no_texts_have_no_variety() -> None:
    assert diversity([]) == diversity(iter(()))
    assert (diversity([]).distinct_2, diversity(["word"]).distinct_2) == (0.0, 0.0)
