"""Linear probes judged on ground that they have not learnt from, side by side on the same cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.data.folds import block_folds, near
from arpent.data.split import METRES_PER_DEGREE
from arpent.errors import EmptySplit, SplitLeak
from arpent.metrics import DomainMatrices, Interval, redrawn, within
from arpent.models.linear_probe import LinearProbe, best_penalty, fit_probe
from arpent.tasks.change.embedding_settings import ProbeSettings

__all__ = ["Labelled", "ProbeResult", "ProbeScore", "score_probe"]

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
_PARTS = 8  # blocks along the shorter side of the labelled ground, where the user names no size


@dataclass(frozen=True)
class Round:
    """One way to divide labelled cells: learn from some, choose by others, judge by the rest; masks ``(n,)``."""

    learn: NDArray[np.bool_]
    choose: NDArray[np.bool_]
    judge: NDArray[np.bool_]


@dataclass(frozen=True)
class ProbeScore:
    """What a probe reached on held-out ground.

    Attributes:
        matrices: a confusion matrix for each block.
        accuracy: with its 95 % interval, by drawing blocks.
        f_score: mean over classes, likewise.
        penalties: that were chosen, one per round.
        right: ``(n,)`` of the judged cells, whether it was right.
    """

    matrices: DomainMatrices
    accuracy: Interval
    f_score: Interval
    penalties: tuple[float, ...]
    right: NDArray[np.bool_]


@dataclass(frozen=True)
class ProbeResult:
    """The comparison.

    Attributes:
        names: of the classes.
        cells: labelled cells that were judged.
        blocks: of ground that they lie in.
        embeddings: score of the probe on embeddings.
        raw: score of the probe on means and deviations of the bands; None where the image is not known.
        majority: score of the most frequent class.
        difference: accuracy on embeddings less that on raw bands, with its interval.
    """

    names: tuple[str, ...]
    cells: int
    blocks: int
    embeddings: ProbeScore
    raw: ProbeScore | None
    majority: ProbeScore
    difference: Interval | None


@dataclass(frozen=True)
class Labelled:
    """Labelled cells with all that is known of them.

    Attributes:
        vectors: embeddings, ``(n, dims)``.
        bands: means and deviations of the bands, ``(n, 2 × bands)``; None where the image is not known.
        classes: ``(n,)``, indices into `names`.
        held: ``(n,)``, which of them come from a file of held-out labels.
        places: ``(n, 2)`` of longitude and latitude.
        cell: side of a cell in metres.
        names: of the classes.
    """

    vectors: F32
    bands: F32 | None
    classes: I64
    held: NDArray[np.bool_]
    places: NDArray[np.float64]
    cell: float
    names: tuple[str, ...]


def score_probe(known: Labelled, settings: ProbeSettings) -> tuple[ProbeResult, LinearProbe]:
    """Judges probes on held-out ground, and teaches one with all labels.

    Raises:
        SplitLeak: held-out labels on ground that is learnt from, or nearer to it than the buffer.
        EmptySplit: too few blocks of labelled ground.
    """
    rounds, blocks = _rounds(known, settings)
    draws, count = settings.draws, len(known.names)
    judged = np.concatenate([np.flatnonzero(one.judge) for one in rounds])

    def score(vectors: F32) -> ProbeScore:
        guesses, penalties = _guessed(vectors, known.classes, count, rounds, settings.penalties)
        return _scored(known.classes[judged], guesses, blocks[judged], count, penalties, draws)

    embeddings = score(known.vectors)
    raw = None if known.bands is None else score(known.bands)
    frequent = [np.full(one.judge.sum(), np.bincount(known.classes[one.learn]).argmax()) for one in rounds]
    majority = _scored(known.classes[judged], np.concatenate(frequent), blocks[judged], count, (), draws)
    difference = None if raw is None else _difference(embeddings.right, raw.right, blocks[judged], draws)
    number = len(np.unique(blocks[judged]))
    result = ProbeResult(known.names, len(judged), number, embeddings, raw, majority, difference)
    penalty = float(np.median(embeddings.penalties))
    return result, fit_probe(known.vectors, known.classes, count, penalty)


def _rounds(known: Labelled, settings: ProbeSettings) -> tuple[list[Round], I64]:
    """How cells are divided, and the block of each cell."""
    low, high = known.places.min(axis=0), known.places.max(axis=0)
    metres = METRES_PER_DEGREE * (high - low) * [np.cos(np.radians(low[1])), 1.0]
    side = settings.block or max(float(metres.min()) / _PARTS, 2 * known.cell)
    buffer = 2 * known.cell if settings.buffer is None else settings.buffer
    folds = block_folds(known.places, side=side, folds=settings.folds, seed=settings.seed)
    if known.held.any():
        _refuse_leaks(known, buffer)
        choose = ~known.held & (folds.fold == 0)
        learn = ~known.held & ~(choose | near(known.places, known.places[choose], buffer))
        return [_checked(Round(learn, choose, known.held), known)], folds.block
    rounds = []
    for fold in range(settings.folds):
        judge = folds.fold == fold
        choose = folds.fold == (fold + 1) % settings.folds
        rim = near(known.places, known.places[judge], buffer)
        choose &= ~rim
        learn = ~(judge | choose | rim | near(known.places, known.places[choose], buffer))
        rounds.append(_checked(Round(learn, choose, judge), known))
    return rounds, folds.block


def _refuse_leaks(known: Labelled, buffer: float) -> None:
    leaks = near(known.places[known.held], known.places[~known.held], max(buffer, known.cell / 2))
    if leaks.any():
        raise SplitLeak(
            "held-out labels lie on ground that is learnt from, or too near to it",
            found=f"{leaks.sum()} of {known.held.sum()} within {buffer:g} m",
            cure="Take held-out labels from other ground, or give one file and let blocks of ground be held out.",
        )


def _checked(round_: Round, known: Labelled) -> Round:
    if len(np.unique(known.classes[round_.learn])) < 2 or not round_.choose.any() or not round_.judge.any():
        raise EmptySplit(
            "too little ground is left to learn from beside that which is held out",
            found=f"{round_.learn.sum()} cells to learn from, {round_.choose.sum()} to choose by",
            expected="at least two classes to learn",
            cure="Give more labels, smaller blocks (--block) or a smaller --buffer.",
        )
    return round_


def _guessed(
    vectors: F32, classes: I64, count: int, rounds: Sequence[Round], penalties: Sequence[float]
) -> tuple[I64, tuple[float, ...]]:
    """The class of each judged cell, round by round, and the penalty chosen in each."""
    guesses, chosen = [], []
    for one in rounds:
        inner = one.learn | one.choose
        penalty = best_penalty(vectors[inner], classes[inner], count, penalties, one.choose[inner])
        # The cells that were chosen by are learnt too; the rim around the judged ones is not.
        probe = fit_probe(vectors[inner], classes[inner], count, penalty)
        guesses.append(probe.predict(vectors[one.judge]))
        chosen.append(penalty)
    return np.concatenate(guesses), tuple(chosen)


def _scored(truth: I64, guesses: I64, blocks: I64, count: int, penalties: tuple[float, ...], draws: int) -> ProbeScore:
    matrices = DomainMatrices(count)
    for block in np.unique(blocks):
        here = blocks == block
        matrices.update(truth[here], guesses[here], f"{block:06d}")
    found = matrices.intervals(draws=draws)
    return ProbeScore(matrices, found["accuracy"], found["f_score"], penalties, guesses == truth)


def _difference(first: NDArray[np.bool_], second: NDArray[np.bool_], blocks: I64, draws: int) -> Interval:
    """How much more often the first is right, in the same draws of blocks for both."""
    _, at = np.unique(blocks, return_inverse=True)
    gains = np.bincount(at, first.astype(np.float64) - second)
    sizes = np.bincount(at)
    drawn = redrawn(len(sizes), draws)
    return within(float(gains.sum() / sizes.sum()), drawn @ gains / (drawn @ sizes))
