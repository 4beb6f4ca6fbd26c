"""From a task's answers to files: blend what overlaps, finish it, hand rows to the sinks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from arpent.core import Strip, Window
from arpent.engine.halving import as_array
from arpent.engine.task import Answer, Dense, Product, Rows
from arpent.errors import InvalidSetting
from arpent.tiling import Patch, RowBlender, RowPainter, Tile, TilePlan, painted

__all__ = ["DenseOutput", "Finished", "Sink", "TableOutput"]

Item_contra = TypeVar("Item_contra", contravariant=True)


class Sink(Protocol[Item_contra]):
    """Where a product goes. Satisfied by shape: the engine knows no file format."""

    def write(self, item: Item_contra, /) -> None:
        """Takes the next strip of rows, or the next table."""
        ...

    def checkpoint(self) -> Mapping[str, Any]:
        """Makes all that was written durable, and says what is needed to go on from here."""
        ...

    def suspend(self) -> None:
        """Lets go of all files; a sink that goes on from the last checkpoint can be made later."""
        ...

    def close(self) -> Path:
        """Publishes the file."""
        ...


@dataclass(frozen=True)
class Finished:
    """What a finished row of tiles gives one product."""

    product: str
    strip: Strip


class DenseOutput:
    """All products that are made from one entry of the answer, at one scale, merged in one way."""

    def __init__(self, products: Sequence[Product], plan: TilePlan) -> None:
        first = products[0]
        self.key = f"{first.source}@{first.scale}:{first.merge}{first.inset or ''}"
        self.products = tuple(products)
        self._source, self._scale, self._channels = first.source, first.scale, first.channels
        self._image = Window(0, 0, plan.height, plan.width)
        self._blender: RowBlender | RowPainter
        if first.merge == "paint":
            self._plan = painted(plan, scale=first.scale, inset=first.inset)
            self._blender = RowPainter(self._plan, first.channels)
        else:
            self._plan = plan.coarsened(first.scale)
            self._blender = RowBlender(self._plan, first.channels)
        self._rows: dict[str, NDArray[np.generic]] = {}

    @classmethod
    def of(cls, products: Iterable[Product], plans: Mapping[str, TilePlan]) -> list[DenseOutput]:
        """Groups raster products by what they share; `plans` by way of merging."""
        groups: dict[tuple[str, int, str, int, int], list[Product]] = {}
        for product in products:
            key = (product.source, product.scale, product.merge, product.channels, product.inset)
            groups.setdefault(key, []).append(product)
        return [cls(group, plans[key[2]]) for key, group in groups.items()]

    def begin_row(self, row: int) -> None:
        """Makes room for the rows that tile row `row` will finish."""
        span = self._plan.rows[row]
        self._first = span.kept_start
        rows = span.final_end - span.kept_start
        self._rows = {p.name: np.empty((len(p.bands), rows, self._plan.width), p.dtype) for p in self.products}

    def add(self, tile: Tile, number: int, answer: Answer, valid: NDArray[np.bool_]) -> None:
        """Takes entry `number` of a batch's answer for a tile whose own valid pixels are `valid`."""
        entry = answer.get(self._source)
        if not isinstance(entry, Dense):
            raise InvalidSetting(
                f"the task answers without a map called '{self._source}'",
                found=", ".join(answer) or "nothing",
                cure="Name the product's source as Task.infer names its answer.",
            )
        values = as_array(entry.values[number])
        if entry.valid is None:
            counts = _coarse(valid, self._scale, tile.window.intersect(self._image).shape)
        else:
            counts = as_array(entry.valid[number]).astype(bool)
        self._add(tile, values, counts)

    def add_nothing(self, tile: Tile) -> None:
        """Takes a tile without a single valid pixel, which no network has seen."""
        height, width = (-(-side // self._scale) for side in tile.window.shape)
        self._add(tile, np.zeros((self._channels, height, width), np.float32), np.zeros((height, width), bool))

    def _add(self, tile: Tile, values: NDArray[np.generic], valid: NDArray[np.bool_]) -> None:
        place = Tile(tile.row, tile.col, self._plan.rows[tile.row], self._plan.cols[tile.col])
        if values.shape != (self._channels, *place.window.shape):
            raise InvalidSetting(
                f"the map '{self._source}' has the wrong shape",
                found=values.shape,
                expected=(self._channels, *place.window.shape),
                cure="Check the scale and the channels that the product declares.",
            )
        self._put(self._blender.add(place, values, valid))

    def _put(self, patch: Patch) -> None:
        inside = patch.window.relative_to(Window(self._first, 0, 0, 0))
        for product in self.products:
            self._rows[product.name][:, *inside.slices] = product.finished(patch.values, patch.valid)

    def end_row(self) -> list[Finished]:
        """The rows that are finished now, one strip per product."""
        return [Finished(name, Strip(self._first, rows)) for name, rows in self._rows.items()]

    def state(self) -> dict[str, NDArray[np.float32]]:
        """What the next row of tiles needs."""
        return {f"{self.key}/{name}": array for name, array in self._blender.state().items()}

    def restore(self, next_row: int, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Goes on before tile row `next_row`."""
        prefix = f"{self.key}/"
        mine = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        self._blender.restore(next_row, mine)


class TableOutput:
    """A table product: rows go to the sink batch by batch, in the order of the tiles."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self._tables: list[Any] = []

    def add(self, answer: Answer) -> None:
        """Takes the rows of a batch."""
        entry = answer.get(self.product.source)
        if not isinstance(entry, Rows):
            raise InvalidSetting(
                f"the task answers without rows called '{self.product.source}'",
                found=", ".join(answer) or "nothing",
                cure="Name the product's source as Task.infer names its answer.",
            )
        self._tables.append(entry.table)

    def taken(self) -> list[Any]:
        """The tables that have come since the last call."""
        tables, self._tables = self._tables, []
        return tables


def _coarse(valid: NDArray[np.bool_], scale: int, inside: tuple[int, int]) -> NDArray[np.bool_]:
    """Valid pixels of a product `scale` times coarser: those all of whose pixels in the image are.

    Args:
        valid: of a tile.
        scale: pixels of the image per pixel of the product.
        inside: rows and columns of the tile that lie in the image; beyond them a tile is padded.
    """
    if scale == 1:
        return valid
    height, width = (-(-side // scale) for side in valid.shape)
    rows, cols = inside
    padding = ((0, height * scale - rows), (0, width * scale - cols))
    whole = np.pad(valid[:rows, :cols], padding, mode="edge")
    return np.asarray(whole.reshape(height, scale, width, scale).all(axis=(1, 3)), bool)
