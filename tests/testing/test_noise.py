"""Hashes in the place of a random generator."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from arpent.testing import compiled, noise


@numba.njit
def _draw(seed: int, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    one, two, bell = np.empty((side, side)), np.empty((side, side)), np.empty((side, side))
    for i in range(side):
        for j in range(side):
            bits = noise.hashed(np.uint64(seed), i - 40, j - 40, 7)
            one[i, j], two[i, j], bell[i, j] = noise.high(bits), noise.low(bits), noise.gaussian(bits)
    return one, two, bell


@numba.njit
def _smooth(count: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    line, plane = np.empty(count), np.empty(count)
    for n in range(count):
        line[n] = noise.ripple(np.uint64(3), (n - count // 2) * step, 5)
        plane[n] = noise.swell(np.uint64(3), (n - count // 2) * step, 0.37 * n * step, 5)
    return line, plane


def test_draws_are_even_and_independent() -> None:
    one, two, bell = _draw(11, 400)
    for draws in (one, two):
        histogram = np.histogram(draws, bins=20, range=(0, 1))[0]
        assert np.abs(histogram / draws.size - 0.05).max() < 0.003
    series = [(one, two), (one[1:], one[:-1]), (one[:, 1:], one[:, :-1]), (one, _draw(12, 400)[0])]
    for a, b in series:
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.01
    assert bell.mean() == pytest.approx(0, abs=0.01)
    assert bell.std() == pytest.approx(1, abs=0.01)


def test_smooth_noise_is_smooth_and_bounded() -> None:
    for values in _smooth(20_000, 0.01):
        assert np.abs(values).max() <= 1.0
        assert np.abs(np.diff(values)).max() < 0.05
        assert values.std() > 0.3


def test_a_loop_without_a_file_is_compiled_all_the_same() -> None:
    """Numba keeps machine code beside the source; where it finds no place for it, it compiles in every process."""
    scope: dict[str, object] = {}
    exec("def build(stamp):\n    def loop(out):\n        out[0] = stamp\n    return loop\n", scope)
    out = np.zeros(1)
    compiled.entry(scope["build"])(out)  # type: ignore[arg-type]
    assert out[0] != 0
