"""Places that a report shows: where the truth has most to say, and what each model makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from arpent.core import ClassMap, Raster, Window
from arpent.data import PatchLoader, PatchRef, SampleIndex, normaliser_of
from arpent.io import open_image
from arpent.report import Tile
from arpent.tasks.landcover.trials import Mapper

__all__ = ["choose", "example_tiles"]

_SIDE = 160
"""Side of an example in pixels; a multiple of the stride of every network."""
_LOOKED_AT = 400
"""Samples among which examples are chosen, evenly spread."""
_LEAST = 0.02
"""Share of an example that a class must cover to be counted."""


def choose(index: SampleIndex, classes: ClassMap, count: int) -> list[PatchRef]:
    """The places with most classes, at most one for each image, of different domains as far as there are."""
    step = max(1, len(index) // _LOOKED_AT)
    found: list[tuple[int, int, PatchRef]] = []
    for number, sample in enumerate(index.samples[::step]):
        with open_image(sample.mask or "") as reader:
            whole = sample.window or reader.grid.window
            places = list(_windows(whole))
            scores = [_variety(reader.read(place.intersect(whole)), classes) for place in places]
        best = int(np.argmax(scores))
        found.append((scores[best], number, PatchRef(sample, places[best])))
    found.sort(key=lambda one: (-one[0], one[1]))
    chosen: list[PatchRef] = []
    for once in (True, False):
        for _, _, ref in found:
            taken = {other.sample.domain for other in chosen}
            if len(chosen) < count and ref not in chosen and not (once and ref.sample.domain in taken):
                chosen.append(ref)
    return chosen


def _windows(whole: Window) -> list[Window]:
    rows = range(whole.row, max(whole.row_end - _SIDE, whole.row) + 1, _SIDE)
    cols = range(whole.col, max(whole.col_end - _SIDE, whole.col) + 1, _SIDE)
    return [Window(row, col, _SIDE, _SIDE) for row in rows for col in cols]


def _variety(truth: Raster, classes: ClassMap) -> int:
    counts = np.bincount(truth.pixels[0][truth.valid].astype(np.uint8), minlength=256)[classes.ids]
    return int((counts >= _LEAST * _SIDE * _SIDE).sum())


def example_tiles(refs: Sequence[PatchRef], truth: str, mappers: Mapping[str, Mapper]) -> list[Tile]:
    """Pictures of places: the image, the truth, and the answer of each model.

    Args:
        refs: the places.
        truth: title of the truth's column.
        mappers: by the title of their column.
    """
    found = []
    for ref in refs:
        sample = ref.sample
        with open_image(sample.image, sensor=sample.sensor or None) as reader:
            seen = ref.window.intersect(sample.window or reader.grid.window)
            image = reader.read(seen)
        with open_image(sample.mask or "") as reader:
            maps = {truth: reader.read(seen)}
        for title, mapper in mappers.items():
            ids = _answer(mapper, ref)[: seen.height, : seen.width]
            maps[title] = Raster(ids[None], image.valid, image.grid, ("class",))
        found.append(Tile(image, maps))
    return found


def _answer(mapper: Mapper, ref: PatchRef) -> NDArray[np.uint8]:
    """Class numbers of a place, ``(side, side)``."""
    contract = mapper.bundle.contract
    classes = contract.classes
    assert classes is not None  # scored before, which needs them
    with PatchLoader(normaliser_of(mapper.rule), bands=contract.band_names, classes=classes) as load:
        patch = load(ref)
    with torch.inference_mode():
        scores = mapper.bundle.model.eval()(torch.from_numpy(np.ascontiguousarray(patch.image))[None])
    return np.asarray(classes.ids[scores[0].argmax(dim=0).numpy()], np.uint8)
