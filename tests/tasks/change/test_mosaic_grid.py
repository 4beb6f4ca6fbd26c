"""Where the pixels of a mosaic lie: all pairs are inside, by the rule of the profile, or the user is asked."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from arpent.core import Grid
from arpent.errors import GeoreferenceMissing, InvalidSetting
from arpent.tasks.change.mosaic_grid import mosaic_grid
from arpent.tasks.change.mosaic_settings import MosaicSettings

UTM = "EPSG:32618"
TO_LAMBERT = {crs: Transformer.from_crs(crs, "EPSG:3979", always_xy=True) for crs in (UTM, "EPSG:32617")}


def grid(left=600_000.0, top=5_000_000.0, resolution=30.0, height=20, width=30, crs=UTM):
    return Grid.north_up(left, top, resolution, height, width, crs)


places = st.builds(
    grid,
    left=st.floats(500_000, 700_000),
    top=st.floats(4_900_000, 5_100_000),
    resolution=st.sampled_from([10.0, 30.0]),
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    crs=st.sampled_from([UTM, "EPSG:32617"]),
)


@settings(max_examples=50)
@given(st.lists(places, min_size=1, max_size=4), st.sampled_from(["arpent", "planaura"]), st.sampled_from([7.5, 40.0]))
def test_every_pair_lies_inside_on_pixels_of_the_size_asked_for(grids, profile, resolution):
    made = mosaic_grid(grids, MosaicSettings(profile=profile, crs="EPSG:3979", resolution=resolution))
    assert made.pixel_width == made.pixel_height == resolution
    slack = 1e-3 * resolution + 1e-6
    corners = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    for one in grids:
        cols, rows = corners[0] * one.width, corners[1] * one.height
        xs, ys = TO_LAMBERT[str(one.crs)].transform(*(one.transform @ (cols, rows)))
        assert made.bounds.left - slack <= min(xs)
        assert max(xs) <= made.bounds.right + slack
        assert made.bounds.bottom - slack <= min(ys)
        assert max(ys) <= made.bounds.top + slack
    phase = (made.transform.c / resolution) % 1
    if profile == "arpent":
        assert min(phase, 1 - phase) < 1e-6


def test_pairs_that_share_their_pixels_keep_them():
    shifted = [grid(left=600_007.0), grid(left=600_007.0 - 90, top=5_000_000.0 + 30)]
    made = mosaic_grid(shifted, MosaicSettings())
    assert made == Grid.north_up(599_917.0, 5_000_030.0, 30.0, 21, 33, UTM)


def test_the_reference_begins_at_the_corner_and_adds_one():
    made = mosaic_grid([grid(left=600_007.0)], MosaicSettings(profile="planaura", crs=UTM, resolution=30))
    assert made == Grid.north_up(600_007.0, 5_000_000.0, 30.0, 21, 31, UTM)
    usual = mosaic_grid([grid()], MosaicSettings(profile="planaura"))
    assert usual.crs is not None
    assert (usual.crs.epsg, usual.pixel_width) == (3979, 30.0)


def test_pixels_that_do_not_fall_together_lie_on_multiples():
    made = mosaic_grid([grid(left=600_007.0), grid(left=600_020.0)], MosaicSettings())
    assert made.transform.c % 30 == 0
    assert made.width == 31


@pytest.mark.parametrize(
    ("grids", "chosen", "cure"),
    [
        ([grid(), grid(crs="EPSG:32617")], {}, "--crs"),
        ([grid(), grid(resolution=10.0)], {}, "--resolution"),
        ([grid()], {"crs": "EPSG:3979"}, "--resolution"),
        ([grid()], {"crs": "EPSG:999999"}, "EPSG:3979"),
        ([grid()], {"crs": "nonsense"}, "EPSG:3979"),
        ([grid()], {"crs": UTM, "resolution": 1e-7}, "resolution"),
        ([Grid.north_up(179.5, 0.5, 0.1, 10, 10, "EPSG:4326")], {"crs": "EPSG:32601", "resolution": 1e5}, None),
    ],
)
def test_what_cannot_be_known_is_asked(grids, chosen, cure):
    if cure is None:
        assert mosaic_grid(grids, MosaicSettings(**chosen)).height >= 1
        return
    with pytest.raises(InvalidSetting) as told:
        mosaic_grid(grids, MosaicSettings(**chosen))
    assert cure in told.value.cure


def test_a_pair_that_the_reference_system_cannot_show_is_told():
    south = Grid.north_up(10, -50, 0.1, 50, 50, "EPSG:4326")
    with pytest.raises(InvalidSetting, match="cannot be brought to"):
        mosaic_grid([south], MosaicSettings(crs="ESRI:102034", resolution=1000))  # the northern half


def test_pairs_across_the_antimeridian_lie_side_by_side():
    across = Grid.north_up(600_000, 7_000_000, 1000, 400, 900, "EPSG:32660")
    made = mosaic_grid([across], MosaicSettings(crs="EPSG:4326", resolution=0.1))
    assert made.bounds.left < 180 < made.bounds.right
    assert made.width < 300  # not once around the earth
    degrees = [Grid.north_up(left, 0.5, 0.125, 10, 10, "EPSG:4326") for left in (179.0, -180.5)]
    for order in (degrees, degrees[::-1]):
        made = mosaic_grid(order, MosaicSettings())
        assert (made.width, made.bounds.right - made.bounds.left) == (14, 1.75)


def test_pictures_without_a_place_have_no_mosaic():
    with pytest.raises(GeoreferenceMissing):
        mosaic_grid([Grid(5, 5)], MosaicSettings())


def test_turned_pairs_lie_inside():
    turned = Grid(30, 30, Affine(20, 8, 600_000, 8, -20, 5_000_000), grid().crs)
    made = mosaic_grid([turned], MosaicSettings(crs=UTM, resolution=25))
    assert np.all(np.array([made.bounds.left, made.bounds.bottom]) <= [turned.bounds.left, turned.bounds.bottom])
