"""Maps of classes, whatever task made the scores."""

import numpy as np
import pytest

from arpent.core import nomenclature
from arpent.engine import class_map, probability_map


def test_classes_that_are_never_predicted_are_passed_over():
    classes = nomenclature("flair-15")
    scores = np.zeros((len(classes), 2, 3), np.float32)
    scores[classes.inactive[0]] = 9.0
    scores[4] = 1.0
    land = class_map("land", "scores", classes, "Land")
    assert (land.finish(scores) == classes.ids[4]).all()
    chances = probability_map("chances", "scores", classes, "Chances", "fr").finish(scores)
    assert chances[classes.inactive[0]].max() == 0
    assert chances.sum(axis=0) == pytest.approx(100.0)


def test_both_say_what_their_bands_hold():
    classes = nomenclature("water")
    land = class_map("now", "scores", classes, "Now", facts={"arpent:step_days": 6})
    assert (land.channels, land.bands, land.overviews, land.nodata) == (2, ("class",), "mode", classes.nodata)
    assert land.facts == {"arpent:step_days": 6}
    assert probability_map("chances", "scores", classes, "", "fr").bands == tuple(classes.labels("fr"))
