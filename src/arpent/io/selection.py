"""Some bands of a file as an image of their own, so that GDAL warps these and no other."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

import numpy as np

from arpent.core import Grid
from arpent.io.header import BandHeader, Header

__all__ = ["empty_vrt", "select_bands", "type_name"]

_TYPES = {"uint8": "Byte", "complex64": "CFloat32", "complex128": "CFloat64"}


def select_bands(header: Header, bands: Sequence[BandHeader], *, alpha: bool, mask: bool) -> str:
    """A VRT, as text that GDAL opens, of some bands of a file.

    Args:
        header: the file.
        bands: those wanted, in order. None of them keeps the meaning of an alpha band.
        alpha: whether the file's alpha band follows them.
        mask: whether the file's mask comes along.
    """
    vrt = empty_vrt(header.grid)
    shown = [*bands, *([header.bands[header.alpha - 1]] if alpha and header.alpha else [])]
    for place, band in enumerate(shown, start=1):
        is_alpha = place > len(bands)
        element = ET.SubElement(vrt, "VRTRasterBand", dataType=type_name(band.dtype), band=str(place))
        ET.SubElement(element, "ColorInterp").text = "Alpha" if is_alpha else "Undefined"
        if band.nodata is not None and not is_alpha:
            ET.SubElement(element, "NoDataValue").text = f"{band.nodata:.17g}"
        _source(element, header.address, str(band.index))
    if mask:
        element = ET.SubElement(ET.SubElement(vrt, "MaskBand"), "VRTRasterBand", dataType="Byte")
        _source(element, header.address, f"mask,{bands[0].index}")
    return ET.tostring(vrt, encoding="unicode")


def empty_vrt(grid: Grid) -> ET.Element:
    """A VRT on a grid, still without bands."""
    vrt = ET.Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    if grid.crs is not None:
        ET.SubElement(vrt, "SRS", dataAxisToSRSAxisMapping="1,2").text = grid.crs.to_wkt()
    ET.SubElement(vrt, "GeoTransform").text = ", ".join(f"{number:.17g}" for number in grid.transform.to_gdal())
    return vrt


def _source(band: ET.Element, address: str, index: str) -> None:
    source = ET.SubElement(band, "SimpleSource")
    ET.SubElement(source, "SourceFilename", relativeToVRT="0", shared="0").text = address
    ET.SubElement(source, "SourceBand").text = index


def type_name(dtype: np.dtype[np.generic]) -> str:
    """GDAL's name of a type of numbers: ``UInt16`` for uint16."""
    return _TYPES.get(dtype.name) or dtype.name.capitalize().replace("Uint", "UInt")
