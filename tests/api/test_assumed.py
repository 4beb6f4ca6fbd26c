"""Where nobody names a model, the one that comes with Arpent does the work, and says what it is worth."""

from __future__ import annotations

import warnings

import pytest
import rasterio
from PIL import Image

import arpent as ap
from arpent.errors import BandMismatch
from arpent.language import LANGUAGES, say
from arpent.store import Place
from arpent.testing.simulation import RadarSimulation, Simulation, simulate

AT_HOME = {"device": "cpu", "runtime": "torch"}


def compared(folder, spoil=None, **settings):
    seen = Simulation(sensor=("hls-s30",), family="openfield", size=48, dates=("2021-09-10", "2022-09-12"))
    before, after = simulate(folder / "valley", seen)
    for one in (before, after) if spoil else ():
        with rasterio.open(one.image, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as image:
            image.write(spoil(image.read()))
    return ap.change(before.image, after.image, output=folder / "run", **settings)


def foretold(folder, **settings):
    simulate(folder / "river", RadarSimulation(size=48, dates=4, scenes=1))
    return ap.forecast(folder / "river", output=folder / "run", horizons=1, vector=False, **settings)


def labelled(folder, **settings):
    Image.new("RGB", (48, 48), (90, 120, 60)).save(folder / "field.jpg")
    return ap.classify(folder / "field.jpg", output=folder / "run", figures=0, **settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "task", "language"),
    [(compared, "change", "fr"), (foretold, "forecast", "en"), (labelled, "classify", "en")],
)
def test_one_line_says_which_model_it_was_and_the_card_says_it_too(make, task, language, tmp_path):
    shipped = f"{task}-nano"
    with pytest.warns(UserWarning, match=shipped) as told:
        run = make(tmp_path, language=language, **AT_HOME)
    better = say(f"result.better_{task}", language)
    line = say("result.assumed", language, model=shipped, better=better)
    (said,) = [one for one in told if shipped in str(one.message)]
    assert str(said.message) == line
    assert said.filename == __file__, "the line that the user wrote, not one of Arpent's"
    assert run.warnings.count(line) == 1
    assert line in repr(run)
    assert shipped in run._repr_html_() and "simul" in run._repr_html_()
    assert shipped in run.manifest.bundle.source


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_a_model_that_is_named_the_run_alone_says_what_it_is_worth(tmp_path, language):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "(?s).*change-nano")
        run = compared(tmp_path, model="change-nano", language=language, **AT_HOME)
    (line,) = [line for line in run.warnings if "change-nano" in line]
    assert line == say("runs.shipped", language, model="change-nano")


@pytest.mark.parametrize(("language", "word"), [("en", "warning:"), ("fr", "attention")])
def test_each_warning_is_called_one_once(tmp_path, language, word):
    """Those of images far from training call themselves so; that nobody has named the model is a line without."""
    with pytest.warns(UserWarning, match="change-nano"):
        run = compared(tmp_path, spoil=lambda pixels: pixels * 4, language=language, **AT_HOME)
    assert len(run.warnings) == 3, "the model, and an image of each date"
    said = [line.strip() for line in repr(run).splitlines()[-3:]]
    assert [(line.startswith(word), line.count(word)) for line in said] == [(True, 1)] * 3, said
    assert run._repr_html_().count(word) == 3


def test_what_the_place_says_is_kept_beside_it(tmp_path):
    told = []
    place = Place(exact=tmp_path / "run", name="valley", doubts=("the dates are guessed",), tell=told.append)
    Image.new("RGB", (48, 48), (90, 120, 60)).save(tmp_path / "field.jpg")
    with pytest.warns(UserWarning, match="classify-nano"):
        run = ap.classify(tmp_path / "field.jpg", output=place, figures=0, **AT_HOME)
    assert run.manifest.name == "valley"
    assert run.warnings[0] == "the dates are guessed" and "classify-nano" in run.warnings[1]
    assert told[:2] == list(run.warnings[:2])


def test_images_that_the_small_model_cannot_read_are_refused_after_the_warning(tmp_path):
    before, after = simulate(tmp_path / "ortho", Simulation(size=32, dates=("2021-09-10", "2022-09-12")))
    with pytest.warns(UserWarning, match="model='planaura-hls'"), pytest.raises(BandMismatch):
        ap.change(before.image, after.image, output=tmp_path / "run", **AT_HOME)
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_land_cover_has_no_such_model_and_asks_for_one():
    with pytest.raises(TypeError, match="'model'"):
        ap.landcover("ortho.tif")
