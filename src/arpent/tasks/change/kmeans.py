"""K-means over any number of vectors that can be read again and again, in the memory of one batch.

The start is found on a sample: k-means++ and a few rounds, from several seeds, the best of which goes on. Then all
vectors are read, pass by pass. Steps batch by batch would be quicker, but neighbouring vectors of an image resemble
each other, and centres would drift to the place that was read last; the sums of a whole pass do not depend on the
order, nor on how it was cut into batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arpent.errors import InvalidSetting, NoValidPixels

__all__ = ["Centres", "KMeans", "Nearest", "Scale", "draw_sample", "fit_kmeans", "fit_sample", "silhouette"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Scaling = Literal["unit", "standard", "none"]
Stream = Callable[[], Iterable[F32]]

_STARTS = 4
_SAMPLE_ROUNDS = 50


@dataclass(frozen=True)
class Scale:
    """What is done to vectors before distances are taken.

    Attributes:
        offset: subtracted, ``(dims,)``.
        factor: multiplied with, ``(dims,)``.
        unit: whether vectors are then brought to length 1, so that their distance grows with their angle.
    """

    offset: F32
    factor: F32
    unit: bool = False

    @classmethod
    def of(cls, kind: Scaling, sample: F32) -> Scale:
        """The scale of that name: "unit" length, "standard" deviation 1 as in the sample, or "none"."""
        dims = sample.shape[1]
        if kind != "standard":
            return cls(np.zeros(dims, np.float32), np.ones(dims, np.float32), kind == "unit")
        mean, spread = sample.mean(axis=0, dtype=np.float64), sample.std(axis=0, dtype=np.float64)
        factor = 1.0 / np.where(spread > 0, spread, 1.0)
        return cls(mean.astype(np.float32), factor.astype(np.float32))

    def __call__(self, vectors: F32) -> F32:
        """Scaled vectors, ``(n, dims)``."""
        scaled = (vectors - self.offset) * self.factor
        if self.unit:
            scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
        return np.asarray(scaled, np.float32)


@dataclass(frozen=True)
class Nearest:
    """The centres next to some vectors.

    Attributes:
        labels: ``(n,)``, the nearest centre.
        distance: ``(n,)``, to it.
        second: ``(n,)``, to the one after it; infinite where there is but one centre.
    """

    labels: NDArray[np.int64]
    distance: F32
    second: F32


@dataclass(frozen=True)
class Centres:
    """Cluster centres ``(k, dims)`` in scaled units, and the scale."""

    values: F32
    scale: Scale

    def nearest(self, vectors: F32) -> Nearest:
        """For unscaled vectors ``(n, dims)``."""
        return self._nearest(self.scale(vectors))

    def _nearest(self, scaled: F32) -> Nearest:
        squares = np.einsum("nd,nd->n", scaled, scaled)[:, None] + np.einsum("kd,kd->k", self.values, self.values)
        squares = np.maximum(squares - 2 * scaled @ self.values.T, 0)
        labels = squares.argmin(axis=1)
        places = np.arange(len(labels))
        first = np.sqrt(squares[places, labels])
        squares[places, labels] = np.inf
        return Nearest(labels, first, np.sqrt(squares.min(axis=1)))


@dataclass(frozen=True)
class KMeans:
    """A finished clustering, centres by falling size.

    Attributes:
        centres: where they are.
        sizes: ``(k,)`` vectors nearest to each, of all that were read.
        inertia: mean squared distance of a vector to its centre, after each pass.
        silhouette: mean of (b - a) ÷ b over all vectors, a and b the distances to the nearest and the next centre:
            0 between two centres, 1 on one.
    """

    centres: Centres
    sizes: NDArray[np.int64]
    inertia: tuple[float, ...]
    silhouette: float


def draw_sample(stream: Stream, size: int, seed: int) -> F32:
    """At most `size` vectors, drawn at random whatever the batches, in the order they come in."""
    kept: list[F32] = []
    ranks: NDArray[np.uint64] = np.empty(0, np.uint64)
    seen = 0
    values: F32 | None = None
    for batch in stream():
        own = _hashed(np.arange(seen, seen + len(batch), dtype=np.uint64), seed)
        seen += len(batch)
        worth = own < ranks.max() if len(ranks) == size else np.ones(len(batch), bool)
        if not worth.any():
            continue
        kept = [batch[worth]] if values is None else [values, batch[worth]]
        ranks = np.concatenate([ranks, own[worth]])
        values = np.concatenate(kept)
        if len(ranks) > size:
            best = np.sort(np.argpartition(ranks, size - 1)[:size])
            ranks, values = ranks[best], values[best]
    if values is None:
        raise NoValidPixels(
            "there is no embedding that counts",
            cure="Check that the image has data where it was embedded, and that not all of it was excluded.",
        )
    return values


def _hashed(numbers: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Evenly spread 64-bit numbers, another set for each seed (Steele et al. 2014, SplitMix64)."""
    mixed = numbers + np.uint64((seed * 0xD1342543DE82EF95 + 1) % 2**64)
    mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def fit_kmeans(
    stream: Stream,
    count: int,
    *,
    seed: int = 0,
    scaling: Scaling = "unit",
    sample: int = 20_000,
    passes: int = 10,
    tolerance: float = 1e-3,
) -> KMeans:
    """Clusters all vectors of a stream.

    Args:
        stream: gives all batches ``(n, dims)`` anew at each call.
        count: of clusters.
        seed: of the sample and of the starts.
        scaling: see `Scale.of`.
        sample: vectors that the start is found on.
        passes: over all vectors, at most.
        tolerance: the search ends when a pass lowers the inertia by less than this share.
    """
    drawn = draw_sample(stream, sample, seed)
    centres = fit_sample(drawn, count, seed=seed, scaling=scaling)
    history: list[float] = []
    while True:
        pass_ = _measured(stream, centres)
        history.append(pass_.inertia)
        settled = len(history) > 1 and history[-2] - history[-1] < tolerance * history[-2]
        if settled or len(history) == passes:
            break
        centres = Centres(pass_.means(centres.values), centres.scale)
    order = np.argsort(-pass_.sizes, kind="stable")
    return KMeans(Centres(centres.values[order], centres.scale), pass_.sizes[order], tuple(history), pass_.silhouette)


