"""Which files may be opened for the map: GeoTIFFs on this machine, and nothing that could lead to other files."""

from __future__ import annotations

from pathlib import Path

from arpent.errors import FileMissing, UnreadableFile

__all__ = ["check_raster"]

_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a TIFF begins, classic or big, in either order of bytes."""
_ASIDE = (".ovr", ".msk")
"""Files beside an image that GDAL opens with it, with whatever driver knows them."""
_POINTERS = (b"OVERVIEW_FILE", b"SourceFilename", b"GeodataXform")
_MOST_NOTES = 4 << 20


def check_raster(path: str | Path) -> Path:
    """The absolute path of a raster that may be shown.

    GDAL also opens descriptions of images (VRT and others) that name files of any kind, and addresses that reach into
    archives and networks; whoever may register such a one could read every file of the machine on the map. So the
    first bytes of the file decide, before GDAL sees it, and those of the files beside it that GDAL would open.

    Raises:
        FileMissing: there is no such file.
        UnreadableFile: it is no TIFF, or a file beside it leads elsewhere.
    """
    text = str(path)
    if text.startswith(("/vsi", "<")) or "://" in text:
        raise _refused(text, "an address of GDAL's own")
    file = Path(text).absolute()
    if not file.is_file():
        raise FileMissing(f"there is no {file}", cure="Check the path, or register the run again.")
    if _mark(file) not in _MARKS:
        raise _refused(file, "a file of another kind")
    for ending in _ASIDE:
        aside = file.with_name(file.name + ending)
        if aside.exists() and _mark(aside) not in _MARKS:
            raise _refused(aside, "a file of another kind")
    _check_notes(file.with_name(f"{file.name}.aux.xml"))
    return file


def _mark(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(4)


def _check_notes(notes: Path) -> None:
    """Refuses notes beside an image that name further files."""
    if not notes.is_file():
        return
    if notes.stat().st_size > _MOST_NOTES:
        raise _refused(notes, f"{notes.stat().st_size:,} bytes")
    content = notes.read_bytes()
    found = next((word for word in _POINTERS if word in content), None)
    if found is not None:
        raise _refused(notes, f"a pointer to another file ({found.decode()})")


def _refused(path: str | Path, found: str) -> UnreadableFile:
    return UnreadableFile(
        f"{path} is not shown on the map", found=found, expected="a GeoTIFF", cure="Convert it: gdal_translate -of COG."
    )
