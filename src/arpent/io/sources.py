"""What a user may point at: a file, a folder of bands or of sheets, a STAC item or list of items, an address."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from arpent.core import Sensor, band_count, shown_address
from arpent.errors import BandMismatch, UnreadableFile
from arpent.io.assets import Listed, asset_layers, is_item, load_items
from arpent.io.bands import Layer, SensorFile, is_quality, name_layers, named_by, recognise, sensor_of
from arpent.io.gdal import address_of, file_missing, is_remote
from arpent.io.header import Header, read_header
from arpent.io.mosaic import Mosaic, Sheet, mosaic

__all__ = ["Scene", "locate"]

_RASTERS = frozenset({".tif", ".tiff", ".jp2", ".vrt", ".img"})
_DEEPEST = 6
"""Folders inside a folder that are looked into: products nest four, and a mistaken ``/`` must not be read whole."""
_SIZE = re.compile(r"(?:[_ .\-](?:\d{2}m|\(raw\)))+$", re.IGNORECASE)
"""What some programs write behind a band's name: its pixel size, or that its numbers are as measured."""


@dataclass(frozen=True)
class Scene:
    """All that a source offers.

    Attributes:
        source: what the user pointed at.
        layers: every band, in the order of the file or of the sensor.
        headers: what is already known of its files, by address.
        sheets: the files that lie side by side, where it is made of several.
        sensor: whose image it is, where that is known.
        title: what errors call it, where `source` would tell nobody anything.
    """

    source: str
    layers: tuple[Layer, ...]
    headers: tuple[Header, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    sensor: Sensor | None = None
    title: str = ""

    @property
    def called(self) -> str:
        """What errors call it."""
        return self.title or self.source

    def header(self, address: str) -> Header:
        """The header of one of its files, read now unless that was done before."""
        for header in self.headers:
            if header.address == address:
                return header
        return read_header(address, _title(address, self.source))


def locate(source: str | PathLike[str], declared: Sensor | None = None) -> Scene:
    """Find out what `source` is and which bands it offers.

    Args:
        source: path, folder of bands or of sheets, STAC item, collection of items (file or address), ``https://``,
            ``s3://``, or an address of GDAL's own.
        declared: the sensor, where the caller knows it.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: not an image, or damaged.
        BandMismatch: a folder with several scenes, or bands that are not those of the sensor.
        DatasetError: sheets that do not make one image.
        NetworkMissing: the address cannot be reached.
    """
    text = str(source)
    local = text.removeprefix("file://")
    if is_item(text):
        return _catalog(text, declared)
    if not is_remote(text) and Path(local).is_dir():
        return _folder(Path(local).absolute(), declared)
    if not is_remote(text) and not Path(local).exists() and not _is_gdal_address(local):
        raise file_missing(Path(local), text)
    # Threads open files later, perhaps from another working folder.
    address = str(Path(local).absolute()) if Path(local).exists() and not is_remote(text) else address_of(text)
    header = read_header(address, text)
    name = _file_name(text)
    known = sensor_of(header, declared, name)
    return Scene(text, name_layers(header, declared, name), (header,), sensor=known)


def _is_gdal_address(text: str) -> bool:
    return text.startswith("/vsi") or re.match(r"[A-Za-z0-9_]{2,}:", text) is not None


def _file_name(source: str) -> str:
    return PurePosixPath(unquote(urlsplit(source).path)).name if is_remote(source) else Path(source).name


def _title(address: str, source: str) -> str:
    """What to call one of the files of a source in an error."""
    if is_item(source):  # its files may lie anywhere
        return shown_address(address.removeprefix("/vsicurl/"))
    name = PurePosixPath(address).name
    return source if Path(source).name == name else f"{source}/{name}"


def _folder(folder: Path, declared: Sensor | None) -> Scene:
    """The bands of a folder that keeps one file for each."""
    files = _rasters(_below(folder, 0)) or _rasters(_below(folder, _DEEPEST))
    if not files:
        raise UnreadableFile(
            f"the folder {folder} holds no raster",
            expected=f"files ending in {', '.join(sorted(_RASTERS))}",
            cure="Name the folder that holds the files of one scene.",
        )
    known = [(path, given) for path in files if (given := recognise(path.name)) and given.band]
    if known:
        return Scene(str(folder), tuple(_of_sensor(folder, known)), sensor=known[0][1].sensor)
    if len(read_header(str(files[0]), str(files[0])).bands) > 1:
        return _sheets(folder, files, declared)
    headers = tuple(read_header(str(path), str(path)) for path in files)
    for header in headers:
        if len(header.bands) > 1:
            raise BandMismatch(
                f"{header.source} is not a file of one band, as others of its folder are",
                found=band_count(len(header.bands)),
                cure="Keep the bands of one scene in a folder, or sheets that have all bands, but not both.",
            )
    return Scene(str(folder), tuple(_of_stems(folder, files, declared)), headers, sensor=declared)


def _sheets(folder: Path, files: Sequence[Path], declared: Sensor | None) -> Scene:
    """A folder of files that have all bands each and lie side by side."""
    # A VRT beside the files that it is made of would be laid over them.
    own = [path for path in files if path.suffix.lower() != ".vrt"] or files
    first = read_header(str(own[0]), str(own[0]))
    named = name_layers(first, declared, own[0].name)
    made = mosaic([str(path) for path in own], str(folder), alpha=named[0].alpha)
    known = sensor_of(first, declared, own[0].name)
    return Scene(str(folder), tuple(_moved(named, made)), (made.header,), made.sheets, known)


def _moved(layers: Iterable[Layer], made: Mosaic) -> list[Layer]:
    """The layers of a file, as those of the mosaic that it is part of."""
    return [replace(layer, address=made.header.address) for layer in layers]


def _catalog(source: str, declared: Sensor | None) -> Scene:
    """A STAC item, or several that lie side by side and have the same assets."""
    items = load_items(source)
    scenes = [asset_layers(item.content, item.source, declared) for item in items]
    first, title = scenes[0], _called(source, items)
    if len(scenes) == 1:
        return Scene(source, first, sensor=declared, title=title)
    names = [layer.name for layer in first]
    for item, layers in zip(items, scenes, strict=True):
        if [layer.name for layer in layers] != names:
            raise BandMismatch(
                f"the items of {title} do not offer the same bands",
                found=f"{', '.join(layer.name for layer in layers)} in {item.name}",
                expected=", ".join(names),
                cure="Name items of one kind.",
            )
    moved: list[Layer] = list(first)
    headers: list[Header] = []
    sheets: tuple[Sheet, ...] = ()
    for address in dict.fromkeys(layer.address for layer in first):
        places = [at for at, layer in enumerate(first) if layer.address == address]
        files = [layers[places[0]].address for layers in scenes]
        made = mosaic(files, title, alpha=first[places[0]].alpha)
        headers.append(made.header)
        sheets = sheets or made.sheets
        for at, layer in zip(places, _moved([first[at] for at in places], made), strict=True):
            moved[at] = layer
    return Scene(source, tuple(moved), tuple(headers), sheets, declared, title)


def _called(source: str, items: Sequence[Listed]) -> str:
    """What errors call a list of items: of what a search has found, nobody knows the file in the cache."""
    from arpent.io.copies import searches_folder

    if not Path(source).is_relative_to(searches_folder()):
        return shown_address(source)
    return f"{', '.join(item.name for item in items[:3])}{' …' * (len(items) > 3)} (found by --stac)"


def _below(folder: Path, deepest: int) -> Iterator[Path]:
    """The files of a folder, and of those inside it down to a depth; one that is closed or gone by then has none."""
    for place, folders, names in os.walk(folder):
        here = Path(place)
        if len(here.relative_to(folder).parts) >= deepest:
            folders.clear()
        yield from (here / name for name in names)


def _rasters(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() in _RASTERS and path.is_file())


def _of_sensor(folder: Path, files: Sequence[tuple[Path, SensorFile]]) -> list[Layer]:
    """Layers of a product whose file names tell sensor, scene and band, in the order of the sensor."""
    scenes = sorted({given.scene for _, given in files})
    if len(scenes) > 1:
        raise BandMismatch(
            f"the folder {folder} holds several scenes",
            found=", ".join(scenes[:3]) + (" …" if len(scenes) > 3 else ""),
            cure="Give each scene a folder of its own.",
        )
    known = files[0][1].sensor
    by_band: dict[str, Path] = {}
    for path, given in files:
        assert given.band is not None  # the caller chose these
        kept = by_band.get(given.band)
        if kept is None or _metres(path) < _metres(kept):
            by_band[given.band] = path
    names = [name for name in known.band_names if name in by_band]
    extras = sorted(name for name in by_band if name not in names)
    return [
        Layer(str(by_band[name]), 1, name, named_by(known, name), default=name in names or not names)
        for name in [*names, *extras]
    ]


def _metres(path: Path) -> int:
    """Pixel size in a Sentinel-2 file name (``…_B02_10m.jp2``), which keeps the same band at several sizes."""
    match = re.search(r"_(\d{2})m$", path.stem)
    return int(match[1]) if match else 0


def _of_stems(folder: Path, files: Sequence[Path], declared: Sensor | None) -> list[Layer]:
    """Layers of files that are named for their bands and nothing else: ``red.tif``, ``parcel_red.tif``."""
    names = [re.split(r"[_.\-]", _SIZE.sub("", path.stem))[-1] for path in files]
    if declared:
        names = [_longest_ending(path.stem, declared) or name for path, name in zip(files, names, strict=True)]
    if len({name.casefold() for name in names}) < len(names):
        raise BandMismatch(
            f"the names of the files in {folder} do not tell their bands",
            found=", ".join(path.name for path in files[:4]) + (" …" if len(files) > 4 else ""),
            expected="names that end in the band's name (parcel_red.tif, parcel_nir.tif)",
            cure="Name one file, or rename them.",
        )
    return [
        Layer(str(path), 1, name, named_by(declared, name), default=not is_quality(name))
        for path, name in zip(files, names, strict=True)
    ]


def _longest_ending(stem: str, declared: Sensor) -> str | None:
    """The longest of the sensor's band names that ends a file's stem."""
    words = [word for band in declared.bands for word in (band.name, band.common or band.name, *band.aliases)]
    fits = [word for word in words if re.search(rf"(?:^|[_.\-]){re.escape(word)}$", stem, re.IGNORECASE)]
    return max(fits, key=len, default=None)
