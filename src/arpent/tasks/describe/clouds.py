"""What is known of clouds: where the layer of an image is found, and how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Closing, Grid, Window
from arpent.errors import BandMismatch, FileMissing, GeoreferenceMissing, InvalidSetting, NoOverlap
from arpent.io import ImageReader, open_image
from arpent.io.bands import Layer
from arpent.pixels import QUALITY_LAYERS, Quality, decode_quality
from arpent.tasks.describe.scene_settings import SceneSettings

__all__ = ["CloudLayer", "CloudSource", "find_clouds", "open_clouds"]

_KINDS = QUALITY_LAYERS
_BESIDE = ("{kind}_{name}", "{stem}_{kind}{suffix}", "{stem}.{kind}{suffix}")
_OF_L1C = "MSK_CLASSI_B00.jp2"
"""Mask of L1C from baseline 04.00 on: opaque cloud, cirrus, snow."""


@dataclass(frozen=True)
class CloudSource:
    """Where a layer lies.

    Attributes:
        source: the file, or the image itself.
        kind: one of `pixels.QUALITY_LAYERS`.
        bands: that hold it; None for the only one of a file.
    """

    source: str
    kind: str
    bands: tuple[str, ...] | None = None


def find_clouds(source: str, layers: Sequence[Layer], settings: SceneSettings) -> CloudSource | None:
    """The layer that is given, one among the bands of the image, or a file beside it; None where there is none.

    Raises:
        FileMissing: the one given is not there.
        InvalidSetting: what kind of layer it is cannot be told.
    """
    if settings.quality == "no":
        return None
    if settings.quality != "auto":
        if not Path(settings.quality).exists() and "://" not in settings.quality:
            raise FileMissing(
                f"there is no cloud layer {settings.quality}", cure="Give a file, or --quality no for none."
            )
        return CloudSource(settings.quality, _kind_of(settings.quality, settings))
    for kind in ("scl", "fmask", "qa_pixel", "qa60", "cloudmask"):
        for layer in layers:
            if layer.name.casefold() == kind:
                return CloudSource(source, kind, (layer.name,))
    return _beside(Path(source.removeprefix("file://")))


def _kind_of(source: str, settings: SceneSettings) -> str:
    if settings.quality_layer != "auto":
        return settings.quality_layer
    with open_image(source) as reader:
        words = [name.casefold() for name in reader.bands] if len(reader.bands) == 1 else []
    stem = Path(source).stem.casefold()
    told = next((kind for kind in _KINDS if kind in words or stem.startswith(kind) or stem.endswith(kind)), None)
    if told is None:
        raise InvalidSetting(
            f"what kind of cloud layer {source} is cannot be told from its name",
            expected=", ".join(_KINDS),
            cure="Say so: --quality-layer scl, or cloudmask where 1 is cloud.",
        )
    return told


def _beside(image: Path) -> CloudSource | None:
    if image.is_dir():
        masks = sorted(image.rglob(_OF_L1C))
        return CloudSource(str(masks[0]), "cloudmask", ()) if len(masks) == 1 else None
    if not image.is_file():
        return None
    for pattern in _BESIDE:
        for kind in _KINDS:
            for word in (kind, kind.upper()):
                name = pattern.format(kind=word, name=image.name, stem=image.stem, suffix=image.suffix)
                if image.with_name(name).is_file():
                    return CloudSource(str(image.with_name(name)), kind)
    return None


class CloudLayer(Closing):
    """A cloud layer on the grid of its image, as `Quality` codes; fill where it has nothing to say."""

    def __init__(self, reader: ImageReader, kind: str) -> None:
        self._reader = reader
        self._kind = kind

    def read(self, window: Window) -> NDArray[np.uint8]:
        """The codes of a window, ``(height, width)``."""
        raster = self._reader.read(window)
        numbers = np.asarray(raster.pixels)
        if len(numbers) > 1:  # masks of their own for opaque cloud and cirrus
            codes = decode_quality((numbers[:2] != 0).any(axis=0).astype(np.uint8), self._kind)
        else:
            codes = decode_quality(numbers[0], self._kind)
        codes[~raster.valid] = Quality.FILL
        return codes

    def close(self) -> None:
        """Closes its file."""
        self._reader.close()


def open_clouds(found: CloudSource, grid: Grid) -> CloudLayer:
    """The layer on the grid of its image.

    Raises:
        BandMismatch: the file has several bands.
        GeoreferenceMissing: neither lies anywhere, and their sizes differ.
        NoOverlap: the layer lies elsewhere.
    """
    bands = found.bands or None
    with open_image(found.source, bands=bands) as plain:
        if len(plain.bands) != 1 and found.bands is None:
            raise BandMismatch(
                f"the cloud layer {found.source} has several bands",
                found=", ".join(plain.bands),
                expected="one",
                cure="Give a file of one band.",
            )
        placeless = plain.grid.crs is None or grid.crs is None
        if placeless and plain.grid.shape != grid.shape:
            raise GeoreferenceMissing(
                f"the cloud layer {found.source} cannot be laid over its image: one of them names no place on earth",
                found=f"{plain.grid.width} × {plain.grid.height}",
                expected=f"{grid.width} × {grid.height}",
                cure="Give a layer of the image's size.",
            )
    try:
        reader = open_image(found.source, bands=bands, grid=None if placeless else grid, resampling="nearest")
    except NoOverlap as problem:
        raise NoOverlap(
            f"the cloud layer {found.source} does not reach its image", cure="Give its own layer, or --quality no."
        ) from problem
    return CloudLayer(reader, found.kind)
