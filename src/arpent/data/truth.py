"""The truth of a sample on the pixels of its image, whether it is a mask or outlines that people have drawn."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import PurePath

import numpy as np

from arpent.core import ClassMap, Grid
from arpent.data.sample import Sample
from arpent.errors import DatasetError, UnknownName
from arpent.io.annotations import ANNOTATION_FILES, AnnotationReader, Legend, open_annotations
from arpent.io.reader import ImageReader, open_image

__all__ = ["OutlinePool", "drawn", "laid_on", "legend_of", "open_drawn", "require_fitting_masks"]


def drawn(mask: str) -> bool:
    """Whether a truth is a file of outlines."""
    return PurePath(mask).suffix.lower() in ANNOTATION_FILES


def laid_on(mask: ImageReader, image: ImageReader) -> Grid | None:
    """The grid on which a mask has the pixels of an image; None where its own are these.

    Raises:
        DatasetError: they differ in size, and one of them names no place on earth.
    """
    placed = mask.grid.georeferenced and image.grid.georeferenced
    if placed:
        return image.grid
    if mask.grid.shape == image.grid.shape:
        return None
    raise DatasetError(
        f"mask {mask.source} and image {image.source} differ in size and name no place on earth to compare",
        found=f"{mask.grid.width} × {mask.grid.height}",
        expected=f"{image.grid.width} × {image.grid.height}",
        cure="Georeference both, or bring the mask to the size of the image.",
    )


def require_fitting_masks(samples: Iterable[Sample], *, resampled: bool = False) -> None:
    """Refuses masks that cannot be brought to the pixels of their images; only headers are read.

    Args:
        samples: with masks or outlines, or without.
        resampled: whether the images are to be read at other pixel sizes than their own.

    Raises:
        DatasetError: a mask differs in size from its image, or could not follow it to another pixel size.
        NoOverlap: a mask lies elsewhere.
    """
    pairs = {(sample.image, sample.sensor, sample.mask): sample for sample in samples}  # each once, however it is cut
    for sample in pairs.values():
        if sample.mask is None or drawn(sample.mask):
            continue
        with open_image(sample.image, sensor=sample.sensor or None) as image:
            with open_image(sample.mask, resampling="nearest") as mask:
                grid = laid_on(mask, image)
            if grid is not None:
                open_image(sample.mask, resampling="nearest", grid=grid).close()
            elif resampled:
                raise DatasetError(
                    f"mask {sample.mask} names no place on earth, and cannot follow its image to other pixel sizes",
                    cure="Georeference it, or leave 'resample_gsd' out.",
                )


def legend_of(classes: ClassMap, codes: str = "", background: str | None = None) -> Legend:
    """What people may write for a class: its number in the code list, or its name in French or English.

    Args:
        classes: the nomenclature.
        codes: the code list; the nomenclature's own numbers if empty.
        background: class of the ground that nobody has outlined; not known if not given.
    """
    table = classes.index_of_code(codes)
    numbers: dict[str, int] = {}
    for number in np.flatnonzero(table >= 0).tolist():
        entry = classes.classes[int(table[number])]
        # Where several numbers mean one class, the first stands for its name.
        for word in (str(number), entry.en.casefold(), entry.fr.casefold()):
            numbers.setdefault(word, number)
    ground = None
    if background:
        word = background.strip().casefold()
        if word not in numbers:
            raise UnknownName.among(background, numbers, f"class of {classes.name}")
        ground = numbers[word]
    return Legend(numbers, frozenset({str(classes.nodata)} - set(numbers)), ground)


def open_drawn(sample: Sample, image: ImageReader, classes: ClassMap, codes: str = "") -> AnnotationReader:
    """The outlines of a sample on its image.

    The index may name, in columns of their own: ``mask_field``, which holds the classes; ``mask_layer``;
    ``mask_background``, the class of ground without outlines.
    """
    assert sample.mask is not None
    told = _told(sample)
    legend = legend_of(classes, codes, told.get("mask_background"))
    field, layer = told.get("mask_field"), told.get("mask_layer")
    return open_annotations(sample.mask, image.grid, legend, field=field, layer=layer)


def _told(sample: Sample) -> dict[str, str]:
    """What the index says of a file of outlines."""
    return {key: str(value) for key, value in sample.attributes.items() if key.startswith("mask_")}


class OutlinePool:
    """Outlines shared by threads and by all blocks of an image; those that were read longest ago are forgotten.

    Args:
        capacity: images whose outlines are kept.
    """

    def __init__(self, capacity: int = 64) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[tuple[object, ...], AnnotationReader] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, sample: Sample, image: ImageReader, classes: ClassMap, codes: str = "") -> AnnotationReader:
        """The outlines of a sample."""
        # One image may be read at several pixel sizes, and one file hold several layers.
        key = sample.mask, sample.image, image.grid.shape, *sorted(_told(sample).items())
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                found = self._kept[key] = open_drawn(sample, image, classes, codes)
                if len(self._kept) > self._capacity:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
        return found
