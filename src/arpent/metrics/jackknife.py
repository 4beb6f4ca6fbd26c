"""How sure a figure is that was counted on few places: what it would have been without each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from arpent.metrics.resampling import Interval

__all__ = ["jackknife"]

_STUDENT: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t, 97.5 %, for 1 to 10 degrees of freedom."""


def jackknife(whole: float, left_out: Sequence[float]) -> Interval | None:
    """The 95 % interval of a figure by the jackknife (Tukey 1958), which suits ratios of sums such as IoU.

    Args:
        whole: the figure over all groups.
        left_out: the figure without each of the groups in turn; groups are what can be taken for independent, such as
            places, and not their pixels or their dates.

    Returns:
        None where there are fewer than two groups, or where the figure is unknown without one of them.
    """
    count = len(left_out)
    if count < 2 or not all(map(math.isfinite, (whole, *left_out))):
        return None
    spread = float(np.std(left_out)) * math.sqrt(count - 1)
    freedom = count - 1
    reach = (_STUDENT[freedom - 1] if freedom <= len(_STUDENT) else 1.96 + 2.65 / freedom) * spread
    return Interval(whole, whole - reach, whole + reach)
