"""How fast products are written: COGs against GDAL's own driver, polygons per second.

    python bench/writing.py [--side 8192] [--folder .]

For each kind of raster, rows are fed in strips of 256; GDAL writes a tiled GeoTIFF first and copies it with its COG
driver, which is its way to one. Medians of three runs, each in a process of its own, with its peak memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.windows import Window

from arpent.core import Grid, Strip, nomenclature
from arpent.io import ClassStrips, CogWriter, RasterSpec, polygonise
from arpent.io.spec import Compression

RUNS, ROWS, THREADS = 3, 256, 2
CLASSES = nomenclature("commune")


def landscape(side: int, kind: str) -> NDArray[Any]:
    """Fields of some hundred pixels: class numbers with ragged borders, or a smooth variable with noise."""
    rng = np.random.default_rng(0)
    field = np.zeros((side, side), np.float32)
    for scale, share in ((256, 1.0), (32, 0.3), (4, 0.1)):
        coarse = rng.normal(size=(side // scale + 2, side // scale + 2)).astype(np.float32)
        field += share * cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    if kind == "classes":
        return CLASSES.ids[np.digitize(field, np.linspace(-1.5, 1.5, len(CLASSES) - 1))]
    return field + rng.normal(scale=0.01, size=field.shape).astype(np.float32)


def spec_of(pixels: NDArray[Any], compression: Compression) -> RasterSpec:
    """What is written."""
    grid = Grid.north_up(500_000, 5_000_000, 0.2, *pixels.shape, "EPSG:32631")
    if pixels.dtype == np.uint8:
        return RasterSpec(grid, ("class",), "uint8", 0, CLASSES, "mode", compression=compression)
    return RasterSpec(grid, ("value",), "float32", -9999.0, compression=compression)


def by_arpent(pixels: NDArray[Any], folder: Path, compression: Compression) -> Path:
    """Arpent's writer, fed with strips."""
    with CogWriter(folder / "arpent.tif", spec_of(pixels, compression), threads=THREADS) as writer:
        for row in range(0, len(pixels), ROWS):
            writer.write(Strip(row, pixels[None, row : row + ROWS]))
    return writer.path


def by_gdal(pixels: NDArray[Any], folder: Path, compression: Compression) -> Path:
    """A tiled GeoTIFF, then GDAL's COG driver."""
    spec = spec_of(pixels, compression)
    crs = rasterio.crs.CRS.from_wkt(spec.grid.crs.to_wkt()) if spec.grid.crs else None
    profile = {"driver": "GTiff", "count": 1, "dtype": spec.dtype, "nodata": spec.nodata, "crs": crs}
    profile |= {"width": spec.grid.width, "height": spec.grid.height, "transform": spec.grid.transform}
    profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512}
    with rasterio.open(folder / "tiled.tif", "w", **profile) as dataset:
        for row in range(0, len(pixels), ROWS):
            strip = pixels[row : row + ROWS]
            dataset.write(strip, 1, window=Window(0, row, strip.shape[1], strip.shape[0]))
    predictor = "NO" if spec.classes else "FLOATING_POINT"
    resampling = "MODE" if spec.classes else "AVERAGE"
    options = {"COMPRESS": compression.upper(), "PREDICTOR": predictor, "OVERVIEW_RESAMPLING": resampling}
    target = folder / "gdal.tif"
    rasterio.shutil.copy(folder / "tiled.tif", target, driver="COG", NUM_THREADS=THREADS, STATISTICS="YES", **options)
    return target


def as_polygons(pixels: NDArray[Any], folder: Path, compression: Compression) -> Path:
    """Sieved and simplified polygons of a class map."""
    grid = spec_of(pixels, compression).grid

    def strips() -> Iterator[Strip]:
        for row in range(0, len(pixels), ROWS):
            yield Strip(row, pixels[None, row : row + ROWS])

    return polygonise(ClassStrips(grid, strips()), folder / "a.parquet", classes=CLASSES, min_area=1.0)


WAYS: dict[str, Callable[[NDArray[Any], Path, Compression], Path]] = {
    "arpent": by_arpent,
    "gdal": by_gdal,
    "polygons": as_polygons,
}


def once(way: str, kind: str, compression: Compression, side: int, folder: str) -> dict[str, float]:
    """One measurement in this process."""
    pixels = landscape(side, kind)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        if way == "polygons":
            as_polygons(pixels[:600, :600], Path(place), compression)  # compiles
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of making the landscape
        begin = time.perf_counter()
        path = WAYS[way](pixels, Path(place), compression)
        seconds = time.perf_counter() - begin
        size = path.stat().st_size
    added = resident("VmHWM") - before
    return {"seconds": seconds, "bytes": size, "input": pixels.nbytes, "added": added}


def resident(name: str) -> float:
    """Memory of this process in MB, now (VmRSS) or at its peak (VmHWM)."""
    facts = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in facts if line.startswith(name))


def measured(way: str, kind: str, compression: str, side: int, folder: str) -> dict[str, float]:
    """Medians of some runs."""
    command = [sys.executable, __file__, "--once", way, kind, compression, "--side", str(side), "--folder", folder]
    answers = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(RUNS)
    ]
    return {key: statistics.median(answer[key] for answer in answers) for key in answers[0]}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--folder", default=".")
    parser.add_argument("--once", nargs=3)
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(once(*arguments.once, arguments.side, arguments.folder)))
        return
    print(f"{'raster':10}{'compression':13}{'way':8}{'MB/s':>8}{'size MB':>9}{'peak + MB':>11}{'× gdal':>8}")
    for kind in ("classes", "values"):
        for compression in ("deflate", "zstd"):
            found = {
                way: measured(way, kind, compression, arguments.side, arguments.folder) for way in ("gdal", "arpent")
            }
            for way, facts in found.items():
                speed, ratio = facts["input"] / facts["seconds"] / 1e6, found["gdal"]["seconds"] / facts["seconds"]
                numbers = f"{speed:8.0f}{facts['bytes'] / 1e6:9.1f}{facts['added']:11.0f}{ratio:8.2f}"
                print(f"{kind:10}{compression:13}{way:8}{numbers}", flush=True)
    facts = measured("polygons", "classes", "deflate", arguments.side, arguments.folder)
    speed = arguments.side**2 / facts["seconds"] / 1e6
    print(f"polygons: {speed:.1f} Mpx/s, {facts['bytes'] / 1e6:.0f} MB, peak + {facts['added']:.0f} MB")


if __name__ == "__main__":
    main()
