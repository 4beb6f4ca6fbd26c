"""Forecasts as run folders: what each product says of its dates, holes, several places, and going on after a stop."""

import datetime as dt
import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from arpent.core import Window
from arpent.core.progress import Silent
from arpent.data import SampleIndex
from arpent.errors import (
    BandMismatch,
    BundleInvalid,
    DatasetError,
    Interrupted,
    InvalidSetting,
    RunExists,
    UnknownName,
)
from arpent.io import open_image
from arpent.models import build, load_bundle, save_bundle
from arpent.store import Place, verify
from arpent.tasks.forecast.answering import open_forecaster
from arpent.tasks.forecast.dataset import Dataset, Frame
from arpent.tasks.forecast.dataset import Place as Spot
from arpent.tasks.forecast.foretold import plan_of
from arpent.tasks.forecast.judging import issues_of, look
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.predicting import foretell
from arpent.testing.items import validate_stac

DAY = dt.date(2023, 3, 1)


@pytest.fixture(scope="module")
def bundle(small_forecaster):
    return small_forecaster()


@pytest.fixture(scope="module")
def pond(write_series, tmp_path_factory):
    """One place of six dates."""
    return write_series(tmp_path_factory.mktemp("pond"), {"pond": [20, 19, 18, 17, 16, 15]})


def settings(**more):
    return ForetellSettings(**{"tile": 48, "ring": 4, "halo": 8, "device": "cpu", **more})


@pytest.fixture(scope="module")
def done(pond, bundle, tmp_path_factory):
    return foretell(pond, bundle, Place(exact=tmp_path_factory.mktemp("done") / "run"), settings())


def pixels(path):
    with rasterio.open(path) as file:
        return file.read()


def test_every_coming_date_has_a_map_probabilities_and_polygons(done):
    names = {product.name for product in done.run.manifest.products}
    for step, date in ((1, "2023-04-06"), (2, "2023-04-12"), (3, "2023-04-18")):
        for kind in ("classes", "probabilities", "polygons"):
            assert f"{kind}_{date}_t{step}" in names
    assert {"classes_2023-03-19", "classes_2023-03-25", "classes_2023-03-31", "timeline", "preview"} <= names
    assert "classes_2023-03-13" not in names  # the forecast does not start from it
    assert verify(done.run).files >= len(done.run.manifest.products)
    chances = pixels(done.run.file("probabilities_2023-04-06_t1"))
    assert chances.shape == (4, 64, 64)
    assert np.abs(chances.astype(int).sum(axis=0) - 100).max() <= 2
    ids = pixels(done.run.file("classes_2023-04-06_t1"))[0]
    assert (np.take_along_axis(chances, ids[None].astype(int) - 1, 0)[0] == chances.max(axis=0)).all()


def test_products_say_when_they_were_issued_when_they_hold_and_what_a_step_is(done):
    product = done.run.manifest.product("classes_2023-04-12_t2")
    item = json.loads((done.run.path / product.stac.file).read_text())
    validate_stac(item)
    facts = item["properties"]
    assert facts["datetime"] == "2023-04-12T00:00:00Z"
    assert facts["forecast:reference_datetime"] == "2023-03-31T00:00:00Z"
    assert facts["forecast:horizon"] == "P12D"
    assert (facts["arpent:horizon"], facts["arpent:step_days"], facts["arpent:acquired"]) == (2, 6.0, False)
    assert any("forecast/v0.2.0" in address for address in item["stac_extensions"])
    title = item["assets"]["data"]["title"]
    assert title.startswith("Forecast for 12 April 2023, issued on 31 March 2023: t+2, 12 days ahead; the step")
    polygons = done.run.manifest.product("polygons_2023-04-12_t2")
    assert json.loads((done.run.path / polygons.stac.file).read_text())["properties"]["forecast:horizon"] == "P12D"
    seen = json.loads((done.run.path / done.run.manifest.product("classes_2023-03-31").stac.file).read_text())
    assert seen["properties"]["datetime"] == "2023-03-31T00:00:00Z"
    assert "forecast:horizon" not in seen["properties"]


