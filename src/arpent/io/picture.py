"""Pictures of any kind as people see them: three colours, upright, on white paper.

Where `open_image` gives the numbers of a file, this gives what a screen would show: a network that knows photographs
can look at scans, drawings and satellite images alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling

from arpent.core import sensor
from arpent.errors import InvalidSetting, UnreadableFile
from arpent.io.bands import Layer, name_layers, named_by
from arpent.io.gdal import address_of, environment, is_remote, open_dataset, translated
from arpent.io.header import header_of
from arpent.io.photo import orientation_in, turned

__all__ = ["MOST_PIXELS", "PICTURE_SUFFIXES", "picture_files", "read_picture"]

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
"""Names of files that are taken for pictures when a folder is searched."""

MOST_PIXELS: Final = 1 << 27
"""Pixels that a picture may have to be opened: a whole Sentinel-2 tile. At its own size it takes 700 MB of memory."""

_DRIVERS = frozenset({"BMP", "COG", "GIF", "GTiff", "JP2OpenJPEG", "JPEG", "PNG", "WEBP"})
"""What may be a picture. GDAL goes by content: a file named .jpg may be a list of addresses that it would then read."""

_SENTINEL_2 = (12, 13)
"""Bands of its images, L2A and L1C; where nothing names them, they begin with coastal, blue, green, red."""

_IN_ORDER = frozenset({"BMP", "PNG", "WEBP"})
"""Formats that can only be read from the top. GDAL would do so for each band, when it makes them smaller."""

_AT_ONCE = 1 << 25
"""Pixels of these that are read at once."""

_COLOURS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_WHITE = 255
_DEEP, _DEEPEST = 2**12 - 1, 2**16 - 1
_ENDS = (2.0, 98.0)


def picture_files(folder: str | Path) -> tuple[Path, ...]:
    """All pictures in a folder and the folders inside it, in the order of their paths; hidden ones are left out."""
    place = Path(folder)
    return tuple(
        sorted(
            path
            for path in place.rglob("*")
            if path.suffix.lower() in PICTURE_SUFFIXES
            and not any(part.startswith(".") for part in path.relative_to(place).parts)
            and path.is_file()
        )
    )


def read_picture(
    source: str | PathLike[str], *, side: int | None = None, most_pixels: int = MOST_PIXELS
) -> NDArray[np.uint8]:
    """A picture as people see it: ``(H, W, 3)``, red, green, blue.

    It stands as the camera was held (EXIF). Grey becomes three equal colours, transparent parts and no data become
    white, CMYK and palettes become red, green, blue. Sixteen bits of a photograph are brought down to eight; numbers
    of a satellite image, which has a place on earth, are stretched between their 2nd and 98th percentile.

    Args:
        source: path or address.
        side: the picture is read at 1/2, 1/4, 1/8 … of its size, as long as its shorter side keeps so many pixels;
            JPEG is then decoded at that size, which is faster. At its own size if not given.
        most_pixels: that a file may have, and that are ever opened.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: not an image, damaged, or of more pixels than that.
    """
    name = fspath(source)
    if side is not None and side < 1:
        raise InvalidSetting("a picture has at least one pixel on a side", found=side, cure="Give a larger side.")
    remote = is_remote(name)
    with open_dataset(address_of(name), name) as dataset, environment(remote=remote), translated(name, remote=remote):
        if dataset.driver not in _DRIVERS:
            raise UnreadableFile(
                f"{name} is no picture",
                found=dataset.driver,
                expected="JPEG, PNG, WebP, TIFF, JPEG 2000, BMP or GIF",
                cure="Save it in one of these formats.",
            )
        if dataset.driver == "WEBP" and _is_animated(name):
            raise UnreadableFile(f"{name} is an animation", expected="a picture", cure="Save one picture of it.")
        if dataset.width * dataset.height > most_pixels:
            raise UnreadableFile(
                f"{name} is too large for a picture",
                found=f"{dataset.width} × {dataset.height} pixels",
                expected=f"at most {most_pixels / 1e6:.0f} million",
                cure="Make it smaller, or check that it is what it should be: few bytes can claim a huge picture.",
            )
        shape = _shape(dataset.height, dataset.width, side)
        seen = _palette(dataset, shape) if _has_palette(dataset) else _bands(dataset, shape, name)
        turn = 1 if _is_placed(dataset) else orientation_in(dataset, name)
    planes = turned(seen.transpose(2, 0, 1), turn)
    return np.stack([np.asarray(plane, np.uint8) for plane in planes], axis=-1)


def _is_animated(name: str) -> bool:
    """Whether the header of a WebP on this machine says that it moves, which GDAL calls damaged."""
    path = Path(name)
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        head = stream.read(21)
    return head[12:16] == b"VP8X" and len(head) == 21 and bool(head[20] & 2)


def _shape(height: int, width: int, side: int | None) -> tuple[int, int]:
    """Height and width of what is read: those of the file by a power of two."""
    if side is None:
        return height, width
    factor = 1
    while min(height, width) // (2 * factor) >= side:
        factor *= 2
    return -(-height // factor), -(-width // factor)


def _has_palette(dataset: Any) -> bool:  # noqa: ANN401 - untyped
    return bool(dataset.colorinterp[0] == ColorInterp.palette)


def _palette(dataset: Any, shape: tuple[int, int]) -> NDArray[np.uint8]:  # noqa: ANN401 - untyped
    """Numbers of colours as these colours; a mean of two numbers would be a third colour, so none is taken."""
    table = np.zeros((256, 4), np.uint8)
    table[:, 3] = _WHITE
    for number, colour in dataset.colormap(1).items():
        if number < len(table):
            table[number] = colour
    numbers = dataset.read(1, out_shape=shape, resampling=Resampling.nearest)
    seen = table[np.clip(numbers, 0, 255).astype(np.uint8)]
    opaque = np.where(dataset.read_masks(1, out_shape=shape) > 0, seen[..., 3], 0)
    return _on_white(seen[..., :3], opaque)


def _bands(dataset: Any, shape: tuple[int, int], name: str) -> NDArray[np.uint8]:  # noqa: ANN401 - untyped
    """Bands of numbers as colours."""
    whole = (dataset.height, dataset.width)
    if shape != whole and whole[0] * whole[1] <= _AT_ONCE and not _is_full(dataset):
        # What hides behind transparency has no part in a mean: paper first, then smaller.
        return _smaller(_bands(dataset, whole, name), shape)
    chosen = _chosen(dataset, name)
    values = _reduced(dataset, chosen, shape)
    opaque = _opaque(dataset, shape)
    if values.dtype.kind in "fc":
        values = values.real
        opaque = np.where(np.isfinite(values).all(axis=0), opaque, 0)
    full = dataset.driver == "PNG"
    seen = _eight_bits(values, opaque > 0, _bits(dataset), placed=_is_placed(dataset), full=full)
    if dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES":
        seen = _WHITE - seen
    return _on_white(np.broadcast_to(seen, (3, *shape)).transpose(1, 2, 0), opaque)


def _reduced(dataset: Any, bands: list[int], shape: tuple[int, int]) -> NDArray[Any]:  # noqa: ANN401 - untyped
    """Bands at another size, each pixel the mean of those that it stands for."""
    height, width = dataset.height, dataset.width
    if shape == (height, width) or dataset.driver not in _IN_ORDER or height * width > _AT_ONCE:
        return np.asarray(dataset.read(bands, out_shape=(len(bands), *shape), resampling=Resampling.average))
    small = _smaller(dataset.read(bands).transpose(1, 2, 0), shape)
    return small.reshape(*shape, len(bands)).transpose(2, 0, 1)


def _smaller(pixels: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Pixels ``(h, w, …)`` at a smaller size, each the mean of those that it stands for."""
    import cv2  # only pictures that need it wait for it

    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), shape[::-1], interpolation=cv2.INTER_AREA))


