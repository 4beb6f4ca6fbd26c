from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from arpent.errors import BandMismatch, InvalidSetting
from arpent.pixels import ByteScale, decibels_to_linear, linear_to_decibels

numbers = hnp.arrays(np.uint16, (2, 3, 4), elements=st.integers(0, 65535))


@given(hnp.arrays(np.float32, 8, elements=st.floats(-40, 20, width=32)))
@settings(deadline=None, max_examples=50)
def test_decibels_and_back(decibels):
    assert linear_to_decibels(decibels_to_linear(decibels)) == pytest.approx(decibels, abs=1e-4)


def test_no_echo_is_finite_and_nan_stays():
    decibels = linear_to_decibels(np.array([0.0, -1.0, np.nan, 1.0], np.float32))
    assert decibels[[0, 1, 3]].tolist() == pytest.approx([-50, -50, 0], abs=1e-5)
    assert np.isnan(decibels[2])


@given(numbers, st.integers(0, 30_000), st.integers(1, 30_000))
@settings(deadline=None, max_examples=50)
def test_bytes_are_in_order_and_the_inverse_is_within_half_a_step(image, low, width):
    scale = ByteScale.between([low, low], [low + width, low + width], "test")
    result = scale(image)
    flat, order = image[0].ravel(), np.argsort(image[0].ravel(), kind="stable")
    assert np.all(np.diff(result[0].ravel()[order].astype(int)) >= 0)
    assert result.min() >= 1
    inside = (flat >= low) & (flat <= low + width)
    error = np.abs(scale.inverse(result)[0].ravel()[inside] - flat[inside])
    assert np.all(error <= width / 254 * 0.51 + 0.01)


def test_ends_become_1_and_255_and_holes_0():
    scale = ByteScale.between([100.0], [200.0], "")
    image = np.array([[[100.0, 200.0, 50.0, 900.0, np.nan, 150.0]]])
    valid = np.array([[True, True, True, True, True, False]])
    assert scale(image, valid).tolist() == [[[1, 255, 1, 255, 0, 0]]]
    assert np.isnan(scale.inverse(np.zeros((1, 1, 1), np.uint8))).all()


def test_a_conversion_survives_json_and_gives_the_same_bytes():
    scale = ByteScale.between([1.5, 0], [1045.25, 2047], "percentile of the training images")
    image = np.arange(2 * 64, dtype=np.uint16).reshape(2, 8, 8) * 16
    again = ByteScale.model_validate_json(scale.model_dump_json())
    assert again == scale
    assert np.array_equal(again(image), scale(image))


def test_a_flat_band_still_converts():
    assert ByteScale.between([7.0], [7.0], "")(np.full((1, 1, 1), 7)).item() == 1


def test_bad_conversions_are_refused():
    with pytest.raises(InvalidSetting, match="low below a high"):
        ByteScale(low=(1.0,), high=(1.0,))
    with pytest.raises(InvalidSetting, match="low below a high"):
        ByteScale(low=(1.0,), high=(2.0, 3.0))
    with pytest.raises(ValidationError):
        ByteScale(low=(0.0,), high=(1.0,), top=3)
    with pytest.raises(BandMismatch, match="number of bands"):
        ByteScale.between([0.0], [1.0], "")(np.zeros((2, 1, 1)))
