"""Lee's filter, window of 7 × 7, on a field of even power under Gamma speckle of 4.4 looks.

findpeaks rounds each pixel to a whole number and leaves the last row and column out of each window; it is given a power
of about a thousand, so that rounding costs it nothing, and results are told by their looks and their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from arpent.pixels import SENTINEL_1_LOOKS, SpeckleFilter
from peer_ways.work import Result, Way, Work

__all__ = ["WORK"]

_POWER, _WINDOW = 1000.0, 7


def _prepare(folder: Path, quick: bool) -> str:
    side = 96 if quick else 512
    rng = np.random.default_rng(0)
    speckle = rng.gamma(SENTINEL_1_LOOKS, _POWER / SENTINEL_1_LOOKS, (side, side))
    np.save(folder / "power.npy", speckle.astype(np.float32))
    return f"{side} × {side} pixels"


def _arpent(folder: Path) -> Callable[[], Result]:
    power, lee = np.load(folder / "power.npy"), SpeckleFilter("lee", _WINDOW, SENTINEL_1_LOOKS)
    return lambda: lee(power)


def _findpeaks(folder: Path) -> Callable[[], Result]:
    from findpeaks.filters.lee import lee_filter

    power = np.load(folder / "power.npy")
    return lambda: np.asarray(lee_filter(power, win_size=_WINDOW, cu=SENTINEL_1_LOOKS**-0.5))


def _judge(folder: Path, ours: Result, theirs: Result) -> Mapping[str, float]:
    inner = theirs[_WINDOW:-_WINDOW, _WINDOW:-_WINDOW]
    return {
        "looks": float(inner.mean() ** 2 / inner.var()),
        "mean_ratio": float(theirs.mean() / np.load(folder / "power.npy").mean()),
        "correlation": float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]),
    }


WORK = Work("Lee's filter", _prepare, {"Arpent": Way(_arpent), "findpeaks": Way(_findpeaks, "findpeaks")}, _judge)
