"""What a step of the demo has made, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arpent.store import Failure

__all__ = ["Figure", "Outcome"]


@dataclass(frozen=True)
class Figure:
    """A measured quality, beside that of what anybody could have had instead.

    Attributes:
        name: key of what is measured, under ``demo`` in the lexicon.
        value: of the product, between 0 and 1.
        rival: key of what it is held against, under ``demo`` in the lexicon.
        still: the same quality of the rival.
        values: written apart for each step ahead, where `value` and `still` are their means.
    """

    name: str
    value: float
    rival: str
    still: float
    values: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A finished step.

    Attributes:
        done: what was done, in a sentence for people.
        product: what to look at first.
        runs: folders of the runs, which are on the map.
        figure: how good it is; None where no truth is known.
        seconds: what it took.
        facts: for machines.
        failures: items of it that could not be done, where the others were.
    """

    done: str
    product: Path
    runs: tuple[Path, ...]
    figure: Figure | None = None
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
