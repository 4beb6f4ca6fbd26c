from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arpent.errors import InvalidSetting, UnknownName
from arpent.pixels import (
    QUALITY_LAYERS,
    SEVERITY,
    Quality,
    bright_as_cloud,
    decode_quality,
    usable,
    worst_quality,
)

codes = hnp.arrays(np.uint8, (4, 4), elements=st.sampled_from([int(quality) for quality in Quality]))


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0b0000_0000, Quality.CLEAR),
        (0b0000_0001, Quality.CLEAR),  # cirrus is reserved in HLS v2
        (0b0000_0010, Quality.CLOUD),
        (0b0000_0100, Quality.ADJACENT),
        (0b0000_1000, Quality.SHADOW),
        (0b0001_0000, Quality.SNOW),
        (0b0010_0000, Quality.WATER),
        (0b1100_0000, Quality.AEROSOL),
        (0b1000_0000, Quality.CLEAR),  # moderate aerosol
        (0b1100_0110, Quality.CLOUD),  # a cloud, its edge and haze: a cloud
        (0b0001_1100, Quality.SHADOW),
        (0b1101_0100, Quality.ADJACENT),
        (0b1101_0000, Quality.AEROSOL),
        (0b0011_0000, Quality.SNOW),
        (255, Quality.FILL),
    ],
)
def test_fmask_bits(bits, expected):
    assert decode_quality(np.array([bits], np.uint8), "fmask")[0] == expected


def test_scene_classification():
    expected = [
        "FILL",
        "FILL",
        "SHADOW",
        "SHADOW",
        "CLEAR",
        "CLEAR",
        "WATER",
        "CLEAR",
        "CLOUD",
        "CLOUD",
        "CLOUD",
        "SNOW",
    ]
    decoded = decode_quality(np.arange(14, dtype=np.int16), "scl")
    assert [Quality(code).name for code in decoded] == [*expected, "FILL", "FILL"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, Quality.FILL),
        (21824, Quality.CLEAR),  # the values of the USGS table of common Landsat 8 and 9 pixels
        (21952, Quality.WATER),
        (22280, Quality.CLOUD),
        (23888, Quality.SHADOW),
        (30048, Quality.SNOW),
        (21826, Quality.ADJACENT),
        (54596, Quality.CLOUD),  # high-confidence cirrus
    ],
)
def test_landsat_quality(value, expected):
    assert decode_quality(np.array([value], np.uint16), "qa_pixel")[0] == expected


def test_own_codes_pass_and_others_are_fill():
    assert decode_quality(np.array([0, 6, 7, 255, -3, 999]), "codes").tolist() == [0, 6, 255, 255, 255, 255]


@pytest.mark.parametrize("layer", QUALITY_LAYERS)
def test_every_number_has_a_meaning(layer):
    decoded = decode_quality(np.arange(256, dtype=np.uint16) << (10 if layer == "qa60" else 0), layer)
    assert set(decoded.tolist()) <= {int(quality) for quality in Quality}


def test_severity_names_each_quality_once_in_the_documented_order():
    assert sorted(SEVERITY) == sorted(Quality)
    order = ["CLOUD", "SHADOW", "ADJACENT", "AEROSOL", "SNOW", "WATER", "CLEAR"]
    assert [quality.name for quality in SEVERITY if quality.name in order] == order


@given(codes, codes, codes)
@settings(deadline=None, max_examples=50)
def test_the_worst_of_dates_does_not_depend_on_their_order(a, b, c):
    assert np.array_equal(worst_quality(a, b), worst_quality(b, a))
    assert np.array_equal(worst_quality(worst_quality(a, b), c), worst_quality(a, worst_quality(b, c)))
    assert np.array_equal(worst_quality(a, a), a)


def test_a_cloud_is_worse_than_haze_although_its_code_is_smaller():
    assert worst_quality(np.array([1], np.uint8), np.array([6], np.uint8))[0] == Quality.CLOUD
    assert worst_quality(np.array([255], np.uint8), np.array([1], np.uint8))[0] == Quality.FILL


def test_usable_pixels():
    image = np.array([0, 1, 2, 3, 4, 5, 6, 255], np.uint8)
    assert usable(image).tolist() == [True, False, True, False, True, True, True, False]
    assert usable(image, ["Cloud", "snow", "water"]).tolist() == [True, False, True, True, False, False, True, False]
    assert usable(image, []).sum() == 7


def test_mistakes_are_explained():
    with pytest.raises(UnknownName, match="Did you mean 'fmask'"):
        decode_quality(np.zeros(1, np.uint8), "fmsk")
    with pytest.raises(UnknownName, match="Did you mean 'cloud'"):
        usable(np.zeros(1, np.uint8), ["clouds"])
    with pytest.raises(InvalidSetting, match="whole numbers"):
        decode_quality(np.zeros(1), "scl")


def test_the_two_cloud_bits_of_qa60_and_a_plain_mask():
    assert decode_quality(np.array([0, 1024, 2048, 3072, 7], np.uint16), "qa60").tolist() == [0, 1, 1, 1, 0]
    with pytest.raises(InvalidSetting, match="bits 10 and 11"):  # all would be clear
        decode_quality(np.array([0, 1], np.uint8), "qa60")
    assert decode_quality(np.array([0, 1, 2], np.uint8), "cloudmask").tolist() == [0, 1, 255]


def test_cloud_and_snow_are_told_by_their_brightness():
    names = ("cloud", "snow", "pale soil", "white sand", "meadow", "water", "haze")
    green = np.array([0.6, 0.8, 0.2, 0.45, 0.05, 0.04, 0.12])
    red = np.array([0.6, 0.75, 0.25, 0.5, 0.04, 0.03, 0.1])
    assert [name for name, pale in zip(names, bright_as_cloud(green, red), strict=True) if pale] == [
        "cloud",
        "snow",
        "white sand",
    ]
    assert bright_as_cloud(np.array([0.2]), np.array([0.19])).all()
    assert not bright_as_cloud(np.array([np.nan]), np.array([np.nan])).any()
