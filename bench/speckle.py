"""Speckle filters on one core: speed, looks, edges, error and mean, beside scipy, OpenCV and plain numpy.

    python bench/speckle.py [--side 2048] [--window 7]

Two images under Gamma speckle of 4.4 looks: a homogeneous field, which tells looks and mean, and fields with sharp
borders, lines and bright points, whose truth is known: `edges` is the correlation of the Laplacians of truth and
filtered image, `rmse` the error in decibels. Speeds are medians of several runs, in megapixels per second of processor
time, so of one core; `holes` is the same with 2 % of the pixels unknown.

A second table judges the last of eight dates, of which two show a flood: the error in decibels where the ground
changes, and where it stays.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from arpent.pixels import (
    SENTINEL_1_LOOKS,
    SPECKLE_FILTERS,
    SpeckleFilter,
    edge_preservation,
    estimate_looks,
    linear_to_decibels,
    quegan_yu,
)
from measuring.timed import processor

RUNS, DATES, WET = 5, 8, 2
LOOKS = SENTINEL_1_LOOKS
NOISE = 1 / LOOKS  # Cu²

Image = NDArray[np.float32]


def fields(side: int) -> Image:
    """True power: some hundred fields between -22 and -5 dB with straight borders, lanes, and bright points."""
    rng = np.random.default_rng(0)
    seeds = rng.uniform(0, side, (side * side // 3000, 2))
    rows, cols = np.mgrid[:side, :side]
    _, nearest = cKDTree(seeds).query(np.stack([rows.ravel(), cols.ravel()], axis=-1))
    levels = rng.uniform(-22, -5, len(seeds))[nearest].reshape(side, side)
    for _ in range(side // 64):
        top, left, length = rng.integers(0, side, 3)
        levels[top : top + 3, left : left + length] = -20
        levels[left : left + length, top : top + 3] = -20
    points = rng.integers(0, side, (side // 4, 2))
    levels[points[:, 0], points[:, 1]] = 5
    return (10 ** (levels / 10)).astype(np.float32)


def speckle(truth: Image, seed: int) -> Image:
    """The truth under speckle."""
    grain = np.random.default_rng(seed).gamma(LOOKS, 1 / LOOKS, truth.shape)
    return (truth * grain).astype(np.float32)


def megapixels(work: Callable[[], object], pixels: int) -> float:
    """Millions of pixels per second of processor time, median of some runs after one that does not count."""
    return pixels / 1e6 / processor(work, RUNS)


def moments(image: Image, window: int) -> tuple[Image, Image]:
    """Mean and variance by scipy."""
    mean = ndimage.uniform_filter(image, window)
    return mean, np.maximum(ndimage.uniform_filter(image * image, window) - mean * mean, 0)


def lee_by_scipy(image: Image, window: int) -> Image:
    """Lee with scipy's box filters."""
    mean, variance = moments(image, window)
    weight = np.clip(1 - NOISE * mean * mean / np.maximum(variance, 1e-30), 0, 1)
    return mean + weight * (image - mean)


def lee_by_opencv(image: Image, window: int) -> Image:
    """Lee with OpenCV's box filters, which run their sums in 32 bits."""
    mean = cv2.boxFilter(image, -1, (window, window))
    variance = cv2.sqrBoxFilter(image, cv2.CV_32F, (window, window)) - mean * mean
    weight = np.clip(1 - NOISE * mean * mean / np.maximum(variance, 1e-30), 0, 1)
    return mean + weight * (image - mean)


def kuan_by_scipy(image: Image, window: int) -> Image:
    """Kuan with scipy's box filters."""
    mean, variance = moments(image, window)
    weight = np.clip(1 - NOISE * mean * mean / np.maximum(variance, 1e-30), 0, 1) / (1 + NOISE)
    return mean + weight * (image - mean)


def enhanced_lee_by_numpy(image: Image, window: int) -> Image:
    """Enhanced Lee in whole-image arrays."""
    mean, variance = moments(image, window)
    spread = np.sqrt(variance) / mean
    low, high = np.sqrt(NOISE), np.sqrt(1 + 2 * NOISE)
    kept = np.exp(-np.clip((spread - low) / np.maximum(high - spread, 1e-6), 0, 80))
    between = mean * kept + image * (1 - kept)
    return np.where(spread <= low, mean, np.where(spread >= high, image, between))


def gamma_map_by_numpy(image: Image, window: int) -> Image:
    """Gamma-MAP in whole-image arrays."""
    mean, variance = moments(image, window)
    spread = variance / (mean * mean)
    alpha = (1 + NOISE) / np.maximum(spread - NOISE, 1e-6)
    pull = (alpha - LOOKS - 1) * mean
    value = (pull + np.sqrt(pull * pull + 4 * alpha * LOOKS * mean * image)) / (2 * alpha)
    return np.where(spread <= NOISE, mean, np.where(spread >= 2 * NOISE, image, value))


