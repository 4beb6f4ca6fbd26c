"""What a change of camera leaves for fine-tuning to do: how far it is a gain and an offset, what the source knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import nomenclature, sensor
from arpent.data import SampleIndex
from arpent.io import open_image

__all__ = ["print_known", "print_shift"]


def print_shift(source: tuple[str, Path], target: tuple[str, Path]) -> None:
    """How much of the difference between the cameras standardisation can undo.

    If it were a gain and an offset for each band, the standardised means of the classes would be the same for both.

    Args:
        source: a sensor and the index of its images.
        target: the other sensor and its images.
    """
    bands = [name for name in sensor(source[0]).band_names if name in sensor(target[0]).band_names]
    ours, theirs = (_class_means(SampleIndex.read(index), name, bands) for name, index in (source, target))
    known = np.isfinite(ours[0]) & np.isfinite(theirs[0])
    cells = [
        f"{band} {np.corrcoef(a[known], b[known])[0, 1] ** 2:.3f}"
        for band, a, b in zip(bands, ours, theirs, strict=True)
    ]
    print(f"\nr² of the standardised means of {known.sum()} classes, one camera against the other: {', '.join(cells)}")


def _class_means(index: SampleIndex, name: str, bands: Sequence[str]) -> NDArray[np.float64]:
    """Mean of each class in each band ``(band, class)``, in standard deviations from the mean of all pixels."""
    ids = nomenclature("commune").ids
    count, first, second = np.zeros(256), np.zeros((len(bands), 256)), np.zeros(len(bands))
    for sample in index:
        with open_image(sample.image, bands=bands, sensor=name) as image, open_image(sample.mask or "") as mask:
            pixels = image.read(image.grid.window).pixels.reshape(len(bands), -1).astype(np.float64)
            truth = mask.read(mask.grid.window).pixels.ravel()
        count += np.bincount(truth, minlength=256)
        first += [np.bincount(truth, band, 256) for band in pixels]
        second += (pixels**2).sum(axis=1)
    mean = first.sum(axis=1) / count.sum()
    deviation = np.sqrt(second / count.sum() - mean**2)
    means = np.where(count > 0, first / np.maximum(count, 1), np.nan)
    return np.asarray((means[:, ids] - mean[:, None]) / deviation[:, None])


def print_known(model: Mapping[str, float | None]) -> None:
    """IoU of each class on the source's validation places: what there is to bring along."""
    known = {name.removeprefix("validation/iou/"): value for name, value in model.items() if "/iou/" in name}
    told = [f"{name} {'–' if value is None else format(100 * value, '.1f')}" for name, value in known.items()]
    print(f"source, validation IoU: {', '.join(told)}")
