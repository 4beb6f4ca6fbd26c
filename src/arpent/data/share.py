"""How a batch is shared out among the processes that train together."""

from __future__ import annotations

from dataclasses import dataclass

from arpent.errors import InvalidSetting

__all__ = ["WHOLE", "Share"]


@dataclass(frozen=True, slots=True)
class Share:
    """One process's part of every batch: each `world`-th patch, from the one numbered `rank` on.

    Attributes:
        rank: number of the process, from 0 on.
        world: how many processes there are.
    """

    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise InvalidSetting(
                "there is no such share of a batch",
                found=f"process {self.rank} of {self.world}",
                cure="Number the processes from 0 on.",
            )

    def of(self, places: range) -> range:
        """Its places among those of a batch.

        Never empty, since all processes must take every step together: where there are fewer places than processes,
        the ones left over take the first place too, and `weight` says that it counts nothing there.
        """
        return places[self.rank :: self.world] or places[:1]

    def weight(self, places: range) -> float:
        """What the mean over its places counts: the mean over all processes of weight × mean is that of the batch."""
        return len(places[self.rank :: self.world]) * self.world / len(places)


WHOLE = Share()
"""The only process's share: everything."""
