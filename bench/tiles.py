"""What a tile costs: Arpent's display images, beside rio-tiler on the same rasters, in the same run.

    python bench/tiles.py [--side 8192] [--tiles 500] [--rounds 3] [--http] [--many 20000] [--soak 60]
        [--tall] [--full] [--json]

A class map and a map of a quantity (float32) of `--side`² pixels of 10 m, and a picture of three bands, as COGs with
overviews. Tiles are drawn from those of zooms 8 to 15 that reach them, by a seed. rio-tiler opens the file for each
tile, as titiler does for each request, warps, colours and writes a PNG. Rounds alternate between the ways, on one
thread; figures are medians in milliseconds of processor time. `--http` asks the real server over loopback as well,
eight at a time, and counts the server's own processor time, beside titiler's for the same tiles where it is installed
(`pip install titiler.core uvicorn`); `--many` asks the map for that many more and looks at its memory, and `--soak`
lets fifty clients ask for so many seconds. `--tall` makes display images of two class maps 25 000 pixels wide, one six
times as high as the other, and prints the time and the peak memory of each; `--full` of one of 25 000 × 25 000 pixels.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rio_tiler.colormap import cmap
from rio_tiler.io import Reader

from arpent.core import ClassMap, Grid, LandClass, Strip
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.testing.memory import peak_memory
from arpent.web.layers import PAINTED, Entry, Kind, Legend
from arpent.web.styles import ramp_legend
from arpent.web.tiles import Palette, Shelf, display, palette_of
from tile_server.asking import Address, Asked, asked_over_loopback
from tile_server.peer import asked_of_titiler, is_installed

RESOLUTION = 10.0
CLASSES = 8
ZOOMS = range(8, 16)
LEGEND = Legend(tuple(Entry(n, f"#{(n * 999_983) % (1 << 24):06x}", f"class {n}", f"classe {n}") for n in range(1, 9)))


@dataclass(frozen=True)
class Case:
    """A raster and how it is shown.

    Attributes:
        kind: of its layer.
        source: the analytic COG.
        legend: of its layer.
        shown: the display image.
        made: seconds that making it took.
    """

    kind: Kind
    source: Path
    legend: Legend
    shown: display.Display
    made: float

    @property
    def palette(self) -> Palette | None:
        """Its colours; None for a picture."""
        return None if self.kind in PAINTED else palette_of(self.legend)


def field(side: int, seed: int) -> np.ndarray:
    """A smooth field of `side`² values between 0 and 1, with details of a few pixels."""
    noise = np.random.default_rng(seed).normal(size=(side // 4, side // 4)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6) * 12
    fine = cv2.resize(smooth, (side, side), interpolation=cv2.INTER_LINEAR)
    return (1 / (1 + np.exp(-fine))).astype(np.float32)


def sources(folder: Path, side: int) -> list[tuple[Kind, Path, Legend]]:
    """The three rasters."""
    grid = Grid.north_up(500_000, 5_000_000, RESOLUTION, side, side, 32631)
    values = field(side, 1)
    numbers = (1 + np.minimum(values * CLASSES, CLASSES - 1)).astype(np.uint8)
    lost = np.random.default_rng(2).random(numbers.shape, np.float32) < 0.02
    numbers[lost] = np.random.default_rng(3).integers(1, 9, int(lost.sum()))
    classes = ClassMap(
        name="bench",
        classes=tuple(LandClass(id=one.value, en=one.en, fr=one.fr, colour=one.colour) for one in LEGEND.entries),
    )
    made = []
    for kind, pixels, spec in (
        ("classes", numbers[None], RasterSpec(grid, ("class",), "uint8", 0, classes, "mode")),
        ("continuous", values[None], RasterSpec(grid, ("share",), "float32", np.nan)),
        (
            "composite",
            np.stack([(field(side, 4 + band) * 3000 + 1).astype(np.uint16) for band in range(3)]),
            RasterSpec(grid, ("red", "green", "blue"), "uint16", 0),
        ),
    ):
        path = folder / f"{kind}.tif"
        with CogWriter(path, spec) as writer:
            for row in range(0, side, 512):
                writer.write(Strip(row, pixels[:, row : row + 512]))
        legend = {"classes": LEGEND, "continuous": ramp_legend("continuous", 0, 1)}.get(kind, Legend())
        made.append((kind, path, legend))
    return made  # type: ignore[return-value]


def prepared(folder: Path, side: int) -> list[Case]:
    """The rasters with their display images."""
    cases = []
    for kind, source, legend in sources(folder, side):
        begun = time.perf_counter()
        shown = display.make(source, kind, legend, folder / "shown" / source.name)
        cases.append(Case(kind, source, legend, shown, time.perf_counter() - begun))
    return cases


def addresses(source: Path, count: int, seed: int = 0) -> list[Address]:
    """Tiles of all zooms that reach a raster, as many of each as there are or are wanted, in any order."""
    chosen: list[Address] = []
    draw = random.Random(seed)
    with Reader(str(source)) as reader:
        bounds = reader.get_geographic_bounds("epsg:4326")
        for zoom in ZOOMS:
            found = [Address(tile.z, tile.x, tile.y) for tile in reader.tms.tiles(*bounds, zooms=[zoom])]
            chosen += draw.sample(found, min(len(found), -(-count // len(ZOOMS))))
        while len(chosen) < count:
            chosen.append(draw.choice(chosen))
    draw.shuffle(chosen)
    return chosen[:count]


def by_arpent(case: Case, shelf: Shelf) -> Callable[[Address], bytes | None]:
    """A tile of a display image."""
    palette = case.palette
    return lambda one: shelf.tile(case.shown.file, one.z, one.x, one.y, palette=palette)


def by_rio_tiler(case: Case) -> Callable[[Address], bytes | None]:
    """A tile of the analytic raster, as a tile server without preparation makes it."""
    colours = {entry.value: (*bytes.fromhex(entry.colour[1:]), 255) for entry in case.legend.entries}

    def make(one: Address) -> bytes | None:
        with Reader(str(case.source)) as reader:
            if not reader.tile_exists(one.x, one.y, one.z):
                return None
            image = reader.tile(one.x, one.y, one.z)
            if case.kind != "classes":
                image.rescale([(0, 1) if case.kind == "continuous" else (0, 3000)])
            colormap = {"classes": colours, "continuous": cmap.get("viridis")}.get(case.kind)
            png: bytes = image.render(img_format="PNG", colormap=colormap)
            return png

    return make


def measured(way: Callable[[Address], bytes | None], wanted: Sequence[Address]) -> dict[str, float]:
    """Milliseconds per tile: of processor time, and of the clock by percentile."""
    clock = []
    begun = time.process_time()
    for one in wanted:
        started = time.perf_counter()
        way(one)
        clock.append(1e3 * (time.perf_counter() - started))
    spent = 1e3 * (time.process_time() - begun) / len(wanted)
    return {"cpu_ms": spent, "p50_ms": float(np.percentile(clock, 50)), "p99_ms": float(np.percentile(clock, 99))}


def in_process(cases: Sequence[Case], count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Medians over rounds, by case and way."""
    found: dict[str, list[dict[str, float]]] = {}
    for number in range(rounds):
        for case in cases:
            wanted = addresses(case.source, count, number)
            kept = Shelf()
            cold = Shelf(cache=0)
            ways = {
                "arpent": by_arpent(case, cold),
                "arpent, first": by_arpent(case, kept),
                "arpent, cached": by_arpent(case, kept),
                "rio-tiler": by_rio_tiler(case),
            }
            for name, way in ways.items():
                found.setdefault(f"{case.kind}: {name}", []).append(measured(way, wanted))
            kept.close()
            cold.close()
    return {name: {key: statistics.median(one[key] for one in rows) for key in rows[0]} for name, rows in found.items()}


