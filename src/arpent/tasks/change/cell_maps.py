"""Maps of classes, one per cell, filled in any order and written from top to bottom."""

from __future__ import annotations

from colorsys import hls_to_rgb
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Grid, LandClass, Language, Strip, writing
from arpent.engine.published_maps import publish_map
from arpent.io import CogWriter, RasterSpec, quicklook, recorded_shares
from arpent.report import figures
from arpent.store import RunFolder

__all__ = ["MOST_CLASSES", "CellMap", "class_map"]

MOST_CLASSES = 254
"""A class map is kept in bytes, one of which means no data."""

_ROWS = 512
_GOLDEN = 0.381966  # of a turn: neighbours in the list get hues far apart
_LIGHTS = (0.55, 0.38, 0.72)


def class_map(name: str, labels_en: tuple[str, ...], labels_fr: tuple[str, ...] | None = None) -> ClassMap:
    """A nomenclature of classes numbered from 1, each with a colour of its own; 0 is no data."""
    pairs = zip(labels_en, labels_fr or labels_en, strict=True)
    return ClassMap(
        name=name,
        classes=tuple(LandClass(id=i + 1, en=en, fr=fr, colour=_colour(i)) for i, (en, fr) in enumerate(pairs)),
    )


def _colour(number: int) -> str:
    rgb = hls_to_rgb((0.58 + number * _GOLDEN) % 1.0, _LIGHTS[number % len(_LIGHTS)], 0.6)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


class CellMap:
    """Class numbers on a grid, kept on disk until they are written.

    Args:
        grid: of the map.
        scratch: folder for the unfinished map.
        name: of the product.
    """

    def __init__(self, grid: Grid, scratch: Path, name: str) -> None:
        self.grid, self.name = grid, name
        self._path = scratch / f"{name}.cells"
        with writing(self._path):
            self._cells: NDArray[np.uint8] = np.memmap(self._path, np.uint8, "w+", shape=grid.shape)

    def put(self, rows: NDArray[np.int64], cols: NDArray[np.int64], numbers: NDArray[np.integer]) -> None:
        """Class numbers ``(n,)`` of some cells; cells outside the grid are passed over."""
        inside = (rows >= 0) & (rows < self.grid.height) & (cols >= 0) & (cols < self.grid.width)
        self._cells[rows[inside], cols[inside]] = numbers[inside]

    def publish(
        self, run: RunFolder, classes: ClassMap, *, title: str, language: Language, picture: str | None
    ) -> Path:
        """Writes the map as COG into the run, with its STAC item and, under that name, its picture."""
        spec = RasterSpec(
            self.grid,
            ("class",),
            "uint8",
            nodata=classes.nodata,
            classes=classes,
            overviews="mode",
            title=title,
            language=language,
        )
        file = run.scratch / f"{self.name}.tif"
        with CogWriter(file, spec) as writer:
            for strip in self.grid.window.strips(_ROWS):
                writer.write(Strip(strip.row, np.asarray(self._cells[strip.row : strip.row_end])[None]))
        path = publish_map(run, file, spec)
        self._path.unlink()
        if picture is not None:
            drawn = run.scratch / f"{picture}.png"
            small, shares = quicklook(path, classes=True), recorded_shares(path)
            figures.preview(small, drawn, classes=classes, shares=shares, title=title, language=language)
            run.publish(drawn, kind="picture")
        return path
