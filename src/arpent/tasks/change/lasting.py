"""The strongest lasting change in a series of dates: when the ground became, and stayed, something else.

Between any two dates a place is more or less alike. A cut between two dates marks a lasting change if nearly every
date before it is unlike nearly every date after it. A cloud, a flood that passes or a season is alike to something on
both sides of any cut, and so marks none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.errors import InvalidSetting

__all__ = ["NEVER", "Lasting", "lasting_change"]

NEVER = -1
"""Number of a date where there is none."""

Figures = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Lasting:
    """What happened at each place; one entry per place.

    Attributes:
        strength: one minus the cosine that nearly all pairs of dates across the cut stay below: 0 nothing, 1 nothing
            in common, at most 2.
        before: number of the last usable date before the cut; `NEVER` where fewer than two dates can be used.
        after: number of the first usable date after it.
        confidence: 0 to 1: how much less alike dates are across the cut than on one side of it, lowered where few
            dates bear witness.
    """

    strength: Figures
    before: Numbers
    after: Numbers
    confidence: Figures


def lasting_change(
    likeness: NDArray[np.float32], usable: NDArray[np.bool_], *, hold: int = 2, share: float = 0.9
) -> Lasting:
    """Finds the cut with the strongest lasting change at each place.

    Args:
        likeness: ``(places, dates, dates)``, cosines between the dates of a place; symmetric.
        usable: ``(places, dates)``, dates that say something about the place.
        hold: usable dates that must lie on each side of a cut; where there are fewer than twice as many, half of them.
        share: of the pairs across a cut that must be at least as unlike as the strength says.
    """
    places, dates = usable.shape
    if likeness.shape != (places, dates, dates) or dates < 2:
        raise InvalidSetting(
            "likeness and dates of a series disagree",
            found=f"{likeness.shape} for {usable.shape}",
            expected="(places, dates, dates) for (places, dates), two dates or more",
            cure="Give one row of likeness per place.",
        )
    unlike = np.where(usable[:, :, None] & usable[:, None, :], 1 - likeness, np.inf).astype(np.float32)
    passed: Numbers = np.cumsum(usable, axis=1, dtype=np.int64)
    total: Numbers = passed[:, -1]
    needed = np.maximum(np.minimum(hold, total // 2), 1)
    best = np.full(places, -np.inf, np.float32)
    chosen = np.zeros(places, np.int64)
    for cut in range(1, dates):
        left = passed[:, cut - 1]
        right = total - left
        strength = _reached(unlike[:, :cut, cut:].reshape(places, -1), left * right, share)
        better = (np.minimum(left, right) >= needed) & (strength > best)
        best[better], chosen[better] = strength[better], cut
    return _described(unlike, usable, chosen, np.where(np.isfinite(best), best, 0), share)


def _reached(values: Figures, counts: Numbers, share: float) -> Figures:
    """What at least `share` of the finite values of each row ``(places, values)`` reach; infinity where none is."""
    place = np.floor((1 - share) * np.maximum(counts - 1, 0) + 1e-9).astype(np.int64)
    return np.take_along_axis(np.sort(values, axis=1), place[:, None], axis=1)[:, 0]


def _described(
    unlike: Figures, usable: NDArray[np.bool_], cuts: Numbers, strength: NDArray[np.floating], share: float
) -> Lasting:
    """Dates and confidence of the cuts that were chosen; 0 is no cut."""
    dates = usable.shape[1]
    numbers = np.arange(dates)
    early = numbers < cuts[:, None]
    before = np.where(usable & early, numbers, NEVER).max(axis=1)
    after = np.where(usable & ~early, numbers, dates).min(axis=1)
    known = (cuts > 0) & (before > NEVER) & (after < dates)

    upper = numbers[:, None] < numbers
    same = (early[:, :, None] == early[:, None, :]) & upper
    inside = np.where(same, unlike, np.inf).reshape(len(cuts), -1)
    counts = np.isfinite(inside).sum(axis=1)
    within = np.where(counts > 0, _reached(inside.astype(np.float32), counts, share), 0)
    apart = np.maximum(strength - within, 0) / np.maximum(np.maximum(strength, within), 1e-6)
    fewest = np.minimum((usable & early).sum(axis=1), (usable & ~early).sum(axis=1))
    return Lasting(
        strength=np.where(known, np.maximum(strength, 0), 0).astype(np.float32),
        before=np.where(known, before, NEVER),
        after=np.where(known, after, NEVER),
        confidence=np.where(known, apart * fewest / (fewest + 1), 0).astype(np.float32),
    )
