"""What is known of clouds, shadows and snow at each date: where the layer is found, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Window
from arpent.errors import BandMismatch, FileMissing, GeoreferenceMissing, NoOverlap, UnknownName
from arpent.io import ImageReader, open_image
from arpent.pixels import QUALITY_LAYERS, Quality, decode_quality
from arpent.tasks.change.frames import Frame
from arpent.tasks.change.settings import ChangeSettings, Profile

__all__ = ["KINDS", "QualityLayer", "find_quality", "kind_of", "open_quality"]

KINDS = (*QUALITY_LAYERS, "planaura")
"""Kinds of layer: those of `pixels`, and Planaura's own codes 0 to 6."""

_BESIDE = "fmask_"
_INSIDE = ("Fmask", "SCL", "QA_PIXEL")


@dataclass(frozen=True)
class _Found:
    """Where a layer lies: a file, or a band of the image itself."""

    source: str
    kind: str
    band: str | None = None


def kind_of(source: str, otherwise: str = "fmask") -> str:
    """The kind of layer that a file holds, by the name of its band; `otherwise` where that says nothing."""
    with open_image(source) as reader:
        names = [name.casefold() for name in reader.bands]
    return names[0] if len(names) == 1 and names[0] in QUALITY_LAYERS else otherwise


def find_quality(frame: Frame, settings: ChangeSettings) -> _Found | None:
    """The layer of a date: the one given, ``fmask_<name>`` beside the image, or a band of the image's own product.

    Raises:
        FileMissing: the one given is not there.
        UnknownName: no such kind of layer.
    """
    if frame.layer not in KINDS:
        raise UnknownName.among(frame.layer, KINDS, "quality layer")
    if settings.quality == "no":
        return None
    if frame.quality is not None:
        return _Found(frame.quality, frame.layer)
    image = Path(frame.image)
    beside = image.with_name(f"{_BESIDE}{image.name}")
    if image.is_file() and beside.is_file():
        return _Found(str(beside), frame.layer)
    for band in _INSIDE:
        try:
            open_image(frame.image, bands=[band], sensor=settings.sensor).close()
        except BandMismatch:
            continue
        return _Found(frame.image, band.casefold(), band)
    return None


class QualityLayer:
    """A quality layer on the grid of the first date, as `Quality` codes; fill where it has nothing to say.

    With the profile "planaura" the bits of an Fmask are read as the reference reads them.
    """

    def __init__(self, reader: ImageReader, kind: str, profile: Profile) -> None:
        self._reader = reader
        self._kind = kind
        self._reference = profile == "planaura"

    def read(self, window: Window) -> NDArray[np.uint8]:
        """The codes of a window, ``(height, width)``."""
        raster = self._reader.read(window)
        numbers = np.asarray(raster.pixels[0])
        codes: NDArray[np.uint8]
        if self._kind == "planaura":
            codes = np.clip(numbers, 0, 255).astype(np.uint8)
        elif self._kind == "fmask" and self._reference:
            codes = _reference_fmask()[np.clip(numbers, 0, 255).astype(np.uint8)]
        else:
            codes = decode_quality(numbers, self._kind)
        codes[~raster.valid] = Quality.FILL
        return codes

    def close(self) -> None:
        """Close its file."""
        self._reader.close()


class _Nothing:
    """A date that is taken to be clear everywhere, or one whose layer does not reach the image."""

    def __init__(self, code: Quality) -> None:
        self._code = code

    def read(self, window: Window) -> NDArray[np.uint8]:
        return np.full(window.shape, self._code, np.uint8)

    def close(self) -> None:
        """Nothing is open."""


def open_quality(
    frames: tuple[Frame, ...], grid: Grid, settings: ChangeSettings
) -> tuple[QualityLayer | _Nothing, ...]:
    """The layers of all dates on `grid`; none at all where no quality is wanted, or none is found and none demanded.

    Raises:
        FileMissing: a date has no layer, one is wanted, and the settings do not say to take it for clear.
    """
    found = [find_quality(frame, settings) for frame in frames]
    wanted = settings.quality == "yes" or bool(settings.exclude)
    if not any(found) and not wanted:
        return ()
    for frame, layer in zip(frames, found, strict=True):
        if layer is None and settings.missing_quality == "error":
            raise FileMissing(
                f"{frame.image} has no quality layer",
                expected=f"a file {_BESIDE}{Path(frame.image).name} beside it, or a band {', '.join(_INSIDE)}",
                cure="Give one for each date with --quality, or take missing ones for clear with "
                "--missing-quality clear.",
            )
    return tuple(_opened(layer, grid, settings) for layer in found)


def _opened(found: _Found | None, grid: Grid, settings: ChangeSettings) -> QualityLayer | _Nothing:
    if found is None:
        return _Nothing(Quality.CLEAR)
    bands = None if found.band is None else [found.band]
    with open_image(found.source, bands=bands) as plain:
        if len(plain.bands) != 1:
            raise BandMismatch(
                f"the quality layer {found.source} has several bands",
                found=", ".join(plain.bands),
                expected="one",
                cure="Give a file of one band.",
            )
        if plain.grid.crs is None and grid.crs is None and plain.grid.shape != grid.shape:
            raise GeoreferenceMissing(
                f"the quality layer {found.source} cannot be laid over its image: it names no place on earth",
                found=_size(plain.grid),
                expected=_size(grid),
                cure="Give a layer of the image's size.",
            )
    try:
        reader = open_image(found.source, bands=bands, grid=None if grid.crs is None else grid, resampling="nearest")
    except NoOverlap:
        return _Nothing(Quality.FILL)
    return QualityLayer(reader, found.kind, settings.profile)


def _size(grid: Grid) -> str:
    return f"{grid.width} × {grid.height}"


@cache
def _reference_fmask() -> NDArray[np.uint8]:
    """The reference's reading of an HLS Fmask, by its byte: of several bits the last in its order counts.

    Water and cirrus are no codes there, and the fill value 255 has both aerosol bits set.
    """
    order = (
        (0b0000_0010, Quality.CLOUD),
        (0b0000_0100, Quality.ADJACENT),
        (0b0000_1000, Quality.SHADOW),
        (0b0001_0000, Quality.SNOW),
        (0b1100_0000, Quality.AEROSOL),
    )
    bytes_ = np.arange(256)
    table = np.zeros(256, np.uint8)
    for bits, code in order:
        table[(bytes_ & bits) == bits] = code
    return table
