"""``arpent simulate``: a folder of images that the other rooms can read."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from rio_cogeo.cogeo import cog_validate

from arpent.cli.app import main
from arpent.core import nomenclature
from arpent.data import SampleIndex
from arpent.errors import InvalidSetting, NotWritable, RunExists, UnknownName
from arpent.io import open_image
from arpent.testing import Commune, Sky
from arpent.testing.simulation import Simulation, simulate

DATES = (dt.date(2021, 7, 1), dt.date(2022, 12, 30))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes, two sensors, two dates."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, Simulation(sensor=("hls-s30", "sentinel-1"), size=70, dates=DATES, scenes=2, clouds=0.2))
    return folder


def test_the_index_is_one_that_training_reads(folder: Path) -> None:
    index = SampleIndex.read(folder / "index.csv")
    assert len(index) == 8
    assert index.domains == ("bocage-0-000", "bocage-0-001")
    assert index.sensors == ("hls-s30", "sentinel-1")
    assert {sample.date for sample in index} == set(DATES)


def test_every_file_is_a_cog_and_named_in_the_index(folder: Path) -> None:
    rows = list(csv.DictReader((folder / "index.csv").read_text().splitlines()))
    named = {row[kind] for row in rows for kind in ("image", "mask", "quality", "change")} - {""}
    assert named == {path.relative_to(folder).as_posix() for path in folder.rglob("*.tif")}
    assert all(row["quality"] for row in rows if row["sensor"] == "hls-s30")
    assert not any(row["quality"] for row in rows if row["sensor"] == "sentinel-1")
    assert [bool(row["change"]) for row in rows] == [False, True] * 4
    for name in named:
        valid, errors, warnings = cog_validate(folder / name)
        assert (valid, errors, warnings) == (True, [], []), name


def test_a_quality_layer_says_which_kind_it_is(tmp_path: Path) -> None:
    """Numbers alone do not: bits of an Fmask, or scene classes."""
    made = simulate(tmp_path, Simulation(sensor=("hls-s30", "bd-ortho", "sentinel-2-l2a"), size=20))
    kinds = {}
    for one in made:
        assert one.quality is not None
        with open_image(one.quality) as reader:
            kinds[one.sensor] = reader.bands
    assert kinds == {"hls-s30": ("Fmask",), "bd-ortho": ("SCL",), "sentinel-2-l2a": ("SCL",)}


def test_files_hold_what_the_commune_shows(folder: Path) -> None:
    commune, sky = Commune(), Sky(clouds=0.2)
    grid = commune.grid("hls-s30", size=70)
    place = folder / "bocage-0-000"
    scene = commune.scene("hls-s30", grid, date=DATES[1], sky=sky)
    expected = {
        "image_hls-s30_2022-12-30.tif": scene.image.pixels,
        "truth_hls-s30_2022-12-30.tif": scene.truth[None],
        "quality_hls-s30_2022-12-30.tif": commune.quality("hls-s30", grid, date=DATES[1], sky=sky)[None],
        "change_hls-s30_2021-07-01_2022-12-30.tif": commune.changes(grid, *DATES)[None],
    }
    for name, pixels in expected.items():
        with open_image(place / name) as image:
            np.testing.assert_array_equal(image.read(image.grid.window).pixels, pixels)
            assert image.grid.matches(grid)
    with open_image(place / "image_hls-s30_2022-12-30.tif", bands=["nir08", "B02"]) as image:
        assert image.nodata == -9999
        assert image.grid.crs == "EPSG:32631"


def test_strips_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arpent.testing.simulation._POINTS_PER_STRIP", 1)
    (made,) = simulate(tmp_path, Simulation(size=50, variant="noisy", family="openfield", seed=3))
    commune = Commune(seed=3, family="openfield", noise=2.0)
    with open_image(made.image) as image:
        whole = commune.view("bd-ortho", commune.grid("bd-ortho", size=50)).pixels
        np.testing.assert_array_equal(image.read(image.grid.window).pixels, whole)


def test_the_permuted_variant_is_another_image_of_the_same_truth(tmp_path: Path) -> None:
    (plain,) = simulate(tmp_path / "plain", Simulation(size=40))
    (dealt,) = simulate(tmp_path / "dealt", Simulation(size=40, variant="permuted"))
    assert plain.mask.read_bytes() == dealt.mask.read_bytes()
    assert plain.image.read_bytes() != dealt.image.read_bytes()


def test_an_earlier_simulation_is_not_lost_by_accident(tmp_path: Path) -> None:
    settings = Simulation(size=16)
    simulate(tmp_path, settings)
    with pytest.raises(RunExists, match="--force"):
        simulate(tmp_path, settings)
    simulate(tmp_path, Simulation(size=20), force=True)
    assert len(SampleIndex.read(tmp_path / "index.csv")) == 1


def test_scenes_must_not_overlap(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="overlap one another"):
        simulate(tmp_path / "out", Simulation(sensor=("hls-s30",), size=500, scenes=2))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotWritable):
        simulate(tmp_path / "file" / "out", Simulation(size=16))


def test_all_means_every_sensor() -> None:
    assert set(Simulation(sensor=("all",)).sensors) >= {"bd-ortho", "sentinel-1", "hls-s30"}
    with pytest.raises(UnknownName, match="Did you mean 'bd-ortho'"):
        _ = Simulation(sensor=("bdortho",)).sensors


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    words = ["simulate", "-o", str(out), "--sensor", "bd-ortho,pleiades-neo", "--size", "24", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["index"] == str(out / "index.csv")
    assert [image["sensor"] for image in told["images"]] == ["bd-ortho", "pleiades-neo"]
    assert all(Path(image["image"]).is_file() for image in told["images"])
    with open_image(told["images"][0]["mask"]) as truth:
        assert set(np.unique(truth.read(truth.grid.window).pixels)) <= set(nomenclature("commune").ids)
    assert main([*words, "--force", "--quiet"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--family", "bocages"], "Did you mean 'bocage'?"),
        (["--sensor", "sentinel"], "no sensor is called 'sentinel'"),
        (["--size", "0"], "size"),
        (["--dates", "yesterday"], "dates"),
        (["--clouds", "2"], "clouds"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["simulate", "-o", str(tmp_path / "out"), *words]) != 0
    told = capsys.readouterr().err.strip()
    assert message in told
    assert "\n" not in told
    assert not (tmp_path / "out").exists()
