"""From tokens to pixels: one matrix per axis against scipy's zoom, and holes filled against holes that count as zero.

    python bench/upsampling.py [--maps 1 16 64]

Maps of 32 × 32 tokens become 512 × 512 pixels, on one thread. The reference of the comparison is what published figures
were made with: `scipy.ndimage.zoom`, once for the values and once for the weights. The second table looks at the pixels
beside holes of a smooth field whose truth is known.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from arpent.pixels import TokenAxis, upsample, upsample_with_zeros, upsampling_matrix
from measuring.timed import elapsed

SIDE, PATCH, RUNS = 32, 16, 7
AXIS = TokenAxis(SIDE, PATCH, PATCH)
_RIM = 24  # pixels from a hole that count as beside it

Maps = NDArray[np.float32]
Mask = NDArray[np.bool_]


def zoomed(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """One map by scipy."""
    return np.asarray(
        ndimage.zoom(np.asarray(values, np.float64), PATCH, order=3, mode="nearest", grid_mode=True), np.float64
    )


def by_zoom(maps: Maps, valid: Mask) -> Maps:
    """Values and weights of each map, as published figures were made."""
    weight = zoomed(valid)
    return np.stack([np.where(weight > 0.9, zoomed(np.where(valid, one, 0)), 0) for one in maps]).astype(np.float32)


def speed(counts: list[int]) -> None:
    """Prints milliseconds per map."""
    rng = np.random.default_rng(0)
    valid = rng.random((SIDE, SIDE)) > 0.1
    whole = np.ones_like(valid)
    print(f"{'maps':>5}{'zoom':>9}{'as zoom':>9}{'× ':>7}{'whole':>9}{'filled':>9}{'largest apart':>15}   ms per map")
    for count in counts:
        maps = rng.uniform(-1, 1, (count, SIDE, SIDE)).astype(np.float32)
        times = [
            elapsed(work, RUNS) / count * 1e3
            for work in (
                lambda maps=maps: by_zoom(maps, valid),
                lambda maps=maps: upsample_with_zeros(maps, valid, AXIS, AXIS),
                lambda maps=maps: upsample(maps, whole, AXIS, AXIS),
                lambda maps=maps: upsample(maps, valid, AXIS, AXIS),
            )
        ]
        apart = float(np.abs(by_zoom(maps, valid) - upsample_with_zeros(maps, valid, AXIS, AXIS).values).max())
        zoom, same, plain, filled = times
        print(f"{count:5}{zoom:9.2f}{same:9.2f}{zoom / same:7.0f}{plain:9.2f}{filled:9.2f}{apart:15.1e}")


def faults(shares: list[float]) -> None:
    """Prints how far pixels beside holes are from the truth."""
    rng = np.random.default_rng(0)
    matrix = upsampling_matrix(AXIS)
    print(f"\n{'holes':>7}{'filled':>18}{'divided by weight':>20}{'counted as zero':>18}   rms (largest) error")
    for share in shares:
        errors: dict[str, list[NDArray[np.float32]]] = {"filled": [], "divided": [], "zero": []}
        for _ in range(20):
            field = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 2).astype(np.float32)
            field /= field.std()
            valid = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1)
            valid = valid > np.quantile(valid, share)
            truth = matrix @ field @ matrix.T
            ours = upsample(field, valid, AXIS, AXIS)
            known = np.where(valid, field, 0).astype(np.float32)
            weight = matrix @ valid.astype(np.float32) @ matrix.T
            beside = ours.valid & ~ndimage.binary_erosion(ours.valid, iterations=_RIM, border_value=1)
            answers = {
                "filled": ours.values,
                "divided": (matrix @ known @ matrix.T) / np.where(np.abs(weight) < 1e-3, 1e-3, weight),
                "zero": matrix @ known @ matrix.T,
            }
            for name, answer in answers.items():
                errors[name].append((answer - truth)[beside])
        said = [f"{np.sqrt(np.mean(e**2)):.3f} ({np.abs(e).max():.2f})" for e in map(np.concatenate, errors.values())]
        print(f"{share:7.0%}{said[0]:>18}{said[1]:>20}{said[2]:>18}")


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--maps", type=int, nargs="+", default=[1, 16, 64])
    speed(parser.parse_args().maps)
    faults([0.02, 0.1, 0.3, 0.6])


if __name__ == "__main__":
    main()
