"""Speckle, the grain of radar images, and the filters that take it away.

Speckle multiplies: what is measured is the true power times a random number of mean 1 and variance 1 / L, where L is
the equivalent number of looks. So filters work on linear power. Averages of decibels are averages of logarithms, and
too low: by half a decibel for L = 4.4.

In the formulas m and s are mean and standard deviation of the window around a pixel, Ci = s / m, Cu = 1 / √L, and Ic
is the pixel itself. Means are taken over the pixels that count; outside the image nothing does.

=============  ============================================================================================
lee            m + W (Ic - m), W = 1 - Cu² / Ci², at least 0
kuan           the same with W / (1 + Cu²)
enhanced_lee   m where Ci ≤ Cu, Ic where Ci ≥ √(1 + 2 / L), and between them m w + Ic (1 - w) with
               w = exp(-D (Ci - Cu) / (√(1 + 2 / L) - Ci))
refined_lee    Kuan's rule in the half of the window that lies on the pixel's side of the strongest edge among the
               means of nine overlapping blocks (of 3 × 3 pixels in a window of 7 × 7)
frost          mean with weights exp(-D Ci² r), r the distance in pixels
gamma_map      m where Ci ≤ Cu, Ic where Ci ≥ √2 Cu, and between them the most probable value for ground that is
               Gamma distributed itself
quegan_yu      of T dates: m × mean over the dates of I / m
=============  ============================================================================================

Sources: Lee 1980; Kuan et al. 1985; Lopes, Touzi and Nezry 1990; Lee 1981; Frost et al. 1982; Lopes et al. 1993;
Quegan and Yu 2001.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arpent.errors import InvalidSetting, UnknownName
from arpent.pixels import speckle_kernels as kernels
from arpent.pixels.speckle_plan import Plan, halves, no_pattern, quarter

__all__ = [
    "SENTINEL_1_LOOKS",
    "SPECKLE_FILTERS",
    "GrainMean",
    "SpeckleFilter",
    "check_window",
    "local_mean",
    "quegan_yu",
]

SENTINEL_1_LOOKS: Final = 4.4
"""Equivalent number of looks of Sentinel-1 IW GRDH (ESA, Sentinel-1 product specification)."""

SPECKLE_FILTERS: Final = ("enhanced_lee", "frost", "gamma_map", "kuan", "lee", "quegan_yu", "refined_lee")
"""Every filter; quegan_yu takes several dates, the others one image."""

_RULES: Final = {
    "enhanced_lee": kernels.ENHANCED_LEE,
    "frost": kernels.FROST,
    "gamma_map": kernels.GAMMA_MAP,
    "kuan": kernels.KUAN,
    "lee": kernels.LEE,
    "refined_lee": kernels.REFINED_LEE,
}
_DAMPING: Final = {"enhanced_lee": 1.0, "frost": 2.0}
_WIDEST: Final = 999

Power = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SpeckleFilter:
    """A filter of single images, ready to be used.

    Attributes:
        name: one of `SPECKLE_FILTERS` but quegan_yu.
        window: side of the window in pixels, odd.
        looks: equivalent number of looks; infinite for images without speckle, which stay as they are.
        damping: D of enhanced_lee and frost; 1 and 2 if not given.
    """

    name: str
    window: int = 7
    looks: float = SENTINEL_1_LOOKS
    damping: float | None = None

    def __post_init__(self) -> None:
        if self.name not in _RULES:
            raise UnknownName.among(self.name, _RULES, "speckle filter of single images")
        check_window(self.window)
        if not self.looks > 0:
            raise InvalidSetting(
                "a number of looks is above 0", found=self.looks, cure="Sentinel-1 IW GRDH has 4.4 of them."
            )

    @property
    def halo(self) -> int:
        """Pixels around a tile that its own pixels depend on."""
        return self.window // 2

    def __call__(self, power: NDArray[np.floating], valid: Mask | None = None, rows: slice | None = None) -> Power:
        """The image without its speckle; NaN where a pixel does not count.

        A tile that is cut out with its halo gives the same bytes as the whole image. A tenth of a second for ten
        million pixels and more on one core; frost and refined_lee take several times as long.

        Args:
            power: ``(height, width)``, linear, 0 or above.
            valid: which pixels count, of the same shape; all that are numbers if not given.
            rows: which rows are wanted, where the others are there as a halo; all if not given.
        """
        return _filtered(power, valid, self._plan, rows)

    @property
    def _plan(self) -> Plan:
        rule = _RULES[self.name]
        pattern = no_pattern()
        if rule == kernels.FROST:
            pattern = quarter(self.halo)
        elif rule == kernels.REFINED_LEE:
            pattern = halves(self.halo)
        damping = _DAMPING.get(self.name, 1.0) if self.damping is None else self.damping
        return Plan(rule, self.halo, float(self.looks), float(damping), pattern)


def local_mean(
    power: NDArray[np.floating], valid: Mask | None = None, window: int = 7, rows: slice | None = None
) -> Power:
    """The mean of the window around each pixel, over the pixels that count; arguments as of `SpeckleFilter`."""
    check_window(window)
    return _filtered(power, valid, Plan(kernels.MEAN, window // 2, 1.0, 1.0, no_pattern()), rows)


def quegan_yu(stack: NDArray[np.floating], valid: Mask | None = None, window: int = 7) -> Power:
    """Several dates of a place, each with the speckle averaged over all: ``(dates, height, width)``.

    Each date keeps its own local mean. A pixel that a date does not have is NaN in that date, and the others are
    averaged without it.

    Args:
        stack: ``(dates, height, width)``, linear power on one grid.
        valid: which pixels count, of the same shape; all that are numbers if not given.
        window: side of the window of the local means, odd.
    """
    dates = [local_mean(image, None if valid is None else valid[k], window) for k, image in enumerate(stack)]
    grain = GrainMean(stack.shape[1:])
    for image, mean in zip(stack, dates, strict=True):
        grain.add(np.asarray(image, np.float32), mean)
    shared = grain.mean
    return np.stack([mean * shared for mean in dates])


class GrainMean:
    """The mean over dates of I / m, the grain of each date: what `quegan_yu` multiplies local means with.

    Args:
        shape: ``(height, width)``.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros(shape, np.float64)
        self._dates = np.zeros(shape, np.int32)

    def add(self, power: Power, mean: Power) -> None:
        """Takes a date: its power, and its local means, NaN where a pixel does not count."""
        known = np.isfinite(mean)
        positive = mean > 0
        ratio = np.divide(power, mean, out=np.ones(mean.shape, np.float64), where=positive)
        self._sum += np.where(known, ratio, 0.0)  # a window of nothing but zeros has no grain: 1
        self._dates += known

    @property
    def mean(self) -> Power:
        """``(height, width)``; NaN where no date counts."""
        out = np.full(self._sum.shape, np.nan)
        np.divide(self._sum, self._dates, out=out, where=self._dates > 0)
        return out.astype(np.float32)