def test_the_timeline_holds_all_dates_in_order(done):
    timeline = json.loads(done.run.file("timeline").read_text())
    assert [(one["date"], one["kind"], one["horizon"], one["days"]) for one in timeline["dates"]] == [
        ("2023-03-19", "observed", -2, -12),
        ("2023-03-25", "observed", -1, -6),
        ("2023-03-31", "observed", 0, 0),
        ("2023-04-06", "forecast", 1, 6),
        ("2023-04-12", "forecast", 2, 12),
        ("2023-04-18", "forecast", 3, 18),
    ]
    assert (timeline["format"], timeline["issue"], timeline["step_days"]) == (1, "2023-03-31", 6.0)
    for one in timeline["dates"]:
        assert (done.run.path / one["classes"]).is_file()
        assert sum(one["shares"].values()) == pytest.approx(1)
        assert sum(one["area_m2"].values()) == pytest.approx(64 * 64 * 100, rel=2e-3)
    west, south, east, north = timeline["bbox"]
    assert 3 < (west + east) / 2 < 3.1
    assert 43 < (south + north) / 2 < 44
    assert [one["en"] for one in timeline["classes"]] == ["water", "vegetation", "built", "other"]


def test_the_issue_date_is_mapped_as_evaluations_judge_it(pond, bundle, tmp_path):
    """By all past dates, which correct what its image alone shows."""
    known = load_bundle(bundle)
    with torch.no_grad():
        known.model.head.sharpen.weight.normal_(0, 5, generator=torch.Generator().manual_seed(3))
    sharp, maps = save_bundle(tmp_path / "sharp.safetensors", known.model, known.contract), {}
    for path in (bundle, sharp):
        wanted = settings(issue=DAY + dt.timedelta(days=12), tile=64)
        made = foretell(pond, path, Place(exact=tmp_path / path.stem), wanted)
        model = open_forecaster(path, device="cpu")
        issue = issues_of(Dataset.read(pond).places, model.settings)[0]
        maps[path] = pixels(made.run.file("classes_2023-03-13"))[0]
        judged = look(model, issue, Window(0, 0, 64, 64)).said["predicted"][1].mask
        assert (maps[path] == model.classes.ids[judged]).mean() > 0.999
    assert (maps[bundle] != maps[sharp]).mean() > 0.1


def test_forecasts_of_dates_that_have_come_are_held_against_them(pond, bundle, tmp_path):
    made = foretell(
        pond, bundle, Place(exact=tmp_path / "run"), settings(issue=DAY + dt.timedelta(days=12), language="fr")
    )
    iou = [one.iou for one in made.dates["pond"] if one.kind == "forecast"]
    assert len(iou) == 3
    assert all(set(one) == {"water", "vegetation", "built", "other"} for one in iou)
    assert "iou/t+3/water" in made.run.manifest.metrics
    first = next(one for one in made.dates["pond"] if one.kind == "forecast")
    issued = next(one for one in made.dates["pond"] if one.horizon == 0)
    assert set(first.persistence) == set(first.iou)
    assert 0 < first.persistence["water"] <= 1
    assert issued.persistence == {}
    assert made.notes == ("pond : à partir de 3 dates jusqu’au 13 mars 2023, 3 pas de 6 jours plus loin",)


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(pond, bundle, done, tmp_path):
    class Stops(Silent):
        """Ctrl-C after some tiles."""

        left = 6

        @contextmanager
        def bar(self, *words):
            yield self

        def note(self, text):
            pass

        def advance(self, amount=1):
            self.left -= amount
            if self.left < 0:
                raise KeyboardInterrupt

    place = tmp_path / "run"
    with pytest.raises(Interrupted, match="--resume"):
        foretell(pond, bundle, Place(exact=place), settings(), progress=Stops())
    assert not (place / "manifest.json").exists()
    with pytest.raises(RunExists, match="begun and not finished"):
        foretell(pond, bundle, Place(exact=place), settings())
    again = foretell(pond, bundle, Place(exact=place, resume=True), settings())
    for product in done.run.manifest.products:
        if product.kind == "raster":
            assert (again.run.path / product.file).read_bytes() == (done.run.path / product.file).read_bytes()
    assert again.dates == done.dates


def test_another_process_makes_the_same_maps(pond, bundle, done, tmp_path, elsewhere):
    with elsewhere():
        again = foretell(pond, bundle, Place(exact=tmp_path / "run"), settings())
    for product in done.run.manifest.products:
        if product.kind == "raster":
            assert (again.run.path / product.file).read_bytes() == (done.run.path / product.file).read_bytes()
    assert again.dates == done.dates


def test_where_a_past_date_has_no_data_nothing_is_foretold(pond, bundle, tmp_path):
    folder = tmp_path / "holes"
    shutil.copytree(pond, folder)
    data = Dataset.read(folder)
    with rasterio.open(data.places[0].frames[4].image, "r+") as file:
        values = file.read()
        values[:, 10:20, 30:50] = np.nan
        file.write(values)
    made = foretell(folder, bundle, Place(exact=tmp_path / "run"), settings())
    hole = np.zeros((64, 64), bool)
    hole[10:20, 30:50] = True
    for name, missing in (("classes_2023-04-06_t1", hole), ("classes_2023-03-25", hole), ("classes_2023-03-31", None)):
        with open_image(made.run.file(name)) as image:
            seen = image.read(image.grid.window).valid
        np.testing.assert_array_equal(~seen, np.zeros_like(hole) if missing is None else missing)