def wide(folder: Path, heights: Sequence[int]) -> dict[str, dict[str, float]]:
    """What making a display image costs, by height of a class map 25 000 pixels wide, each in a process of its own."""
    block = (1 + np.minimum(field(5_000, 1) * CLASSES, CLASSES - 1)).astype(np.uint8)
    found = {}
    for height in heights:
        path = folder / f"wide_{height}.tif"
        grid = Grid.north_up(500_000, 5_000_000, RESOLUTION, height, 25_000, 32631)
        with CogWriter(path, RasterSpec(grid, ("class",), "uint8", 0, overviews="nearest", compression="zstd")) as to:
            for row in range(0, height, 500):
                part = block[row % 5_000 : row % 5_000 + 500]
                to.write(Strip(row, np.tile(part, (1, 5))[None]))
        answer = subprocess.run(
            [sys.executable, __file__, "--child", str(path)], check=True, capture_output=True, text=True
        )
        found[f"25 000 × {height}"] = {"source_mb": path.stat().st_size / 1e6, **json.loads(answer.stdout)}
        path.unlink()
    return found


def child(source: Path) -> None:
    """Makes a display image and prints what this process has needed for it."""
    begun, spent = time.perf_counter(), time.process_time()
    shown = display.make(source, "classes", LEGEND, source.with_name(f"shown_{source.name}"))
    seconds, spent = time.perf_counter() - begun, time.process_time() - spent
    with open_image(source) as image:
        size = image.grid.height * image.grid.width / 1e6
    figures = {
        "seconds": seconds,
        "cpu_s": spent,
        "mpx_per_s": size / seconds,
        "peak_mib": peak_memory() / 2**20,
        "file_mb": shown.file.stat().st_size / 1e6,
        "zoom": shown.maxzoom,
    }
    shown.file.unlink()
    print(json.dumps(figures))


