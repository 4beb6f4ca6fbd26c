"""Scenes and texts in another process: how a worker of a cluster opens what it is to encode or to describe."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock

from arpent.core import Closing
from arpent.errors import ContractMismatch
from arpent.tasks.describe.embed_settings import EmbedSettings
from arpent.tasks.describe.encoding import Encoder
from arpent.tasks.describe.encoding_work import Encoding
from arpent.tasks.describe.scene_plan import EncodedScene, Tiling
from arpent.tasks.describe.scenes import Scene, open_scene
from arpent.tasks.describe.seen import Seen
from arpent.tasks.describe.stretched import Stretched

__all__ = ["ScenesElsewhere"]

_OPEN = 16
"""Scenes that stay open; their tiles come one scene after another."""


@dataclass(frozen=True)
class ScenesElsewhere:
    """Scenes that are planned, as they are told to a worker.

    Attributes:
        images: what each is opened from.
        planned: what is to be encoded of each.
        tiling: how they are cut.
        encoder: identity of the one that sees them.
        settings: how, with the runtime and the device of the workers.
    """

    images: tuple[str, ...]
    planned: tuple[EncodedScene, ...]
    tiling: Tiling
    encoder: str
    settings: EmbedSettings

    def opened(self, stack: ExitStack) -> Encoding:
        """The work in a worker.

        Raises:
            ContractMismatch: another encoder lies here.
        """
        settings = self.settings
        encoder = Encoder.asked_for(settings)
        if encoder.identity != self.encoder:
            raise ContractMismatch(
                f"another encoder is called {settings.encoder} here",
                found=encoder.identity,
                expected=self.encoder,
                cure="Give all nodes the same.",
            )
        shelf = stack.enter_context(_Shelf(self))
        return Encoding(encoder, self.planned, self.tiling, shelf.scene)


class _Shelf(Closing):
    """The scenes that were looked at last, open; for several threads."""

    def __init__(self, told: ScenesElsewhere) -> None:
        self._told = told
        self._open: OrderedDict[int, Scene] = OrderedDict()
        self._lock = Lock()

    def scene(self, number: int) -> Seen:
        """A scene as the encoder sees it."""
        with self._lock:
            if number not in self._open:
                self._open[number] = open_scene(self._told.images[number], self._told.settings)
            self._open.move_to_end(number)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)[1].close()
            scene, grid = self._open[number], self._told.planned[number].grid
        return scene if scene.grid == grid else Stretched(scene, grid.width)

    def close(self) -> None:
        """Closes them."""
        for scene in self._open.values():
            scene.close()
        self._open.clear()