def test_several_places_are_mapped_apart(lakes, bundle, tmp_path):
    made = foretell(lakes, bundle, Place(exact=tmp_path / "run"), settings(vector=False, probabilities=False))
    assert sorted(made.dates) == ["ebb", "flow", "pond"]
    names = {product.name for product in made.run.manifest.products}
    assert {"timeline_ebb", "timeline_flow", "preview_pond", "classes_2023-05-12_t3_flow"} <= names
    one = foretell(lakes, bundle, Place(exact=tmp_path / "one"), settings(place="ebb", horizons=1))
    assert [date.horizon for date in one.dates["ebb"]] == [-2, -1, 0, 1]
    assert one.notes[0].endswith(", 1 step of 6 days ahead")


def test_a_model_that_segments_maps_every_observed_date(pond, bundle_of, tmp_path):
    sizes = {"channels": 2, "classes": 4, "widths": [4, 8]}
    found = bundle_of(build("unet", sizes), "unet", sizes, "forecast")
    path = save_bundle(tmp_path / "unet.safetensors", found.model, found.contract)
    made = foretell(pond, path, Place(exact=tmp_path / "run"), settings())
    assert [one.horizon for one in made.dates["pond"]] == [-5, -4, -3, -2, -1, 0]
    assert {one.kind for one in made.dates["pond"]} == {"observed"}
    assert made.notes == ()
    with pytest.raises(InvalidSetting, match="does not look as far ahead"):
        foretell(pond, path, Place(exact=tmp_path / "more"), settings(horizons=1))


def test_a_series_without_georeference_is_foretold_too(write_series, bundle, tmp_path):
    folder = write_series(tmp_path / "plain", {"a": [20, 19, 18]}, crs=None)
    made = foretell(folder, bundle, Place(exact=tmp_path / "run"), settings(vector=False))
    timeline = json.loads(made.run.file("timeline").read_text())
    assert timeline["bbox"] is None
    assert timeline["dates"][0]["area_m2"] == {}


def test_another_step_than_that_of_training_is_said(write_series, bundle, tmp_path):
    folder = write_series(tmp_path / "slow", {"a": [20, 19, 18]}, step=12)
    made = foretell(folder, bundle, Place(exact=tmp_path / "run"), settings(vector=False))
    assert any("steps of 12 days, and the model learnt steps of 6 days" in one for one in made.run.manifest.warnings)
    assert [one.days for one in made.dates["a"]][-3:] == [12, 24, 36]


@pytest.mark.parametrize(
    ("own", "warned"),
    [
        ({"filter": "lee", "filter_settings": {"window": 7, "looks": {"vv": 4.0}}}, False),
        ({"filter": "lee", "filter_settings": {"window": 9}}, True),
        ({"filter": "none", "filter_settings": {}}, True),
        ({}, False),
    ],
    ids=["the same", "another window", "none", "unknown"],
)
def test_another_filter_than_that_of_training_is_said(own, warned, write_series, small_forecaster, tmp_path):
    folder = write_series(tmp_path / "lee", {"a": [20, 19, 18]})
    known = Dataset.read(folder)
    facts = known.facts.model_copy(update={"filter": "lee", "filter_settings": {"window": 7}})
    Dataset.write(folder, known.index, facts)
    found = load_bundle(small_forecaster())
    contract = found.contract.model_copy(update={"recipe": own})
    path = save_bundle(tmp_path / "model.safetensors", found.model, contract)
    made = foretell(folder, path, Place(exact=tmp_path / "run"), settings(vector=False, probabilities=False))
    told = [one for one in made.run.manifest.warnings if "--filter" in one]
    assert len(told) == warned
    assert all("prepared with '--filter lee --window 7'" in one for one in told)


