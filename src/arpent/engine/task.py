"""What the engine knows of a task: a frozen config and a few small functions.

A task is written beside its capability in ``tasks/``; the engine never asks which one it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, Self

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from arpent.core import ClassMap
from arpent.core.settings import Settings
from arpent.data import WHOLE, Share
from arpent.errors import InvalidSetting

__all__ = [
    "Answer",
    "Batch",
    "Batches",
    "Dense",
    "Meter",
    "Network",
    "NoFigures",
    "Product",
    "Rows",
    "Task",
    "inputs_of",
]

Batch = Mapping[str, Any]
"""Tensors by name, all with the same first axis: ``image`` (B, C, H, W), ``valid`` (B, H, W), ``target`` …

In a prediction also lists: ``windows``, the pixels that each entry shows, and ``tiles``, their places in the plan."""


class Batches(Protocol):
    """Where batches come from; `data.Batches` satisfies it.

    The batches of an epoch depend on its number alone, not on what was asked before.
    """

    def steps(self, number: int = 0) -> int:
        """Batches of an epoch; the same for all."""
        ...

    def epoch(self, number: int, start: int = 0, stop: int | None = None, share: Share = WHOLE) -> Iterator[Batch]:
        """The batches of an epoch from the one numbered `start` on, up to `stop` if that is given.

        Of each batch only the `share` of one process; which samples of the batch these are, it says in ``part``.
        """
        ...


def inputs_of(batch: Batch) -> tuple[Tensor, ...]:
    """What a network is given of a batch: the images and, where the batch has them, some things more.

    Features that another network has made of the images, and what is known beside their pixels; of texts their words,
    which of them are no padding, and after which of them the next one is asked for; and which of image and text there
    are.
    """
    known = ("image", "features", "metadata", "words", "attended", "spoken", "present")
    return tuple(batch[name] for name in known if name in batch)


@dataclass(frozen=True)
class Dense:
    """A map per tile.

    Attributes:
        values: ``(B, channels, h, w)``, with h and w those of the tile over the product's scale.
        valid: ``(B, h, w)``; where the answer counts. None: where the image does.
    """

    values: Tensor | NDArray[np.floating]
    valid: Tensor | NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Rows:
    """Lines of a table, in the order of the tiles or items that they speak of."""

    table: pa.Table


Answer = Mapping[str, Dense | Rows]
"""What `Task.infer` gives for a batch: by the name that products call their `source`."""

Finish = Callable[[NDArray[np.float32]], NDArray[np.generic]]


@dataclass(frozen=True)
class Product:
    """A file that a run makes.

    Attributes:
        name: of the product, and of its file without suffix ("classes").
        kind: "raster" for maps, "table" for rows.
        source: the entry of the task's answer that it is made from.
        channels: how many channels that entry has.
        bands: names of the bands of the file.
        dtype: of the file.
        nodata: written where nothing is known.
        scale: pixels of the image per pixel of the product.
        merge: "taper" mixes overlapping tiles; "centre" takes each pixel from the tile whose core it is in,
            as codes and dates need it; "paint" lays tiles over each other, their middles on top (`tiling.RowPainter`).
        inset: for "paint", pixels of the product by which the answer begins after its tile.
        finish: turns mixed values ``(channels, h, w)`` into bands ``(bands, h, w)``; None leaves them as they are.
        classes: for class maps; gives palette and names.
        overviews: how overviews are made.
        compression: of maps; "zstd" is written faster, "deflate" is read by everything.
        unit, title: for people.
        file: name of the file, where it is another one; the suffix of a table names its format (`io.RowWriter`).
        moment: that it speaks of, where that is not when the image was taken: the valid date of a forecast.
        facts: what its STAC item says besides (``forecast:horizon``).
    """

    name: str
    source: str
    channels: int = 1
    bands: tuple[str, ...] = ("value",)
    kind: Literal["raster", "table"] = "raster"
    dtype: str = "float32"
    nodata: float | None = None
    scale: int = 1
    merge: Literal["taper", "centre", "paint"] = "taper"
    inset: int = 0
    finish: Finish | None = None
    classes: ClassMap | None = None
    overviews: Literal["average", "mode", "nearest"] = "average"
    compression: Literal["deflate", "zstd"] = "deflate"
    unit: str | None = None
    title: str = ""
    file: str = ""
    moment: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """Of the file that holds it."""
        return self.file or f"{self.name}{'.tif' if self.kind == 'raster' else '.parquet'}"

    def finished(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.generic]:
        """Mixed values as they stand in the file, no-data included."""
        bands = values if self.finish is None else self.finish(values)
        if bands.shape[0] != len(self.bands):
            raise InvalidSetting(
                f"product '{self.name}' finishes with the wrong number of bands",
                found=bands.shape[0],
                expected=len(self.bands),
                cure="Name one band per channel, or let 'finish' make them.",
            )
        if np.issubdtype(np.dtype(self.dtype), np.integer) and np.issubdtype(bands.dtype, np.floating):
            bands = np.rint(bands)
        result = bands.astype(self.dtype, copy=False)
        if valid.all():
            return result
        nothing = 0 if self.nodata is None else self.nodata
        filled: NDArray[np.generic] = np.where(valid, result, np.dtype(self.dtype).type(nothing))
        return filled


class Network(Protocol):
    """A model made ready to run: tensors in, tensors out, on whatever runtime and device."""

    name: str
    device: torch.device

    def __call__(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - models answer with tensors, tuples or mappings
        """One forward pass without gradients."""
        ...


class Meter(Protocol):
    """Counts how good a model is, batch by batch; can be pickled, to be sent to the other processes of a training."""

    def update(self, out: Any, batch: Batch) -> None:  # noqa: ANN401 - whatever the task's model gives
        """Takes the model's output for a batch."""
        ...

    def merge(self, other: Self) -> None:
        """Adds what another meter of the same kind has counted on other batches."""
        ...

    def compute(self) -> dict[str, float]:
        """The figures, by name."""
        ...

    def figures(self) -> Sequence[str]:
        """The names of all figures that `compute` may give, known before anything is counted."""
        ...


class NoFigures:
    """The meter of a task whose loss says all there is to say."""

    def update(self, out: object, batch: Batch) -> None:
        """Counts nothing."""

    def merge(self, other: NoFigures) -> None:
        """Adds nothing."""

    def compute(self) -> dict[str, float]:
        """No further figure."""
        return {}

    def figures(self) -> Sequence[str]:
        """None."""
        return ()


class Task(Protocol):
    """The seam between the engine and a capability."""

    @property
    def config(self) -> Settings:
        """Frozen; unknown keys refused."""
        ...

    def build(self) -> nn.Module:
        """A new model; its weights depend on torch's random state alone."""
        ...

    def loss(self, out: Any, batch: Batch) -> Tensor:  # noqa: ANN401 - whatever the task's model gives
        """The scalar to minimise: of the whole batch, also where several processes share it.

        It sums over samples by `models.batch_total` and its like alone, then, and several learn what one would.
        """
        ...

    def metrics(self) -> Meter:
        """A fresh meter."""
        ...

    def products(self) -> Sequence[Product]:
        """The files a run makes."""
        ...

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Runs the model on a batch and names what comes out."""
        ...
