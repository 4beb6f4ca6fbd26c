"""The axes: every bound has a source, and a class goes with the number as it is written."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.errors import UnknownName
from arpent.language import AXES, SHARES, Measured, axes_of, axis_words, class_of, class_words, compose
from arpent.language.axes import ABSTENTION, GROUND, STEADY, axis_named, word_table
from arpent.pixels import index_names


def test_the_five_required_axes_are_there_with_sources() -> None:
    assert AXES == ("vigour", "moisture", "biomass", "soil", "growth")
    for axis in axes_of().values():
        assert len(axis.source) > 20, axis.name
        assert axis.index in index_names()
        assert len(axis.keys) == len(axis.bounds) + 1
        assert list(axis.bounds) == sorted(axis.bounds)


@pytest.mark.parametrize("profile", ["arpent", "xvision"])
def test_a_word_of_quantity_means_a_class_on_every_axis(profile: str) -> None:
    levels = {"none", "very_low", "low", "moderate", "high", "very_high"}
    for axis in axes_of(profile).values():  # type: ignore[arg-type]
        assert set(axis.levels) == levels
        for named in axis.levels.values():
            assert set(named.split("|")) <= set(axis.keys), axis.name


def test_the_shares_of_the_ground_have_their_thresholds_in_order() -> None:
    assert SHARES == ("water", "vegetation", "soil")
    assert [(one.name, one.index, one.least, one.below) for one in GROUND] == [
        ("water", "NDWI", 0.0, None),
        ("vegetation", "NDVI", 0.3, None),
        ("water", "MNDWI", 0.0, None),
        ("soil", "NDVI", None, 0.2),
    ]
    assert all(one.source for one in GROUND)


def test_bounds_belong_to_the_class_above() -> None:
    assert [class_of("vigour", value) for value in (0.0, 0.1, 0.3, 0.6)] == ["absent", "low", "moderate", "high"]
    assert class_of("moisture", -0.004) == "moist", "it is written 0.00"
    assert class_of("vigour", 0.2951) == "moderate", "it is written 0.30"
    assert class_of("vigour", 0.2949) == "low"


@given(st.floats(-1, 1))
def test_the_class_is_that_of_the_written_number(value: float) -> None:
    for name, axis in axes_of().items():
        assert axis.class_of(value) == class_of(name, float(f"{value:.2f}"))


def test_xvision_has_its_published_thresholds() -> None:
    """Part B1 of the specification; its "NDWI" is the burn ratio."""
    published = {axis.index_word: axis.bounds for axis in axes_of("xvision").values()}
    assert published == {
        "NDVI": (0.1, 0.3, 0.6),
        "NDWI": (-0.1, 0.1),
        "SAVI": (0.2, 0.4),
        "EVI": (0.1, 0.4),
        "ARVI": (0.0,),
        "DVI": (0.1, 0.3),
    }
    assert axis_named("moisture", "xvision").index == "NBR"


def test_what_decides_a_class() -> None:
    measured = Measured("p", {"NDVI": 0.5, "BSI": 0.1, "NDMI": math.nan}, {"soil": 0.4})
    assert axis_named("soil").deciding(measured) == 0.4
    assert axis_named("vigour").deciding(measured) == 0.5
    assert axis_named("moisture").deciding(measured) is None


def test_an_unknown_axis_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="vigour"):
        class_of("vigor", 0.4)


def test_limits_of_abstention_and_change() -> None:
    assert (ABSTENTION.cloud, ABSTENTION.valid, STEADY) == (0.6, 0.2, 0.05)


def test_every_index_is_known_to_the_reader_and_no_other() -> None:
    assert sorted(word_table("words")["indices"]) == sorted(index_names())


def test_words_of_classes_and_axes() -> None:
    assert "dense" in class_words("vigour", "high", "fr")
    assert "short of water" in class_words("moisture", "dry", "en")
    assert "sol nu" in axis_words("soil", "fr")
    assert "vigour" in axis_words("vigour", "en")
    assert "water stress" not in axis_words("moisture", "en"), "much of it is little moisture"


def test_of_thin_growth_nobody_says_whether_the_ground_is_covered() -> None:
    """An NDVI from .2 to .3 is neither vegetation nor soil: "0% bare soil: well covered" would be false."""
    thin = Measured("p", {"NDVI": 0.25, "BSI": 0.02}, {"vegetation": 0.1, "soil": 0.2, "water": 0.0})
    assert axis_named("soil").deciding(thin) is None
    for seed in range(30):
        text = " ".join(one.text for one in compose(thin, "en", seed=seed))
        assert "covered" not in text and "bare soil" not in text.lower()
        assert "BSI" in text and "0.02" in text
    assert axis_named("soil").deciding(replace(thin, shares={"vegetation": 0.4, "soil": 0.2, "water": 0.0})) == 0.2
