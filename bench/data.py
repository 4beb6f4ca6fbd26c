"""What preparing data costs: normalisation, statistics, batches, scores, each beside plain numpy in the same run.

Usage: python bench/data.py [--side 2048] [--rounds 7]

Prints medians in million pixels per second (a pixel of four bands counts once), and the ratio to the baseline.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from arpent.core import Normalisation, Window, nomenclature
from arpent.data import Augment, Batches, Normaliser, PatchLoader, RandomPatches, Sample, SampleIndex, Statistics
from arpent.metrics import ConfusionMatrix
from arpent.pixels import spectral_indices
from measuring.timed import elapsed

BANDS = ("red", "green", "blue", "nir")
RULE = Normalisation(origin="bench", scale=1 / 255, mean=(0.4,) * 4, std=(0.2,) * 4)
PATCH, PATCHES = 512, 48


@dataclass(frozen=True)
class Contest:
    """Our way and the plain way to do one thing."""

    title: str
    pixels: int
    ours: Callable[[], object]
    plain: Callable[[], object]


def image(side: int, kind: str) -> np.ndarray:
    """Random pixels of four bands."""
    rng = np.random.default_rng(0)
    return rng.integers(1, 255 if kind == "uint8" else 4000, (4, side, side)).astype(kind)


def normalising(side: int, kind: str) -> Contest:
    """Files to network input, holes set to 0."""
    pixels, valid = image(side, kind), np.random.default_rng(1).random((side, side)) > 0.05
    normaliser, out = Normaliser(RULE), np.empty((4, side, side), np.float32)
    mean, std = (np.array(part, np.float32)[:, None, None] for part in (RULE.mean, RULE.std))

    def plain() -> None:
        values = (pixels.astype(np.float32) * np.float32(RULE.scale) - mean) / std
        values[:, ~valid] = 0

    return Contest(f"normalise {kind}", side * side, lambda: normaliser(pixels, valid, out), plain)


def measuring(side: int, kind: str) -> Contest:
    """Mean, deviation, range and histogram."""
    pixels, valid = image(side, kind), np.random.default_rng(1).random((side, side)) > 0.05

    def plain() -> None:
        for band in pixels:
            values = band[valid].astype(np.float64)
            values.mean(), values.std(), values.min(), values.max(), np.histogram(values, 256)

    return Contest(f"statistics {kind}", side * side, lambda: Statistics(BANDS, kind).update(pixels, valid), plain)


def scoring(side: int) -> Contest:
    """A confusion matrix of 19 classes."""
    rng = np.random.default_rng(2)
    truth, guess = rng.integers(-1, 19, (side, side)), rng.integers(0, 19, (side, side))

    def plain() -> None:
        matrix = np.zeros((19, 19), np.int64)
        known = truth >= 0
        np.add.at(matrix, (truth[known], guess[known]), 1)

    return Contest("confusion matrix", side * side, lambda: ConfusionMatrix(19).update(truth, guess), plain)


def indexing(side: int) -> Contest:
    """Four spectral indices of one image."""
    names = ("blue", "red", "nir", "swir16")
    bands = dict(zip(names, image(side, "uint16").astype(np.float32) / np.float32(1e4), strict=True))
    blue, red, nir, swir = bands.values()

    def plain() -> None:
        # EVI's denominator may be 0 on random pixels; a real image is as fast.
        with np.errstate(divide="ignore", invalid="ignore"):
            four()

    def four() -> None:
        (nir - red) / (nir + red)
        2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1)
        1.5 * (nir - red) / (nir + red + 0.5)
        ((swir + red) - (nir + blue)) / ((swir + red) + (nir + blue))

    return Contest("four indices", side * side, lambda: spectral_indices(["NDVI", "EVI", "SAVI", "BSI"], bands), plain)


def batching(folder: Path, side: int) -> Contest:
    """An epoch of random patches from a tiled file."""
    path, mask = folder / "image.tif", folder / "mask.tif"
    place = {"crs": "EPSG:2154", "transform": Affine(0.2, 0, 700_000, 0, -0.2, 6_600_000)}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    classes = nomenclature("commune")
    layers = (path, image(side, "uint8")), (mask, np.random.default_rng(3).choice(classes.ids, (1, side, side)))
    for file, pixels in layers:
        shape = {"count": len(pixels), "height": side, "width": side, "dtype": "uint8", "photometric": "MINISBLACK"}
        with rasterio.open(file, "w", driver="GTiff", **shape, **place, **tiles) as out:
            out.write(pixels)
    index = SampleIndex([Sample(str(path), str(mask))])
    plan = RandomPatches(index, PATCH, count=PATCHES)
    loader = PatchLoader(Normaliser(RULE), classes=classes)
    augment = Augment(gain=0.1, bias=0.1)
    number = iter(range(10**6))

    def ours() -> None:
        for _ in Batches(plan, loader, batch_size=8, augment=augment).epoch(next(number)):
            pass

    def plain() -> None:
        for _ in plain_batches(path, mask, [ref.window for ref in plan.epoch(next(number))]):
            pass

    return Contest("batches of 8 × 512²", PATCHES * PATCH * PATCH, ours, plain)


def plain_batches(path: Path, mask: Path, windows: list[Window]) -> Iterator[dict[str, np.ndarray]]:
    """A careful but plain loop: files stay open, no threads, the same steps in numpy."""
    lookup = nomenclature("commune").index_of_id
    mean, std = (np.array(part, np.float32)[:, None, None] for part in (RULE.mean, RULE.std))
    rng = np.random.default_rng(0)
    with rasterio.open(path) as images, rasterio.open(mask) as masks:
        for start in range(0, len(windows), 8):
            stack, truth = [], []
            for window in windows[start : start + 8]:
                where = rasterio.windows.Window(window.col, window.row, window.width, window.height)
                pixels = images.read(window=where).astype(np.float32) / 255
                turn = int(rng.integers(4))
                gain, bias = rng.uniform(0.9, 1.1, (4, 1, 1)), rng.uniform(-0.1, 0.1, (4, 1, 1))
                varied = ((pixels - mean) / std * gain + bias).astype(np.float32)
                stack.append(np.rot90(varied, turn, (1, 2)))
                truth.append(np.rot90(lookup[masks.read(1, window=where)], turn))
            yield {"image": np.stack(stack), "target": np.stack(truth)}


def main() -> None:
    """Runs every contest and prints the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--side", type=int, default=2048)
    options.add_argument("--rounds", type=int, default=7)
    chosen = options.parse_args()
    print(f"{'':24}{'Mpx/s':>10}{'plain':>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        contests = [normalising(chosen.side, kind) for kind in ("uint8", "uint16", "float32")]
        contests += [measuring(chosen.side, kind) for kind in ("uint8", "uint16", "float32")]
        contests += [scoring(chosen.side), indexing(chosen.side), batching(Path(folder), 2 * chosen.side)]
        for contest in contests:
            ours, plain = (elapsed(work, chosen.rounds) for work in (contest.ours, contest.plain))
            speeds = [contest.pixels / seconds / 1e6 for seconds in (ours, plain)]
            print(f"{contest.title:24}{speeds[0]:10.1f}{speeds[1]:10.1f}{plain / ours:8.2f}")


if __name__ == "__main__":
    main()
