"""What is done with a batch of tiles before it is blended: read, prepare, ask the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from arpent.core import Grid, Raster, Window
from arpent.engine.halving import in_parts, joined
from arpent.engine.task import Answer, Batch, Network, Task
from arpent.tiling import Tile, pad_by_reflection

__all__ = ["Answered", "Image", "Noticing", "Pad", "Prepare", "PreparedTile", "TileWork"]


class Image(Protocol):
    """What the loop reads from; `io.ImageReader` satisfies it."""

    @property
    def grid(self) -> Grid:
        """Where its pixels lie."""
        ...

    @property
    def source(self) -> str:
        """Its name, for people."""
        ...

    def read(self, window: Window, /) -> Raster:
        """The pixels of a window inside the grid; from any thread."""
        ...


@runtime_checkable
class Noticing(Protocol):
    """An image that keeps in mind what was odd about the pixels it has read."""

    def noticed(self) -> tuple[bool, ...]:
        """What was, so far."""
        ...

    def notice(self, seen: tuple[bool, ...], /) -> None:
        """Keeps in mind what the same image has noticed in another process."""
        ...


Prepare = Callable[[NDArray[np.generic], NDArray[np.bool_]], NDArray[np.float32]]
"""Pixels ``(C, H, W)`` and mask ``(H, W)`` as read → what the network takes. Runs in the reading threads."""

Pad = Callable[[NDArray[np.float32], Window, Window], NDArray[np.float32]]
"""Network input ``(C, h, w)`` of the window inside the image, that window, and the tile's, which reaches beyond the
image at the bottom or on the right → the input for the whole tile. Runs in the reading threads."""


@dataclass(frozen=True)
class PreparedTile:
    """A tile as the network takes it.

    Attributes:
        tile: its place in the plan.
        image: ``(C, H, W)``, all of the tile.
        valid: ``(H, W)``, where the image has data.
    """

    tile: Tile
    image: NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Answered:
    """What came of a batch of tiles.

    Attributes:
        valid: of each tile, where the image has data; None for a tile without any, which no network has seen.
        answer: of the task, for the tiles that have data; empty where none has.
        seconds: in the network.
        parts: in which the batch went through the network; more than one where memory was short.
        noticed: see `Noticing`.
    """

    valid: Sequence[NDArray[np.bool_] | None]
    answer: Answer = field(default_factory=dict)
    seconds: float = 0.0
    parts: int = 1
    noticed: tuple[bool, ...] = ()


@dataclass(frozen=True)
class TileWork:
    """An image, a task, and the network that the tiles go through.

    Attributes:
        task: runs the model.
        network: the model, ready on a runtime.
        image: what to read.
        prepare: pixels as read → network input.
        pad: what the network sees beyond the image's edges.
    """

    task: Task
    network: Network
    image: Image
    prepare: Prepare
    pad: Pad = pad_by_reflection

    def prepared(self, tile: Tile) -> PreparedTile:
        """Reads a tile; from any thread."""
        inside = tile.window.intersect(self.image.grid.window)
        raster = self.image.read(inside)
        pixels = self.prepare(raster.pixels, raster.valid)
        valid = np.zeros(tile.window.shape, bool)
        valid[: inside.height, : inside.width] = raster.valid
        return PreparedTile(tile, self.pad(pixels, inside, tile.window), valid)

    def answered(self, batch: Sequence[PreparedTile]) -> Answered:
        """Runs a batch through the network, those of its tiles that have data."""
        seen = [entry for entry in batch if entry.valid.any()]
        valid = [entry.valid if entry.valid.any() else None for entry in batch]
        if not seen:
            return Answered(valid, noticed=self._noticed())
        started = perf_counter()
        told = in_parts(self._asked, seen, joined)
        return Answered(valid, told.answer, perf_counter() - started, told.parts, self._noticed())

    def _asked(self, seen: Sequence[PreparedTile]) -> Answer:
        batch: Batch = {
            "image": torch.from_numpy(np.stack([entry.image for entry in seen])),
            "valid": torch.from_numpy(np.stack([entry.valid for entry in seen])),
            "windows": [entry.tile.window for entry in seen],
            "tiles": [entry.tile for entry in seen],
        }
        return self.task.infer(self.network, batch)

    def _noticed(self) -> tuple[bool, ...]:
        return self.image.noticed() if isinstance(self.image, Noticing) else ()
