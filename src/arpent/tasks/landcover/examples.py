"""Places that a report shows: where the truth has most to say, and what each model makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from arpent.core import ClassMap, Raster, Window
from arpent.data import PatchLoader, PatchRef, Sample, SampleIndex, normaliser_of
from arpent.data.batches import collate
from arpent.engine import inputs_of
from arpent.io import open_image
from arpent.report import Tile
from arpent.tasks.landcover.acquisitions import describer
from arpent.tasks.landcover.task import most_likely
from arpent.tasks.landcover.trials import Mapper

__all__ = ["choose", "example_tiles"]

_SIDE = 160
"""Side of an example in pixels; a multiple of the stride of every network."""
_LOOKED_AT = 400
"""Places among which examples are chosen, evenly spread."""
_LEAST = 0.02
"""Share of an example that a class must cover to be counted."""


def choose(index: SampleIndex, mapper: Mapper, count: int, codes: str = "") -> list[PatchRef]:
    """The places with most classes, at most one for each image, of different domains as far as there are.

    Args:
        index: samples to choose from.
        mapper: a model that can read them.
        count: of places.
        codes: the code list that the masks are written in.
    """
    samples = index.samples[:: -(-len(index) // _LOOKED_AT)]
    found: list[tuple[int, int, PatchRef]] = []
    with _loader(mapper, codes) as load:
        for number, sample in enumerate(samples):
            places = [PatchRef(sample, window) for window in _windows(_whole(sample))]
            places = places[:: -(-len(places) * len(samples) // _LOOKED_AT)]
            scores = [_variety(load(place).target) for place in places]
            best = int(np.argmax(scores))
            found.append((scores[best], number, places[best]))
    found.sort(key=lambda one: (-one[0], one[1]))
    chosen: list[PatchRef] = []
    for once in (True, False):
        for _, _, ref in found:
            taken = {other.sample.domain for other in chosen}
            if len(chosen) < count and ref not in chosen and not (once and ref.sample.domain in taken):
                chosen.append(ref)
    return chosen


def _whole(sample: Sample) -> Window:
    with open_image(sample.image, sensor=sample.sensor or None) as reader:
        return sample.window or reader.grid.window


def _windows(whole: Window) -> list[Window]:
    rows = range(whole.row, max(whole.row_end - _SIDE, whole.row) + 1, _SIDE)
    cols = range(whole.col, max(whole.col_end - _SIDE, whole.col) + 1, _SIDE)
    return [Window(row, col, _SIDE, _SIDE) for row in rows for col in cols]


def _variety(truth: NDArray[np.int16] | None) -> int:
    assert truth is not None  # asked for
    counts = np.bincount(truth[truth >= 0])
    return int((counts >= _LEAST * _SIDE * _SIDE).sum())


def example_tiles(refs: Sequence[PatchRef], truth: str, mappers: Mapping[str, Mapper], codes: str = "") -> list[Tile]:
    """Pictures of places: the image, the truth, and the answer of each model, all as they are judged.

    Args:
        refs: the places.
        truth: title of the truth's column.
        mappers: by the title of their column; at least one.
        codes: the code list that the masks are written in.
    """
    found = []
    for ref in refs:
        image = _picture(ref)
        columns: dict[str, Raster] = {}
        for title, mapper in mappers.items():
            known, answer = _maps(mapper, ref, codes)
            columns.setdefault(truth, _laid(known, mapper, image))
            columns[title] = _laid(answer, mapper, image)
        found.append(Tile(image, columns))
    return found


def _picture(ref: PatchRef) -> Raster:
    """The image of a place, in all its bands."""
    sample = ref.sample
    with open_image(sample.image, sensor=sample.sensor or None) as reader:
        return reader.read(ref.window.intersect(sample.window or reader.grid.window))


def _maps(mapper: Mapper, ref: PatchRef, codes: str) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Class indices of a place, ``(side, side)``: the truth, -1 where it is not known, and the model's answer."""
    with _loader(mapper, codes) as load:
        patch = load(ref)
    assert patch.target is not None  # asked for
    with torch.inference_mode():
        scores = mapper.bundle.model.eval()(*inputs_of(collate([patch], [ref])))
    answer = most_likely(scores, _classes(mapper))[0].numpy().astype(np.int16)
    return patch.target, np.where(patch.valid, answer, np.int16(-1))


def _laid(indices: NDArray[np.int16], mapper: Mapper, image: Raster) -> Raster:
    """Class indices as a map of an image that begins at the same corner, and may be smaller."""
    height, width = image.grid.shape
    classes, indices = _classes(mapper), indices[:height, :width]
    ids = np.where(indices >= 0, classes.ids[indices], classes.nodata).astype(np.uint8)
    return Raster(ids[None], indices >= 0, image.grid, ("class",))


def _loader(mapper: Mapper, codes: str) -> PatchLoader:
    """Reads what a model is judged by."""
    contract = mapper.bundle.contract
    return PatchLoader(
        normaliser_of(mapper.rule),
        bands=contract.band_names,
        classes=_classes(mapper),
        codes=codes,
        describe=describer(contract.settings),
    )


def _classes(mapper: Mapper) -> ClassMap:
    classes = mapper.bundle.contract.classes
    assert classes is not None  # scored before, which needs them
    return classes
