"""How a batch is shared out among the processes that train together."""

from __future__ import annotations

from dataclasses import dataclass

from arpent.core import BatchPart
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

    def require_room(self, batch_size: int) -> None:
        """Refuses batches of which a process would never have a sample.

        Raises:
            InvalidSetting: full batches have fewer samples than there are processes.
        """
        if self.world > batch_size:
            raise InvalidSetting(
                f"a batch of {batch_size} cannot be shared out among {self.world} processes",
                cure=f"Set 'batch_size' to {self.world} or more, or start fewer processes.",
            )

    def of(self, places: range) -> range:
        """Its places among those of a batch.

        Never empty, since all processes must take every step together: where there are fewer places than processes,
        the ones left over take the first place too, and `part` says that it does not count there.
        """
        return places[self.rank :: self.world] or places[:1]

    def part(self, places: range) -> BatchPart:
        """Which of the samples at these places are its own."""
        own = range(len(places))[self.rank :: self.world]
        return BatchPart(own or range(1), len(places), self.world, counted=bool(own))


WHOLE = Share()
"""The only process's share: everything."""
