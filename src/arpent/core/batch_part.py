"""What one of several processes has of a batch that they share."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BatchPart"]


@dataclass(frozen=True, slots=True)
class BatchPart:
    """Which rows of a batch one process has.

    Attributes:
        own: numbers of its rows among those of the batch.
        whole: rows of the batch.
        world: how many processes share it.
        counted: whether its rows count; where there are fewer than processes, those left over only look on.
    """

    own: range
    whole: int
    world: int = 1
    counted: bool = True
