"""What a class map says: true areas, and how right it is where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arpent.core import ClassMap, Grid, LandClass, pixel_area
from arpent.data import target_of
from arpent.errors import DatasetError
from arpent.io import open_image, read_ahead
from arpent.metrics import AdjustedAreas, ConfusionMatrix, adjust_areas

__all__ = ["ClassArea", "adjusted_areas", "areas_of", "check_truth", "score_map"]

_BLOCK = 1024
"""Side in pixels of the blocks in which a pixel is taken to have one area; it changes by less than 1e-4 in one."""


@dataclass(frozen=True)
class ClassArea:
    """How much ground a class covers.

    Attributes:
        entry: the class.
        square_metres: on the ellipsoid; None for a map without georeference.
        share: of the pixels that have a class.
    """

    entry: LandClass
    square_metres: float | None
    share: float


def areas_of(path: Path, classes: ClassMap) -> list[ClassArea]:
    """The ground that each class of a map covers, in the order of the nomenclature."""
    counts, metres = np.zeros(256, np.int64), np.zeros(256)
    with open_image(path) as image:
        placed = image.grid.georeferenced
        blocks = list(image.grid.window.blocks(_BLOCK))
        for block, raster in zip(blocks, read_ahead(image.read, blocks), strict=True):
            found = np.bincount(raster.pixels[0][raster.valid], minlength=256)
            counts += found
            if placed:
                metres += found * pixel_area(image.grid, block)
    total = max(int(counts[classes.ids].sum()), 1)
    return [
        ClassArea(entry, float(metres[entry.id]) if placed else None, int(counts[entry.id]) / total)
        for entry in classes.classes
    ]


def check_truth(truth: Path, grid: Grid) -> None:
    """Refuses a truth that a map on `grid` cannot be scored against, before the map is made.

    Raises:
        FileMissing: it is not there.
        DatasetError: one of the two names no place on earth, and their sizes differ.
        NoOverlap: it lies elsewhere.
    """
    with open_image(truth) as known:
        placed = known.grid.georeferenced and grid.georeferenced
        if not placed and known.grid.shape != grid.shape:
            raise DatasetError(
                f"{truth} cannot be laid over the map, since they differ in size and one names no place on earth",
                found=f"{known.grid.width} × {known.grid.height}",
                expected=f"{grid.width} × {grid.height}",
                cure="Give a truth of the image's size, or georeference both.",
            )
    if placed:
        open_image(truth, grid=grid, resampling="nearest").close()


def score_map(path: Path, truth: Path, classes: ClassMap) -> ConfusionMatrix:
    """The confusion matrix of a map against true classes, on the grid of the map.

    Pixels without truth, or without an answer, do not count.
    """
    matrix = ConfusionMatrix(classes)
    with open_image(path) as answer:
        check_truth(truth, answer.grid)
        with open_image(truth) as plain:
            placed = plain.grid.georeferenced and answer.grid.georeferenced
        with open_image(truth, grid=answer.grid if placed else None, resampling="nearest") as known:
            blocks = list(answer.grid.window.blocks(_BLOCK))
            pairs = zip(read_ahead(answer.read, blocks), read_ahead(known.read, blocks), strict=True)
            for said, true in pairs:
                guess, target = target_of(said, classes), target_of(true, classes)
                keep = guess >= 0
                matrix.update(target[keep], guess[keep])
    return matrix


def adjusted_areas(matrix: ConfusionMatrix, areas: Sequence[ClassArea]) -> AdjustedAreas | None:
    """The areas of a map corrected for the errors that were counted, in square metres.

    Neighbouring pixels err together, so that the intervals are a lower bound.

    Args:
        matrix: of the map against the truth, which may cover a part of it only.
        areas: of the whole map.

    Returns:
        None where there is nothing to go by: a map without georeference, or one that shows a class of which fewer
        than two pixels have a truth.
    """
    mapped = np.array([area.square_metres or 0.0 for area in areas])
    if not mapped.sum() > 0 or (matrix.counts.sum(axis=0)[mapped > 0] < 2).any():
        return None
    return adjust_areas(matrix, mapped)
