"""What products say of themselves is read from wherever they say it, and whatever else stands there."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.tasks.describe.product_facts import ProductFacts, facts_of

NAME = "/x/S2A_MSIL2A_20220601T105621_N{baseline}_R094_T31TDG_20220601T151618.tif"


@pytest.mark.parametrize(
    ("baseline", "offset"), [("0301", 0.0), ("0400", -1000.0), ("0509", -1000.0), ("0510", -1000.0), ("9999", None)]
)
def test_the_name_of_a_product(baseline, offset):
    facts = facts_of(NAME.format(baseline=baseline), {})
    assert (facts.offset, facts.taken) == (offset, dt.date(2022, 6, 1))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"BOA_ADD_OFFSET": "-1000"}, -1000.0),
        ({"radio_add_offset": "-1000,-1000,-1000"}, -1000.0),
        ({"BOA_ADD_OFFSET": "0"}, 0.0),
        ({"BOA_ADD_OFFSET": "-1000,-900"}, None),  # not one for all bands
        ({"BOA_ADD_OFFSET": "none"}, None),
        ({"PROCESSING_BASELINE": "05.00"}, -1000.0),
        ({"PROCESSING_BASELINE": "02.14"}, 0.0),
        ({"PROCESSING_BASELINE": "5"}, None),
        ({}, None),
    ],
)
def test_tags(tags, expected):
    assert facts_of("a.tif", tags).offset == expected


def test_what_is_nearest_to_the_numbers_is_heard():
    facts = facts_of(NAME.format(baseline="0400"), {"BOA_ADD_OFFSET": "0", "QUANTIFICATION_VALUE": "10000"})
    assert (facts.offset, facts.scale) == (0.0, 1e-4)
    assert "BOA_ADD_OFFSET" in facts.told_by


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2022-06-01T10:56:21Z", dt.date(2022, 6, 1)),
        ("2022:06:01 10:56:21", dt.date(2022, 6, 1)),
        ("20220601T105621", dt.date(2022, 6, 1)),
        ("yesterday", None),
        ("2022-13-01", None),
    ],
)
def test_days(text, day):
    assert facts_of("a.tif", {"PRODUCT_START_TIME": text}).taken == day


anything: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=12) | st.sampled_from(["04.00", "-0.1", "0.0001"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["raster:bands", "bands", "offset", "scale", "raster:offset", "x"]), inner, max_size=3
    ),
    max_leaves=8,
)  # fmt: skip
names = st.sampled_from(["BOA_ADD_OFFSET", "PROCESSING_BASELINE", "QUANTIFICATION_VALUE", "DATETIME", "other"])


@given(st.dictionaries(names, st.text(max_size=20), max_size=4))
@settings(max_examples=50, deadline=None)
def test_tags_may_hold_anything(tags):
    facts = facts_of("a.tif", tags)
    assert isinstance(facts, ProductFacts)
    assert facts.scale is None or 0 < facts.scale <= 1


@given(st.dictionaries(st.text(max_size=4), anything, max_size=3), anything)
@settings(max_examples=50, deadline=None)
def test_items_may_hold_anything(tmp_path_factory, assets, properties):
    path = tmp_path_factory.mktemp("item") / "a.json"
    path.write_text(json.dumps({"type": "Feature", "assets": assets, "properties": properties}), "utf-8")
    assert isinstance(facts_of(str(path), {}), ProductFacts)
