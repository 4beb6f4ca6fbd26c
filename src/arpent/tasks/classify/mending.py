"""What labels say of one another, found on the validation set. See `models.mending`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

__all__ = ["Mended", "mend"]

F64 = NDArray[np.float64]

_FOLDS: Final = 5
_HELD: Final = 48.0
"""How much a weight that is not zero costs, against the surprise of all pictures together."""
_HELD_ALWAYS: Final = 3.0
"""The same, of what is added whatever the scores are."""
_MOST_STEPS: Final = 100


@dataclass(frozen=True)
class Mended:
    """What was found.

    Attributes:
        weights: ``(K + 1, L)``, what each score adds to that of each label, and last what is always added.
        scores: ``(N, L)``, of every picture as they are mended by what all but a fifth of the pictures, among them this
            one, have told: these say how good it is, and how sure.
    """

    weights: F64
    scores: F64


def mend(seen: F64, told: F64, truth: NDArray[np.generic]) -> Mended:
    """What should be added to scores, that the truth be likelier; nothing where pictures held out do not agree.

    Args:
        seen: scores ``(N, K)`` that say something of all labels.
        told: scores ``(N, L)`` as they would be without it.
        truth: ``(N, L)``, 1 where the picture bears the label.
    """
    nothing = Mended(np.zeros((seen.shape[1] + 1, told.shape[1])), told)
    if len(told) < _FOLDS:
        return nothing
    fold = np.arange(len(told)) % _FOLDS
    scores = np.empty_like(told)
    for number in range(_FOLDS):
        out = fold == number
        scores[out] = told[out] + _added(seen[out], _weights(seen[~out], told[~out], truth[~out]))
    if _surprise(scores, truth) >= _surprise(told, truth):
        return nothing
    return Mended(_weights(seen, told, truth), scores)


def _added(seen: F64, weights: F64) -> F64:
    added: F64 = seen @ weights[:-1] + weights[-1]
    return added


def _weights(seen: F64, told: F64, truth: NDArray[np.generic]) -> F64:
    """The likeliest ones: a convex problem, which has one answer."""
    inputs = torch.from_numpy(np.column_stack([seen, np.ones(len(seen))]))
    plain, target = torch.from_numpy(told), torch.from_numpy(truth.astype(np.float64))
    cost = torch.full((inputs.shape[1], 1), _HELD, dtype=torch.float64)
    cost[-1] = _HELD_ALWAYS
    weights = torch.zeros(inputs.shape[1], told.shape[1], dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS([weights], max_iter=_MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> float:
        descent.zero_grad()
        surprise = functional.binary_cross_entropy_with_logits(plain + inputs @ weights, target, reduction="sum")
        total = surprise + (cost * weights**2).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return float(total.detach())

    descent.step(loss)  # type: ignore[no-untyped-call]
    return np.asarray(weights.detach().numpy(), np.float64)


def _surprise(scores: F64, truth: NDArray[np.generic]) -> float:
    target = torch.from_numpy(truth.astype(np.float64))
    return float(functional.binary_cross_entropy_with_logits(torch.from_numpy(scores), target))