def _is_full(dataset: Any) -> bool:  # noqa: ANN401 - untyped
    """Whether no pixel is transparent or without data."""
    return all(MaskFlags.all_valid in flags for flags in dataset.mask_flag_enums)


def _chosen(dataset: Any, name: str) -> list[int]:  # noqa: ANN401 - untyped
    """Numbers of the bands that are red, green and blue; of one band, or of two and transparency, the first."""
    roles = dataset.colorinterp
    if all(colour in roles for colour in _COLOURS):
        return [roles.index(colour) + 1 for colour in _COLOURS]
    colours = [number for number, role in enumerate(roles, start=1) if role is not ColorInterp.alpha]
    if len(colours) < 3:
        return colours[:1]
    if any(dataset.descriptions):
        layers = name_layers(header_of(dataset, address_of(name), name), None, PurePath(name).name)
        named = [_indices(layers, colour) for colour in ("red", "green", "blue")]
        if all(len(indices) == 1 for indices in named):
            return [indices[0] for indices in named]
    return [4, 3, 2] if len(colours) in _SENTINEL_2 else colours[:3]


def _indices(layers: Iterable[Layer], colour: str) -> list[int]:
    """Numbers of the bands of that name; B04 is red where the file does not say whose bands it has."""
    usual = sensor("sentinel-2-l2a")
    return [one.index for one in layers if one.answers_to(colour) or colour in named_by(usual, one.name)]


