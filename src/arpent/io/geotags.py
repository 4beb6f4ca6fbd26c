"""The tags that tie a TIFF to the ground and tell what its numbers mean, as GDAL writes them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affine import Affine
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from arpent.core import ClassMap, LandClass
from arpent.io.spec import RasterSpec
from arpent.io.tally import BandStatistics
from arpent.io.tiff import Directory, read_directories

__all__ = ["GeoTags", "class_tags", "geotags", "sidecar"]

# Where and how the pixels lie in the file: the assembler's own business.
_STRUCTURE = frozenset({254, 256, 257, 259, 273, 278, 279, 284, 317, 322, 323, 324, 325})
_PLACE, _KEYS = frozenset({33550, 33922, 34264}), frozenset({34735, 34736, 34737})
_BITS, _PHOTOMETRIC, _SAMPLES, _PALETTE, _EXTRA, _FORMAT, _NODATA = 258, 262, 277, 320, 338, 339, 42113
_OF_PIXELS = frozenset({_BITS, _PHOTOMETRIC, _SAMPLES, _PALETTE, _EXTRA, _FORMAT, _NODATA})


@dataclass(frozen=True)
class GeoTags:
    """Directory entries without those about the file's structure.

    Attributes:
        image: for the full resolution.
        overview: for each overview: only what the pixels mean.
    """

    image: Directory
    overview: Directory


def class_tags(classes: ClassMap) -> dict[str, str]:
    """A nomenclature as metadata of a file: its name, and its classes as JSON."""
    entries = {str(c.id): {"en": c.en, "fr": c.fr, "colour": c.colour} for c in classes.classes}
    return {"NOMENCLATURE": classes.name, "CLASSES": json.dumps(entries, ensure_ascii=False)}


def geotags(spec: RasterSpec, statistics: Sequence[BandStatistics]) -> GeoTags:
    """The tags of a product.

    GDAL writes a file of one pixel in memory with the same CRS, transform, palette and metadata; its tags are taken.
    """
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": 1,
        "height": 1,
        "count": len(spec.bands),
        "dtype": spec.dtype,
        "photometric": _photometric(spec),
        # Left to itself, GDAL takes the fourth of four bands of bytes for transparency.
        "alpha": "NO",
    }
    if spec.nodata is not None:
        profile["nodata"] = spec.nodata
    if spec.grid.crs is not None:
        profile["crs"] = CRS.from_wkt(spec.grid.crs.to_wkt())
    # Without a transform rasterio would warn: a picture gets one, and its tags are dropped again.
    is_placed = spec.grid.transform != Affine.identity()
    profile["transform"] = spec.grid.transform if is_placed else Affine.scale(2.0)
    with MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            _describe(dataset, spec, statistics)
        found = read_directories(bytes(memory.getbuffer()))[0]
    dropped = _STRUCTURE | (frozenset() if is_placed else _PLACE)
    if not is_placed and spec.grid.crs is None:
        dropped |= _KEYS
    image = {tag: entry for tag, entry in found.items() if tag not in dropped}
    return GeoTags(image, {tag: entry for tag, entry in image.items() if tag in _OF_PIXELS})


def _photometric(spec: RasterSpec) -> str:
    if spec.classes is not None and len(spec.bands) == 1:
        return "PALETTE"
    first = tuple(name.casefold() for name in spec.bands[:3])
    return "RGB" if spec.dtype == "uint8" and first == ("red", "green", "blue") else "MINISBLACK"


def _describe(dataset: Any, spec: RasterSpec, statistics: Sequence[BandStatistics]) -> None:  # noqa: ANN401 - untyped
    tags = {"TIFFTAG_SOFTWARE": "Arpent", **spec.tags}
    if spec.title:
        tags["TIFFTAG_IMAGEDESCRIPTION"] = spec.title
    if spec.classes is not None:
        tags |= class_tags(spec.classes)
        if len(spec.bands) == 1:
            dataset.write_colormap(1, {i: tuple(map(int, rgba)) for i, rgba in enumerate(spec.classes.palette)})
    dataset.update_tags(**tags)
    dataset.descriptions = spec.bands
    if spec.unit:
        dataset.units = (spec.unit,) * len(spec.bands)
    for number, band in enumerate(statistics, start=1):
        dataset.update_tags(number, **_gdal_statistics(band))


def _gdal_statistics(band: BandStatistics) -> Mapping[str, str]:
    """Statistics under the names that GDAL looks for, so that no program computes them again."""
    if band.mean is None:
        return {"STATISTICS_VALID_PERCENT": "0"}
    return {
        "STATISTICS_MINIMUM": repr(band.minimum),
        "STATISTICS_MAXIMUM": repr(band.maximum),
        "STATISTICS_MEAN": repr(band.mean),
        "STATISTICS_STDDEV": repr(band.std),
        "STATISTICS_VALID_PERCENT": f"{100 * band.valid_share:.4g}",
    }


# GDAL's numbers for the type and the use of a column of an attribute table.
_INTEGER, _TEXT = 0, 2
_COLUMNS = (
    ("Value", _INTEGER, 5),
    ("Count", _INTEGER, 1),
    ("Class", _TEXT, 2),
    ("Class_en", _TEXT, 0),
    ("Class_fr", _TEXT, 0),
    ("Red", _INTEGER, 6),
    ("Green", _INTEGER, 7),
    ("Blue", _INTEGER, 8),
)


def sidecar(spec: RasterSpec, statistics: Sequence[BandStatistics]) -> str | None:
    """What a GeoTIFF cannot hold, as the ``.aux.xml`` that GDAL and QGIS read beside it; None if there is nothing.

    That is the names of the classes, as a plain list by number and as an attribute table with counts and colours.
    """
    if spec.classes is None:
        return None
    root = ET.Element("PAMDataset")
    for number, facts in enumerate(statistics, start=1):
        band = ET.SubElement(root, "PAMRasterBand", band=str(number))
        names = ET.SubElement(band, "CategoryNames")
        labels = {entry.id: entry.label(spec.language) for entry in spec.classes.classes}
        for value in range(max(labels) + 1):
            ET.SubElement(names, "Category").text = labels.get(value, "")
        table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
        for index, (name, kind, usage) in enumerate(_COLUMNS):
            column = ET.SubElement(table, "FieldDefn", index=str(index))
            for tag, text in (("Name", name), ("Type", str(kind)), ("Usage", str(usage))):
                ET.SubElement(column, tag).text = text
        for index, entry in enumerate(spec.classes.classes):
            row = ET.SubElement(table, "Row", index=str(index))
            for cell in _cells(entry, facts, spec):
                ET.SubElement(row, "F").text = cell
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _cells(entry: LandClass, facts: BandStatistics, spec: RasterSpec) -> tuple[str, ...]:
    count = facts.histogram[entry.id] if facts.histogram else 0
    colour = tuple(str(part) for part in bytes.fromhex(entry.colour[1:]))
    return (str(entry.id), str(count), entry.label(spec.language), entry.en, entry.fr, *colour)
