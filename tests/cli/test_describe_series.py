"""``arpent describe series``, as it is typed."""

import json
from datetime import date, timedelta

import pyarrow.parquet as pq
import pytest

from arpent.language import Measured
from arpent.tasks.describe.table import Measurement, table_of


def _rows(parcels, crop=None):
    rows = []
    for number in range(parcels):
        peak = 100 if number % 2 else 160
        for step in range(10):
            day = 60 + 15 * step
            value = 0.2 + 0.6 * max(0.0, 1 - ((day - peak) / 60) ** 2) + 0.001 * number
            when = date(2021, 1, 1) + timedelta(days=day)
            grown = None if crop is None else crop[number % 2]
            measured = Measured(f"p{number}", {"NDVI": value, "NDMI": value - 0.4}, taken=when, crop=grown, place="v")
            rows.append(Measurement(measured, f"S2_{day}", 9))
    return table_of(rows, ["NDVI", "NDMI"])


@pytest.fixture
def table(tmp_path):
    pq.write_table(_rows(4), tmp_path / "table.parquet")
    return tmp_path / "table.parquet"


def test_seasons_of_a_table(arpent, table, tmp_path):
    said = arpent("describe", "series", table, "-o", tmp_path / "run", "--charts", 1)
    assert said.code == 0, said.err
    assert "p0" in said.out and "→" in said.out and "report.html" in said.out
    assert (tmp_path / "run" / "season-001.png").is_file()


def test_as_one_document_in_french(arpent, table, tmp_path):
    said = arpent("describe", "series", table, "-o", tmp_path / "run", "--charts", 0, "--language", "fr", "--json")
    document = json.loads(said.out)
    first = document["seasons"][0]
    assert first["turns"][0]["kind"] == "peak"
    assert "NDVI" in first["text"]["fr"]
    assert document["crops"] is None


def test_crops_are_learnt_named_and_their_worth_is_told(arpent, table, tmp_path):
    pq.write_table(_rows(40, ("maize", "wheat")), tmp_path / "labels.parquet")
    said = arpent(
        *("describe", "series", table, "-o", tmp_path / "run", "--charts", 0, "--crops", tmp_path / "labels.parquet")
    )
    assert said.code == 0, said.err
    assert "Crops were learnt from 40 parcels of 2 crops" in said.err
    assert "maize" in said.out and "wheat" in said.out
    assert "The crop, maize, was learnt" in (tmp_path / "run" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("nowhere.parquet",), 3, "nowhere.parquet"),
        (("nowhere.tif",), 3, "nowhere.tif"),
        (("--confidence", "0.2"), 2, "confidence"),
        (("--crops", "none.parquet"), 3, "none.parquet"),
    ],
)
def test_mistakes_are_told_in_one_line(arpent, table, tmp_path, words, code, told):
    images = () if words[0].endswith((".parquet", ".tif")) else (table,)
    said = arpent("describe", "series", *images, *words, "-o", tmp_path / "run")
    assert said.code == code, said.err
    assert told in said.err
    assert not (tmp_path / "run").exists()
