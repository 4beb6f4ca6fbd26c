"""Many files that lie side by side, seen as one image: the sheets of a survey, or what a catalog lists.

The one image is a VRT, as text that GDAL opens, so that a sheet is opened when a window needs it and not before, and a
window that crosses the borders of sheets is read as if there were none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET

from rasterio.windows import Window as RasterWindow

from arpent.core import Grid, Window, shown_address
from arpent.errors import BandMismatch, DatasetError
from arpent.io.gdal import open_dataset, translated
from arpent.io.header import BandHeader, Header, header_of
from arpent.io.prefetch import read_ahead
from arpent.io.selection import empty_vrt, type_name

__all__ = ["Mosaic", "Sheet", "mosaic"]

_SLACK = 1e-2  # of a pixel: by how much the corners of sheets may miss each other's pixels
_LISTED = 3
_THREADS = 8  # that read headers: each waits for the network far longer than it works
_STRIP = 1024  # rows read at once when a damaged sheet is looked for


@dataclass(frozen=True)
class Sheet:
    """One of the files of a mosaic.

    Attributes:
        name: that of the file, without its suffix.
        grid: where its pixels lie.
        address: what GDAL opens.
    """

    name: str
    grid: Grid
    address: str

    def check(self) -> None:
        """Reads all of it.

        Raises:
            UnreadableFile: it is damaged.
        """
        with open_dataset(self.address, self.address) as dataset, translated(self.address):
            for window in self.grid.window.strips(_STRIP):
                dataset.read(window=RasterWindow(0, window.row, window.width, window.height))


@dataclass(frozen=True)
class Mosaic:
    """Files as one image.

    Attributes:
        header: of the image; its address is the text of a VRT, its blocks are those of the first file.
        sheets: the files, in the order in which they are laid: later ones over earlier ones.
    """

    header: Header
    sheets: tuple[Sheet, ...]


@dataclass(frozen=True)
class _Laid:
    """A file and its pixels in the mosaic."""

    header: Header
    window: Window


def mosaic(addresses: Sequence[str], source: str, *, alpha: bool) -> Mosaic:
    """The image that files make together; where none of them lies, there is no data.

    Args:
        addresses: of the files, as GDAL calls them.
        source: what the user calls all of them.
        alpha: whether a band that is marked as alpha says which pixels count.

    Raises:
        UnreadableFile: a file is damaged; it is named.
        GeoreferenceMissing: a file names no place on earth.
        DatasetError: the files lie in several reference systems, or their pixels do not fall on one grid.
        BandMismatch: their bands differ.
    """
    headers = list(read_ahead(_read, addresses, threads=_THREADS, ahead=_THREADS))
    first = headers[0]
    for header in headers:
        header.grid.require_crs(header.source)
    _require_one_system(headers, source)
    for header in headers:
        _require_alike(first, header)
    windows = [_window(first.grid, header) for header in headers]
    whole = Window.between(
        min(window.row for window in windows),
        min(window.col for window in windows),
        max(window.row_end for window in windows),
        max(window.col_end for window in windows),
    )
    laid = [_Laid(header, window.relative_to(whole)) for header, window in zip(headers, windows, strict=True)]
    text = _vrt(first.grid.crop(whole), laid, alpha=alpha)
    # The blocks that GDAL tells of a VRT are its own invention: pixels are stored, and fetched, in those of the files.
    with open_dataset(text, source) as dataset, translated(source):
        image = replace(header_of(dataset, text, source), blocks=first.blocks)
    return Mosaic(image, tuple(Sheet(_stem(header.address), header.grid, header.address) for header in headers))


def _read(address: str) -> Header:
    title = shown_address(address.removeprefix("/vsicurl/"))
    with open_dataset(address, title) as dataset, translated(title):
        return header_of(dataset, address, title)


def _stem(address: str) -> str:
    return PurePosixPath(address).stem


def _require_one_system(headers: Sequence[Header], source: str) -> None:
    """Refuses files in several reference systems, with the list of these."""
    systems: dict[str, list[str]] = {}
    for header in headers:
        systems.setdefault(str(header.grid.crs), []).append(_stem(header.address))
    if len(systems) == 1:
        return
    named = []
    for system, names in sorted(systems.items(), key=lambda entry: -len(entry[1])):
        more = " …" if len(names) > _LISTED else ""
        named.append(f"{system}: {', '.join(names[:_LISTED])}{more} ({len(names)})")
    raise DatasetError(
        f"the sheets of {source} lie in several reference systems",
        found="; ".join(named),
        cure="Bring them to one with gdalwarp, or give each kind a folder of its own.",
    )


def _require_alike(first: Header, other: Header) -> None:
    """Refuses a file whose bands are not those of the first."""
    for what, mine, yours in (
        ("number of bands", len(first.bands), len(other.bands)),
        ("names of bands", _names(first), _names(other)),
        ("types of pixels", _kinds(first), _kinds(other)),
        ("no-data values", _fills(first), _fills(other)),
        ("alpha bands", first.called_alpha, other.called_alpha),
    ):
        if mine != yours:
            raise BandMismatch(
                f"{other.source} is no sheet of the same image as {first.source}: their {what} differ",
                found="none" if yours is None else yours,
                expected="none" if mine is None else mine,
                cure="Put sheets of one kind into a folder, without masks and other layers.",
            )


def _names(header: Header) -> str:
    return ", ".join(band.description or str(band.index) for band in header.bands)


def _kinds(header: Header) -> str:
    return ", ".join(dict.fromkeys(str(band.dtype) for band in header.bands))


def _fills(header: Header) -> str:
    return ", ".join(dict.fromkeys("none" if band.nodata is None else f"{band.nodata:g}" for band in header.bands))


def _window(grid: Grid, other: Header) -> Window:
    """The pixels of `grid`, or beyond it, that a file covers."""
    col, row = ~grid.transform @ (other.grid.transform.c, other.grid.transform.f)
    window = Window(round(row), round(col), *other.grid.shape)
    if not grid.crop(window).matches(other.grid, tolerance=_SLACK):
        theirs, ours = other.grid, grid
        raise DatasetError(
            f"the pixels of {other.source} do not fall on those of the other sheets",
            found=f"pixels of {theirs.pixel_width:g} × {theirs.pixel_height:g}, {col - window.col:.2f} and "
            f"{row - window.row:.2f} of a pixel aside",
            expected=f"pixels of {ours.pixel_width:g} × {ours.pixel_height:g} on one grid",
            cure="Bring the sheets to one grid with gdalwarp -tap -tr.",
        )
    return window


def _vrt(grid: Grid, laid: Sequence[_Laid], *, alpha: bool) -> str:
    """The text of the image.

    A no-data value marks the holes. Without one, a mask does, which says where files lie and what their own masks say;
    and where alpha counts, the alpha band does.
    """
    first = laid[0].header
    vrt = empty_vrt(grid)
    shared = [key for key, text in first.tags.items() if all(one.header.tags.get(key) == text for one in laid)]
    metadata = ET.SubElement(vrt, "Metadata")
    for key in shared:
        ET.SubElement(metadata, "MDI", key=key).text = first.tags[key]
    is_alpha = first.alpha if alpha else None
    masked = not is_alpha and any(_has_mask(one.header) for one in laid)
    for band in first.bands:
        element = ET.SubElement(vrt, "VRTRasterBand", dataType=type_name(band.dtype), band=str(band.index))
        _describe(element, band, is_alpha=band.index == is_alpha)
        for one in laid:
            _lay(element, one, band, masked=masked)
    if not is_alpha and (masked or any(band.nodata is None for band in first.bands)):
        element = ET.SubElement(ET.SubElement(vrt, "MaskBand"), "VRTRasterBand", dataType="Byte")
        for one in laid:
            _uncover(element, one)
    return ET.tostring(vrt, encoding="unicode")


def _has_mask(header: Header) -> bool:
    """Whether a mask of its own says which pixels of a file count; what is only called alpha does not."""
    return header.called_alpha is None and any(band.masked for band in header.bands)


def _describe(element: ET.Element, band: BandHeader, *, is_alpha: bool) -> None:
    """What a band says of itself. One that is called alpha and is none must not be taken for a mask."""
    if band.description:
        ET.SubElement(element, "Description").text = band.description
    colour = band.colour.capitalize()
    known = colour in ("Red", "Green", "Blue", "Gray")
    ET.SubElement(element, "ColorInterp").text = "Alpha" if is_alpha else colour if known else "Undefined"
    if band.nodata is not None and not is_alpha:
        ET.SubElement(element, "NoDataValue").text = f"{band.nodata:.17g}"
    if (band.scale, band.offset) != (1.0, 0.0):
        ET.SubElement(element, "Scale").text = f"{band.scale:.17g}"
        ET.SubElement(element, "Offset").text = f"{band.offset:.17g}"


def _lay(element: ET.Element, one: _Laid, band: BandHeader, *, masked: bool) -> None:
    """One file's pixels of a band; what has no data hides nothing that lies below."""
    if masked and _has_mask(one.header):
        source = ET.SubElement(element, "ComplexSource")
        ET.SubElement(source, "UseMaskBand").text = "true"
    elif band.nodata is not None:
        source = ET.SubElement(element, "ComplexSource")
        ET.SubElement(source, "NODATA").text = f"{band.nodata:.17g}"
    else:
        source = ET.SubElement(element, "SimpleSource")
    _place(source, one, str(band.index), type_name(band.dtype))