def main() -> None:
    """Prints the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--tiles", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--soak", type=float, default=0)
    parser.add_argument("--tall", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    if wanted.child:
        child(wanted.child)
        return
    # What rasterio and rio-tiler do with affine's old operator and with a no-data value that is no number.
    warnings.filterwarnings("ignore", category=PendingDeprecationWarning)
    warnings.filterwarnings("ignore", "invalid value encountered in cast", RuntimeWarning)
    with tempfile.TemporaryDirectory() as folder:
        cases = prepared(Path(folder), wanted.side)
        figures: dict[str, object] = {
            "making": {case.kind: round(wanted.side**2 / 1e6 / case.made, 2) for case in cases},
            "tiles": in_process(cases, wanted.tiles, wanted.rounds),
        }
        if wanted.http:
            asked = Asked(addresses(cases[0].source, wanted.tiles), wanted.many, wanted.soak)
            figures["http"] = asked_over_loopback(Path(folder), [case.source for case in cases], asked)
            layers = {case.source: (case.kind, case.legend) for case in cases}
            figures["titiler"] = asked_of_titiler(layers, asked) if is_installed() else "not installed"
        if wanted.tall or wanted.full:
            heights = (*((1_000, 6_000) if wanted.tall else ()), *((25_000,) if wanted.full else ()))
            figures["making, 25 000 wide"] = wide(Path(folder), heights)
    if wanted.json:
        json.dump(figures, sys.stdout, indent=1)
        return
    show(figures)


def show(figures: dict[str, object]) -> None:
    """The figures as lines of text."""
    for part, content in figures.items():
        if not isinstance(content, dict):
            print(f"{part:28} {content}")
            continue
        print(part)
        for name, value in content.items():
            text = (
                "  ".join(f"{key} {number:.2f}" for key, number in value.items()) if isinstance(value, dict) else value
            )
            print(f"  {name:28} {text}")


if __name__ == "__main__":
    main()
