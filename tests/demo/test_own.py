"""The demo on images of the user's own."""

from __future__ import annotations

import datetime as dt
import shutil

import pytest
from PIL import Image

from arpent.demo import Stage, run_on
from arpent.errors import FileMissing
from arpent.testing.simulation import Simulation, simulate


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three dates of HLS, and one of Sentinel-2, as somebody may have them."""
    folder = tmp_path_factory.mktemp("own")
    dates = tuple(dt.date(year, 9, 10) for year in (2021, 2022, 2023))
    seen = simulate(folder / "made", Simulation(sensor=("hls-s30",), size=64, dates=dates))
    (folder / "data" / "change").mkdir(parents=True)
    for one in seen:
        shutil.copyfile(one.image, folder / "data" / "change" / one.image.name)
        shutil.copyfile(one.quality, folder / "data" / "change" / f"fmask_{one.image.name}")
    image = simulate(folder / "other", Simulation(sensor=("sentinel-2-l2a",), size=32))[0].image
    (folder / "data" / "describe").mkdir()
    shutil.copyfile(image, folder / "data" / "describe" / image.name)
    (folder / "data" / "classify").mkdir()
    for row in range(2):
        Image.new("RGB", (64, 64), (90, 120 + row, 60)).save(folder / "data" / "classify" / f"field-{row}.jpg")
    (folder / "data" / "classify" / "captions.csv").write_text("image,caption\nfield-0.jpg,a green field of maize\n")
    return folder / "data"


def test_each_folder_is_done_and_others_are_said_to_be_absent(data, tmp_path):
    told = []
    done = run_on(Stage(tmp_path / "demo", tell=told.append), data)
    assert list(done) == ["change", "describe", "classify"]
    assert any("land cover: absent" in line for line in told)
    assert all(one.figure is None for one in done.values())
    assert {path.parent.name for path in (tmp_path / "demo").glob("*/manifest.json")} == {
        "change", "change-pair-1", "change-pair-2", "classify", "describe",
    }  # fmt: skip
    assert all(one.product.is_file() for one in done.values())


def test_nothing_known_is_one_line(tmp_path):
    with pytest.raises(FileMissing, match="none of the folders"):
        run_on(Stage(tmp_path / "demo"), tmp_path)
    assert not (tmp_path / "demo").exists()


def test_a_folder_without_images_or_model_says_what_is_missing(tmp_path):
    (tmp_path / "data" / "landcover").mkdir(parents=True)
    with pytest.raises(FileMissing, match="too few images"):
        run_on(Stage(tmp_path / "demo"), tmp_path / "data")
    image = simulate(tmp_path / "made", Simulation(size=8))[0].image
    shutil.copyfile(image, tmp_path / "data" / "landcover" / "ortho.tif")
    with pytest.raises(FileMissing, match="holds no model"):
        run_on(Stage(tmp_path / "demo"), tmp_path / "data")
