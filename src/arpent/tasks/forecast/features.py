"""What a segmentation network makes of each date, made once: features of cells, scores, pixels as it sees them.

A training reads them from arrays in its scratch folder, and ``arpent forecast features`` writes the features as COGs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn

from arpent.core import Progress, Settings, Silent, Strip, writing
from arpent.data import Normaliser
from arpent.engine import (
    Answer,
    Batch,
    Dense,
    Ledger,
    Meter,
    Network,
    PredictOptions,
    PredictSettings,
    Product,
    fingerprint,
    predict,
    start_network,
)
from arpent.engine.settings import Precision
from arpent.errors import InvalidSetting
from arpent.io import open_image
from arpent.models import Bundle, Forecaster, tile_needs

__all__ = ["Explainer", "FeatureTask", "Features", "make_features", "width_of"]

_KINDS = ("features", "pixels", "scores")
_HALO = 48
"""Pixels of context around a tile: what the usual U-Net looks at."""


class Explainer(nn.Module):
    """A forecaster's view of single dates, as a network of one input: features of cells, and scores."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """``(N, channels, H, W)`` to features ``(N, width, H / cell, W / cell)`` and scores ``(N, classes, H, W)``."""
        seen = self.model.explained(images)
        return seen.features.float(), seen.scores.float()


@dataclass(frozen=True)
class FeatureTask:
    """Embeddings of single dates, as the engine knows them.

    Attributes:
        config: of the forecaster.
        width: features of a cell.
        cell: side of a cell in pixels.
        classes: of the scores.
        bands: names of the image's bands.
        embeddings: whether features alone are wanted, as an image for people.
        product: name of that image.
        title: of that image.
        compression: of that image.
    """

    config: Settings
    width: int
    cell: int
    classes: int
    bands: tuple[str, ...]
    embeddings: bool = False
    product: str = "features"
    title: str = ""
    compression: str = "deflate"

    def build(self) -> nn.Module:
        """Never asked: the network is a trained one."""
        raise self._untaught

    def loss(self, out: Any, batch: Batch) -> Tensor:  # noqa: ANN401 - whatever a model gives
        """Never asked."""
        raise self._untaught

    def metrics(self) -> Meter:
        """Never asked."""
        raise self._untaught

    @property
    def _untaught(self) -> InvalidSetting:
        return InvalidSetting("embeddings are not learnt", cure="Use 'arpent forecast train-segmentation'.")

    def products(self) -> Sequence[Product]:
        """Features of cells; for a training also scores and pixels, in half precision."""
        names = tuple(f"feature_{number}" for number in range(self.width))
        if self.embeddings:
            return [replace(self._product("features", names, self.cell, "float32"), name=self.product)]
        scores = tuple(f"score_{number}" for number in range(self.classes))
        return [
            self._product("features", names, self.cell, "float16"),
            self._product("scores", scores, 1, "float16"),
            self._product("pixels", self.bands, 1, "float16"),
        ]

    def _product(self, name: str, bands: tuple[str, ...], scale: int, dtype: str) -> Product:
        return Product(
            name,
            name,
            channels=len(bands),
            bands=bands,
            dtype=dtype,
            nodata=float("nan"),
            scale=scale,
            merge="centre",
            title=self.title,
            compression="zstd" if self.compression == "zstd" else "deflate",
        )

    def infer(self, model: Network, batch: Batch) -> Answer:
        """All three, of a batch of tiles."""
        features, scores = model(batch["image"])
        return {"features": Dense(features), "scores": Dense(scores), "pixels": Dense(batch["image"])}


