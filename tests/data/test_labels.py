from __future__ import annotations

import numpy as np
import pytest

from arpent.core import Window, nomenclature
from arpent.data import Sample, count_labels
from arpent.errors import DatasetError

COMMUNE = nomenclature("commune")


def test_pixels_are_counted_by_class(write_tiff):
    mask = np.array([[[1, 1, 3, 0], [5, 5, 5, 255]]], np.uint8)
    path = str(write_tiff("m.tif", mask, nodata=255))
    counts = count_labels([Sample(path, path), Sample(path)], COMMUNE)
    assert counts.by_class[COMMUNE.index_of_id[[1, 3, 5]]].tolist() == [2, 1, 3]
    assert counts.by_class.sum() == 6
    assert counts.unlabelled == 2
    assert counts.unknown == {}
    counts.require_known(COMMUNE)


def test_numbers_of_no_class_are_listed_with_their_counts(write_tiff):
    path = str(write_tiff("m.tif", np.array([[[1, 77, 77, -4], [300, 300, 300, 1]]], np.int16)))
    counts = count_labels([Sample(path, path)], COMMUNE)
    assert counts.unknown == {-4: 1, 77: 2, 300: 3}
    with pytest.raises(DatasetError, match=r"found -4 \(1 pixels\), 77 \(2 pixels\), 300 \(3 pixels\)"):
        counts.require_known(COMMUNE)


def test_only_the_window_of_a_sample_counts(write_tiff):
    path = str(write_tiff("m.tif", np.repeat(np.array([[[1, 3]]], np.uint8), 4, 1)))
    counts = count_labels([Sample(path, path, window=Window(1, 0, 2, 1))], COMMUNE)
    assert counts.by_class.sum() == 2
    assert counts.by_class[COMMUNE.index_of_id[1]] == 2
