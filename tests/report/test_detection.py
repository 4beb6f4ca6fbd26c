"""Charts of how well something is found."""

import numpy as np
from PIL import Image

from arpent.report import DetectionLine, detection
from arpent.report.detection import _steps


def line(recall, precision):
    return DetectionLine("x", np.array(recall), np.array(precision), np.linspace(0, 1, len(recall)), (0.5, 0.5))


def test_a_handful_of_pixels_and_a_wide_bin_draw_no_slope():
    """Of probabilities, half of all change may have the highest; a few pixels above it say nothing."""
    recall, precision = _steps(line([0.0, 0.002, 0.5, 1.0], [0.0, 1.0, 0.9, 0.1]))
    np.testing.assert_array_equal(recall, [0, 0.5, 1])
    np.testing.assert_array_equal(precision, [0.9, 0.9, 0.1])
    nothing = _steps(line([0.0, 0.0], [0.0, 0.0]))
    assert [len(values) for values in nothing] == [1, 1]


def test_the_charts_are_drawn_with_and_without_probabilities(tmp_path):
    one, none = line([0.2, 0.6, 1.0], [1.0, 0.8, 0.1]), line([0.0], [0.0])
    sizes = []
    for said in (None, (np.array([0.1, np.nan]), np.array([0.2, np.nan]))):
        with Image.open(detection([one, none], tmp_path / "d.png", reliability=said)) as drawn:
            sizes.append(drawn.size)
    assert sizes[0][1] == sizes[1][1] and sizes[1][0] == sizes[0][0] * 3 / 2
