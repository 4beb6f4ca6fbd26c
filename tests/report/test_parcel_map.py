"""The map of parcels: a PNG of the shape of the land, in the colours of NDVI."""

import numpy as np
import pytest
from PIL import Image

from arpent.report.parcel_map import Outline, parcel_map
from arpent.report.small_pictures import ndvi_colours


def box(left, bottom, width, height):
    return np.array([[left, bottom], [left + width, bottom], [left + width, bottom + height], [left, bottom + height]])


def test_parcels_have_the_colour_of_their_ndvi_and_north_is_up(tmp_path):
    shown = [Outline([box(2.8, 42.30, 0.01, 0.01)], 0.9), Outline([box(2.8, 42.31, 0.01, 0.01)], 0.0)]
    with Image.open(parcel_map(shown, tmp_path / "a.png", title="NDVI")) as image:
        picture = np.array(image.convert("RGB")).astype(int)
    found = {}
    for name, value in (("green", 0.9), ("bare", 0.0)):
        same = (abs(picture - ndvi_colours(np.array(value)).astype(int)).max(axis=-1) <= 2)[:, :300]
        assert same.sum() > 1000, name
        found[name] = np.nonzero(same)[0].mean()
    assert found["bare"] < found["green"]
    assert parcel_map(shown, tmp_path / "b.png", title="NDVI").read_bytes() == (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize("shape", [(1.0, 1e-4), (1e-4, 1.0), (0.0, 0.0)])
def test_strips_points_and_unknown_values_are_drawn_too(tmp_path, shape):
    path = parcel_map([Outline([box(2.8, 42.3, *shape)], None)], tmp_path / "c.png", language="fr")
    with Image.open(path) as image:
        wide, tall = image.size
    assert 200 < wide < 1200
    assert 200 < tall < 1200
