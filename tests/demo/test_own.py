"""The demo on images of the user's own."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path

import pytest
import rasterio
from PIL import Image

from arpent.demo import Stage, run_on
from arpent.errors import FileMissing, PartialFailure, RunExists
from arpent.language import LANGUAGES, say
from arpent.models.published import published_model
from arpent.models.shipped import shipped_bundle, shipped_names
from arpent.store import open_run, verify
from arpent.tasks.describe.texts import read_texts
from arpent.testing.simulation import RadarSimulation, Simulation, simulate
from arpent.web.products import layers_of


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
    _series(folder, folder / "data" / "forecast", 4)
    return folder / "data"


def _series(made, folder, dates):
    """Radar images of a river as somebody may have them: dated GeoTIFFs, and nothing that says what they are."""
    folder.mkdir(parents=True)
    for one in simulate(made / "radar", RadarSimulation(size=64, scenes=1, dates=dates)):
        shutil.copyfile(one.image, folder / f"S1_{one.date:%Y%m%d}_VVVH.tif")


def test_each_folder_is_done_and_others_are_said_to_be_absent(data, tmp_path):
    told = []
    own = run_on(Stage(tmp_path / "demo", tell=told.append), data)
    done = own.outcomes
    assert list(done) == ["change", "forecast", "describe", "classify"]
    assert not own.failures
    assert any("land cover: absent" in line for line in told)
    assert all(one.figure is None for one in done.values())
    assert {path.parent.name for path in (tmp_path / "demo").glob("*/manifest.json")} == {
        "change", "change-pair-1", "change-pair-2", "classify", "describe", "forecast",
    }  # fmt: skip
    assert all(one.product.is_file() for one in done.values())
    assert "the next 3 dates of 1 radar series by forecast-nano" in done["forecast"].done
    assert any("learnt from level, rain" in line for line in told)  # which nobody tells of one's own images
    assert done["describe"].done.startswith("1 parcel on 1 image, 2 texts in English and French by describe-nano, ")
    _on_the_map(tmp_path / "demo" / "describe", "model")
    for name in ("change-pair-1", "change", "forecast", "describe", "classify"):
        said = say("demo.own_shipped", "en", model=f"{name.split('-')[0]}-nano")
        assert open_run(tmp_path / "demo" / name).manifest.warnings.count(said) == 1, name
        assert told.count(said) == 1, "of change, too, whose runs are three"


def test_a_model_beside_the_images_is_taken_without_a_word(data, tmp_path):
    told = []
    shutil.copytree(data / "classify", tmp_path / "own" / "classify")
    shutil.copy(shipped_bundle("classify-nano"), tmp_path / "own" / "classify" / "mine.safetensors")
    assert not run_on(Stage(tmp_path / "demo", tell=told.append), tmp_path / "own").failures
    run = open_run(tmp_path / "demo" / "classify")
    assert run.manifest.bundle.source.endswith("mine.safetensors")
    assert not _shipped_said(told, run)


def test_images_that_the_model_cannot_see_are_told_by_the_grammar(data, tmp_path):
    """HLS has neither the red edges nor the pixels of Sentinel-2; indices can be measured all the same."""
    told, own = [], tmp_path / "own"
    (own / "describe").mkdir(parents=True)
    shutil.copy(min((data / "change").glob("[!f]*.tif")), own / "describe")
    done = run_on(Stage(tmp_path / "demo", language="fr", tell=told.append), own)
    assert not done.failures
    assert (
        done.outcomes["describe"].done
        == "1 parcelle sur 1 image, 2 textes rédigés en français et en anglais par la grammaire"
    )
    assert done.outcomes["describe"].product.is_file()
    (line,) = [one for one in told if one.startswith("les textes sont tirés des seules mesures, sans describe-nano : ")]
    assert "B05" in line and "\n" not in line
    assert not _shipped_said(told, open_run(tmp_path / "demo" / "describe")), "nothing in them is of the model"
    _on_the_map(tmp_path / "demo" / "describe", "grammar")


def _shipped_said(told, run):
    """What is said of models that come with Arpent, on the terminal and by a run."""
    lines = {say("demo.own_shipped", spoken, model=name) for spoken in LANGUAGES for name in shipped_names()}
    return [line for line in (*told, *run.manifest.warnings) if line in lines]


def _on_the_map(path, writer):
    """The run of texts: true sentences in both languages by that writer, and their parcels for the map."""
    run = open_run(path)
    verify(run)
    assert [layer.kind for layer in layers_of(run) if layer.key == "descriptions"] == ["parcels"]
    texts = read_texts(path)
    assert {one.language for one in texts} == {"en", "fr"}
    sentences = [sentence for one in texts for sentence in one.sentences]
    assert {sentence.source for sentence in sentences} >= {writer}
    assert {finding.verdict for sentence in sentences for finding in sentence.findings} == {"supported"}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda first: first.unlink(), "too few dates.*found 2 dates; expected 3 or more"),
        (lambda first: _bare(first, first.with_name("S1_VVVH.tif"), 2), "the date of S1_VVVH.tif is not known"),
        (lambda first: _bare(first, first, 1), "not all dates have VH"),
    ],
    ids=["short", "undated", "one band"],
)
def test_a_series_that_cannot_be_foretold_is_one_line_and_the_rest_is_done(data, tmp_path, spoil, why):
    own, told = tmp_path / "own", []
    _series(tmp_path, own / "forecast", 3)
    shutil.copytree(data / "classify", own / "classify")
    spoil(min((own / "forecast").glob("*.tif")))
    done = run_on(Stage(tmp_path / "demo", tell=told.append), own)
    assert list(done.outcomes) == ["classify"]
    line = next(one for one in told if one.startswith("forecast: cannot be done: "))
    assert re.search(why, line)
    assert "\n" not in line
    assert line.endswith(str(done.failures["forecast"]))
    assert not (tmp_path / "demo" / "forecast").exists()


def test_pictures_that_cannot_be_read_are_told_beside_those_that_can(data, tmp_path):
    own, told = tmp_path / "own", []
    shutil.copytree(data / "classify", own / "classify")
    for name in ("torn", "spoilt"):
        (own / "classify" / f"{name}.jpg").write_bytes(b"no picture at all")
    done = run_on(Stage(tmp_path / "demo", tell=told.append), own)
    failures = done.outcomes["classify"].failures
    assert {one.item.rpartition("/")[2] for one in failures} == {"torn.jpg", "spoilt.jpg"}
    lines = [line for line in told if line.startswith("scenes: left out: ")]
    assert [line.removeprefix("scenes: left out: ") for line in lines] == [one.message for one in failures]
    assert not done.failures
    assert done.outcomes["classify"].done == "2 pictures labelled with captions, 10 labels to choose from"


def test_a_single_picture_without_captions_is_said_to_be_that(data, tmp_path):
    (tmp_path / "own" / "classify").mkdir(parents=True)
    shutil.copy(data / "classify" / "field-0.jpg", tmp_path / "own" / "classify")
    done = run_on(Stage(tmp_path / "demo", language="fr"), tmp_path / "own").outcomes["classify"].done
    assert done == "1 image étiquetée, 10 étiquettes au choix"


def test_a_folder_of_broken_pictures_alone_does_not_stop_the_others(data, tmp_path):
    own = tmp_path / "own"
    (own / "classify").mkdir(parents=True)
    for name in ("torn", "spoilt"):
        (own / "classify" / f"{name}.jpg").write_bytes(b"no picture at all")
    with pytest.raises(PartialFailure, match="none of 2 pictures"):
        run_on(Stage(tmp_path / "alone"), own)
    shutil.copytree(data / "describe", own / "describe")
    shutil.copytree(data / "describe", own / "change")
    done = run_on(Stage(tmp_path / "demo"), own)
    assert list(done.outcomes) == ["describe"]
    assert {name: type(problem) for name, problem in done.failures.items()} == {
        "change": FileMissing, "classify": PartialFailure,
    }  # fmt: skip


def _bare(path, target, bands):
    """Leaves pixels alone, of so many polarisations: no tag tells the date."""
    with rasterio.open(path) as image:
        profile, pixels = image.profile, image.read()[:bands]
    path.unlink()
    with rasterio.open(target, "w", **{**profile, "driver": "GTiff", "count": bands}) as image:
        image.write(pixels)
        image.descriptions = ("vv", "vh")[:bands]


def test_two_grounds_do_not_share_a_folder(data, tmp_path):
    demo, own, other = tmp_path / "demo", tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        shutil.copytree(data / "classify", folder / "classify")
    Stage(demo).open()
    with pytest.raises(RunExists, match=rf"holds the demo of the invented commune, and that of {own} .* -o") as refused:
        run_on(Stage(demo), own)
    assert "\n" not in str(refused.value)
    assert [path.name for path in demo.iterdir()] == ["demo.json"]
    Stage(demo).open()  # the same again
    Stage(tmp_path / "mine").open(own)
    Stage(tmp_path / "mine").open(own / ".." / "own")
    for another in (None, other):
        with pytest.raises(RunExists, match=rf"holds the demo of {own}"):
            Stage(tmp_path / "mine").open(another)


def test_nothing_known_is_one_line(tmp_path):
    with pytest.raises(FileMissing, match="none of the folders"):
        run_on(Stage(tmp_path / "demo"), tmp_path)
    with pytest.raises(FileMissing, match=r"there is no folder .*nowhere"):
        run_on(Stage(tmp_path / "demo"), tmp_path / "nowhere")
    assert not (tmp_path / "demo").exists()


def test_a_folder_without_images_or_model_says_what_is_missing(tmp_path):
    (tmp_path / "data" / "landcover").mkdir(parents=True)
    with pytest.raises(FileMissing, match="too few images"):
        run_on(Stage(tmp_path / "demo"), tmp_path / "data")
    image = simulate(tmp_path / "made", Simulation(size=8))[0].image
    shutil.copyfile(image, tmp_path / "data" / "landcover" / "ortho.tif")
    with pytest.raises(FileMissing, match="holds no model") as missing:
        run_on(Stage(tmp_path / "demo"), tmp_path / "data")
    named = re.search(r"'arpent models fetch ([\w-]+)', then 'arpent models import \1 -o (.+)'", str(missing.value))
    assert named and published_model(named[1]).task == "landcover"
    assert Path(named[2]).parent == tmp_path / "data" / "landcover"
