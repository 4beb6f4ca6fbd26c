"""Pairs and series from indexes and folders, and the patches that are read from them."""

from datetime import date

import numpy as np
import pytest
from affine import Affine

from arpent.core import Grid, Normalisation, Strip, Window
from arpent.data import Augment, Batches, GridPatches, Normaliser, PatchRef, RandomPatches
from arpent.errors import DatasetError
from arpent.io import CogWriter, RasterSpec
from arpent.models import MISSING
from arpent.tasks.change.samples import FrameBatches, FrameLoader, measured, pairs_in, series_in

SIDE = 24
GRID = Grid.north_up(500_000, 5_000_000, 30, SIDE, SIDE, 32631)
BANDS = ("blue", "red")
CLOUD, CLEAR = 1 << 1, 0


def write(path, pixels, grid=GRID, bands=BANDS, nodata=None):
    pixels = np.asarray(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    with CogWriter(path, RasterSpec(grid, bands, str(pixels.dtype), nodata)) as writer:
        writer.write(Strip(0, pixels))
    return path


def image(value, hole=None):
    pixels = np.full((2, SIDE, SIDE), value, np.int16)
    pixels[1] += np.arange(SIDE, dtype=np.int16)
    if hole is not None:
        pixels[:, hole[0], hole[1]] = -9999
    return pixels


@pytest.fixture
def folder(tmp_path):
    """Two places with three dates each; the last pair of dates of the first has clouds, holes and changes."""
    rows = ["image,domain,sensor,date,quality,change"]
    for place in ("a", "b"):
        for number, when in enumerate(("2021-06-01", "2021-09-01", "2022-06-01")):
            hole = (2, 3) if number == 2 else None
            write(tmp_path / place / f"image_{when}.tif", image(100 * (number + 1), hole), nodata=-9999)
            quality = np.full((1, SIDE, SIDE), CLEAR, np.uint8)
            quality[0, 10:12] = CLOUD if number == 1 else CLEAR
            write(tmp_path / place / f"quality_{when}.tif", quality, bands=("quality",))
            change = ""
            if number == 2:
                truth = np.zeros((1, SIDE, SIDE), np.uint8)
                truth[0, 8:14, 5:9] = 3
                write(tmp_path / place / "change.tif", truth, bands=("event",))
                change = f"{place}/change.tif"
            rows.append(f"{place}/image_{when}.tif,{place},hls-s30,{when},{place}/quality_{when}.tif,{change}")
    (tmp_path / "index.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.fixture
def loader():
    rule = Normalisation(origin="test", mean=(100.0, 100.0), std=(10.0, 10.0))
    with FrameLoader(Normaliser(rule), BANDS, ("cloud", "shadow")) as load:
        yield load


def ref(sample, *window):
    return PatchRef(sample, Window(*window) if window else Window(0, 0, SIDE, SIDE))


def test_a_change_mask_belongs_to_the_date_before(folder):
    first, second = pairs_in(folder / "index.csv")
    assert (first.domain, second.domain) == ("a", "b")
    assert first.attributes["frames"] == (
        str(folder / "a/image_2021-09-01.tif"),
        str(folder / "a/image_2022-06-01.tif"),
    )
    assert first.image == first.attributes["frames"][0] and first.mask == str(folder / "a/change.tif")
    assert first.attributes["quality"][0] == str(folder / "a/quality_2021-09-01.tif")
    assert first.date == date(2022, 6, 1)


def test_the_earlier_image_can_be_named(folder):
    row = "a/image_2022-06-01.tif,a/image_2021-06-01.tif,a,a/change.tif"
    (folder / "pairs.csv").write_text(f"image,before,domain,change\n{row}\n")
    (pair,) = pairs_in(folder / "pairs.csv")
    assert pair.image == str(folder / "a/image_2021-06-01.tif") and pair.attributes["quality"] == (None, None)


def test_an_index_without_pairs_says_what_is_missing(folder):
    (folder / "one.csv").write_text("image,change\na/image_2022-06-01.tif,a/change.tif\n")
    with pytest.raises(DatasetError, match="not since which image"):
        pairs_in(folder / "one.csv")
    (folder / "none.csv").write_text("image\na/image_2022-06-01.tif\n")
    with pytest.raises(DatasetError, match="has no pair"):
        pairs_in(folder / "none.csv")


@pytest.mark.parametrize(("dates", "count"), [(1, 6), (2, 4), (3, 2)])
def test_runs_of_dates_of_an_index(folder, dates, count):
    index = series_in(folder / "index.csv", dates)
    assert len(index) == count
    for sample in index:
        names = sample.attributes["frames"]
        assert len(names) == dates and list(names) == sorted(names)


def test_runs_of_dates_of_plain_folders(folder):
    (folder / "index.csv").unlink()
    for path in folder.rglob("*.tif"):
        if not path.name.startswith("image"):
            path.unlink()
    index = series_in(folder, 2)
    assert index.domains == ("a", "b") and len(index) == 4
    with pytest.raises(DatasetError, match="has 4 images"):
        series_in(folder, 4)
    (folder / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no image"):
        series_in(folder / "empty", 1)


def test_a_patch_has_all_dates_and_what_is_known_of_the_truth(folder, loader):
    patch = loader(ref(pairs_in(folder / "index.csv")[0]))
    assert patch.image.shape == (4, SIDE, SIDE)
    assert patch.image[0, 0, 0] == 10 and patch.image[2, 0, 0] == 20  # (200 − 100) ÷ 10, (300 − 100) ÷ 10
    assert patch.image[1, 0, 5] == 10.5
    assert not patch.valid[2, 3] and patch.valid.sum() == SIDE**2 - 1
    assert patch.target[8, 5] == 1 and patch.target[0, 0] == 0
    assert patch.target[2, 3] == -1  # no data at one date
    assert (patch.target[10:12, 5:9] == -1).all()  # a change that clouds hide
    assert (patch.target[10:12, 0:5] == 0).all()  # ground that stayed as it was, under the same clouds


def test_without_a_mask_the_target_says_where_all_dates_show_the_ground(folder, loader):
    sample = next(one for one in series_in(folder / "index.csv", 2) if "2022" in one.attributes["frames"][1])
    target = loader(ref(sample)).target
    assert (target[10:12] == -1).all() and target[2, 3] == -1
    assert (target == 0).sum() == SIDE**2 - 2 * SIDE - 1


def test_windows_that_reach_outside_are_filled(folder, loader):
    sample = pairs_in(folder / "index.csv")[0]
    whole, part = loader(ref(sample)), loader(ref(sample, 20, 20, 8, 8))
    assert (part.image[:, :4, :4] == whole.image[:, 20:, 20:]).all()
    assert not part.valid[4:].any() and (part.target[:, 4:] == -1).all()
    with pytest.raises(DatasetError, match="outside its image"):
        loader(ref(sample, 40, 0, 8, 8))


def test_a_date_on_another_grid_is_brought_to_the_first(folder, loader):
    shifted = Grid.north_up(500_000 - 90, 5_000_000 + 60, 30, SIDE + 6, SIDE + 6, 32631)
    pixels = np.zeros((2, SIDE + 6, SIDE + 6), np.int16)
    pixels[:, 2 : 2 + SIDE, 3 : 3 + SIDE] = image(300)
    write(folder / "a/image_2022-06-01.tif", pixels, shifted)
    patch = loader(ref(pairs_in(folder / "index.csv")[0]))
    assert np.allclose(patch.image[2:], (image(300) - 100) / 10, atol=1e-3)


def test_pictures_of_no_place_must_have_one_size(folder, loader):
    for when, side in (("2021-09-01", SIDE), ("2022-06-01", SIDE + 1)):
        path = folder / f"a/image_{when}.tif"
        write(path, np.zeros((2, side, side), np.int16), Grid(side, side, Affine.identity(), None))
    with pytest.raises(DatasetError, match="differ in size"):
        loader(ref(pairs_in(folder / "index.csv")[0]))


def test_a_quality_layer_of_an_unknown_sensor_is_refused(folder, loader):
    text = (folder / "index.csv").read_text().replace("hls-s30", "")
    (folder / "index.csv").write_text(text)
    with pytest.raises(DatasetError, match="is not known"):
        loader(ref(pairs_in(folder / "index.csv")[0]))


def test_a_quality_layer_may_say_itself_what_it_is(folder, loader):
    text = (folder / "index.csv").read_text().replace("hls-s30", "bd-ortho")
    (folder / "index.csv").write_text(text)
    scenes = np.full((1, SIDE, SIDE), 4, np.uint8)
    scenes[0, 10:12] = 9
    for layer in folder.rglob("quality_*.tif"):
        write(layer, scenes, bands=("SCL",))
    patch = loader(ref(pairs_in(folder / "index.csv")[0]))
    assert (patch.target[10:12, 5:9] == -1).all()  # a change under what only scene classes call a cloud
    assert patch.target[8, 5] == 1


def test_batches_as_the_network_takes_them(folder, loader):
    index = pairs_in(folder / "index.csv")
    plain = FrameBatches(Batches(GridPatches(index, 16), loader, batch_size=4), 2)
    batches = list(plain.epoch(0))
    assert len(batches) == plain.steps() == 2
    image = batches[0]["image"]
    assert image.shape == (4, 2, 2, 16, 16)  # images, bands, dates
    assert image[0, 0, 0, 0, 0] == 10 and image[0, 0, 1, 0, 0] == 20
    assert (image[0, :, :, 2, 3] == MISSING).all()  # at all dates, as any without data makes the patch unknown


def test_no_data_stays_no_data_through_the_augmentation(folder, loader):
    batches = Batches(
        RandomPatches(pairs_in(folder / "index.csv"), SIDE),
        loader,
        batch_size=2,
        augment=Augment(geometry="none", gain=0.2, bias=0.5, noise=0.1),
    )
    (batch,) = FrameBatches(batches, 2).epoch(3)
    assert (batch["image"][:, :, :, 2, 3] == MISSING).all()
    assert (batch["image"] == MISSING).sum() == 2 * 2 * 2


def test_statistics_are_those_of_clear_pixels(folder):
    cloudy = image(200)
    cloudy[:, 10:12] = 9000
    write(folder / "a/image_2021-09-01.tif", cloudy, nodata=-9999)
    index = pairs_in(folder / "index.csv")[:1]
    statistics, first = measured(index, BANDS, ("cloud",))
    assert statistics.high[0] == 300 and statistics.count[0] == 2 * SIDE**2 - 2 * SIDE - 1
    assert first.gsd == pytest.approx(30, rel=0.01)
    everything, _ = measured(index, BANDS, ())
    assert everything.high[0] == 9000
