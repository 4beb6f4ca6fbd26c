"""How far labels can be read in captions: a reader that knows the names of labels and nothing else.

What it gets right needs no picture, and no learning either. Labels that people gave without a look at the captions are
named there in part; labels made from the captions are all there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from arpent.core import Language
from arpent.language import labels_named

__all__ = ["TELLS_ALL", "Readable", "readable"]

TELLS_ALL: Final = 0.95
"""F1 of that reader from which labels count as told by the captions."""

_Share = Annotated[float, Field(ge=0, le=1)]


class Readable(BaseModel):
    """What the reader gets right.

    Attributes:
        named: share of the captions that name a label of their own picture.
        precision: share of right ones among the labels that it reads in the captions of a picture.
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
        return self.f1 >= TELLS_ALL


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
    captions = naming = right = read = true = 0
    for texts, own in pictures:
        found = [labels_named(text, known, language) for text in texts]
        captions += len(found)
        naming += sum(bool(one & own) for one in found)
        if texts:
            everything = frozenset[str]().union(*found)
            right, read, true = right + len(everything & own), read + len(everything), true + len(own)
    return Readable(
        named=naming / captions if captions else 0.0,
        precision=right / read if read else 0.0,
        recall=right / true if true else 0.0,
    )
