"""How far labels can be read in captions: readers that know the names of labels and nothing else.

What they get right needs no picture, and no learning either. Labels that people gave without a look at the captions are
named there in part; labels made from the captions are all there. Which captions they were made from nobody may say, so
several readers try: one for the first captions alone, one for the second ones, and so on, one for all that any caption
of a picture says, and those for what two, three … of them agree on. The best of them counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from arpent.core import Language
from arpent.language import labels_named

__all__ = ["TELLS_ALL", "Readable", "readable"]

TELLS_ALL: Final = 0.95
"""F1 or recall of the best reader from which labels count as told by the captions."""

_Share = Annotated[float, Field(ge=0, le=1)]
_READERS = 8
"""Captions of a picture for which there are readers of their own."""


class Readable(BaseModel):
    """What the best reader gets right.

    Attributes:
        named: share of the captions that name a label of their own picture.
        precision: share of right ones among the labels that it reads.
        recall: share of the labels of the pictures that it reads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    named: _Share = 0.0
    precision: _Share = 0.0
    recall: _Share = 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    @property
    def tells_all(self) -> bool:
        """Whether the labels are as good as written in the captions."""
        return max(self.f1, self.recall) >= TELLS_ALL


@dataclass
class _Reader:
    """Counts of one reader, over the pictures that have what it reads."""

    right: int = 0
    read: int = 0
    true: int = 0

    def add(self, found: frozenset[str], own: frozenset[str]) -> None:
        self.right, self.read, self.true = self.right + len(found & own), self.read + len(found), self.true + len(own)

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.read + self.true) if self.read + self.true else 0.0


def readable(
    pictures: Iterable[tuple[Sequence[str], frozenset[str]]], labels: Sequence[str], language: Language
) -> Readable:
    """What can be read of labels.

    Args:
        pictures: the captions of each, and the labels that it has.
        labels: all that there are.
        language: of the captions.
    """
    known = tuple(labels)
    captions = naming = 0
    readers: dict[tuple[str, int], _Reader] = {}
    for texts, own in pictures:
        found = [labels_named(text, known, language) for text in texts]
        captions += len(found)
        naming += sum(bool(one & own) for one in found)
        for reader, read in _readings(found):
            readers.setdefault(reader, _Reader()).add(read, own)
    if not captions:
        return Readable()
    most = max(one.true for one in readers.values())
    # A reader of few pictures, those with a sixth caption for instance, says little of all.
    best = max((one for one in readers.values() if 2 * one.true >= most), key=lambda one: one.f1)
    return Readable(
        named=naming / captions,
        precision=best.right / best.read if best.read else 0.0,
        recall=best.right / best.true if best.true else 0.0,
    )


def _readings(found: Sequence[frozenset[str]]) -> Iterator[tuple[tuple[str, int], frozenset[str]]]:
    """What each reader reads of a picture, from the labels that its captions name."""
    counts = Counter(label for one in found for label in one)
    for place, one in enumerate(found[:_READERS]):
        yield ("caption", place), one
        yield ("agreeing", place), frozenset(label for label, count in counts.items() if count > place)