def test_each_place_goes_by_its_own_step(write_series, bundle, tmp_path):
    """Of a place of 6 days and one of 12, neither is foretold by steps of 9 days."""
    folder = tmp_path / "mixed"
    often = Dataset.read(write_series(folder, {"often": [20, 19, 18]}, step=6)).index
    both = Dataset.read(write_series(folder, {"seldom": [20, 19, 18]}, step=12))
    facts = both.facts.model_copy(update={"step_days": 9.0, "regular": False})
    Dataset.write(folder, SampleIndex([*often, *both.index]), facts)
    made = foretell(folder, bundle, Place(exact=tmp_path / "run"), settings(vector=False, probabilities=False))
    assert [one.days for one in made.dates["often"]][-3:] == [6, 12, 18]
    assert [one.days for one in made.dates["seldom"]][-3:] == [12, 24, 36]
    assert json.loads(made.run.file("timeline_seldom").read_text())["step_days"] == 12
    assert [one for one in made.run.manifest.warnings if "steps" in one] == [
        "warning: the series seldom goes by steps of 12 days, and the model learnt steps of 6 days: "
        "it may be poor at these"
    ]


@pytest.fixture
def raw(pond, tmp_path):
    """Copies the first dates of the pond as others leave them: images alone, with names of their own."""

    def make(count, name="image_{}.tif"):
        folder = tmp_path / "raw"
        folder.mkdir()
        for frame in Dataset.read(pond).places[0].frames[:count]:
            shutil.copy(frame.image, folder / name.format(frame.date))
        return folder

    return make


def test_images_are_prepared_for_as_many_dates_as_the_model_looks_at(
    raw, bundle, small_forecaster, bundle_of, tmp_path
):
    """Two dates are enough for a model of two, one for a model that segments; a model of three wants more images."""
    folder, quick = raw(2), {"vector": False, "probabilities": False}
    made = foretell(folder, small_forecaster(past=2), Place(exact=tmp_path / "two"), settings(**quick))
    assert [one.horizon for one in made.dates["raw"]] == [-1, 0, 1, 2, 3]
    with pytest.raises(DatasetError, match=r"too few dates up to 2023-03-07 .* 3 or more.* Add earlier images: "):
        foretell(folder, bundle, Place(exact=tmp_path / "three"), settings(**quick))
    (folder / "image_2023-03-07.tif").unlink()
    sizes = {"channels": 2, "classes": 4, "widths": [4, 8]}
    found = bundle_of(build("unet", sizes), "unet", sizes, "forecast")
    path = save_bundle(tmp_path / "unet.safetensors", found.model, found.contract)
    made = foretell(folder, path, Place(exact=tmp_path / "one"), settings(**quick))
    assert [one.date for one in made.dates["raw"]] == [str(DAY)]


def test_how_images_are_read_can_be_said_where_errors_ask_for_it(raw, pond, small_forecaster, tmp_path):
    folder, model = raw(1, "scene{}x.tif"), small_forecaster(past=1)
    for path in folder.iterdir():
        path.rename(folder / "scene_060_2023.tif")
    quick = {"vector": False, "probabilities": False}
    with pytest.raises(InvalidSetting, match="--date-pattern"):
        foretell(folder, model, Place(exact=tmp_path / "run"), settings(**quick))
    days = settings(**quick, date_pattern=r"scene_(060_2023)")
    with pytest.raises(InvalidSetting, match="060_2023"):
        foretell(folder, model, Place(exact=tmp_path / "run"), days)
    (folder / "scene_060_2023.tif").rename(folder / "scene2023060.tif")
    days = settings(**quick, date_pattern=r"scene(\d{7})", units="linear")
    made = foretell(folder, model, Place(exact=tmp_path / "run"), days)
    assert made.dates["raw"][0].date == "2023-03-01"
    with pytest.raises(InvalidSetting, match=r"prepared already.*--units, --date-pattern"):
        foretell(pond, model, Place(exact=tmp_path / "more"), days)


def test_what_a_model_is_not_told_of_the_weather_is_said(pond, write_series, small_forecaster, tmp_path):
    model, quick = small_forecaster(covariates=["rain", "level"]), {"vector": False, "probabilities": False}
    made = foretell(pond, model, Place(exact=tmp_path / "run"), settings(**quick))
    told = [one for one in made.run.manifest.warnings if "has learnt from rain" in one]
    assert told == [
        "warning: the model has learnt from rain, level, which pond does not tell of all the dates that it looks at: "
        "it forecasts without, and may be poor"
    ]
    known = write_series(tmp_path / "known", {"a": [20, 19, 18]}, covariates=("rain", "level"))
    made = foretell(known, model, Place(exact=tmp_path / "more"), settings(**quick))
    assert not any("has learnt from rain" in one for one in made.run.manifest.warnings)


