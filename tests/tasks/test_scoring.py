"""Areas that are corrected for the errors of a map."""

import numpy as np
import pytest

from arpent.core import nomenclature
from arpent.metrics import ConfusionMatrix
from arpent.tasks.landcover import ClassArea, adjusted_areas

CLASSES = nomenclature("commune")


def areas_of(*metres):
    """Areas of the first classes; the others are not on the map."""
    known = {entry.id: value for entry, value in zip(CLASSES.classes, metres, strict=False)}
    return [ClassArea(entry, known.get(entry.id, 0.0), 0.0) for entry in CLASSES.classes]


def matrix_of(*cells):
    """From (truth, map, pixels)."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for truth, said, pixels in cells:
        counts[truth, said] = pixels
    return ConfusionMatrix(CLASSES, counts)


def test_a_class_that_the_map_misses_gets_its_ground_back():
    """A tenth of what the map calls class 0 is class 1: of 1 000 m², 100 change hands."""
    found = adjusted_areas(matrix_of((0, 0, 900), (1, 0, 100), (1, 1, 500)), areas_of(1000.0, 50.0))
    assert found.area.value[:2] == pytest.approx([900.0, 150.0])
    assert found.area.value.sum() == pytest.approx(1050.0)
    margin = 1.96 * 1000 * np.sqrt(0.9 * 0.1 / 999)
    assert found.area.half_width[:2] == pytest.approx([margin, margin], rel=1e-3)


def test_the_truth_of_a_part_stands_for_the_whole():
    part = adjusted_areas(matrix_of((0, 0, 9), (1, 0, 1), (1, 1, 5)), areas_of(1e6, 1e5))
    assert part.area.value[:2] == pytest.approx([9e5, 2e5])


@pytest.mark.parametrize(
    ("matrix", "areas"),
    [
        (matrix_of((0, 0, 9), (1, 1, 1)), areas_of(1000.0, 50.0)),
        (matrix_of((0, 0, 9)), areas_of(1000.0, 50.0)),
        (matrix_of((0, 0, 9)), [ClassArea(entry, None, 0.0) for entry in CLASSES.classes]),
    ],
)
def test_where_there_is_nothing_to_go_by_nothing_is_said(matrix, areas):
    assert adjusted_areas(matrix, areas) is None