@dataclass
class _ArraySink:
    """A product as an array on the disk, which has its name once it is whole."""

    path: Path
    values: NDArray[np.float16]

    @classmethod
    def open(cls, path: Path, shape: tuple[int, ...], *, begun: bool) -> _ArraySink:
        """A new array; or, where an interrupted run has begun one, that."""
        place = path if begun and path.exists() else _beside(path)
        with writing(place):
            values = open_memmap(place, "r+" if begun else "w+", np.float16, shape)
        return cls(path, values)

    def write(self, item: Strip) -> None:
        """Takes the next rows."""
        self.values[:, item.row : item.row_end] = item.values

    def checkpoint(self) -> Mapping[str, Any]:
        """Makes what was written durable."""
        self.values.flush()  # type: ignore[attr-defined]  # a memory map
        return {}

    def suspend(self) -> None:
        """No file needs to be let go of."""

    def close(self) -> Path:
        """Gives the array its name."""
        self.checkpoint()
        if _beside(self.path).exists():
            _beside(self.path).rename(self.path)
        return self.path


def _beside(path: Path) -> Path:
    return path.with_name(f"partial-{path.name}")


@dataclass(frozen=True)
class Features:
    """Features of dates on the disk.

    Attributes:
        folder: where their arrays lie.
        numbers: by the path of the image.
        cell: side of a cell in pixels.
    """

    folder: Path
    numbers: Mapping[str, int]
    cell: int
    _open: dict[tuple[str, str], NDArray[np.float16]] = field(default_factory=dict, compare=False)

    def of(self, image: str, kind: str) -> NDArray[np.float16]:
        """The features ``(width, h, w)``, scores ``(classes, H, W)`` or pixels ``(bands, H, W)`` of an image.

        They are read from the disk where they are looked at. NaN stands for no data.
        """
        array = self._open.get((image, kind))
        if array is None:
            array = np.load(self.folder / f"{self.numbers[image]:05}-{kind}.npy", mmap_mode="r")
            self._open[image, kind] = array
        return array


def make_features(
    bundle: Bundle,
    model: Forecaster,
    images: Sequence[str],
    folder: Path,
    *,
    device: str = "auto",
    precision: Precision = "f32",
    progress: Progress | None = None,
) -> Features:
    """Runs a segmentation network over images, each of which is on the disk once it is done.

    Args:
        bundle: its normalisation counts.
        model: with the network.
        images: of the bands of the bundle.
        folder: for the arrays.
        device: where to compute.
        precision: arithmetic of the network.
        progress: who is told how far it is.
    """
    contract, settings = bundle.contract, model.settings
    assert contract.normalisation is not None  # a segmentation bundle has one
    stride = tile_needs("forecaster", settings).stride
    network = start_network(Explainer(model.eval()), "torch", device, precision)
    task = FeatureTask(settings, width_of(model), stride, settings.classes, contract.band_names)
    shape = PredictSettings(ring=0, halo=_HALO).shape(stride, (1, stride))
    prepare, numbers = Normaliser(contract.normalisation), {image: number for number, image in enumerate(images)}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with (progress or Silent()).bar("features", len(images), "images") as bar:
        for image, number in numbers.items():
            if not all((folder / f"{number:05}-{kind}.npy").exists() for kind in _KINDS):
                with open_image(image, bands=contract.band_names) as reader:
                    sinks = _array_sinks(folder, number, reader.grid.shape)
                    told = PredictOptions(fingerprint=fingerprint(image=image))
                    ledger = _ledger(folder / f"ledger-{number:05}")
                    predict(task, network, reader, prepare, shape=shape, sinks=sinks, ledger=ledger, options=told)
            bar.advance()
    return Features(folder, numbers, stride)


def _ledger(folder: Path) -> Ledger:
    with writing(folder):
        folder.mkdir(exist_ok=True)
    return Ledger(folder)


def _array_sinks(
    folder: Path, number: int, shape: tuple[int, int]
) -> Callable[[Product, Mapping[str, Any] | None], _ArraySink]:
    """Sinks of one image."""

    def sink(product: Product, state: Mapping[str, Any] | None) -> _ArraySink:
        height, width = (-(-side // product.scale) for side in shape)
        path = folder / f"{number:05}-{product.name}.npy"
        return _ArraySink.open(path, (len(product.bands), height, width), begun=state is not None)

    return sink


def width_of(model: Forecaster) -> int:
    """Features of a cell."""
    side = tile_needs("forecaster", model.settings).stride
    with torch.inference_mode():
        return int(model.eval().explained(torch.zeros(1, model.settings.channels, side, side)).features.shape[1])
