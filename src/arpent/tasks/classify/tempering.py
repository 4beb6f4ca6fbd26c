"""What is found on the validation set once the weights are learnt: temperatures and thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arpent.metrics import calibrate

__all__ = ["temperature", "thresholds"]

F64 = NDArray[np.float64]

_MIDDLE = 0.5
_RANGE = (0.1, 0.9)
_HELD = 8.0
"""Pictures' worth of trust in a half: labels that are rare in the validation set move little from there."""
_EVEN = 100


def temperature(logits: NDArray[np.floating], truth: NDArray[np.generic]) -> float:
    """By what scores ``(N, labels)`` of yes against no are divided, so that the truth is likeliest; 1 without any."""
    if not logits.size:
        return 1.0
    yes = np.ravel(logits).astype(np.float64)
    two = np.stack([np.zeros_like(yes), yes], axis=1)[:, None]
    return float(calibrate(two, np.ravel(truth).astype(np.int64)[:, None])[0])


def thresholds(chances: NDArray[np.floating], truth: NDArray[np.generic]) -> F64:
    """Of each label, the chance from which on it is given, ``(labels,)``: where F1 is highest.

    A label is given more than its due trust by few pictures: F1 is counted as if some more stood by, half of them
    right at a threshold of a half.

    Args:
        chances: ``(N, labels)`` calibrated, of pictures that nothing was learnt from.
        truth: ``(N, labels)``, 1 where the picture bears the label.
    """
    return np.array([_threshold(own, borne) for own, borne in zip(chances.T, truth.T.astype(bool), strict=True)])


def _threshold(chances: F64, borne: NDArray[np.bool_]) -> float:
    tried = np.unique(np.clip(np.append(chances, _MIDDLE), *_RANGE))
    tried = tried[np.argsort(np.abs(tried - _MIDDLE), kind="stable")]  # of equals, the first is taken
    right, other = np.sort(chances[borne]), np.sort(chances[~borne])
    missed = np.searchsorted(right, tried)
    wrong = other.size - np.searchsorted(other, tried)
    # Pictures that are not there, evenly spread over all chances and true as often as these say, hold it to a half.
    even = (np.arange(_EVEN) + 0.5) / _EVEN
    held = [(_share(even[cut:]), _share(1 - even[cut:]), _share(even[:cut])) for cut in range(_EVEN + 1)]
    held_right, held_wrong, held_missed = _HELD * np.array(held)[np.searchsorted(even, tried)].T
    hits = right.size - missed + held_right
    f1 = 2 * hits / np.maximum(2 * hits + (wrong + held_wrong) + (missed + held_missed), 1e-9)
    return float(tried[np.argmax(f1)])


def _share(values: F64) -> float:
    """What some of the evenly spread come to, as a part of all."""
    return float(values.mean() * (values.size / _EVEN)) if values.size else 0.0
