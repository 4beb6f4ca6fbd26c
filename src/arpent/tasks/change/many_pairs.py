"""What the pairs of a long list share: the network, and a memory that does not grow with their number."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from arpent.core import Language
from arpent.engine import Network
from arpent.errors import ConfigError, ContractMismatch, InputError
from arpent.language import say
from arpent.models import Bundle
from arpent.store import RunFolder
from arpent.tasks.change.comparing import tile_shape
from arpent.tasks.change.frames import Pair
from arpent.tasks.change.pair_network import Asked, asked_of, check_model, placing_of, start_pair_network
from arpent.tasks.change.pairing import PairImage
from arpent.tasks.change.settings import ChangeSettings
from arpent.tiling import TilePlan

__all__ = ["OF_ONE_PAIR", "Doubts", "ListNetworks", "swept"]

OF_ONE_PAIR = (InputError, ConfigError, ContractMismatch)
"""What is wrong with a pair; all else, such as a full disk, is wrong with the run."""

_LOOKED_AT = 20
"""Pairs at the head of a list that tell how much work the list is."""

_BETWEEN = 8
"""Pairs between two sweeps: a sweep takes 0.15 s, and a pair leaves some 7 MB of dead pictures."""

Item = TypeVar("Item")


class ListNetworks:
    """The model, ready to run: started once for all pairs that ask the same of it.

    Args:
        bundle: the model and its contract.
        pairs: the whole list, from which it is told whether it is worth the start of a faster runtime. A run that is
            resumed must come to the same answer: its finished pairs belong to the list.
        times: how often each pair is compared.
    """

    def __init__(self, bundle: Bundle, pairs: Sequence[Pair], times: int = 1) -> None:
        self._bundle, self._pairs, self._times = bundle, pairs, times
        self._tiles: int | None = None
        self._started: dict[Asked, Network] = {}

    def of(self, pair: Pair, settings: ChangeSettings) -> Network:
        """The network for one of the pairs.

        Args:
            pair: that will be compared.
            settings: how; those of one list may differ in what they want, and in nothing else.

        Raises:
            The errors of `check_model`.
        """
        model = check_model(self._bundle, len(pair.frames), settings)
        asked = asked_of(model, len(pair.frames), settings)
        if asked not in self._started:
            if self._tiles is None:
                self._tiles = self._counted(settings) if settings.runtime == "auto" else 0
            self._started[asked] = start_pair_network(self._bundle, asked, settings, tiles=self._tiles)
        return self._started[asked]

    def _counted(self, settings: ChangeSettings) -> int:
        """Tiles of the whole list, about: as many per pair as the first ones have."""
        first = self._pairs[:_LOOKED_AT]
        return round(sum(self._of_one(pair, settings) for pair in first) / len(first) * len(self._pairs) * self._times)

    def _of_one(self, pair: Pair, settings: ChangeSettings) -> int:
        try:
            shape = tile_shape(placing_of(check_model(self._bundle, len(pair.frames), settings), settings), settings)
            with PairImage(pair, self._bundle.contract, settings) as image:
                return len(TilePlan.of(*image.grid.shape, shape))
        except OF_ONE_PAIR:  # which will be told when its turn comes
            return 0


class Doubts:
    """What the images of a list give reason to doubt: one sentence for all of them."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def add(self, warning: str) -> None:
        """One warning; of an image of several pairs it comes several times, and counts once."""
        self._said[warning] = None

    def tell(self, run: RunFolder, language: Language) -> None:
        """Warns of the first, and counts the others."""
        if self._said:
            first, more = next(iter(self._said)), len(self._said) - 1
            run.warn(say("drift.many", language, first=first, count=more) if more else first)


def swept(items: Iterable[Item]) -> Iterator[Item]:
    """The same items; now and then, when one of them is done, what is dead in memory goes.

    Figures and readers are rings of objects, which only a search through all of memory finds. Python makes one when
    memory has grown by a quarter: with its libraries loaded, that is after hundreds of pictures.
    """
    for number, item in enumerate(items, 1):
        yield item
        if number % _BETWEEN == 0:
            gc.collect()
