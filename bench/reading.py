"""How fast Arpent reads, beside rasterio alone on the same file in the same run.

    python bench/reading.py [--side 8192] [--rounds 5] [--json]

The image is a tiled, deflated COG of four bytes per pixel with the texture of an aerial photograph. Each case reads
all of it in windows of 512²; rounds alternate between cases, so that a busy machine slows all of them alike. Medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.windows import Window as RasterWindow

from arpent.core import Grid, Window
from arpent.io import open_image, read_ahead
from arpent.testing.memory import peak_memory

TILE = 512


def make_image(folder: Path, side: int) -> Path:
    """A COG of `side`² pixels, 4 × uint8, that compresses about as an orthophoto does."""
    path, plain = folder / "image.tif", folder / "plain.tif"
    rng = np.random.default_rng(7)
    profile = {"driver": "GTiff", "count": 4, "dtype": "uint8", "height": side, "width": side, "crs": "EPSG:2154"}
    profile |= {"transform": rasterio.Affine(0.2, 0, 650_000, 0, -0.2, 6_860_000), "tiled": True}
    profile |= {"blockxsize": TILE, "blockysize": TILE, "photometric": "MINISBLACK"}
    with rasterio.open(plain, "w", **profile) as dataset:
        for window in tiles(side):
            coarse = rng.integers(40, 200, (4, TILE // 16, TILE // 16)).repeat(16, axis=1).repeat(16, axis=2)
            pixels = (coarse + rng.integers(-6, 7, coarse.shape)).astype(np.uint8)
            dataset.write(pixels, window=_raster_window(window))
    with rasterio.open(plain) as dataset:
        rasterio.shutil.copy(dataset, path, driver="COG", compress="DEFLATE", blocksize=TILE, overviews="NONE")
    plain.unlink()
    return path


def tiles(side: int, overlap: int = 0) -> list[Window]:
    """Windows of `TILE`² in reading order, each reaching `overlap` pixels into its neighbours."""
    whole = Window(0, 0, side, side)
    starts = range(0, side, TILE)
    return [Window(row, col, TILE, TILE).padded(overlap).intersect(whole) for row in starts for col in starts]


def _raster_window(window: Window) -> RasterWindow:
    return RasterWindow(window.col, window.row, window.width, window.height)


def read_with_rasterio(path: Path, windows: Sequence[Window]) -> None:
    """The baseline: one handle, no masks, no names."""
    with rasterio.open(path) as dataset:
        for window in windows:
            dataset.read(window=_raster_window(window))


def read_with_arpent(path: Path, windows: Sequence[Window], grid: Grid | None = None) -> None:
    """One thread."""
    with open_image(path, grid=grid) as image:
        for window in windows:
            image.read(window)


def read_ahead_with_arpent(path: Path, windows: Sequence[Window]) -> None:
    """Two threads."""
    with open_image(path) as image:
        for _ in read_ahead(image.read, windows):
            pass


def warp_with_rasterio(path: Path, windows: Sequence[Window], grid: Grid) -> None:
    """The baseline of the warp: GDAL decides everything anew for each window."""
    from rasterio.vrt import WarpedVRT

    with (
        rasterio.open(path) as dataset,
        WarpedVRT(
            dataset, crs="EPSG:2154", transform=grid.transform, width=grid.width, height=grid.height,
            resampling=rasterio.enums.Resampling.bilinear, add_alpha=True,
        ) as warped,
    ):  # fmt: skip
        for window in windows:
            warped.read(window=_raster_window(window))


def measure(cases: dict[str, Callable[[], None]], pixels: dict[str, int], rounds: int) -> dict[str, float]:
    """Median of millions of pixels per second, by case."""
    speeds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            begun = time.perf_counter()
            case()
            speeds[name].append(pixels[name] / 1e6 / (time.perf_counter() - begun))
    return {name: statistics.median(values) for name, values in speeds.items()}


def main() -> None:
    """Prints the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = make_image(Path(folder), wanted.side)
        aligned, overlapping = tiles(wanted.side), tiles(wanted.side, 64)
        with open_image(path) as image:
            own = image.grid
        # A quarter of the image on pixels of 30 cm: the warp is ten times slower than a plain read.
        side = int(wanted.side / 2 * 0.2 / 0.3)
        grid = Grid.north_up(own.bounds.left + 100.05, own.bounds.top - 100.05, 0.3, side, side, "EPSG:2154")
        warped = [window.intersect(grid.window) for window in tiles(side)]
        cases: dict[str, Callable[[], None]] = {
            "rasterio, 512²": lambda: read_with_rasterio(path, aligned),
            "arpent, 512²": lambda: read_with_arpent(path, aligned),
            "arpent, 512², read ahead": lambda: read_ahead_with_arpent(path, aligned),
            "rasterio, 640² overlapping": lambda: read_with_rasterio(path, overlapping),
            "arpent, 640² overlapping": lambda: read_with_arpent(path, overlapping),
            "rasterio, warped": lambda: warp_with_rasterio(path, warped, grid),
            "arpent, warped": lambda: read_with_arpent(path, warped, grid),
        }
        areas = (aligned, aligned, aligned, overlapping, overlapping, warped, warped)
        pixels = {name: sum(window.size for window in area) for name, area in zip(cases, areas, strict=True)}
        speeds = measure(cases, pixels, wanted.rounds)
    report(speeds, as_json=wanted.json)


def report(speeds: dict[str, float], *, as_json: bool) -> None:
    """Speed of each case, and its ratio to the rasterio case before it."""
    megabytes = peak_memory() / 1e6
    if as_json:
        json.dump({"megapixels_per_second": speeds, "peak_megabytes": megabytes}, sys.stdout, indent=2)
        return
    baseline = 1.0
    print(f"{'case':32}{'Mpx/s':>10}{'ratio':>8}")
    for name, speed in speeds.items():
        baseline = speed if name.startswith("rasterio") else baseline
        print(f"{name:32}{speed:10.1f}{speed / baseline:8.2f}")
    print(f"peak memory {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
