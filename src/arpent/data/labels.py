"""What the masks of a data set hold: counts by class, and numbers that are no class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap
from arpent.data.sample import Sample
from arpent.data.truth import OutlinePool, drawn
from arpent.errors import DatasetError
from arpent.io import ImageReader, open_image
from arpent.io.annotations import AnnotationReader

__all__ = ["LabelCounts", "count_labels"]

_ROWS = 2048
_NUMBERS = 256


@dataclass(frozen=True)
class LabelCounts:
    """Pixels of a set of masks.

    Attributes:
        by_class: ``(classes,)``, by index.
        unlabelled: pixels without data, or whose number means no data.
        unknown: pixels by number, for numbers that are neither a class nor no data.
    """

    by_class: NDArray[np.int64]
    unlabelled: int
    unknown: Mapping[int, int]

    def require_known(self, classes: ClassMap, settings: str = "task.classes, task.codes") -> None:
        """Raises an error that lists the unknown numbers with their counts, if there are any.

        Args:
            classes: the nomenclature.
            settings: by which another one, or another code list, is chosen.
        """
        if self.unknown:
            raise DatasetError(
                f"masks hold numbers that are no class of {classes.name}",
                found=", ".join(f"{number} ({count} pixels)" for number, count in sorted(self.unknown.items())),
                expected=", ".join(map(str, classes.ids)),
                cure=f"Choose the nomenclature or code list that the masks were made with ({settings}).",
            )


def count_labels(samples: Iterable[Sample], classes: ClassMap, codes: str = "") -> LabelCounts:
    """Counts the pixels of the truth of all samples that have one, each within the sample's window.

    Args:
        samples: with masks, or with outlines, which count on the pixels of their image.
        classes: the nomenclature.
        codes: the code list that masks are written in; the nomenclature's own numbers if empty.
    """
    counts = np.zeros(_NUMBERS, np.int64)
    outside: dict[int, int] = {}
    hidden, outlines = 0, OutlinePool(1)  # blocks of an image stand side by side
    for sample in samples:
        if sample.mask is None:
            continue
        with _opened(sample, sample.mask, classes, codes, outlines) as reader:
            window = reader.grid.window
            # A window counts pixels of the image; on a mask of another grid all of the mask stands for it.
            if sample.window is not None and sample.window in window:
                window = sample.window
            for strip in window.strips(_ROWS):
                raster = reader.read(strip)
                numbers = raster.pixels[0][raster.valid].astype(np.int64)
                hidden += strip.size - numbers.size
                inside = (numbers >= 0) & (numbers < _NUMBERS)
                counts += np.bincount(numbers[inside], minlength=_NUMBERS)
                for number, count in zip(*np.unique(numbers[~inside], return_counts=True), strict=True):
                    outside[int(number)] = outside.get(int(number), 0) + int(count)
    table = classes.index_of_code(codes)
    by_class = np.zeros(len(classes), np.int64)
    np.add.at(by_class, table[table >= 0], counts[table >= 0])
    strange = [number for number in np.flatnonzero(counts).tolist() if table[number] < 0 and number != classes.nodata]
    unknown = {number: int(counts[number]) for number in strange}
    empty = int(counts[classes.nodata]) if table[classes.nodata] < 0 else 0
    return LabelCounts(by_class, hidden + empty, {**unknown, **outside})


def _opened(
    sample: Sample, mask: str, classes: ClassMap, codes: str, outlines: OutlinePool
) -> ImageReader | AnnotationReader:
    if not drawn(mask):
        return open_image(mask, resampling="nearest")
    with open_image(sample.image, sensor=sample.sensor or None) as image:
        return outlines.of(sample, image, classes, codes)
