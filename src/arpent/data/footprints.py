"""Where samples lie on the ground, and how much of it they cover."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from arpent.core import Grid, Window, ground_area, ground_outline
from arpent.data.index import SampleIndex
from arpent.data.sample import Sample
from arpent.errors import DatasetError, GeoreferenceMissing
from arpent.io import open_image

__all__ = ["Footprint", "cut_blocks", "footprints", "located", "with_grids"]

_WORLD = shapely.box(-180, -90, 180, 90)


@dataclass(frozen=True)
class Footprint:
    """The ground of one sample.

    Attributes:
        area: square metres; number of pixels for a picture without georeference.
        ground: outline in degrees of longitude and latitude, in two parts where it crosses the antimeridian; None
            without georeference.
    """

    area: float
    ground: BaseGeometry | None

    def require_ground(self, name: str) -> BaseGeometry:
        """The outline, or an error that names the sample."""
        if self.ground is None:
            raise GeoreferenceMissing(
                f"sample '{name}' has no place on earth",
                cure="Split by domain instead of by block, or georeference the images.",
            )
        return self.ground


def footprints(samples: Iterable[Sample]) -> tuple[Footprint, ...]:
    """The footprint of each sample, from the header of its image."""
    return tuple(_footprint(sample, grid) for sample, grid in with_grids(samples))


def with_grids(samples: Iterable[Sample]) -> Iterator[tuple[Sample, Grid]]:
    """Each sample with the grid of its image; an image that has been cut into thousands of blocks is opened once."""
    known: dict[tuple[str, str], Grid] = {}
    for sample in samples:
        key = sample.image, sample.sensor
        if key not in known:
            with open_image(sample.image, sensor=sample.sensor or None) as reader:
                known[key] = reader.grid
        yield sample, known[key]


def _footprint(sample: Sample, grid: Grid) -> Footprint:
    window = sample.window or grid.window
    if not grid.georeferenced:
        return Footprint(float(window.size), None)
    outline = shapely.Polygon(ground_outline(grid, window))
    return Footprint(ground_area(grid, window), _on_the_globe(outline))


def _on_the_globe(outline: BaseGeometry) -> BaseGeometry:
    """An outline whose longitudes may run past ±180°, folded back."""
    if shapely.contains(_WORLD, outline):
        return outline
    parts = []
    for turn in (-360.0, 0.0, 360.0):
        moved = shapely.transform(outline, lambda points, turn=turn: points + np.array([turn, 0.0]))
        parts.append(shapely.intersection(moved, _WORLD))
    return shapely.union_all(parts)


def located(index: SampleIndex) -> SampleIndex:
    """The same samples, each with the window of pixels that it covers; headers are read where it is not given."""
    return SampleIndex((_located(sample) for sample in index), index.origin)


def _located(sample: Sample) -> Sample:
    if sample.window is not None:
        return sample
    with open_image(sample.image, sensor=sample.sensor or None) as reader:
        return replace(sample, window=reader.grid.window)


def cut_blocks(index: SampleIndex, side: float, margin: float = 0.0) -> SampleIndex:
    """Cuts large images into square blocks, so that parts of one image can be on different sides of a split.

    Blocks follow the rows and columns of each image; the last ones of a row or column are smaller.

    Args:
        index: of the images.
        side: of a block, in metres.
        margin: metres of ground left out between neighbouring blocks, so that what lies on a border is on no side.
    """
    blocks = []
    for sample in index:
        with open_image(sample.image, sensor=sample.sensor or None) as reader:
            gsd, whole = reader.gsd, sample.window or reader.grid.window
        if gsd is None:
            raise GeoreferenceMissing(
                f"{sample.image} has no pixel size in metres", cure="Georeference it, or split by domain."
            )
        step, inset = max(round(side / gsd), 1), round(margin / gsd / 2)
        if 2 * inset >= step:
            raise DatasetError(
                "the margin leaves nothing of the blocks",
                found=f"blocks of {side:g} m with a margin of {margin:g} m",
                cure="Take larger blocks or a smaller margin.",
            )
        for row in range(whole.row, whole.row_end, step):
            for col in range(whole.col, whole.col_end, step):
                block = Window(row, col, step, step).padded(-inset).intersect(whole)
                if block.size:
                    # The name is made anew from the place of the window.
                    blocks.append(replace(sample, window=block, name=f"{sample.name}@{row},{col}"))
    return SampleIndex(blocks, index.origin)
