"""Maps of a part of an image: what the whole map shows there."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp

from arpent.engine.calibration import looked_at
from arpent.errors import GeoreferenceMissing, InvalidSetting, NoOverlap
from arpent.store import Place
from arpent.tasks.landcover import MapSettings, map_image
from arpent.tiling import shards_of

TILES = {"tile": 64, "ring": 8, "halo": 8}


@pytest.fixture(scope="module")
def image(commune_folder):
    return str(next(Path(commune_folder).rglob("image_*.tif")))


@pytest.fixture(scope="module")
def mapped(trained, image, tmp_path_factory):
    """Maps the image, or a part of it; gives the classes, where they lie, and what the loop went over."""
    folder = tmp_path_factory.mktemp("boxes")

    def run(name, source=image, **settings):
        with looked_at() as looks:
            made = map_image(
                source, trained.file("model"), Place(exact=folder / name), MapSettings(**TILES, **settings)
            )
        with rasterio.open(made.path) as file:
            return file.read(1), file.bounds, looks[0]

    return run


def own_pixels(core, shape):
    """The core without the ring along its inner borders, where the whole map mixes tiles of two shards."""
    ring = TILES["ring"]
    return tuple(
        slice(first + ring * (first > 0), last - ring * (last < end))
        for first, last, end in ((core.row, core.row_end, shape[0]), (core.col, core.col_end, shape[1]))
    )


def test_shards_show_what_the_whole_map_shows_there(mapped):
    whole, _, look = mapped("whole")
    shards = shards_of(look.plan, 4)
    assert len({shard.core for shard in shards}) == 4
    for shard in shards:
        bounds = look.grid.crop(shard.window).bounds
        box = (bounds.left, bounds.bottom, bounds.right, bounds.top)
        part, lies, own = mapped(f"shard-{shard.number}", box=box)
        assert lies == pytest.approx(box)
        assert len(own.plan) == shard.tiles
        there = np.zeros_like(whole)
        there[shard.window.slices] = part
        same = own_pixels(shard.core, whole.shape)
        assert whole[same].size > 0.8 * shard.core.size
        np.testing.assert_array_equal(there[same], whole[same])
        assert np.mean(there[shard.core.slices] == whole[shard.core.slices]) > 0.98


def test_a_box_in_another_reference_system_and_at_another_pixel_size(mapped, image):
    with rasterio.open(image) as file:
        left, bottom, *_ = file.bounds
        box = (left + 4, bottom + 4, left + 12, bottom + 10)
        lonlat = rasterio.warp.transform_bounds(file.crs, "EPSG:4326", *box, densify_pts=100)
    _, near, _ = mapped("metres", box=box)
    _, same, _ = mapped("degrees", box=lonlat, box_crs="EPSG:4326")
    assert np.subtract(same, near) == pytest.approx([0, 0, 0, 0], abs=0.5)
    assert near == pytest.approx(box, abs=0.2)


def test_a_box_that_makes_no_sense_is_told_in_a_line(mapped, image, tmp_path):
    with pytest.raises(NoOverlap, match="does not reach the box"):
        mapped("far", box=(0.0, 0.0, 9.0, 9.0))
    with pytest.raises(InvalidSetting, match="the box is empty"):
        mapped("empty", box=(9.0, 0.0, 0.0, 9.0))
    with rasterio.open(image) as file:
        box, profile, pixels = tuple(file.bounds), dict(file.profile), file.read()
    with pytest.raises(InvalidSetting, match="EPSG:nothing"):
        mapped("nowhere", box=box, box_crs="EPSG:nothing")
    with pytest.raises(InvalidSetting, match="cut into its sheets"):
        mapped("sheets", box=box, per_sheet=True)
    del profile["transform"], profile["crs"]
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(tmp_path / "bare.tif", "w", **profile) as file,
    ):
        file.write(pixels)
        file.descriptions = ("red", "green", "blue", "nir")[: profile["count"]]
    with pytest.raises(GeoreferenceMissing):
        mapped("bare", str(tmp_path / "bare.tif"), box=box, sensor="bd-ortho")
