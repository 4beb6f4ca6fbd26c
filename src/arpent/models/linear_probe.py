"""Multinomial logistic regression: what can be read off vectors by weighing and adding alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

__all__ = ["LinearProbe", "best_penalty", "fit_probe"]

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

_STEPS = 200


@dataclass(frozen=True)
class LinearProbe:
    """A trained probe.

    Attributes:
        mean: of the vectors that it learnt from, ``(dims,)``.
        scale: their standard deviation, ``(dims,)``.
        weights: ``(dims, classes)``, for standardised vectors.
        bias: ``(classes,)``.
    """

    mean: F32
    scale: F32
    weights: F32
    bias: F32

    def scores(self, vectors: F32) -> F32:
        """One for each class, ``(n, classes)``; the softmax of them are probabilities."""
        return np.asarray(((vectors - self.mean) / self.scale) @ self.weights + self.bias, np.float32)

    def predict(self, vectors: F32) -> I64:
        """The most likely class of each vector ``(n, dims)``, as an index."""
        return np.asarray(self.scores(vectors).argmax(axis=1), np.int64)


def fit_probe(
    vectors: F32, labels: I64, classes: int, penalty: float, *, start: LinearProbe | None = None
) -> LinearProbe:
    """Minimises the mean cross-entropy + penalty ÷ 2 × the sum of squared weights, to its one minimum.

    Args:
        vectors: ``(n, dims)``; standardised here.
        labels: ``(n,)`` class indices.
        classes: how many there are; those that no label names get a low bias.
        penalty: above 0, or the minimum may lie at infinity.
        start: the probe of a penalty near by, for the same vectors: saves steps.
    """
    mean, scale = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
    mean32, scale32 = mean.astype(np.float32), np.where(scale > 1e-12, scale, 1.0).astype(np.float32)
    inputs = torch.from_numpy(np.ascontiguousarray((vectors - mean32) / scale32))
    target = torch.from_numpy(labels)
    weights = torch.zeros(vectors.shape[1], classes) if start is None else torch.from_numpy(start.weights.copy())
    bias = torch.zeros(classes) if start is None else torch.from_numpy(start.bias.copy())
    parameters = [weights.requires_grad_(), bias.requires_grad_()]
    search = torch.optim.LBFGS(
        parameters, max_iter=_STEPS, tolerance_grad=1e-5, tolerance_change=1e-8, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        search.zero_grad()
        # The bias is held a little too: that of a class without labels would run away.
        held = 0.5 * penalty * weights.square().sum() + 0.5e-6 * bias.square().sum()
        total = functional.cross_entropy(inputs @ weights + bias, target) + held
        total.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
        return total

    search.step(loss)  # type: ignore[no-untyped-call]  # torch gives it no types
    return LinearProbe(mean32, scale32, weights.detach().numpy(), bias.detach().numpy())


def best_penalty(vectors: F32, labels: I64, classes: int, penalties: Sequence[float], held: NDArray[np.bool_]) -> float:
    """The penalty whose probe, taught by the other vectors, has the least cross-entropy on the `held` ones ``(n,)``.

    Being right more often would be too coarse a measure for a few hundred labels.
    """
    learnt = ~held
    truth = torch.from_numpy(labels[held])
    probe, best, least = None, max(penalties), np.inf
    for penalty in sorted(penalties, reverse=True):
        probe = fit_probe(vectors[learnt], labels[learnt], classes, penalty, start=probe)
        loss = float(functional.cross_entropy(torch.from_numpy(probe.scores(vectors[held])), truth))
        if loss < least:
            best, least = penalty, loss
    return best