def test_a_timeline_is_right_wherever_its_run_is_moved(write_series, bundle, tmp_path, monkeypatch):
    """Names of products are relative to the run, and paths of images absolute, wherever the command was typed."""
    write_series(tmp_path / "data", {"a": [20, 19, 18]})
    monkeypatch.chdir(tmp_path)
    made = foretell(Path("data"), bundle, Place(exact=Path("runs/next")), settings(vector=False))
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "run"
    made.run.path.resolve().rename(moved)
    monkeypatch.chdir("/")
    timeline = json.loads((moved / "timeline.json").read_text())
    assert timeline["dates"][0]["image"] == str(tmp_path / "data/a/image_2023-03-01.tif")
    for one in timeline["dates"]:
        assert (moved / one["classes"]).is_file()
        assert one["image"] is None or Path(one["image"]).is_file()


def test_iou_on_dates_that_a_model_has_learnt_from_is_said_to_be_no_measure(write_series, bundle, tmp_path):
    radii = {"a": [20, 19, 18, 17], "b": [12, 13, 14, 15]}
    folder = write_series(tmp_path / "data", radii, sides={"a": "train", "b": "test"})
    quick = {"vector": False, "probabilities": False, "horizons": 1, "issue": DAY + dt.timedelta(days=12)}

    def told(data, model, name):
        made = foretell(data, model, Place(exact=tmp_path / name), settings(**quick))
        assert {one.side for one in made.dates["a"]} == {"train"}
        return [one for one in made.run.manifest.warnings if "IoU" in one]

    (may,) = told(folder, bundle, "alone")
    assert may.startswith(
        "warning: the IoU of a is counted on 4 dates that nothing sets apart from training, 1 March 2023"
    )
    with Place(exact=tmp_path / "trained").begin("forecast-train", "t", {}) as run:
        for sample in Dataset.read(folder).index:
            run.add_input(sample.image, role="image")
        model = run.publish(Path(shutil.copy(bundle, run.scratch / "model.safetensors")), kind="model").file
        run.finish()
    (was,) = told(folder, tmp_path / "trained" / model, "beside")
    assert was.startswith("warning: the model was trained on 4 of the dates of a whose IoU is counted, 1 March 2023")
    other = write_series(tmp_path / "other", {"a": [9, 8, 7, 6], "b": [2, 3, 4, 5]}, sides={"a": "train"})
    assert told(other, tmp_path / "trained" / model, "none") == []


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"issue": dt.date(2023, 3, 2)}, InvalidSetting, "the nearest is --issue 2023-03-01"),
        ({"issue": dt.date(2023, 3, 7)}, DatasetError, "too few dates up to 2023-03-07"),
        ({"horizons": 4}, InvalidSetting, "at most 3"),
        ({"place": "ponds"}, UnknownName, "Did you mean 'pond'"),
    ],
)
def test_what_cannot_be_foretold_is_said_and_leaves_nothing(pond, bundle, tmp_path, more, error, words):
    with pytest.raises(error, match=words):
        foretell(pond, bundle, Place(exact=tmp_path / "run"), settings(**more))
    assert not (tmp_path / "run").exists()


def test_bundles_and_images_of_other_kinds_are_refused(pond, bundle_of, bundle, tmp_path):
    sizes = {"channels": 2, "classes": 4, "widths": [4, 8]}
    other = bundle_of(build("unet", sizes), "unet", sizes, "landcover")
    path = save_bundle(tmp_path / "other.safetensors", other.model, other.contract)
    with pytest.raises(BundleInvalid, match="neither forecasts nor segments"):
        foretell(pond, path, Place(exact=tmp_path / "run"), settings())
    folder = tmp_path / "one"
    shutil.copytree(pond, folder)
    image = Dataset.read(folder).places[0].frames[-1].image
    with rasterio.open(image) as file:
        profile, values = file.profile, file.read(1)
    profile["count"] = 1
    with rasterio.open(image, "w", **profile) as file:
        file.write(values, 1)
        file.descriptions = ("vv",)
    with pytest.raises(BandMismatch, match="has no band 'vh'"):
        foretell(folder, bundle, Place(exact=tmp_path / "run"), settings())


def test_days_after_the_last_image_are_a_step_apart():
    frames = tuple(Frame(DAY + dt.timedelta(days=day), f"{day}.tif") for day in (0, 6, 12, 24))
    spot = Spot("a", frames)
    plan = plan_of(spot, 2, 3, step=6, issue=frames[2].date)
    assert [(one.horizon, (one.date - plan.issue).days, one.frame is not None) for one in plan.coming] == [
        (1, 12, True),
        (2, 18, False),
        (3, 24, False),
    ]
    assert plan.observed == plan.past == frames[1:3]
    assert plan_of(spot, 2, 1, step=6, everything=True).observed == frames
