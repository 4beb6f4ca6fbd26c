"""What is asked of a description, and whether it is reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from arpent.metrics import Faithfulness, Figure
from arpent.tasks.describe.judging import Judged, Method
from arpent.tasks.describe.texts import Mode

__all__ = ["MOST_REPAIRS", "NOT_LEARNT", "TARGETS", "Reached", "Target", "reached", "repair_rate"]

NOT_LEARNT = ("dates", "places", "all")
"""Splits that a model has not seen, or of which nobody knows."""

MOST_REPAIRS = 0.10
"""Share of the sentences of held-out texts that the grammar may write; a run beyond it has failed."""


@dataclass(frozen=True)
class Target:
    """One figure that is asked for.

    Attributes:
        name: "smoke" or "bench": how much training it is asked of.
        mode: of the texts.
        split: of the texts; None for each that there is.
        method: "model", "draft" for what it wrote before repair, or "permuted".
        figure: that is meant.
        bound: that it must reach.
        side: whether it must be at least or at most that.
    """

    name: Literal["smoke", "bench"]
    mode: Mode
    split: str | None
    method: Method
    figure: Figure
    bound: float
    side: Literal["least", "most"]

    @property
    def sign(self) -> str:
        """The sign before the bound."""
        return "≥" if self.side == "least" else "≤"


def _three(name: Literal["smoke", "bench"], split: str, hit: float, classes: float, wrong: float) -> list[Target]:
    return [
        Target(name, "blind", split, "model", "hit05", hit, "least"),
        Target(name, "blind", split, "model", "classes", classes, "least"),
        Target(name, "blind", split, "model", "contradiction", wrong, "most"),
    ]


TARGETS: tuple[Target, ...] = (
    *_three("smoke", "dates", 0.80, 0.85, 0.02),
    Target("smoke", "blind", "dates", "permuted", "hit05", 0.30, "most"),
    *_three("bench", "dates", 0.85, 0.90, 0.01),
    *_three("bench", "places", 0.60, 0.75, 0.08),
    Target("bench", "grounded", None, "model", "refused", 0.0, "most"),
    Target("bench", "grounded", None, "model", "unsupported", 0.0, "most"),
    Target("bench", "grounded", "dates", "draft", "hit05", 0.99, "least"),
    Target("bench", "grounded", "dates", "draft", "classes", 0.99, "least"),
)


@dataclass(frozen=True)
class Reached:
    """A target that applies to what was judged.

    Attributes:
        target: what was asked.
        split: of the texts that it was asked of.
        value: what was reached; NaN where there was nothing to judge it by.
    """

    target: Target
    split: str
    value: float

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        if not math.isfinite(self.value):
            return False
        least = self.target.side == "least"
        return self.value >= self.target.bound if least else self.value <= self.target.bound


def reached(judged: Judged) -> tuple[Reached, ...]:
    """Every target that applies to texts of this mode and these splits."""
    found = []
    for target in TARGETS:
        if target.mode != judged.mode:
            continue
        # Where nothing had to be mended, what stands is what was written first.
        method: Method = "model" if target.method == "draft" and "draft" not in judged.tallies else target.method
        tally = judged.tallies[method]
        for split in tally.splits if target.split is None else [target.split]:
            if split in tally.splits:
                scores: Faithfulness = tally.scores(split, draws=1)
                found.append(Reached(target, split, scores[target.figure]))
    return tuple(found)


def repair_rate(judged: Judged, splits: Sequence[str] = NOT_LEARNT) -> float | None:
    """Share of sentences that the grammar wrote; None where no text of these splits was judged."""
    chosen = [own for split, own in judged.repairs.items() if split in splits]
    if not chosen:
        return None
    sentences = sum(one.sentences for one in chosen)
    return sum(one.repaired for one in chosen) / sentences if sentences else 0.0