def _uncover(element: ET.Element, one: _Laid) -> None:
    """A file's part of the mask: its own, or all of it."""
    header = one.header
    source = ET.SubElement(element, "ComplexSource")
    if _has_mask(header):
        ET.SubElement(source, "NODATA").text = "0"  # what one file hides, another may show
        _place(source, one, "mask,1", "Byte")
        return
    _place(source, one, "1", type_name(header.bands[0].dtype))
    ET.SubElement(source, "ScaleOffset").text = "255"
    ET.SubElement(source, "ScaleRatio").text = "0"


def _place(source: ET.Element, one: _Laid, band: str, kind: str) -> None:
    """Where a source's pixels come from and go to."""
    window, (block_rows, block_cols) = one.window, one.header.blocks
    ET.SubElement(source, "SourceFilename", relativeToVRT="0", shared="0").text = one.header.address
    ET.SubElement(source, "SourceBand").text = band
    size = {"RasterXSize": str(window.width), "RasterYSize": str(window.height)}
    # With these GDAL opens the file when it is needed, and closes it when many others have been.
    ET.SubElement(
        source, "SourceProperties", size, DataType=kind, BlockXSize=str(block_cols), BlockYSize=str(block_rows)
    )
    extent = {"xSize": str(window.width), "ySize": str(window.height)}
    ET.SubElement(source, "SrcRect", extent, xOff="0", yOff="0")
    ET.SubElement(source, "DstRect", extent, xOff=str(window.col), yOff=str(window.row))