def _opaque(dataset: Any, shape: tuple[int, int]) -> NDArray[np.uint8]:  # noqa: ANN401 - untyped
    """How far each pixel covers the paper, 0 to 255."""
    if _is_full(dataset):
        return np.full(shape, _WHITE, np.uint8)
    if ColorInterp.alpha in dataset.colorinterp:
        band = dataset.colorinterp.index(ColorInterp.alpha) + 1
        alpha = dataset.read(band, out_shape=shape, resampling=Resampling.average)
        full = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1
        return np.asarray((alpha / full * _WHITE).round(), np.uint8)
    mask: NDArray[np.uint8] = dataset.dataset_mask(out_shape=shape)
    return mask


def _bits(dataset: Any) -> int | None:  # noqa: ANN401 - untyped
    """Bits of a value, where they are fewer than its type has."""
    written = dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", "")
    return int(written) if written.isdecimal() else None


def _is_placed(dataset: Any) -> bool:  # noqa: ANN401 - untyped
    return dataset.crs is not None or not dataset.transform.is_identity


def _eight_bits(
    values: NDArray[Any], valid: NDArray[np.bool_], bits: int | None, *, placed: bool, full: bool
) -> NDArray[np.uint8]:
    """Values ``(bands, h, w)`` of any type as bytes; `full`: white is the greatest number of the type."""
    if bits is not None and bits < 8:
        return np.asarray(values * (_WHITE // (2**bits - 1)), np.uint8)
    if values.dtype == np.uint8:
        return values
    known = values[:, valid]
    if not known.size:
        return np.zeros(values.shape, np.uint8)
    low, high = 0.0, float(known.max())
    if values.dtype == np.uint16 and not placed:
        # A TIFF may hold the twelve bits of a camera as they are; a PNG never does.
        high = float(2**bits - 1 if bits else _DEEP if high <= _DEEP and not full else _DEEPEST)
    elif values.dtype.kind == "f" and not placed and known.min() >= 0 and high <= 1:
        high = 1.0
    else:
        low, high = (float(end) for end in np.percentile(known, _ENDS))
    shares = (np.nan_to_num(values.astype(np.float32)) - low) / (high - low if high > low else 1.0)
    return (shares.clip(0, 1) * _WHITE).round().astype(np.uint8)


def _on_white(colours: NDArray[np.uint8], opaque: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Colours ``(h, w, 3)`` laid on white paper, as far as they cover it."""
    if (opaque == _WHITE).all():
        return colours
    cover = (opaque.astype(np.float32) / _WHITE)[..., None]
    return (colours * cover + _WHITE * (1 - cover)).round().astype(np.uint8)
