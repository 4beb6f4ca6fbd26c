"""Finished maps on other pixels: sheet by sheet, or on those of an image that was resampled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from arpent.core import Grid, Strip, writing
from arpent.core.boxes import Box
from arpent.engine import Product
from arpent.engine.job import raster_spec
from arpent.engine.published_maps import publish_map
from arpent.errors import InvalidSetting
from arpent.io import CogWriter, Sheet, open_image, read_ahead
from arpent.store import RunFolder

__all__ = ["check_sheets", "lay_on", "lay_sheets"]

_ROWS = 512


def check_sheets(sheets: Sequence[Sheet], taken: Sequence[str], box: Box | None = None) -> None:
    """Refuses sheets whose maps could not all have their sheet's name.

    Args:
        sheets: to be mapped.
        taken: names of other products.
        box: the part that is mapped alone, if there is one.

    Raises:
        InvalidSetting: there are no sheets, a part of them is mapped, or names would stand for several files.
    """
    if box is not None:
        raise InvalidSetting(
            "a map of a part is not cut into its sheets, some of which it lacks",
            found="both --box and --per-sheet",
            cure="Predict without one of the two.",
        )
    if not sheets:
        raise InvalidSetting(
            "the image is no folder of sheets, so that there is nothing to map sheet by sheet",
            cure="Predict without --per-sheet, or name the folder.",
        )
    twice = [name for name, count in Counter([*(sheet.name for sheet in sheets), *taken]).items() if count > 1]
    if twice:
        raise InvalidSetting(
            "maps of sheets would have one name", found=", ".join(sorted(twice)[:3]), cure="Rename the files."
        )


def lay_sheets(run: RunFolder, product: Product, sheets: Sequence[Sheet], taken: datetime | None) -> None:
    """Publishes a finished map once more, sheet by sheet, each under the sheet's name."""
    for sheet in sheets:
        file = _written(run, product, sheet.grid, f"{sheet.name}.tif")
        publish_map(run, file, raster_spec(product, sheet.grid), taken=taken)


def lay_on(run: RunFolder, product: Product, grid: Grid, taken: datetime | None) -> None:
    """Puts another one, on `grid`, in the place of a finished map."""
    file = run.path / product.file_name
    with open_image(file) as made:
        laid = made.grid.matches(grid)
    found = file if laid else _written(run, product, grid, product.file_name)
    publish_map(run, found, raster_spec(product, grid), taken=taken)


def _written(run: RunFolder, product: Product, grid: Grid, name: str) -> Path:
    """A map on another grid, by nearest pixels, in the scratch folder."""
    target = run.scratch / "laid" / name
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    nothing = 0 if product.nodata is None else product.nodata
    with (
        open_image(run.path / product.file_name, grid=grid, resampling="nearest") as made,
        CogWriter(target, raster_spec(product, grid)) as writer,
    ):
        strips = list(grid.window.strips(_ROWS))
        for window, raster in zip(strips, read_ahead(made.read, strips), strict=True):
            values = np.where(raster.valid, raster.pixels, np.asarray(nothing, raster.pixels.dtype))
            writer.write(Strip(window.row, values.astype(product.dtype, copy=False)))
    return target
