"""Maps of a run as labelled arrays, with their place on earth and the meaning of their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from arpent.core import Grid, Language, Raster
from arpent.errors import ExtraMissing, InvalidSetting
from arpent.io import open_image, quicklook
from arpent.store import Product, Run
from arpent.web.headers import entries_of
from arpent.web.layers import Entry, Frame
from arpent.web.styles import quality_legend
from arpent.web.timelines import is_timeline, timeline_layers

if TYPE_CHECKING:
    from xarray import DataArray

__all__ = ["array_of", "mapped"]

_SPATIAL_REF = "spatial_ref"
"""Name of the coordinate that holds the reference system, as CF and rioxarray have it."""
_QUALITY = "quality_fmask"
"""Part of the names of maps whose numbers say what was seen."""


def mapped(run: Run) -> list[Product]:
    """The products that are arrays, a timeline first."""
    products = run.manifest.products
    return [one for one in products if is_timeline(one)] + [one for one in products if one.kind == "raster"]


def array_of(run: Run, product: Product, language: Language, largest: int | None = None) -> DataArray:
    """A map as an array ``(y, x)``, of several bands ``(band, y, x)``, of several dates ``(time, y, x)``.

    Args:
        run: that holds it.
        product: a raster or a timeline.
        language: of the names of classes.
        largest: pixels of the longer side, for a look at a large map; all pixels if not given.

    Raises:
        ExtraMissing: xarray is not installed.
        InvalidSetting: it is neither.
        InputError, RunDamaged: a file is not what it was.
    """
    if find_spec("xarray") is None:
        raise ExtraMissing.of("xarray", "to_xarray()")
    if is_timeline(product):
        return _series(timeline_layers(run, product)[0].frames, product.name, language, largest)
    if product.kind != "raster":
        raise InvalidSetting(
            f"'{product.name}' is no map",
            found=f"a {product.kind}",
            expected=", ".join(one.name for one in mapped(run)) or "a run with maps",
            cure="Name a map, or read it with to_table().",
        )
    return _array(run.locate(product), product.name, language, largest)


def _series(frames: Sequence[Frame], name: str, language: Language, largest: int | None) -> DataArray:
    """The dates of a forecast, one after the other."""
    import xarray

    maps = [_array(frame.file, name, language, largest) for frame in frames]
    days = np.array([str(frame.date) for frame in frames], "datetime64[ns]")
    joined = xarray.concat(maps, dim="time", combine_attrs="override").assign_coords(time=days)
    foretold = np.array([not frame.observed for frame in frames])
    made: DataArray = joined.assign_coords(foretold=("time", foretold))
    return made


def _array(file: Path, name: str, language: Language, largest: int | None) -> DataArray:
    import xarray

    with open_image(file) as image:
        names, nodata, tags, dtype = image.bands, image.nodata, image.tags, image.dtype
        raster = image.read(image.grid.window) if largest is None else None
    entries = quality_legend().entries if _QUALITY in name else entries_of(tags.get("CLASSES", ""))
    if raster is None:
        assert largest is not None
        small = quicklook(file, largest, classes=bool(entries) or np.issubdtype(dtype, np.integer))
        raster = Raster(small.pixels[: len(names)], small.valid, small.grid, names)
    values = raster.pixels
    if np.issubdtype(values.dtype, np.floating):
        values = np.where(raster.valid, values, values.dtype.type(np.nan))
        nodata = None  # NaN says it now
    elif nodata is not None:
        values = np.where(raster.valid, values, values.dtype.type(nodata))
    coordinates = _coordinates(raster.grid)
    attributes = _attributes(entries, tags, nodata, language)
    if len(names) == 1:
        return xarray.DataArray(values[0], coordinates, ("y", "x"), name, attributes)
    coordinates["band"] = ("band", list(names))
    return xarray.DataArray(values, coordinates, ("band", "y", "x"), name, attributes)


def _coordinates(grid: Grid) -> dict[str, Any]:
    """Middles of pixels, and the reference system; of a turned grid the transform alone says where pixels lie."""
    found: dict[str, Any] = {}
    t = grid.transform
    if grid.crs is not None:
        place = {"GeoTransform": " ".join(f"{number:.17g}" for number in t.to_gdal())}
        place |= {"crs_wkt": grid.crs.to_wkt(), "grid_name": grid.crs_name}
        found[_SPATIAL_REF] = ((), 0, place)
    if t.b == 0 and t.d == 0:
        degrees = grid.crs is not None and grid.crs.geographic
        for axis, start, step, count in (("y", t.f, t.e, grid.height), ("x", t.c, t.a, grid.width)):
            found[axis] = (axis, start + step * (np.arange(count) + 0.5), _axis(grid, axis, degrees=degrees))
    return found


def _axis(grid: Grid, axis: str, *, degrees: bool) -> dict[str, str]:
    if grid.crs is None:
        return {"units": "pixels"}
    if degrees:
        longitude = axis == "x"
        return {
            "standard_name": "longitude" if longitude else "latitude",
            "units": "degrees_east" if longitude else "degrees_north",
        }
    return {"standard_name": f"projection_{axis}_coordinate", "units": str(grid.crs.units[0])}


def _attributes(
    entries: Sequence[Entry],
    tags: Mapping[str, str],
    nodata: float | None,
    language: Language,
) -> dict[str, Any]:
    """What the numbers mean, by the conventions of CF, and by names as people write them."""
    found: dict[str, Any] = {}
    title = tags.get("TITLE") or tags.get("TIFFTAG_IMAGEDESCRIPTION")
    if title:
        found["long_name"] = title
    if nodata is not None:
        found["_FillValue"] = nodata
    if entries:
        names = [entry.fr if language == "fr" else entry.en for entry in entries]
        # No lists of words: not every format that arrays are kept in can hold them.
        found["flag_values"] = np.array([entry.value for entry in entries], np.int32)
        found["flag_meanings"] = " ".join(name.replace(" ", "_") for name in names)
        found["categories"] = "; ".join(names)
        found["colours"] = " ".join(entry.colour for entry in entries)
    return found
