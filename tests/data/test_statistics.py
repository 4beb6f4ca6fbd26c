from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arpent.data import Statistics, StatisticsRecord, measure
from arpent.errors import BandMismatch, InvalidSetting, NoValidPixels
from arpent.io import open_image

BANDS = ("red", "nir")
KINDS = ("uint8", "uint16", "int16", "float32")


def elements(kind):
    if kind == "float32":
        return st.floats(-1e6, 1e6, width=32)
    ends = np.iinfo(kind)
    return st.integers(int(ends.min), int(ends.max))


def images(kind):
    shapes = st.tuples(st.just(2), st.integers(1, 6), st.integers(1, 6))
    return hnp.arrays(np.dtype(kind), shapes, elements=elements(kind))


def measured(*parts, kind):
    result = Statistics(BANDS, kind)
    for part in parts:
        result.update(part)
    return result


def joined(parts):
    return np.concatenate([part.reshape(2, -1) for part in parts], axis=1).astype(np.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_streaming_agrees_with_numpy_in_double_precision(kind):
    @given(st.lists(images(kind), min_size=1, max_size=4))
    @settings(deadline=None, max_examples=40)
    def check(parts):
        statistics, truth = measured(*parts, kind=kind), joined(parts)
        scale = np.abs(truth).max() + 1e-300
        assert statistics.count.tolist() == [truth.shape[1]] * 2
        assert statistics.mean == pytest.approx(truth.mean(1), rel=1e-12, abs=1e-12 * scale)
        assert statistics.std == pytest.approx(truth.std(1), rel=1e-9, abs=1e-9 * scale)
        assert statistics.low.tolist() == truth.min(1).tolist()
        assert statistics.high.tolist() == truth.max(1).tolist()

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_merging_is_associative(kind):
    @given(images(kind), images(kind), images(kind))
    @settings(deadline=None, max_examples=40)
    def check(a, b, c):
        def one(part):
            return measured(part, kind=kind)

        left = one(a).merge(one(b)).merge(one(c))
        right = one(a).merge(one(b).merge(one(c)))
        turned = one(c).merge(one(a)).merge(one(b))
        scale = np.abs(joined([a, b, c])).max() + 1e-300
        for other in (right, turned):
            assert other.mean == pytest.approx(left.mean, rel=1e-12, abs=1e-12 * scale)
            assert other.std**2 == pytest.approx(left.std**2, rel=1e-12, abs=1e-12 * scale**2)
            assert other.to_record().bands[0].counts == left.to_record().bands[0].counts

    check()


def test_a_small_spread_on_a_large_mean_is_kept():
    rng = np.random.default_rng(0)
    truth = (30_000 + rng.normal(0, 0.5, (2, 200, 200))).astype(np.float32)
    statistics = measured(*np.split(truth, 10, axis=1), kind="float32")
    assert statistics.std == pytest.approx(truth.astype(np.float64).std((1, 2)), rel=1e-9)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16"])
def test_percentiles_of_integers_are_exact(kind):
    @given(images(kind), st.floats(0, 100))
    @settings(deadline=None, max_examples=40)
    def check(image, share):
        expected = np.percentile(image.reshape(2, -1), share, axis=1, method="inverted_cdf")
        assert measured(image, kind=kind).percentile(share).tolist() == expected.tolist()

    check()


def test_percentiles_of_floats_are_within_four_parts_in_a_thousand():
    rng = np.random.default_rng(4)
    decibels = rng.normal(-12, 5, (2, 300, 300)).astype(np.float32)
    statistics = measured(decibels, kind="float32")
    shares = [0, 1, 2, 25, 50, 75, 98, 99, 100]
    expected = np.percentile(decibels.reshape(2, -1).astype(np.float64), shares, axis=1, method="inverted_cdf")
    assert statistics.percentile(shares) == pytest.approx(expected, rel=0.004, abs=1e-6)
    assert statistics.percentile(100).tolist() == statistics.high.tolist()


@given(hnp.arrays(np.float32, 50, elements=st.floats(allow_nan=False, allow_infinity=False, width=32)))
@settings(deadline=None, max_examples=50)
def test_float_bins_keep_the_order_of_their_values(values):
    from arpent.data.kernels import bin_of_float, value_of_bin

    bins = np.array([bin_of_float(bits) for bits in np.sort(values).view(np.uint32)])
    assert np.all(np.diff(bins) >= 0)
    middles = value_of_bin(bins)
    normal = np.abs(np.sort(values)) > 1e-30
    error = np.abs(middles - np.sort(values).astype(np.float64))[normal]
    assert np.all(error <= 0.004 * np.abs(np.sort(values)[normal].astype(np.float64)))


def test_no_data_and_nan_do_not_count():
    image = np.array([[[1.0, np.nan, 3.0, np.inf]], [[5.0, 6.0, 7.0, 8.0]]], np.float32)
    statistics = Statistics(BANDS, "float32")
    statistics.update(image, np.array([[True, True, True, False]]))
    assert statistics.count.tolist() == [2, 3]
    assert statistics.mean.tolist() == [2, 6]
    bytes_ = Statistics(BANDS, "uint8")
    bytes_.update(np.arange(8, dtype=np.uint8).reshape(2, 2, 2), np.array([[True, False], [False, True]]))
    assert bytes_.mean.tolist() == [1.5, 5.5]
    assert bytes_.low.tolist() == [0, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_survive_json(kind):
    rng = np.random.default_rng(1)
    image = rng.uniform(-100 if kind == "int16" else 0, 200, (2, 20, 20)).astype(kind)
    statistics = measured(image, kind=kind)
    text = statistics.to_record().model_dump_json()
    again = Statistics.from_record(StatisticsRecord.model_validate_json(text))
    assert again.to_record() == statistics.to_record()
    assert again.percentile(40).tolist() == statistics.percentile(40).tolist()
    assert json.loads(text)["kind"] == kind
    empty = Statistics(BANDS, kind)
    assert Statistics.from_record(empty.to_record()).merge(again).to_record() == again.to_record()


def test_histograms_over_edges_count_every_pixel():
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (2, 50, 50), dtype=np.uint8)
    counts = measured(image, kind="uint8").histogram("nir", np.linspace(0, 256, 17))
    assert counts.tolist() == np.histogram(image[1], np.linspace(0, 256, 17))[0].tolist()


def test_files_are_measured_in_strips(write_tiff):
    rng = np.random.default_rng(3)
    images = [rng.integers(1, 4000, (2, 700, 40), dtype=np.uint16) for _ in range(2)]
    images[0][:, 600:, :] = 0
    paths = [write_tiff(f"{k}.tif", image, nodata=0, bands=BANDS) for k, image in enumerate(images)]
    readers = [open_image(path) for path in paths]
    statistics = measure(readers[1], into=measure(readers[0]))
    truth = np.concatenate([images[0][:, :600].reshape(2, -1), images[1].reshape(2, -1)], axis=1)
    assert statistics.mean == pytest.approx(truth.mean(1), rel=1e-12)
    part = measure(readers[1], readers[1].grid.window.padded(-5))
    assert part.count.tolist() == [690 * 30] * 2
    for reader in readers:
        reader.close()


def test_what_cannot_be_measured(write_tiff):
    statistics = Statistics(BANDS, "uint8")
    with pytest.raises(NoValidPixels, match="'red' has no valid pixel"):
        statistics.mean  # noqa: B018
    with pytest.raises(BandMismatch, match="number of bands"):
        statistics.update(np.zeros((3, 2, 2), np.uint8))
    with pytest.raises(InvalidSetting, match="different types"):
        statistics.update(np.zeros((2, 2, 2), np.uint16))
    with pytest.raises(BandMismatch, match="other bands"):
        statistics.merge(Statistics(("red",), "uint8"))
    statistics.update(np.ones((2, 2, 2), np.uint8))
    with pytest.raises(InvalidSetting, match="outside 0 to 100"):
        statistics.percentile(101)
    with (
        open_image(write_tiff("x.tif", np.ones((1, 4, 4), np.uint8), bands=("blue",))) as reader,
        pytest.raises(BandMismatch, match="other bands than the images before"),
    ):
        measure(reader, into=statistics)