def frost_by_numpy(image: Image, window: int) -> Image:
    """Frost, one shifted copy of the image after the other."""
    mean, variance = moments(image, window)
    fall = 2 * variance / (mean * mean)
    reach = window // 2
    wide = np.pad(image, reach, mode="symmetric")
    total, weights = np.zeros_like(image), np.zeros_like(image)
    for down in range(window):
        for across in range(window):
            weight = np.exp(-fall * np.float32(np.hypot(down - reach, across - reach)))
            total += weight * wide[down : down + len(image), across : across + image.shape[1]]
            weights += weight
    return total / weights


BASELINES: dict[str, Callable[[Image, int], Image]] = {
    "lee, OpenCV": lee_by_opencv,
    "lee, scipy": lee_by_scipy,
    "kuan, scipy": kuan_by_scipy,
    "enhanced_lee, numpy": enhanced_lee_by_numpy,
    "gamma_map, numpy": gamma_map_by_numpy,
    "frost, numpy": frost_by_numpy,
}


def quality(by: Callable[[Image], Image], field: Image, scene: Image, truth: Image) -> str:
    """Looks and mean of the field, edges and error of the scene."""
    smooth, made = by(field), by(scene)
    error = linear_to_decibels(made) - linear_to_decibels(truth)
    ratio = smooth.mean(dtype=np.float64) / field.mean(dtype=np.float64)
    return f"{estimate_looks(smooth):8.1f}{edge_preservation(truth, made):8.3f}{rmse(error):8.3f}{ratio:9.4f}"


def rmse(error: Image) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean(error.astype(np.float64) ** 2)))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--window", type=int, default=7)
    given = parser.parse_args()
    side, window = given.side, given.window
    cv2.setNumThreads(1)
    truth = fields(side)
    field, scene = speckle(np.ones_like(truth), 1), speckle(truth, 2)
    known = np.random.default_rng(3).random(field.shape) > 0.02
    print(f"{'filter':22}{'Mpx/s':>8}{'holes':>8}{'looks':>8}{'edges':>8}{'rmse':>8}{'mean':>9}")
    print(f"{'none':22}{'':8}{'':8}{quality(lambda image: image, field, scene, truth)}")
    for name in SPECKLE_FILTERS:
        if name == "quegan_yu":
            continue
        by = SpeckleFilter(name, window, LOOKS)
        speed = megapixels(lambda by=by: by(field), field.size)
        holed = megapixels(lambda by=by: by(field, known), field.size)
        print(f"{name:22}{speed:8.1f}{holed:8.1f}{quality(by, field, scene, truth)}", flush=True)
    for name, way in BASELINES.items():
        speed = megapixels(lambda way=way: way(field, window), field.size)
        print(
            f"{name:22}{speed:8.1f}{'':8}{quality(lambda image, way=way: way(image, window), field, scene, truth)}",
            flush=True,
        )
    several(field, truth, scene, window)
    flooded(truth, window)


def several(field: Image, truth: Image, scene: Image, window: int) -> None:
    """The line of quegan_yu: eight dates, of which the first is judged."""
    dates = np.stack([field, *(speckle(np.ones_like(truth), 10 + k) for k in range(DATES - 1))])
    views = np.stack([scene, *(speckle(truth, 30 + k) for k in range(DATES - 1))])
    speed = megapixels(lambda: quegan_yu(dates, None, window), dates.size)
    answers = {id(field): quegan_yu(dates, None, window)[0], id(scene): quegan_yu(views, None, window)[0]}
    print(f"{f'quegan_yu, {DATES} dates':22}{speed:8.1f}{'':8}{quality(lambda x: answers[id(x)], field, scene, truth)}")


def flooded(truth: Image, window: int) -> None:
    """The table of a flood: the last of eight dates is judged, on which a fifth of the ground is water."""
    ground = ndimage.uniform_filter(np.random.default_rng(4).standard_normal(truth.shape), 127)
    changed = ground > np.quantile(ground, 0.8)
    wet = np.where(changed, np.float32(0.005), truth)
    views = np.stack([speckle(wet if k >= DATES - WET else truth, 50 + k) for k in range(DATES)])
    made = {"none": views[-1], "quegan_yu": quegan_yu(views, None, window)[-1]}
    for name in SPECKLE_FILTERS:
        if name != "quegan_yu":
            made[name] = SpeckleFilter(name, window, LOOKS)(views[-1])
    print(f"\n{'flood, 8 dates':22}{'changed':>8}{'stays':>8}")
    for name, image in made.items():
        error = linear_to_decibels(image) - linear_to_decibels(wet)
        print(f"{name:22}{rmse(error[changed]):8.3f}{rmse(error[~changed]):8.3f}", flush=True)


if __name__ == "__main__":
    main()
