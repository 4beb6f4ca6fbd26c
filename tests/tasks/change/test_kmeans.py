"""K-means against plain computations, whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import InvalidSetting, NoValidPixels
from arpent.tasks.change.kmeans import Centres, Scale, draw_sample, fit_kmeans, fit_sample


def blobs(count=3_000, dims=8, groups=4, seed=0, spread=0.15):
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(groups, dims))
    weights = np.arange(1, groups + 1) / sum(range(1, groups + 1))
    truth = np.sort(rng.choice(groups, count, p=weights))  # neighbours are alike, as in an image
    return (middles[truth] + spread * rng.normal(size=(count, dims))).astype(np.float32), truth


def cut(vectors, size):
    return lambda: (vectors[begin : begin + size] for begin in range(0, len(vectors), size))


@pytest.mark.parametrize("scaling", ["unit", "standard", "none"])
def test_it_finds_groups_that_are_there(scaling):
    vectors, truth = blobs()
    found = fit_kmeans(cut(vectors, 250), 4, scaling=scaling, sample=500)
    labels = found.centres.nearest(vectors).labels
    for group in range(4):
        share = np.bincount(labels[truth == group]).max() / (truth == group).sum()
        assert share > 0.98
    assert list(found.sizes) == sorted(found.sizes, reverse=True)
    assert found.sizes.sum() == len(vectors)
    assert found.silhouette > 0.6
    assert list(found.inertia) == sorted(found.inertia, reverse=True)


def test_figures_are_those_of_a_plain_computation():
    vectors, _ = blobs(600)
    found = fit_kmeans(cut(vectors, 64), 3, scaling="none", passes=4)
    away = np.linalg.norm(vectors[:, None].astype(np.float64) - found.centres.values[None], axis=2)
    near = np.sort(away, axis=1)
    np.testing.assert_array_equal(found.sizes, np.bincount(away.argmin(axis=1), minlength=3))
    assert found.inertia[-1] == pytest.approx((near[:, 0] ** 2).mean(), rel=1e-4)
    assert found.silhouette == pytest.approx((1 - near[:, 0] / near[:, 1]).mean(), abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 900), st.integers(0, 5))
def test_neither_the_cut_into_batches_nor_chance_changes_the_result(size, seed):
    vectors, _ = blobs(700, seed=3)
    whole = fit_kmeans(cut(vectors, 700), 5, seed=seed, sample=200, passes=3)
    parts = fit_kmeans(cut(vectors, size), 5, seed=seed, sample=200, passes=3)
    np.testing.assert_allclose(parts.centres.values, whole.centres.values, atol=1e-5)
    np.testing.assert_array_equal(parts.sizes, whole.sizes)
    again = fit_kmeans(cut(vectors, size), 5, seed=seed, sample=200, passes=3)
    assert again.centres.values.tobytes() == parts.centres.values.tobytes()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 400), st.integers(1, 500), st.integers(0, 2**31))
def test_a_sample_depends_on_seed_and_order_alone(size, batch, seed):
    vectors = np.arange(400, dtype=np.float32)[:, None]
    drawn = draw_sample(cut(vectors, batch), size, seed)[:, 0]
    assert len(drawn) == size
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn, draw_sample(cut(vectors, 400), size, seed)[:, 0])


def test_a_sample_is_even():
    vectors = np.arange(20_000, dtype=np.float32)[:, None]
    drawn = draw_sample(cut(vectors, 1_000), 4_000, 7)[:, 0]
    counts, _ = np.histogram(drawn, bins=10, range=(0, 20_000))
    assert abs(counts - 400).max() < 80  # four standard deviations


def test_equal_vectors_and_empty_streams_are_refused():
    with pytest.raises(InvalidSetting, match="fewer clusters"):
        fit_sample(np.ones((50, 3), np.float32), 2)
    with pytest.raises(NoValidPixels):
        fit_kmeans(list, 2)


def test_one_cluster_is_the_mean():
    vectors, _ = blobs(300)
    found = fit_kmeans(cut(vectors, 50), 1, scaling="none")
    np.testing.assert_allclose(found.centres.values[0], vectors.mean(axis=0), atol=1e-5)
    assert found.silhouette == 0


def test_a_centre_that_nothing_is_near_to_stays():
    vectors, _ = blobs(200, groups=1)
    far = Centres(np.vstack([vectors.mean(axis=0), np.full(8, 1e3)]).astype(np.float32), Scale.of("none", vectors))
    assert (far.nearest(vectors).labels == 0).all()


def test_unit_scale_looks_at_angles_alone():
    vectors, _ = blobs(100)
    scale = Scale.of("unit", vectors)
    np.testing.assert_allclose(scale(vectors * 7), scale(vectors), atol=1e-6)
    np.testing.assert_array_equal(scale(np.zeros((1, 8), np.float32)), 0)
