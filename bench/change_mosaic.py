"""What a mosaic costs beside the plain way: every raster opened and warped for every window, all of them stacked.

Both follow the reference's rules on the same pairs, in processes of their own, and their maps are compared.
Usage: python bench/change_mosaic.py [--pairs 120] [--side 300] [--spread 250]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window as RasterWindow

from arpent import __version__
from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.store import Place
from arpent.tasks.change.mosaic import make_mosaic
from arpent.tasks.change.mosaic_grid import mosaic_grid
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.testing.memory import peak_memory

LAYERS = {"cosine_map": Resampling.cubic, "after_date": Resampling.nearest, "quality_fmask": Resampling.nearest}
NODATA = {"cosine_map": -100, "after_date": -100, "quality_fmask": 255}
SETTINGS = MosaicSettings(profile="planaura", crs="EPSG:3979", resolution=30)


def pairs(folder: Path, count: int, side: int, spread: int) -> None:
    """Pairs along a diagonal, `spread` pixels apart, with holes."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:side, :side]
    for number in range(count):
        grid = Grid.north_up(
            500_000 + 30 * spread * (number % 12), 5_400_000 - 30 * spread * (number // 12), 30, side, side, 32618
        )
        cosine = (0.5 * np.sin(rows / 40 + number) * np.cos(cols / 31) + 0.4).astype(np.float32)
        cosine += rng.normal(0, 0.05, cosine.shape).astype(np.float32)
        hole = (rows - rng.integers(side)) ** 2 + (cols - rng.integers(side)) ** 2 < (side // 6) ** 2
        made = {
            "cosine_map": cosine,
            "after_date": np.full(cosine.shape, 2020001 + number, np.int32),
            "quality_fmask": rng.integers(0, 5, cosine.shape).astype(np.uint8),
        }
        for layer, pixels in made.items():
            pixels[hole] = NODATA[layer]
            spec = RasterSpec(grid, (layer,), str(pixels.dtype), NODATA[layer], overviews="nearest")
            with CogWriter(folder / f"{layer}!{number:03}.tif", spec) as writer:
                writer.write(Strip(0, pixels[None]))


def ours(folder: Path, out: Path) -> None:
    """Arpent's mosaic, without the images that were compared."""
    make_mosaic([folder], Place(exact=out, force=True), SETTINGS)


def plain(folder: Path, out: Path) -> None:
    """Every raster opened for every window of 1 024 pixels; the winners warped again with their own kernel."""
    out.mkdir(exist_ok=True)
    led = sorted(folder.glob("cosine_map*"))
    grids = []
    for path in led:
        with open_image(path) as image:
            grids.append(image.grid)
    grid = mosaic_grid(grids, SETTINGS)
    profile = {"driver": "GTiff", "height": grid.height, "width": grid.width, "count": 1, "crs": "EPSG:3979"}
    profile |= {"transform": grid.transform, "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    kinds = {"cosine_map": "float32", "after_date": "int32", "quality_fmask": "uint8", "persistence": "uint16"}
    files = {
        layer: rasterio.open(out / f"mosaic_{layer}_c.tif", "w", dtype=kind, nodata=NODATA.get(layer, 0), **profile)
        for layer, kind in kinds.items()
    }
    for strip in grid.window.strips(1024):
        for col in range(0, grid.width, 1024):
            there = RasterWindow(col, strip.row, min(1024, grid.width - col), strip.height)
            shape = (there.height, there.width)
            transform = grid.transform @ rasterio.Affine.translation(col, strip.row)
            stack = np.stack([warped(path, shape, transform, Resampling.nearest) for path in led])
            winner = stack.argmax(axis=0)
            files["persistence"].write((stack != -100).sum(axis=0).astype(np.uint16), 1, window=there)
            for layer, method in LAYERS.items():
                pixels = np.full(shape, NODATA[layer], kinds[layer])
                for number in np.unique(winner):
                    path = led[number].with_name(led[number].name.replace("cosine_map", layer))
                    found = warped(path, shape, transform, method)
                    pixels[winner == number] = found[winner == number]
                files[layer].write(pixels, 1, window=there)
    for file in files.values():
        file.close()


def warped(path: Path, shape: tuple[int, int], transform: rasterio.Affine, method: Resampling) -> np.ndarray:
    """A raster on a window."""
    with rasterio.open(path) as file:
        pixels = np.full(shape, file.nodata, file.dtypes[0])
        band = rasterio.band(file, 1)
        options = {"dst_transform": transform, "dst_crs": "EPSG:3979", "dst_nodata": file.nodata}
        reproject(band, pixels, resampling=method, XSCALE=1, YSCALE=1, **options)
    return pixels


def child(way: str, folder: Path, out: Path) -> None:
    """One way, and what it took."""
    begun, processor = time.perf_counter(), time.process_time()
    {"ours": ours, "plain": plain}[way](folder, out)
    taken = {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - processor, "peak": peak_memory()}
    print(json.dumps(taken))


def main() -> None:
    """Both ways, side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=120)
    parser.add_argument("--side", type=int, default=300)
    parser.add_argument("--spread", type=int, default=250)
    parser.add_argument("--child", nargs=3, metavar=("WAY", "FOLDER", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child[0], Path(args.child[1]), Path(args.child[2]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pairs"
        folder.mkdir()
        pairs(folder, args.pairs, args.side, args.spread)
        print(f"arpent {__version__}: {args.pairs} pairs of {args.side}², cosine, date and quality")
        taken = {}
        for way in ("plain", "ours"):
            command = [sys.executable, __file__, "--child", way, str(folder), str(Path(name) / way)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            taken[way] = json.loads(done.stdout)
            figures = taken[way]
            print(
                f"{way:6} {figures['seconds']:8.1f} s  {figures['cpu']:8.1f} CPU-s  {figures['peak'] / 2**20:6.0f} MiB"
            )
        ratio = {key: taken["plain"][key] / taken["ours"][key] for key in ("seconds", "cpu", "peak")}
        print("ratio  " + "  ".join(f"{value:.2f} × {key}" for key, value in ratio.items()))
        for layer in (*LAYERS, "persistence"):
            with (
                rasterio.open(Path(name) / "ours" / f"mosaic_{layer}_c.tif") as one,
                rasterio.open(Path(name) / "plain" / f"mosaic_{layer}_c.tif") as other,
            ):
                same = np.isclose(one.read(1), other.read(1), atol=2e-3).mean()
                # rasterio's warp is right to an eighth of a pixel, Arpent's reader to a thousandth: noise shows it.
                print(f"{layer:14} {one.width} × {one.height}, {same:.4%} of the pixels agree")


if __name__ == "__main__":
    main()
