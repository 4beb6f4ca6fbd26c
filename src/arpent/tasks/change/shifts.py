"""Several predictions of one pair, each with tiles shifted further, become one.

At each pixel all layers come from the prediction that saw least change there (the highest cosine), as in the reference;
unlike there, nothing is cut off, and maps of any shape keep it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Language, Strip, Window
from arpent.engine.published_maps import publish_map
from arpent.io import CogWriter, Compression, ImageReader, RasterSpec, open_image
from arpent.language import say
from arpent.store import RunFolder
from arpent.tasks.change.mosaic_layers import LAYERS, Layer, product_name, reference_layer
from arpent.tasks.change.save_folders import link_or_copy

__all__ = ["fold_shifts"]

_STRIP_BYTES = 64 * 1024 * 1024
"""What a strip of one prediction may take in memory."""


@dataclass(frozen=True)
class _Shifted:
    """A layer of one prediction, laid on the grid of the first."""

    reader: ImageReader
    place: Window

    @classmethod
    def on(cls, grid: Grid, reader: ImageReader) -> _Shifted:
        transform = reader.grid.transform
        col, row = ~grid.transform @ (transform.c, transform.f)
        return cls(reader, Window(round(row), round(col), reader.grid.height, reader.grid.width))

    def read(self, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Pixels and mask of a window of that grid; beyond its own edges it is not valid."""
        pixels = np.zeros((len(self.reader.bands), *window.shape), self.reader.dtype)
        valid = np.zeros(window.shape, bool)
        there = window.intersect(self.place)
        if there.size:
            raster = self.reader.read(there.relative_to(self.place))
            at = there.relative_to(window).slices
            pixels[:, *at], valid[at] = raster.pixels, raster.valid
        return pixels, valid


def fold_shifts(
    run: RunFolder,
    single: RunFolder,
    suffix: str,
    shifted: Sequence[str],
    *,
    compression: Compression = "deflate",
    language: Language = "en",
    without: str = "",
) -> None:
    """Publishes the products of a pair, made from those of several predictions, which stay.

    Args:
        run: under way.
        single: the part of it that holds the products of each prediction.
        suffix: behind the names of the products to make.
        shifted: behind the names of those of each prediction; tables are taken from the first.
        compression: of the maps made.
        language: of titles.
        without: the layer that is not wanted among them.
    """
    sets = [_layers(single, one) for one in shifted]
    lead = reference_layer(set(sets[0]), None)
    for name in [one for one in sets[0] if one != without]:
        file = run.scratch / f"{name}{suffix}.tif"
        with ExitStack() as opened:
            leaders = [opened.enter_context(open_image(files[lead.name])) for files in sets]
            readers = [opened.enter_context(open_image(files[name])) for files in sets]
            spec = replace(_spec(readers[0], LAYERS[name], language), compression=compression)
            sink = CogWriter(file, spec)
            opened.callback(sink.suspend)  # which lets go of a file that was not finished, and of no other
            _fold(leaders, readers, lead, sink)
        publish_map(run, file, spec)
    for name, product in single.published.items():
        if product.kind == "table" and name.endswith(shifted[0]):
            file = single.path / product.file
            renamed = link_or_copy(file, run.scratch / file.name.replace(shifted[0], suffix))
            run.publish(renamed, kind=product.kind, name=name.replace(shifted[0], suffix))


def _layers(run: RunFolder, suffix: str) -> Mapping[str, Path]:
    """The maps of one prediction, by layer."""
    named = {product_name(name): product for name, product in run.published.items() if product.kind == "raster"}
    return {one.layer: run.path / product.file for one, product in named.items() if one and one.suffix == suffix}


def _spec(reader: ImageReader, layer: Layer, language: Language) -> RasterSpec:
    return RasterSpec(
        reader.grid,
        reader.bands,
        str(reader.dtype),
        nodata=reader.nodata,
        overviews="nearest" if layer.kind == "code" else "average",
        title=say(f"change.{layer.name.rstrip('_0123456789')}", language),
    )


def _fold(leaders: Sequence[ImageReader], readers: Sequence[ImageReader], lead: Layer, sink: CogWriter) -> None:
    grid = readers[0].grid
    chosen_by = [_Shifted.on(grid, reader) for reader in leaders]
    taken_from = [_Shifted.on(grid, reader) for reader in readers]
    row_bytes = len(readers[0].bands) * grid.width * readers[0].dtype.itemsize
    empty = 0 if readers[0].nodata is None else readers[0].nodata
    for window in grid.window.strips(max(1, _STRIP_BYTES // row_bytes)):
        best = _best([one.read(window) for one in chosen_by], highest=lead.highest)
        rows = np.full((len(readers[0].bands), *window.shape), empty, readers[0].dtype)
        for number, one in enumerate(taken_from):
            pixels, valid = one.read(window)
            np.copyto(rows, pixels, where=(best == number) & valid)
        sink.write(Strip(window.row, rows))
    sink.close()


def _best(seen: Sequence[tuple[NDArray[np.generic], NDArray[np.bool_]]], *, highest: bool) -> NDArray[np.intp]:
    """Which prediction leads at each pixel; the first of equal ones."""
    sign = 1.0 if highest else -1.0
    scores = [np.where(valid, sign * pixels[0].astype(np.float64), -np.inf) for pixels, valid in seen]
    return np.asarray(np.argmax(np.stack(scores), axis=0))
