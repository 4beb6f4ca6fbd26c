"""Random numbers that depend on nothing but where they are asked for.

Every draw is a hash of a seed, a place and a purpose (`salt`). There is no generator and so no order: any window can
be made on its own. The mixer is the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
"""

from __future__ import annotations

import math

import numpy as np

from arpent.testing.compiled import compiled

__all__ = ["gamma", "gaussian", "hashed", "high", "low", "ripple", "swell"]

_A = np.uint64(0xBF58476D1CE4E5B9)
_B = np.uint64(0x94D049BB133111EB)
_ROW = np.uint64(0x9E3779B97F4A7C15)
_COL = np.uint64(0xC2B2AE3D27D4EB4F)
_SALT = np.uint64(0x165667B19E3779F9)
_27, _30, _31, _32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_UNIT = 1.0 / 4294967296.0


@compiled
def hashed(seed: np.uint64, i: int, j: int, salt: int) -> np.uint64:
    """64 random bits of the lattice point (`i`, `j`) for the purpose `salt`."""
    h = (np.uint64(i) * _ROW + np.uint64(j) * _COL) ^ (seed + np.uint64(salt) * _SALT)
    h = (h ^ (h >> _30)) * _A
    h = (h ^ (h >> _27)) * _B
    return h ^ (h >> _31)


@compiled
def high(bits: np.uint64) -> float:
    """The upper half of the bits as a number in [0, 1)."""
    return float(bits >> _32) * _UNIT


@compiled
def low(bits: np.uint64) -> float:
    """The lower half of the bits as a number in [0, 1); independent of `high`."""
    return float(bits & _LOW) * _UNIT


@compiled
def ripple(seed: np.uint64, x: float, salt: int) -> float:
    """Smooth noise along a line, in −1 … 1, with one knot per unit of `x`."""
    i = math.floor(x)
    t = x - i
    before = high(hashed(seed, i, 0, salt))
    after = high(hashed(seed, i + 1, 0, salt))
    return 2.0 * (before + (after - before) * t * t * (3.0 - 2.0 * t)) - 1.0


@compiled
def swell(seed: np.uint64, x: float, y: float, salt: int) -> float:
    """Smooth noise over the plane, in −1 … 1, with one knot per unit of `x` and `y`."""
    i, j = math.floor(x), math.floor(y)
    s, t = x - i, y - j
    s, t = s * s * (3.0 - 2.0 * s), t * t * (3.0 - 2.0 * t)
    a, b = hashed(seed, i, j, salt), hashed(seed, i + 1, j, salt)
    c, d = hashed(seed, i, j + 1, salt), hashed(seed, i + 1, j + 1, salt)
    lower = high(a) + (high(b) - high(a)) * s
    upper = high(c) + (high(d) - high(c)) * s
    return 2.0 * (lower + (upper - lower) * t) - 1.0


@compiled
def gaussian(bits: np.uint64) -> float:
    """A standard normal number (Box and Muller 1958)."""
    return math.sqrt(-2.0 * math.log(1.0 - high(bits))) * math.cos(2.0 * math.pi * low(bits))


@compiled
def gamma(seed: np.uint64, i: int, j: int, salt: int, looks: float) -> float:
    """A Gamma number of mean 1 and variance 1 / `looks`, for `looks` ≥ 1 (Marsaglia and Tsang 2000)."""
    d = looks - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    draw = salt * 64
    while True:
        x = gaussian(hashed(seed, i, j, draw))
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            u = 1.0 - high(hashed(seed, i, j, draw + 1))
            if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
                return d * v / looks
        draw += 2
