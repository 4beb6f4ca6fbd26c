"""Masks in the colours of their classes, side by side."""

import numpy as np

from arpent.core import nomenclature
from arpent.tasks.forecast.mask_pictures import mask_table


def test_masks_stand_in_rows_and_columns_in_their_colours():
    classes = nomenclature("sar")
    first, second = np.full((5, 6), 0), np.full((5, 6), -1)
    second[2, 3] = 2
    table = mask_table([[first, second], [second, first]], classes)
    assert table.shape == (3, 14, 16)
    assert table.dtype == np.uint8
    assert tuple(table[:, 0, 0]) == tuple(bytes.fromhex(classes.classes[0].colour[1:]))
    assert tuple(table[:, 2, 13]) == tuple(bytes.fromhex(classes.classes[2].colour[1:]))
    assert tuple(table[:, 0, 12]) == (235, 235, 235)  # unknown
    assert tuple(table[:, 0, 7]) == (255, 255, 255)  # between them
