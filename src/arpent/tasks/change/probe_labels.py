"""Labels on the cells of embeddings, from points or from a mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from arpent.core import Grid, Language, Window, band_count, ground_sampling_distance
from arpent.errors import DatasetError, FileMissing, InputError, NoOverlap, UnknownName
from arpent.io import open_image, recorded_classes
from arpent.io.points import POINT_FILES, read_points
from arpent.tasks.change.cell_maps import MOST_CLASSES

__all__ = ["CellLabels", "LabelFile", "read_labels", "titles_of"]

_ROWS = 256
_FINEST = 32  # pixels of a mask across a cell that are looked at
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class LabelFile:
    """Where labels are, and how to take them.

    Attributes:
        path: points with a class each (``.gpkg``, ``.geojson``, ``.parquet`` …), or a mask of classes.
        column: of the points that names the class.
        pure: share of a cell that must carry one class of a mask.
        unlabelled: the number of a mask that means "not known", besides its no-data; None if there is none.
    """

    path: Path
    column: str = "class"
    pure: float = 0.5
    unlabelled: int | None = 0


@dataclass(frozen=True)
class CellLabels:
    """What is known of some cells.

    Attributes:
        rows: ``(n,)``.
        cols: ``(n,)``.
        classes: ``(n,)``, indices into `names`.
        names: of the classes.
    """

    rows: I64
    cols: I64
    classes: I64
    names: tuple[str, ...]

    def only(self, keep: NDArray[np.bool_] | I64) -> CellLabels:
        """Some of the cells."""
        return CellLabels(self.rows[keep], self.cols[keep], self.classes[keep], self.names)

    def with_more(self, more: CellLabels) -> CellLabels:
        """These and others of the same classes; a cell may then stand here twice."""
        rows, cols = np.concatenate([self.rows, more.rows]), np.concatenate([self.cols, more.cols])
        return CellLabels(rows, cols, np.concatenate([self.classes, more.classes]), self.names)

    def among(self, names: tuple[str, ...], source: str) -> CellLabels:
        """The same labels, as indices into the `names` of others.

        Raises:
            UnknownName: one of these classes is not among them.
        """
        places = {name: index for index, name in enumerate(names)}
        for index in np.unique(self.classes):
            if self.names[index] not in places:
                raise UnknownName.among(self.names[index], names, f"learnt class (in {source})")
        lookup = np.array([places.get(name, -1) for name in self.names], np.int64)
        return CellLabels(self.rows, self.cols, lookup[self.classes], names)


CellOf = Callable[[NDArray[np.float64], NDArray[np.float64]], I64]
"""From x and y of points to ``(2, n)`` rows and columns of cells; -1 for those that are of none."""


def read_labels(file: LabelFile, grid: Grid, cell_of: CellOf | None = None) -> CellLabels:
    """The labels of the cells of a grid; cells in which points disagree are left out.

    Args:
        file: of labels.
        grid: of the cells.
        cell_of: which cell a point counts for; the one that it lies in if not given.

    Raises:
        FileMissing, UnreadableFile, InputError: no such file, or none of a known kind.
        UnknownName: the points have no such column.
        NoOverlap: no label lies on the grid.
        DatasetError: fewer than two classes, or more than a map can show.
    """
    path = file.path
    if not path.exists():
        raise FileMissing(f"there are no labels at {path}", cure="Give points (.gpkg …) or a mask (.tif).")
    grid.require_crs("the image of these embeddings")
    points = path.suffix.lower() in POINT_FILES
    found = _of_points(file, grid, cell_of) if points else _of_mask(file, grid)
    if not found.classes.size:
        raise NoOverlap(f"no label of {path.name} lies on the embeddings", cure="Check that both show one place.")
    present, classes = np.unique(found.classes, return_inverse=True)
    names = tuple(found.names[index] for index in present)
    if not 2 <= len(names) <= MOST_CLASSES:
        raise DatasetError(
            f"{path.name} labels too few classes, or too many",
            found=f"{len(names)}: {', '.join(names[:8])}",
            expected=f"2 to {MOST_CLASSES}",
            cure="Check the column of the points, or the mask.",
        )
    return CellLabels(found.rows, found.cols, classes.ravel().astype(np.int64), names)


def titles_of(path: Path, names: Sequence[str], language: Language) -> tuple[str, ...]:
    """What classes are called on maps: a mask may carry a name for each of its numbers; points say it themselves."""
    if path.suffix.lower() in POINT_FILES:
        return tuple(names)
    known = {str(number): title for number, title in recorded_classes(path, language).items()}
    return tuple(known.get(name, name) for name in names)


def _of_points(file: LabelFile, grid: Grid, cell_of: CellOf | None) -> CellLabels:
    points = read_points(file.path, file.column, grid.require_crs("the image of these embeddings"))
    t, (x, y) = ~grid.transform, points.places.T
    rows, cols = np.floor(t.d * x + t.e * y + t.f), np.floor(t.a * x + t.b * y + t.c)
    if cell_of is not None:
        rows, cols = cell_of(x, y)
    inside = (rows >= 0) & (rows < grid.height) & (cols >= 0) & (cols < grid.width)
    names, classes = np.unique(points.words[inside], return_inverse=True)
    cells = rows[inside].astype(np.int64) * grid.width + cols[inside].astype(np.int64)
    said = np.unique(np.stack([cells, classes.ravel()], axis=1), axis=0)
    unique, counts = np.unique(said[:, 0], return_counts=True)
    agreed = said[np.isin(said[:, 0], unique[counts == 1])]
    return CellLabels(agreed[:, 0] // grid.width, agreed[:, 0] % grid.width, agreed[:, 1], tuple(map(str, names)))


def _of_mask(file: LabelFile, grid: Grid) -> CellLabels:
    with open_image(file.path) as plain:
        if not np.issubdtype(plain.dtype, np.integer) or len(plain.bands) != 1:
            raise InputError(
                f"{file.path.name} is no mask of classes",
                found=f"{band_count(len(plain.bands))} of {plain.dtype}",
                expected="one band of whole numbers",
                cure="Give a mask, or points.",
            )
        pixel = plain.gsd or 1.0
    factor = min(max(round((ground_sampling_distance(grid) or 1.0) / pixel), 1), _FINEST)
    cells = np.concatenate([np.empty((3, 0), np.int64), *_mask_strips(file, grid, factor)], axis=1)
    present, classes = np.unique(cells[2], return_inverse=True)
    names = tuple(str(number) for number in present)
    return CellLabels(cells[0], cells[1], classes.ravel().astype(np.int64), names)


def _mask_strips(file: LabelFile, grid: Grid, factor: int) -> Iterator[I64]:
    """``(3, n)`` of rows, columns and numbers of the labelled cells, a strip of cells at a time."""
    fine = Grid(grid.height * factor, grid.width * factor, grid.transform @ Affine.scale(1 / factor), grid.crs)
    with open_image(file.path, grid=fine, resampling="nearest") as mask:
        for strip in grid.window.strips(max(1, _ROWS // factor)):
            raster = mask.read(Window(strip.row * factor, 0, strip.height * factor, fine.width))
            values, known = raster.pixels[0].astype(np.int64), raster.valid
            if file.unlabelled is not None:
                known = known & (values != file.unlabelled)
            present = np.unique(values[known])
            if not present.size:
                continue
            shape = (strip.height, factor, grid.width, factor)
            shares = np.stack([((values == n) & known).reshape(shape).mean(axis=(1, 3)) for n in present])
            rows, cols = np.nonzero(shares.max(axis=0) >= file.pure)
            yield np.stack([rows + strip.row, cols, present[shares.argmax(axis=0)[rows, cols]]])
