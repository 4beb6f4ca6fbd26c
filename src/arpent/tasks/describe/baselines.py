"""What a description is held against: texts that know the truth, that know nothing, and that know it by simpler means.

All of them are written by the grammar from facts; they differ in where the facts come from. A model that does not say
more than the constant caption has learnt nothing of the images, and one that does not beat the linear probe did not
need a language model for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from arpent.errors import DatasetError
from arpent.language import Measured
from arpent.language.checking import abstains

__all__ = ["LinearProbe", "constant_facts", "nearest_facts", "probed_facts"]

_STRENGTHS = tuple(10.0**power for power in range(-3, 6))
"""Strengths of the ridge that are tried."""

Vectors = NDArray[np.floating]


def constant_facts(training: Sequence[Measured]) -> Measured:
    """The facts of a parcel that does not exist: the median of everything that was trained on.

    Raises:
        DatasetError: nothing there is to be described.
    """
    seen = _described(training)
    return Measured(
        parcel="",
        indices=_medians([one.indices for one in seen]),
        shares=_medians([one.shares for one in seen]),
    )


def _medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: float(np.median([row[name] for row in rows if name in row])) for name in names}


def nearest_facts(vectors: Vectors, known: Vectors, training: Sequence[Measured]) -> list[Measured]:
    """For each vector the facts of the training parcel whose own vector has the greatest cosine with it.

    Args:
        vectors: ``(n, width)``, of parcels to describe.
        known: ``(m, width)``, of those of `training`.
        training: the facts of each.
    """
    if len(known) != len(training) or not len(known):
        raise DatasetError(
            "there is no neighbour to take facts from",
            found=f"{len(known)} embeddings, {len(training)} parcels",
            cure="Give the embeddings of the training parcels.",
        )
    places = (_unit(vectors) @ _unit(known).T).argmax(axis=1)
    return [training[place] for place in places.tolist()]


def _unit(vectors: Vectors) -> NDArray[np.float64]:
    wide = np.asarray(vectors, np.float64)
    lengths: NDArray[np.float64] = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.maximum(lengths, 1e-12)


@dataclass(frozen=True)
class LinearProbe:
    """Ridge regression from embeddings to facts; its strength is the one with the least leave-one-out error.

    Attributes:
        names: of the facts: of indices in capitals, of shares in small letters.
        centre, spread: ``(width,)``, of the embeddings.
        weights: ``(width, facts)``.
        constant: ``(facts,)``.
        strength: that was chosen.
    """

    names: tuple[str, ...]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    weights: NDArray[np.float64]
    constant: NDArray[np.float64]
    strength: float

    @classmethod
    def fit(cls, known: Vectors, training: Sequence[Measured]) -> LinearProbe:
        """Fits the probe; parcels that are not to be described do not count.

        Raises:
            DatasetError: fewer than three parcels are to be described.
        """
        usable = [place for place, one in enumerate(training) if not abstains(one)]
        if len(usable) < 3:
            raise DatasetError(
                "a linear probe has too few parcels to learn from",
                found=len(usable),
                expected="3 or more",
                cure="Give a larger training table.",
            )
        x = np.asarray(known, np.float64)[usable]
        rows = [_flat(training[place]) for place in usable]
        names = tuple(sorted(set.intersection(*(set(row) for row in rows))))
        y = np.array([[row[name] for name in names] for row in rows])
        centre, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
        z, constant = (x - centre) / spread, y.mean(axis=0)
        # By the kernel: there are often fewer parcels than dimensions, and every strength comes from one factorisation.
        values, axes = np.linalg.eigh(z @ z.T)
        values, turned = np.maximum(values, 0), axes.T @ (y - constant)
        scale = max(float(values.mean()), 1e-12)
        strength = min(_STRENGTHS, key=lambda one: _left_out(values / scale, axes, turned, y - constant, one))
        weights = z.T @ (axes @ (turned / (values + strength * scale)[:, None]))
        return cls(names, centre, spread, weights, constant, strength)

    def predict(self, vectors: Vectors) -> NDArray[np.float64]:
        """Facts ``(n, facts)`` in the order of `names`."""
        facts: NDArray[np.float64] = (np.asarray(vectors, np.float64) - self.centre) / self.spread @ self.weights
        return facts + self.constant


def _left_out(
    values: NDArray[np.float64],
    axes: NDArray[np.float64],
    turned: NDArray[np.float64],
    y: NDArray[np.float64],
    strength: float,
) -> float:
    """Mean square error of each parcel foretold by all others, every fact in units of its own spread."""
    kept = values / (values + strength)
    rest = y - axes @ (kept[:, None] * turned)
    own = np.minimum((axes**2) @ kept + 1 / len(y), 1 - 1e-9)
    return float(np.mean((rest / (1 - own)[:, None] / np.maximum(y.std(axis=0), 1e-9)) ** 2))


def probed_facts(probe: LinearProbe, vectors: Vectors, parcels: Sequence[Measured]) -> list[Measured]:
    """The facts that the probe reads out of embeddings, about the given parcels.

    Args:
        probe: fitted.
        vectors: ``(n, width)``.
        parcels: which parcels they are; of their facts only names, places, dates, and what is seen of them is kept.
    """
    found = []
    for row, parcel in zip(probe.predict(vectors).tolist(), parcels, strict=True):
        facts = dict(zip(probe.names, row, strict=True))
        shares = {name: min(1.0, max(0.0, value)) for name, value in facts.items() if name.islower()}
        indices = {name: value for name, value in facts.items() if not name.islower()}
        found.append(replace(parcel, indices=indices, shares=shares, crop=None, area=None))
    return found


def _flat(one: Measured) -> dict[str, float]:
    return {**one.indices, **one.shares}


def _described(training: Sequence[Measured]) -> list[Measured]:
    seen = [one for one in training if not abstains(one)]
    if not seen:
        raise DatasetError(
            "no parcel of the training table is to be described",
            found=f"{len(training)} parcels",
            cure="Give a table with parcels that are seen.",
        )
    return seen
