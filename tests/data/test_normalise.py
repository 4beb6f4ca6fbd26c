from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Normalisation
from arpent.data import (
    FarBand,
    Normaliser,
    Statistics,
    byte_scale_of,
    far_bands,
    normalisation,
    standardisation,
    with_absent,
)
from arpent.errors import BandMismatch, InvalidSetting, NoValidPixels, UnknownName

RULE = Normalisation(origin="test", scale=1 / 255, mean=(0.4, 0.5), std=(0.2, 0.25))
KINDS = ("uint8", "uint16", "int16", "float32", "float64")


def measured(image, bands=("red", "nir")):
    statistics = Statistics(bands, image.dtype)
    statistics.update(image)
    return statistics


@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_normalising_is_the_formula_of_the_contract(kind, seed):
    image = np.random.default_rng(seed).uniform(0, 200, (2, 5, 7)).astype(kind)
    expected = (image.astype(np.float64) / 255 - np.reshape(RULE.mean, (2, 1, 1))) / np.reshape(RULE.std, (2, 1, 1))
    normaliser = Normaliser(RULE)
    result = normaliser(image)
    assert result.dtype == np.float32
    assert result == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert normaliser.inverse(result) == pytest.approx(image.astype(np.float64), rel=1e-5, abs=1e-3)


def test_pixels_without_data_become_zero_whatever_they_hold():
    image = np.full((2, 2, 2), np.nan, np.float32)
    image[:, 0, 0] = 51
    valid = np.array([[True, False], [False, False]])
    result = Normaliser(RULE)(image, valid)
    assert result[:, 0, 0] == pytest.approx([-1.0, -1.2])
    assert np.count_nonzero(result) == 2


def test_a_rule_that_ends_in_zero_to_one_cuts_off_and_takes_the_middle_for_nothing():
    rule = Normalisation(origin="test", mean=(-20.0, 0.0, 5.0), std=(40.0, 10.0, 1.0), absent=(2,), unit=True)
    image = np.array([[[-90, -20, 0, 1e9]], [[-1, 5, np.nan, 10]], [[7, 7, 7, 7]]], np.float32)
    result = Normaliser(rule)(image, np.array([[True, True, False, True]]))
    assert np.array_equal(result, [[[0, 0, 0.5, 1]], [[0, 0.5, 0.5, 1]], [[0.5] * 4]])
    assert Normaliser(rule.model_copy(update={"unit": False}))(image)[0, 0, 0] < 0


def test_bands_that_are_missing_leave_a_rule_its_range():
    rule = Normalisation(origin="test", mean=(2.0,), std=(4.0,), unit=True)
    whole = with_absent(rule, ("B02", "B03"), ("B02",))
    assert np.array_equal(Normaliser(whole)(np.full((2, 1, 1), 4.0, np.float32)), [[[0.5]], [[0.5]]])


def test_strided_views_big_endian_numbers_and_given_memory():
    image = np.arange(2 * 8 * 8, dtype=np.uint16).reshape(2, 8, 8)
    expected = Normaliser(RULE)(np.ascontiguousarray(image[:, ::2, ::-1]))
    assert np.array_equal(Normaliser(RULE)(image[:, ::2, ::-1]), expected)
    assert np.array_equal(Normaliser(RULE)(image.astype(">u2")[:, ::2, ::-1]), expected)
    out = np.empty((2, 4, 8), np.float32)
    assert Normaliser(RULE)(image[:, ::2, ::-1], out=out) is out
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(("bits", "top"), [(8, 255), (10, 1023), (11, 2047), (12, 4095), (16, 65535)])
def test_norma_01_brings_the_bit_depth_to_one(bits, top):
    rule = normalisation("norma-01", ["red"], bits=bits)
    assert Normaliser(rule)(np.array([[[0, top]]], np.uint16)).ravel().tolist() == pytest.approx([0, 1])
    assert Normaliser(normalisation("norma-01", ["red"], bits=0))(np.array([[[0.25]]])).item() == 0.25


def test_norma_target_gives_mean_0_and_deviation_1():
    image = np.random.default_rng(0).normal(1000, 50, (2, 64, 64)).astype(np.uint16)
    rule = normalisation("norma-target", ["red", "nir"], target=measured(image))
    result = Normaliser(rule)(image)
    assert result.mean((1, 2), dtype=np.float64) == pytest.approx([0, 0], abs=1e-4)
    assert result.std((1, 2), dtype=np.float64) == pytest.approx([1, 1], rel=1e-4)


def test_norma_source_is_that_of_the_model():
    assert normalisation("norma-source", ["red", "nir"], source=RULE) is RULE


def test_a_flat_band_is_only_shifted():
    rule = standardisation(measured(np.full((2, 3, 3), 7, np.uint8)), "flat")
    assert rule.std == (1.0, 1.0)
    assert not Normaliser(rule)(np.full((2, 3, 3), 7, np.uint8)).any()


def test_mistakes_are_explained():
    with pytest.raises(UnknownName, match="Did you mean 'norma-target'"):
        normalisation("norma-taget", ["red"])
    with pytest.raises(InvalidSetting, match="norma-01 needs the bit depth"):
        normalisation("norma-01", ["red"])
    with pytest.raises(InvalidSetting, match="norma-target needs statistics"):
        normalisation("norma-target", ["red"], bits=8)
    with pytest.raises(InvalidSetting, match="no such bit depth"):
        normalisation("norma-01", ["red"], bits=17)
    with pytest.raises(BandMismatch, match="number of bands"):
        normalisation("norma-source", ["red"], source=RULE)
    with pytest.raises(BandMismatch, match="number of bands"):
        Normaliser(RULE)(np.zeros((3, 2, 2)))
    with pytest.raises(InvalidSetting, match="for each band"):
        Normaliser(Normalisation(origin="", mean=(0.0,), std=(1.0, 2.0)))


def test_images_far_from_those_of_training_are_told_with_the_numbers():
    rng = np.random.default_rng(6)
    near = np.stack([rng.normal(0.4 * 255, 50, (64, 64)), rng.normal(0.5 * 255, 60, (64, 64))])
    near = np.clip(near, 0, 255).astype(np.uint8)
    assert far_bands(measured(near), RULE) == ()
    far = near.copy()
    far[1] = 250
    assert far_bands(measured(far), RULE) == (FarBand("nir", 250 / 255, 0.0, 0.5, 0.25),)
    with pytest.raises(NoValidPixels):
        far_bands(Statistics(("red", "nir"), "uint8"), RULE)


def test_a_real_radiometric_shift_is_noticed(data_folder):
    from arpent.data import measure
    from arpent.io import open_image

    found = {}
    for year in ("20090818", "20120731", "20150926", "20180716"):
        with open_image(data_folder / "landcover" / "naip" / f"m_4709963_se_14_1_{year}.tif") as reader:
            found[year] = measure(reader)
    own = standardisation(found["20090818"], "2009")
    assert not far_bands(found["20090818"], own)
    assert any(far_bands(found[year], own) for year in ("20120731", "20150926", "20180716"))


def test_conversions_to_bytes():
    image = np.arange(1000, dtype=np.uint16).reshape(1, 10, 100)
    statistics = measured(image, ("red",))
    cut = byte_scale_of(statistics, cut=1)
    assert (cut.low, cut.high) == ((9.0,), (989.0,))
    assert byte_scale_of(statistics, "range").high == (999.0,)
    assert byte_scale_of(statistics, "fixed", top=2047).high == (2047.0,)
    assert byte_scale_of(statistics, "range")(image).min() == 1
    with pytest.raises(InvalidSetting, match="8 bits"):
        byte_scale_of(statistics, "fixed")
