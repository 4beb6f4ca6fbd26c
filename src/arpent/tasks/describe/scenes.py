"""A Sentinel-2 image as all that describes it reads it: reflectance × 10 000 on its finest grid, clouds left out."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import islice, pairwise
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from arpent.core import Closing, Grid, Language, Raster, Window, date_pattern, day_in_name
from arpent.errors import BandMismatch
from arpent.io import ImageReader, open_image
from arpent.io.sources import locate
from arpent.language import say
from arpent.pixels import Quality, bright_as_cloud, usable
from arpent.tasks.describe.clouds import CloudLayer, find_clouds, open_clouds
from arpent.tasks.describe.layouts import (
    BANDS,
    CIRRUS,
    Naming,
    are_nameless,
    declared_naming,
    named_bands,
    undeclared_naming,
)
from arpent.tasks.describe.product_facts import METADATA, facts_of
from arpent.tasks.describe.radiometry import Radiometry, radiometry_of
from arpent.tasks.describe.scene_settings import SceneSettings

__all__ = ["Scene", "SceneName", "is_day", "name_of", "open_scene", "source_of"]

_PATCH = 256
"""Side of the windows that are looked at before anything is known; 9 of them where the image is larger than all."""
_FULL = 10_000
"""Numbers of a reflectance of 1."""
_PALE = 0.02
"""Share of an image as bright as cloud from which on people are told."""
_TILE = re.compile(r"(?:^|[_.])T?(\d{2}[A-Z]{3})(?=[_.]|$)")
_DAY = re.compile(r"(?:^|[_. \-])(?:\d{4}-\d\d-\d\d|\d{8}(?:T\d{6}Z?)?|\d{7}T\d{6})(?=[_. \-]|$)")


@dataclass(frozen=True)
class SceneName:
    """What an image is called.

    Attributes:
        name: of the image, without suffix.
        place: that without its date; the tile of a Sentinel-2 product.
    """

    name: str
    place: str


class Scene(Closing):
    """An open image; made by `open_scene`. Safe to read from several threads.

    Attributes:
        source: what the user pointed at.
        name: of the image.
        place: where it was taken, in a word.
        taken: the day; None where nothing tells.
        grid: its finest pixels, 10 m where it has a band of them.
        bands: names of Sentinel-2 bands, in CROMA's order, as far as the image has them.
        missing: those that are wanted, usually all twelve, and that it has not.
        notes: what people should know of how it is read.
    """

    def __init__(
        self,
        reader: ImageReader,
        bands: tuple[str, ...],
        radiometry: Radiometry,
        clouds: CloudLayer | None,
        exclude: Sequence[str],
        *,
        dazzled: bool = False,
    ) -> None:
        self.source = reader.source
        self.grid: Grid = reader.grid
        self.bands = bands
        self.missing: tuple[str, ...] = ()
        self.name = self.place = ""
        self.taken: dt.date | None = None
        self.notes: tuple[str, ...] = ()
        self._reader = reader
        self._radiometry = radiometry
        self._clouds = clouds
        self._exclude = tuple(exclude)
        self._dazzled = dazzled

    @property
    def warnings(self) -> tuple[str, ...]:
        """The notes, each with the name of the image."""
        return tuple(f"{self.name}: {note}" for note in self.notes)

    def read(self, window: Window) -> Raster:
        """Reflectance × 10 000 as float32; pixels without data, and those that are excluded, are not valid.

        Where no layer tells clouds and snow, what is as bright as they are counts as such.

        Args:
            window: that lies inside the grid.
        """
        raw = self._reader.read(window)
        # Products have 0 in all bands where nothing was measured; a single 0 is a dark pixel.
        valid = raw.valid & (raw.pixels != 0).any(axis=0)
        if self._clouds is not None:
            valid &= usable(self._clouds.read(window), self._exclude)
        numbers = self._radiometry.applied(raw.pixels)
        if self._dazzled:
            valid &= ~_bright(numbers, self.bands)
        return Raster(numbers, valid, raw.grid, self.bands)

    def clouds(self, window: Window) -> NDArray[np.bool_] | None:
        """Where there is cloud, ``(height, width)``; None where nothing tells."""
        return None if self._clouds is None else self._clouds.read(window) == Quality.CLOUD

    def close(self) -> None:
        """Closes its files."""
        self._reader.close()
        if self._clouds is not None:
            self._clouds.close()

    def __repr__(self) -> str:
        return f"<Scene {self.name}: {self.grid.width} × {self.grid.height}, {', '.join(self.bands)}>"


def open_scene(
    source: str | Path, settings: SceneSettings | None = None, *, only: Collection[str] | None = None
) -> Scene:
    """Opens an image of Sentinel-2, in any of its layouts.

    Args:
        source: a file, a folder of bands, a ``.SAFE`` folder, a STAC item, or an address.
        settings: how to read it.
        only: the bands that are wanted, which saves reading the others; all twelve if not given.

    Raises:
        FileMissing, UnreadableFile, NetworkMissing: as `io.open_image`.
        BandMismatch: it has no band of Sentinel-2, or the order of its bands cannot be told.
        InputError: nothing tells what its numbers mean.
        UnknownName, InvalidSetting: a setting that means nothing.
    """
    asked = settings or SceneSettings()
    text = source_of(source)
    usable(np.zeros((0,), np.uint8), asked.exclude)  # a misspelt quality is told before anything is read
    naming = _naming(text, asked)
    wanted = BANDS if only is None else tuple(band for band in BANDS if band in only)
    bands = _kept(naming, wanted, text)
    with ExitStack() as undo:
        told = (*bands, CIRRUS) if CIRRUS in naming.own else bands
        whole = undo.enter_context(open_image(text, bands=[naming.own[band] for band in told]))
        _refuse_dates(whole)
        facts = facts_of(text, whole.tags)
        known = facts.offset is not None and facts.scale is not None
        sample = _sampled(whole, 1 if known else 9)
        radiometry = radiometry_of(whole, told, sample, facts, asked)
        reader, seen = whole, radiometry.applied(sample)
        if told != bands:
            reader = undo.enter_context(open_image(text, bands=[naming.own[band] for band in bands], grid=whole.grid))
            whole.close()
            radiometry = radiometry.first(len(bands))
        found = find_clouds(text, locate(text).layers, asked)
        clouds = None if found is None else undo.enter_context(open_clouds(found, reader.grid))
        dazzled = clouds is None and asked.quality == "auto" and {"B03", "B04"} <= {*bands}
        scene = Scene(reader, bands, radiometry, clouds, asked.exclude, dazzled=dazzled)
        named = name_of(text)
        scene.name, scene.place = named.name, named.place if asked.place is None else asked.place
        scene.taken = _day(text, asked) or facts.taken
        scene.missing = tuple(band for band in wanted if band not in bands)
        pale = float(_bright(seen, told).mean()) if dazzled and seen.size else 0.0
        scene.notes = tuple(_notes(naming, radiometry, scene, pale, asked.language))
        undo.pop_all()
    return scene


def _refuse_dates(reader: ImageReader) -> None:
    """Refuses a folder whose images lie on one another, and would be laid over each other: dates, and no sheets.

    Raises:
        BandMismatch: two of them do.
    """
    windows = [(sheet.name, reader.grid.window_of(sheet.grid)) for sheet in reader.sheets]
    for (name, window), (following, other) in pairwise(windows):
        if 2 * window.intersect(other).size > min(window.size, other.size):
            raise BandMismatch(
                f"{reader.source} holds several images of the same ground",
                found=f"{name}, {following}" + (" …" if len(windows) > 2 else ""),
                expected="one image, or sheets that lie side by side",
                cure=f"Name the images one by one: {reader.source.rstrip('/')}/*.tif.",
            )


def _kept(naming: Naming, wanted: Sequence[str], source: str) -> tuple[str, ...]:
    """The bands of an image that are read; the narrow infrared where the wide one is wanted and missing.

    Raises:
        BandMismatch: there is none.
    """
    kept = {band for band in wanted if band in naming.own}
    if "B08" in wanted and "B08" not in kept and "B8A" in naming.own:
        kept.add("B8A")
    if not kept:
        raise BandMismatch(
            f"{source} has none of the bands that are needed",
            found=", ".join(naming.own),
            expected=", ".join(wanted),
            cure="Give an image with these bands.",
        )
    return tuple(band for band in BANDS if band in kept)


def _bright(numbers: NDArray[np.float32], bands: Sequence[str]) -> NDArray[np.bool_]:
    """Which pixels ``(bands, …)``, as reflectance × 10 000, are as bright as cloud or snow."""
    green, red = (numbers[bands.index(band)] / _FULL for band in ("B03", "B04"))
    return bright_as_cloud(green, red)


def _notes(naming: Naming, radiometry: Radiometry, scene: Scene, pale: float, language: Language) -> Iterator[str]:
    if naming.note:
        yield naming.note
    yield from radiometry.notes
    if pale >= _PALE:
        yield say("scene.bright", language, share=pale)
    if scene.missing:
        yield say("scene.missing", language, names=", ".join(scene.missing))
    if scene.taken is None:
        yield say("scene.undated", language)


def _day(source: str, settings: SceneSettings) -> dt.date | None:
    if settings.date_regex is None:
        return None
    return day_in_name(source, date_pattern(settings.date_regex))


def _naming(source: str, settings: SceneSettings) -> Naming:
    """Which band is which: as declared, by name, or by what the pixels show."""
    scene = locate(source)
    layers = scene.layers
    if settings.bands is not None or settings.layout != "auto":
        return declared_naming(layers, source, settings.layout, settings.bands)
    if not are_nameless(layers):
        named = named_bands(layers, None if scene.sensor is None else scene.sensor.name, settings.language)
        if named.own:
            return named
    names = [layer.name for layer in layers]
    with open_image(source, bands=names) as reader:
        return undeclared_naming(layers, source, _sampled(reader), settings.language)


def _sampled(reader: ImageReader, most: int = 9) -> NDArray[np.float32]:
    """Numbers ``(bands, n)`` of the valid pixels in at most so many windows, the whole of a small image."""
    parts = []
    for window in islice(_patches(reader.grid.window), most):
        raster = reader.read(window)
        seen = raster.valid & (raster.pixels != 0).any(axis=0)
        parts.append(raster.pixels[:, seen].astype(np.float32))
    return np.concatenate(parts, axis=1)


def _patches(whole: Window) -> Iterator[Window]:
    if whole.height <= 3 * _PATCH and whole.width <= 3 * _PATCH:
        yield whole
        return
    for down in (3, 1, 5):  # the middle first: if only one is looked at, it is likeliest to hold data
        for across in (3, 1, 5):
            row, col = whole.height * down // 6 - _PATCH // 2, whole.width * across // 6 - _PATCH // 2
            part = Window(row, col, _PATCH, _PATCH).intersect(whole)
            if part.size:
                yield part


def source_of(source: str | Path) -> str:
    """What is opened where users point at `source`: of a product's metadata, the product."""
    text = str(source)
    if "://" not in text and fnmatch(PurePath(text).name, METADATA):  # other programs open a product by this file
        return str(PurePath(text).parent)
    return text


def is_day(name: str) -> bool:
    """Whether a name is a day and nothing else."""
    return not _DAY.sub("", name).strip("_.- ")


def name_of(source: str) -> SceneName:
    """What an image is called, by its path or address."""
    path = PurePath((unquote(urlsplit(source).path) if "://" in source else source).rstrip("/"))
    name = path.stem if path.suffix and len(path.suffix) <= 8 else path.name
    tile = _TILE.search(name)
    if tile:
        return SceneName(name, f"T{tile[1]}")
    place = _DAY.sub("", name).strip("_.- ")
    return SceneName(name, place or name)
