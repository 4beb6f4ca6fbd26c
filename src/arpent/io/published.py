"""What a published raster says of itself without being read: a small picture, its statistics, its classes."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.enums import Resampling

from arpent.core import Grid, Language, Raster
from arpent.errors import UnreadableFile
from arpent.io.gdal import address_of, environment, is_remote, open_dataset, translated
from arpent.io.header import header_of
from arpent.io.tally import BandStatistics

__all__ = ["quicklook", "recorded_classes", "recorded_shares", "recorded_statistics"]


def quicklook(path: str | PathLike[str], largest: int = 1200, *, classes: bool = False) -> Raster:
    """The image with its longer side at most `largest` pixels.

    Args:
        path: of a raster file.
        largest: pixels of the longer side.
        classes: whether numbers stand for classes: then the nearest pixel counts, and never a mean of two.
    """
    source = fspath(path)
    address = address_of(source)
    with open_dataset(address, source) as dataset:
        header = header_of(dataset, address, source)
        factor = max(1.0, max(header.grid.shape) / largest)
        height, width = (max(1, round(side / factor)) for side in header.grid.shape)
        method = Resampling.nearest if classes else Resampling.average
        remote = is_remote(address)
        with environment(remote=remote), translated(source, remote=remote):
            pixels = dataset.read(out_shape=(dataset.count, height, width), resampling=method)
            valid = dataset.dataset_mask(out_shape=(height, width)) > 0
    grid = header.grid
    scale = Affine.scale(grid.width / width, grid.height / height)
    small = Grid(height, width, grid.transform @ scale, grid.crs)
    names = tuple(f"band_{number + 1}" for number in range(len(pixels)))
    return Raster(pixels, np.asarray(valid, bool), small, names)


def recorded_statistics(path: str | PathLike[str]) -> tuple[BandStatistics, ...]:
    """The statistics that the file carries, one entry per band; bands without them are left out."""
    source = fspath(path)
    found = []
    with open_dataset(address_of(source), source) as dataset:
        for number in dataset.indexes:
            tags = dataset.tags(number)
            percent = _number(tags, "VALID_PERCENT")
            if percent is None:
                continue
            low, high, mean, std = (_number(tags, name) for name in ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV"))
            name = dataset.descriptions[number - 1] or f"band_{number}"
            found.append(BandStatistics(name, percent / 100, low, high, mean, std))
    return tuple(found)


def recorded_classes(path: str | PathLike[str], language: Language = "en") -> dict[int, str]:
    """Names of the classes that the file carries, by number; empty for a file that carries none."""
    source = fspath(path)
    with open_dataset(address_of(source), source) as dataset:
        text = dataset.tags().get("CLASSES", "{}")
    try:
        return {int(number): str(names[language]) for number, names in json.loads(text).items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # metadata of that name, but of another origin


def recorded_shares(path: str | PathLike[str]) -> dict[int, float]:
    """The share of each class that a class map shows, by id, as counted over all its pixels when it was written.

    Pictures that are made from overviews count them 1 or 2 % wrong. Empty for files without counts beside them.

    Raises:
        UnreadableFile: what lies beside the map is not what Arpent or GDAL writes.
    """
    beside = Path(f"{fspath(path)}.aux.xml")
    if not beside.is_file():
        return {}
    try:
        table = ET.parse(beside).find("PAMRasterBand/GDALRasterAttributeTable")  # noqa: S314 - expat limits expansion
        if table is None:
            return {}
        fields = [field.findtext("Name") for field in table.iter("FieldDefn")]
        if not {"Value", "Count"} <= set(fields):
            return {}
        value, count = fields.index("Value"), fields.index("Count")
        rows = [[cell.text or "" for cell in row.iter("F")] for row in table.iter("Row")]
        counts = {int(row[value]): int(row[count]) for row in rows}
    except (ET.ParseError, ValueError, IndexError) as problem:
        raise UnreadableFile(
            f"{beside} cannot be read", found=problem, cure="Remove it, or write the map again."
        ) from problem
    total = sum(counts.values())
    return {number: found / total for number, found in counts.items() if found}


def _number(tags: Mapping[str, str], name: str) -> float | None:
    try:
        return float(tags[f"STATISTICS_{name}"])
    except (KeyError, ValueError):
        return None  # not written, or by nobody who counts
