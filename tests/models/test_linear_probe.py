"""The logistic regression behind the probe."""

from __future__ import annotations

import numpy as np

from arpent.models.linear_probe import best_penalty, fit_probe


def two_classes(count=600, dims=3, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, dims)).astype(np.float32) * [1, 10, 0.1] + [5, 0, 0]
    score = (vectors[:, 0] - 5) + vectors[:, 1] / 10 + noise * rng.normal(size=count)
    return vectors.astype(np.float32), (score > 0).astype(np.int64)


def test_it_stands_at_the_minimum():
    vectors, labels = two_classes()
    probe = fit_probe(vectors, labels, 2, 0.01)
    inputs = ((vectors - probe.mean) / probe.scale).astype(np.float64)
    scores = inputs @ probe.weights + probe.bias
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    slope = inputs.T @ (chances - np.eye(2)[labels]) / len(labels) + 0.01 * probe.weights
    assert np.abs(slope).max() < 1e-3


def test_it_learns_what_a_line_can_tell_whatever_the_units():
    vectors, labels = two_classes(noise=0.01)
    probe = fit_probe(vectors, labels, 2, 1e-4)
    assert (probe.predict(vectors) == labels).mean() > 0.97
    scaled = fit_probe(vectors * 1000 + 7, labels, 2, 1e-4)
    assert (scaled.predict(vectors * 1000 + 7) == probe.predict(vectors)).mean() > 0.99


def test_a_warm_start_ends_where_a_cold_one_does():
    vectors, labels = two_classes()
    cold = fit_probe(vectors, labels, 2, 0.01)
    warm = fit_probe(vectors, labels, 2, 0.01, start=fit_probe(vectors, labels, 2, 1.0))
    np.testing.assert_allclose(warm.weights, cold.weights, atol=2e-3)


def test_a_class_without_labels_is_hardly_ever_said():
    vectors, labels = two_classes()
    assert set(fit_probe(vectors, labels, 4, 0.01).predict(vectors)) == {0, 1}


def test_noise_asks_for_a_larger_penalty_than_a_clear_case():
    vectors, labels = two_classes(noise=0.01)
    rng = np.random.default_rng(1)
    wide = np.concatenate([vectors, rng.normal(size=(600, 60))], axis=1).astype(np.float32)
    guessed = np.where(rng.random(600) < 0.4, 1 - labels, labels)
    held, penalties = np.arange(600) % 2 == 0, (1e-4, 1e-2, 1.0)
    assert best_penalty(vectors, labels, 2, penalties, held) == 1e-4
    assert best_penalty(wide, guessed, 2, penalties, held) == 1.0
