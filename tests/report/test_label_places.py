"""Labels of charts stand where nothing is below them."""

import numpy as np
from matplotlib.figure import Figure

from arpent.report.label_places import Label, place_labels


def axes():
    figure = Figure(figsize=(4, 3), dpi=72)
    return figure.add_axes((0.1, 0.1, 0.8, 0.8))


def test_a_label_goes_below_where_a_line_runs_above_and_back_where_none_does():
    point = Label(150, 100, "0.31")
    assert place_labels(axes(), [point], [], 7.5)[0][1] > 0
    above = np.array([[100.0, 110.0], [200.0, 110.0]])
    dx, dy = place_labels(axes(), [point], [above], 7.5)[0]
    assert dy < 0
    assert place_labels(axes(), [Label(150, 100, "0.31", above=False)], [], 7.5)[0][1] < 0
    both = [above, above - (0, 20)]
    dx, dy = place_labels(axes(), [point], both, 7.5)[0]
    assert (abs(dx) > 5, dy) == (True, 0.0), "between two lines it stands beside its mark"


def test_labels_keep_clear_of_one_another_and_of_the_scales():
    offsets = place_labels(axes(), [Label(150, 100, "0.31"), Label(153, 100, "0.32")], [], 7.5)
    (one, up), (other, down) = offsets
    assert up != down or abs(one - other - 3) > 15
    left = place_labels(
        axes(), [Label(axes().bbox.x0 + 1, 100, "0.31")], [np.array([[0.0, 110.0], [90.0, 110.0]])], 7.5
    )
    assert left[0][0] > 0, "not on the numbers of the scale"
