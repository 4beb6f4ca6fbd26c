"""The tiles of scenes one after another, and the sums of the parcels that are not complete.

All parcels of a scene share one encoding of it. Of each parcel only sums are kept, and its row is written as soon as
its last tile has been seen: what is held does not depend on the height of a scene.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from arpent.core import Window
from arpent.engine import Product, Rows
from arpent.io.vectors import vector_column
from arpent.tasks.describe.embedding_table import EMBEDDINGS, embedding_schema
from arpent.tasks.describe.parcels import Parcel
from arpent.tasks.describe.pooling import ParcelSums, Part, Weights, spread
from arpent.tasks.describe.scene_plan import EncodedScene, Tiling
from arpent.tasks.describe.seen import Seen

if TYPE_CHECKING:
    from arpent.tasks.describe.encoding import Encoder

__all__ = ["Encoding", "TileOf"]


@dataclass(frozen=True)
class TileOf:
    """One tile of one scene, by their numbers."""

    scene: int
    tile: int


@dataclass(frozen=True)
class _Ready:
    """A tile as the network takes it, and how much its patches count for the parcels on it."""

    of: TileOf
    image: NDArray[np.float32]
    weights: tuple[tuple[int, Weights], ...]


@dataclass(frozen=True)
class _Told:
    """What a tile adds to the sums of its parcels, by their numbers."""

    of: TileOf
    parts: tuple[tuple[int, Part], ...]


@dataclass
class _Open:
    """A parcel whose last tile has not been seen."""

    sums: ParcelSums
    left: int


class Encoding:
    """The work on the tiles of scenes: satisfies `engine.ItemWork` and `engine.Memory`.

    Args:
        encoder: that sees them.
        scenes: planned, all of them whole or none.
        tiling: how they were planned.
        opened: gives an open scene by its number; called from several threads.
    """

    def __init__(
        self,
        encoder: Encoder,
        scenes: Sequence[EncodedScene],
        tiling: Tiling,
        opened: Callable[[int], Seen],
        done: Callable[[int], None] = lambda number: None,
    ) -> None:
        self._encoder, self._scenes, self._cells = encoder, scenes, tiling.cells
        self._opened, self._done = opened, done
        self._open: dict[tuple[int, int], _Open] = {}
        self._tiles: list[Counter[int]] = [
            Counter(number for _, near in scene.tiles for number in near) for scene in scenes
        ]
        self.whole = bool(scenes) and all(scene.whole for scene in scenes)
        self.schema = embedding_schema(encoder.facts(whole=self.whole), encoder.width, self._cells)

    @property
    def items(self) -> list[TileOf]:
        """All tiles of all scenes."""
        return [TileOf(n, place) for n, scene in enumerate(self._scenes) for place in range(len(scene.tiles))]

    def products(self) -> Sequence[Product]:
        """The one table."""
        return (Product("embeddings", "embeddings", kind="table", file=EMBEDDINGS),)

    def name(self, item: TileOf) -> str:
        """The scene: one whose pixels cannot be read is given up as a whole."""
        return self._scenes[item.scene].source

    def prepare(self, item: TileOf) -> _Ready:
        """Reads a tile."""
        planned, scene = self._scenes[item.scene], self._opened(item.scene)
        tile, near = planned.tiles[item.tile]
        inside = tile.window.intersect(planned.grid.window)
        raster = scene.read(inside)
        weights = []
        for number in near:
            parcel = planned.parcels[number]
            shared = parcel.window.intersect(tile.core)
            mask = parcel.mask(shared) & raster.valid[shared.relative_to(inside).slices]
            if mask.any():
                patch, origin = self._encoder.patch, tile.window
                weights.append(
                    (number, spread(mask, shared, parcel.window, patch=patch, cells=self._cells, origin=origin))
                )
        image = self._padded(self._encoder.normalised(raster), tile.window)
        self._done(item.scene)
        return _Ready(item, image, tuple(weights))

    def _padded(self, pixels: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
        """Beyond the scene there is nothing: the middle of what pixels can be."""
        if pixels.shape[1:] == window.shape:
            return pixels
        image = np.full((len(pixels), *window.shape), 0.5 if self._encoder.statistics.unit else 0, np.float32)
        image[:, : pixels.shape[1], : pixels.shape[2]] = pixels
        return image

    def alike(self, ready: _Ready) -> tuple[int, ...]:
        """Tiles of one size share a batch."""
        return ready.image.shape

    def answer(self, batch: Sequence[_Ready]) -> tuple[_Told, ...]:
        """What each tile of a batch adds to the sums of its parcels."""
        seen = [ready for ready in batch if ready.weights]
        tokens = iter(self._encoder.tokens(np.stack([ready.image for ready in seen])) if seen else ())
        return tuple(_Told(one.of, self._added(one, next(tokens)) if one.weights else ()) for one in batch)

    def _added(self, ready: _Ready, tokens: NDArray[np.float32]) -> tuple[tuple[int, Part], ...]:
        height, width = (side // self._encoder.patch for side in ready.image.shape[1:])
        placed = tokens.reshape(height, width, -1)
        return tuple((number, Part.of(placed, weights)) for number, weights in ready.weights)

    def take(self, told: Sequence[_Told]) -> Mapping[str, Rows]:
        """The rows of the parcels whose last tile is in the batch."""
        rows = []
        for tile in told:
            for number, part in tile.parts:
                self._of(tile.of.scene, number).sums.add(part)
            rows += list(self._completed(tile.of))
        return {"embeddings": Rows(_table(rows, self.schema))}

    def rows(self, batch: Sequence[_Ready]) -> pa.Table:
        """The same of tiles that are ready, as a table."""
        return self.take(self.answer(batch))["embeddings"].table

    def _of(self, scene: int, number: int) -> _Open:
        fresh = (scene, number) not in self._open
        if fresh:
            sums = ParcelSums.empty(self._cells, self._encoder.width)
            self._open[scene, number] = _Open(sums, self._tiles[scene][number])
        return self._open[scene, number]

    def _completed(self, item: TileOf) -> Iterator[dict[str, object]]:
        """The rows of the parcels that this tile was the last of."""
        planned = self._scenes[item.scene]
        for number in planned.tiles[item.tile][1]:
            one = self._of(item.scene, number)
            one.left -= 1
            if one.left == 0:
                yield self._row(planned, planned.parcels[number], self._open.pop((item.scene, number)).sums)

    def _row(self, scene: EncodedScene, parcel: Parcel, sums: ParcelSums) -> dict[str, object]:
        embedding = visual = None
        if sums.pixels:
            mean = sums.mean()
            embedding = self._encoder.pooled(mean) if self.whole else mean
            visual = sums.visual().astype(np.float16).ravel()
        ground = parcel.geometry_wgs84
        return {
            "parcel": parcel.name,
            "place": scene.place,
            "image": scene.name,
            "taken": scene.taken,
            "valid": sums.pixels / parcel.pixels,
            "embedding": embedding,
            "visual": visual,
            "geometry": None if ground is None else shapely.to_wkb(ground),
        }

    def state(self) -> Mapping[str, NDArray[np.generic]]:
        """The parcels that are open."""
        entries = list(self._open.values())
        shape = (len(entries), self._cells**2)
        return {
            "keys": np.array(list(self._open), np.int64).reshape(-1, 2),
            "left": np.array([one.left for one in entries], np.int64),
            "sums": np.array([one.sums.sums for one in entries]).reshape(*shape, self._encoder.width),
            "weights": np.array([one.sums.weights for one in entries]).reshape(shape),
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Goes on with the parcels that were open."""
        for place, (scene, number) in enumerate(arrays["keys"].tolist()):
            sums = ParcelSums(arrays["sums"][place].astype(np.float64), arrays["weights"][place].astype(np.float64))
            self._open[scene, number] = _Open(sums, int(arrays["left"][place]))


def _table(rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    columns = [_column([row[field.name] for row in rows], field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _column(values: Sequence[Any], field: pa.Field) -> pa.Array:
    return vector_column(values, field) if pa.types.is_list(field.type) else pa.array(values, field.type)
