"""Batches of prompts with their answers, as the training loop takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from arpent.data import WHOLE, Share
from arpent.tasks.describe.sequences import Dialogue, right_padded

__all__ = ["Lesson", "Lessons"]


@dataclass(frozen=True)
class Lesson:
    """One prompt with its answer.

    Attributes:
        name: for people.
        dialogue: its words.
        visual: (cells, width) of the image, where the prompt keeps places for one.
        measured: numbers that the gauge is to read; NaN where they are not known.
    """

    name: str
    dialogue: Dialogue
    visual: NDArray[np.floating] | None = None
    measured: NDArray[np.float32] | None = None


class Lessons:
    """Batches of lessons.

    What a batch holds depends on the epoch and its place alone.

    Args:
        count: lessons of an epoch.
        make: gives a lesson by the numbers of its epoch and of its place in there.
        batch_size: lessons of a batch.
        pad: number of the word that fills up short rows.
    """

    def __init__(self, count: int, make: Callable[[int, int], Lesson], *, batch_size: int, pad: int) -> None:
        self._count, self._make, self._batch_size, self._pad = count, make, batch_size, pad

    def steps(self, number: int = 0) -> int:
        """Batches of an epoch."""
        return -(-self._count // self._batch_size)

    def epoch(
        self, number: int, start: int = 0, stop: int | None = None, share: Share = WHOLE
    ) -> Iterator[dict[str, Any]]:
        """The batches of an epoch; see `engine.Batches`.

        Raises:
            InvalidSetting: full batches have fewer lessons than there are processes.
        """
        share.require_room(self._batch_size)
        last = self._count if stop is None else min(stop * self._batch_size, self._count)
        for first in range(start * self._batch_size, last, self._batch_size):
            places = range(first, min(first + self._batch_size, self._count))
            # All are made, for their lengths: rows are as long in each process as in one that has them all.
            lessons = {place: self._make(number, place) for place in places}
            width = max(len(one.dialogue.prompt) + len(one.dialogue.answer) for one in lessons.values())
            own = [lessons[place] for place in share.of(places)]
            yield self._collated(own, width) | {"part": share.part(places)}

    def _collated(self, lessons: Sequence[Lesson], width: int) -> dict[str, Any]:
        rows = right_padded([lesson.dialogue for lesson in lessons], self._pad, width)
        batch: dict[str, Any] = {
            "words": rows.words,
            "attended": rows.attended,
            "spoken": rows.spoken,
            "target": rows.target,
            "names": [lesson.name for lesson in lessons],
            "domains": ["" for _ in lessons],
        }
        seen = [lesson.visual for lesson in lessons if lesson.visual is not None]
        if seen:
            batch["image"] = torch.from_numpy(np.stack(seen).astype(np.float32))
        read = [lesson.measured for lesson in lessons if lesson.measured is not None]
        if read:
            batch["measured"] = torch.from_numpy(np.stack(read))
        return batch