@dataclass
class _Pass:
    sums: F64
    sizes: NDArray[np.int64]
    squares: float = 0.0
    shape: float = 0.0

    @property
    def inertia(self) -> float:
        return self.squares / int(self.sizes.sum())

    @property
    def silhouette(self) -> float:
        return self.shape / int(self.sizes.sum())

    def means(self, before: F32) -> F32:
        """New centres; one that nothing is near to stays where it was."""
        means = self.sums / np.maximum(self.sizes, 1)[:, None]
        return np.where(self.sizes[:, None] > 0, means, before).astype(np.float32)


def _measured(stream: Stream, centres: Centres) -> _Pass:
    count, dims = centres.values.shape
    found = _Pass(np.zeros((count, dims)), np.zeros(count, np.int64))
    for batch in stream():
        scaled = centres.scale(batch)
        near = centres._nearest(scaled)
        members = near.labels == np.arange(count)[:, None]
        found.sums += members.astype(np.float32) @ scaled
        found.sizes += members.sum(axis=1)
        found.squares += float(np.square(near.distance, dtype=np.float64).sum())
        found.shape += float(_silhouettes(near).sum(dtype=np.float64))
    return found


def _silhouettes(near: Nearest) -> F32:
    alone = ~np.isfinite(near.second)
    second = np.where(alone, 1, np.maximum(near.second, 1e-12))
    return np.asarray(np.where(alone, 0, 1 - near.distance / second), np.float32)


def silhouette(vectors: F32, centres: Centres) -> float:
    """That of `KMeans`, for some vectors."""
    return float(_silhouettes(centres.nearest(vectors)).mean(dtype=np.float64))


def fit_sample(vectors: F32, count: int, *, seed: int = 0, scaling: Scaling = "unit") -> Centres:
    """The best of several k-means of vectors in memory, ``(n, dims)``."""
    scale = Scale.of(scaling, vectors)
    scaled = scale(vectors)
    if len(np.unique(scaled, axis=0)) < count:
        raise InvalidSetting(
            f"{count} clusters cannot be told apart",
            found=f"{len(scaled)} embeddings, some of them equal",
            cure="Ask for fewer clusters.",
        )
    best, least = None, np.inf
    for start in range(_STARTS):
        rng = np.random.default_rng([seed, start])
        centres = Centres(_plus_plus(scaled, count, rng), scale)
        before = np.inf
        for _ in range(_SAMPLE_ROUNDS):
            found = _measured_once(scaled, centres)
            if before - found.inertia < 1e-4 * before:
                break
            before = found.inertia
            centres = Centres(found.means(centres.values), scale)
        if found.inertia < least:
            best, least = centres, found.inertia
    assert best is not None
    return best


def _measured_once(scaled: F32, centres: Centres) -> _Pass:
    plain = Scale(np.zeros(scaled.shape[1], np.float32), np.ones(scaled.shape[1], np.float32))
    return _measured(lambda: [scaled], Centres(centres.values, plain))


def _plus_plus(vectors: F32, count: int, rng: np.random.Generator) -> F32:
    """Starting centres far from each other (Arthur and Vassilvitskii 2007)."""
    chosen = [int(rng.integers(len(vectors)))]
    nearest = np.full(len(vectors), np.inf)
    for _ in range(count - 1):
        away = np.square(vectors - vectors[chosen[-1]], dtype=np.float64).sum(axis=1)
        nearest = np.minimum(nearest, away)
        chosen.append(int(rng.choice(len(vectors), p=nearest / nearest.sum())))
    return vectors[chosen].copy()