def check_window(window: int) -> None:
    """Raises InvalidSetting for a window that has no middle."""
    if not 3 <= window <= _WIDEST or window % 2 == 0:
        raise InvalidSetting(
            "the window of a speckle filter has a pixel in its middle",
            found=f"{window} × {window} pixels",
            expected=f"an odd number from 3 to {_WIDEST}",
            cure=f"Try {min(max(3, window | 1), _WIDEST)}.",
        )


def _filtered(power: NDArray[np.floating], valid: Mask | None, plan: Plan, rows: slice | None) -> Power:
    # Of read-only arrays numba would compile the loops a second time.
    values = np.require(power, np.float32, ["C", "W"])
    known = _known(values, valid)
    begin, end, _ = (rows or slice(None)).indices(values.shape[0])
    out = np.empty((max(end - begin, 0), values.shape[1]), np.float32)
    kernels.filter_rows(values, known, plan, begin, out)
    return out


def _known(values: Power, valid: Mask | None) -> Mask:
    """Which pixels count; an empty mask if all do."""
    with np.errstate(over="ignore", invalid="ignore"):
        finite = bool(np.isfinite(values.sum(dtype=np.float64)))
    if valid is None:
        known = np.ones((0, 0), bool) if finite else np.isfinite(values)
    elif finite:
        known = valid
    else:
        known = valid & np.isfinite(values)
    return np.ones((0, 0), bool) if known.size == 0 or known.all() else np.require(known, bool, ["C", "W"])
