"""What is known of coming dates: read strictly from a table, and told to a model that has learnt to know it ahead."""

import datetime as dt
import json

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import ArpentError, DatasetError, FileMissing, InvalidSetting, UnreadableFile
from arpent.models import load_bundle, save_bundle
from arpent.store import Place
from arpent.tasks.forecast.coming_table import read_coming
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.predicting import foretell

QUICK = {"tile": 48, "ring": 4, "halo": 8, "device": "cpu", "vector": False}


@pytest.fixture(scope="module")
def model(small_forecaster, tmp_path_factory):
    """A forecaster that is told of rain ahead, and whose answer hangs on all that it is told."""
    bundle = load_bundle(small_forecaster(covariates=["rain"], ahead=["rain"]))
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in bundle.model.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return save_bundle(tmp_path_factory.mktemp("told") / "model.safetensors", bundle.model, bundle.contract)


@pytest.fixture(scope="module")
def series(write_series, tmp_path_factory):
    return write_series(tmp_path_factory.mktemp("rainy"), {"a": [20, 19, 18], "b": [12, 13, 14]}, covariates=("rain",))


@pytest.fixture
def told(tmp_path):
    """Writes a table."""

    def make(text, name="coming.csv"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return make


def chances(made, name):
    with rasterio.open(made.run.file(name)) as file:
        return file.read().astype(int)


def warnings_of(made):
    return [one for one in made.run.manifest.warnings if "ahead" in one or "after the issue date" in one]


def test_rain_that_is_foretold_changes_the_forecast_of_its_place(model, series, told, tmp_path):
    def made(name, **more):
        return foretell(series, model, Place(exact=tmp_path / name), ForetellSettings(**QUICK, horizons=1, **more))

    dry = made("dry", coming=str(told("date,rain\n2023-03-19,0\n2023-03-25,0\n", "dry.csv")))
    table = told("domain,date,rain\n,2023-03-19,0\n,2023-03-25,0\nb,2023-03-19,9\n", "wet.csv")
    wet = made("wet", coming=str(table))
    assert warnings_of(dry) == warnings_of(wet) == []
    for name in ("a", "b"):
        same = np.array_equal(
            chances(dry, f"probabilities_2023-03-19_t1_{name}"), chances(wet, f"probabilities_2023-03-19_t1_{name}")
        )
        assert same == (name == "a")
    assert [one.role for one in wet.run.manifest.inputs].count("coming dates") == 1


def test_a_model_that_learnt_rain_ahead_and_is_not_told_says_so(model, series, told, tmp_path):
    def said(name, **more):
        more = {**QUICK, "place": "a", "probabilities": False, **more}
        return warnings_of(foretell(series, model, Place(exact=tmp_path / name), ForetellSettings(**more)))

    untold = (
        "warning: the model has learnt to know rain ahead, and is not told of all the coming dates of a: "
        "it forecasts without, and may be poor; a table tells it by --coming"
    )
    assert said("untold") == [untold]
    first = str(told("date,rain\n2023-03-19,4\n2023-03-25,\n"))
    assert said("first", coming=first) == [untold]
    assert said("near", coming=first, horizons=1) == []
    assert said("none", horizons=0) == []


def test_rain_that_has_fallen_since_is_said_to_be_the_truth(model, write_series, told, tmp_path):
    folder = write_series(tmp_path / "long", {"a": [20, 19, 18, 17]}, covariates=("rain",))
    asked = {**QUICK, "issue": dt.date(2023, 3, 13), "horizons": 1, "probabilities": False}
    made = foretell(folder, model, Place(exact=tmp_path / "run"), ForetellSettings(**asked))
    (truth,) = warnings_of(made)
    assert truth.startswith("warning: a has rain of dates after the issue date, and the model is told")
    asked["coming"] = str(told("date,rain\n2023-03-19,4\n"))
    assert warnings_of(foretell(folder, model, Place(exact=tmp_path / "more"), ForetellSettings(**asked))) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("date,Rain\n2023-03-19,1\n", "Rename 'Rain' to 'rain'"),
        ("day,rain\n2023-03-19,1\n", "the columns day, rain"),
        ("date;rain\n2023-03-19;1\n", "divided by commas"),
        ("date\n2023-03-19\n", "expected date, rain and"),
        ("date,rain,rain\n2023-03-19,1,2\n", "each once"),
        ("", "an empty file"),
        ("date,rain\n", "has no rows"),
        ("date,rain\n19/03/2023,1\n", "line 2: the date '19/03/2023' is not like"),
        ("date,rain\n2023-03-19,much\n2023-03-25,nan\n", "2 bad rows .*line 2: 'much' is no number of rain; line 3"),
        ("date,rain\n2023-03-19,1\n\n2023-03-19,2\n", "line 4: 2023-03-19 is given twice"),
        ("date,rain\n2023-03-19,1,2\n", "line 2: 3 cells for 2 columns"),
        ("date,rain\n2023-03-20,1\n", "line 2: 2023-03-20; expected 2023-03-19, 2023-03-25, 2023-03-31"),
        ("date,rain,domain\n2023-03-19,1,c\n", "line 2: 'c'; expected a, b"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line_and_leaves_nothing(model, series, told, tmp_path, text, words):
    asked = ForetellSettings(**QUICK, coming=str(told(text)))
    with pytest.raises(DatasetError, match=words) as refused:
        foretell(series, model, Place(exact=tmp_path / "run"), asked)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_what_is_no_table_or_comes_to_a_model_that_asks_for_none_is_refused(series, small_forecaster, told, tmp_path):
    with pytest.raises(FileMissing, match="there is no table of coming dates"):
        read_coming(tmp_path / "none.csv", ["rain"])
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00date")
    with pytest.raises(UnreadableFile, match="UTF-8"):
        read_coming(tmp_path / "bytes.csv", ["rain"])
    with pytest.raises(InvalidSetting, match="too large"):
        read_coming(told("date,rain\n" + "2023-03-19,1\n" * 100_000), ["rain"])
    asked = ForetellSettings(**QUICK, coming=str(told("date,rain\n2023-03-19,1\n")))
    with pytest.raises(InvalidSetting, match="train --ahead"):
        foretell(series, small_forecaster(), Place(exact=tmp_path / "run"), asked)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_table_or_one_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(text, "utf-8", errors="replace")
    try:
        rows = read_coming(path, ["rain"])
    except ArpentError as refused:
        assert "\n" not in str(refused)
    else:
        assert all(np.isfinite(list(row.covariates.values())).all() for row in rows)
        json.dumps([str(row.date) for row in rows])
