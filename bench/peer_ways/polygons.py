"""Patches of a class map as polygons with the stairs of their pixels, in a GeoPackage.

Arpent's polygons also share their borders and know their geodesic areas. Results are the areas of the classes in
pixels, which are to be equal, and the number of polygons, which differs where two patches meet in a corner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from rasterio.features import shapes

from arpent.core import Grid, Strip, nomenclature
from arpent.io import CogWriter, RasterSpec, polygonise
from peer_ways.work import Result, Way, Work

__all__ = ["WORK"]

_CLASSES = nomenclature("commune")
_METRES = 10.0


def _prepare(folder: Path, quick: bool) -> str:
    side = 256 if quick else 2048
    rng = np.random.default_rng(0)
    coarse = rng.choice(_CLASSES.ids, (side // 16, side // 16)).astype(np.uint8)
    fine = coarse.repeat(16, 0).repeat(16, 1)
    ragged = rng.random(fine.shape) < 0.02
    fine[ragged] = rng.choice(_CLASSES.ids, int(ragged.sum())).astype(np.uint8)
    grid = Grid.north_up(500_000, 5_000_000, _METRES, side, side, 32631)
    with CogWriter(folder / "classes.tif", RasterSpec(grid, ("class",), "uint8", 0, _CLASSES, "mode")) as writer:
        writer.write(Strip(0, fine[None]))
    return f"{side} × {side} pixels of {len(_CLASSES)} classes"


def _totals(file: Path, column: str) -> Result:
    """Pixels of each class, then the number of polygons."""
    frame = pyogrio.raw.read(file, columns=[column])
    numbers, areas = frame[3][0], shapely.area(shapely.from_wkb(frame[2])) / _METRES**2
    return np.array([*(areas[numbers == one].sum() for one in _CLASSES.ids), len(areas)])


def _arpent(folder: Path) -> Callable[[], Result]:
    def do() -> Result:
        made = polygonise(folder / "classes.tif", folder / "arpent.gpkg", classes=_CLASSES, simplify=0.0)
        return _totals(made, "numero")

    return do


def _rasterio(folder: Path) -> Callable[[], Result]:
    target = folder / "rasterio.gpkg"

    def do() -> Result:
        with rasterio.open(folder / "classes.tif") as file:
            pixels = file.read(1)
            found = [(shapely.geometry.shape(one), number) for one, number in shapes(pixels, transform=file.transform)]
            crs = file.crs.to_wkt()
        outlines = np.array([one.wkb for one, _ in found], object)
        numbers = np.array([number for _, number in found], np.int32)
        pyogrio.raw.write(target, outlines, [numbers], ["class"], geometry_type="Polygon", crs=crs)
        return _totals(target, "class")

    return do


def _geoai(folder: Path) -> Callable[[], Result]:
    from geoai.utils.raster import raster_to_vector

    target = folder / "geoai.gpkg"

    def do() -> Result:
        target.unlink(missing_ok=True)
        raster_to_vector(str(folder / "classes.tif"), str(target), min_area=0)
        return _totals(target, "class")

    return do


def _judge(folder: Path, ours: Result, theirs: Result) -> Mapping[str, float]:
    del folder
    return {"polygons": float(theirs[-1]), "areas_differ_px": float(np.abs(ours[:-1] - theirs[:-1]).sum())}


WORK = Work(
    "polygons of a class map",
    _prepare,
    {"Arpent": Way(_arpent), "rasterio, pyogrio": Way(_rasterio), "geoai": Way(_geoai, "geoai-py")},
    _judge,
)
