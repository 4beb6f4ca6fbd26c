"""``arpent describe search``, as it is typed."""

import json
from datetime import date

import pyarrow.parquet as pq
import pytest
import shapely

from arpent.language import Measured
from arpent.tasks.describe.table import Measurement, table_of

INDICES = ("NDVI", "NDMI", "EVI2", "BSI", "NDRE")


@pytest.fixture
def runs(tmp_path):
    rows = [
        ("meadow", (0.75, 0.30, 0.5, -0.3, 0.5), 0.0),
        ("maize", (0.70, -0.10, 0.5, -0.2, 0.45), 0.0),
        ("stubble", (0.18, -0.22, 0.1, 0.2, 0.1), 0.9),
    ]
    kept = [
        Measurement(
            Measured(
                name, dict(zip(INDICES, values, strict=True)), {"soil": soil}, taken=date(2022, 6, 1), place="valley"
            ),
            "S2",
            100,
            geometry=shapely.to_wkb(shapely.segmentize(shapely.box(0, 0, 1, 1), 0.05)),  # as squares come
        )
        for name, values, soil in rows
    ]
    (tmp_path / "runs").mkdir()
    pq.write_table(table_of(kept, INDICES), tmp_path / "runs" / "table.parquet")
    return tmp_path / "runs"


def test_words_find_parcels_and_say_why(arpent, runs):
    said = arpent("describe", "search", "dense vegetation, dry", "--in", runs)
    assert said.code == 0, said.err
    assert "maize" in said.out and "dense vegetation (NDVI 0.70)" in said.out and "dry canopy (NDMI −0.10)" in said.out
    assert "searched 3 rows" in said.err


def test_in_french_with_an_answer_that_cites(arpent, runs):
    said = arpent("describe", "search", "sol nu", "--in", runs, "--answer", "--language", "fr")
    assert said.code == 0, said.err
    assert "sol nu (sol nu 90" in said.out
    assert "[1]" in said.out.split("stubble, valley, 1er juin 2022")[1]


def test_as_one_document(arpent, runs):
    said = arpent("describe", "search", "dry", "--in", runs, "--where", "ndvi > 0.5", "--answer", "--json")
    document = json.loads(said.out)
    (hit,) = document["results"]
    assert hit["parcel"] == "maize" and hit["taken"] == "2022-06-01" and hit["reasons"][0]["axis"] == "moisture"
    assert document["answer"]["by"] == "grammar"
    assert document["answer"]["removed"] == []


@pytest.mark.parametrize("ending", ["geojson", "json", "jsonl", "csv", "gpkg", "parquet"])
def test_results_are_written_in_every_format(arpent, runs, tmp_path, ending):
    target = tmp_path / f"found.{ending}"
    said = arpent("describe", "search", "dense", "--in", runs, "-o", target)
    assert said.code == 0, said.err
    assert target.stat().st_size > 0
    if ending == "geojson":
        features = json.loads(target.read_text())["features"]
        assert [feature["properties"]["parcel"] for feature in features] == ["meadow", "maize"]
        assert features[0]["geometry"]["type"] == "Polygon"
        assert len(features[0]["geometry"]["coordinates"][0]) == 5, "points that do not bend it are left out"
        assert features[0]["properties"]["reasons"][0]["named"] == "high"


def test_where_nothing_has_all_that_is_asked(arpent, runs):
    said = arpent("describe", "search", "bare soil, wet", "--in", runs)
    assert "No parcel has all of it" in said.err
    said = arpent("describe", "search", "--in", runs, "--where", "ndvi > 0.9")
    assert said.code == 0
    assert "Nothing fits" in said.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--where", "ndvi > 0.5; drop table parcels"), 2, "not understood at ';"),
        (("--where", "nvdi_mean > 0.5"), 2, "Did you mean 'ndvi_mean'"),
        (("--like", "meadow"), 2, "describe embed"),
        ((), 2, "nothing is looked for"),
        (("dense", "-o", "found.xlsx"), 2, "names no format of results"),
        (("dense", "--model", "m"), 2, "Add --answer"),
        (("dense", "--in", "nowhere"), 3, "there is no nowhere"),
    ],
)
def test_mistakes_are_told_in_one_line(arpent, runs, words, code, told):
    said = arpent("describe", "search", "--in", runs, *words)
    assert said.code == code
    assert told in said.err
    assert said.out == ""
    assert said.err.strip().count("\n") == 0


def test_citations_have_the_numbers_of_the_results_even_beside_a_parcel_that_was_only_told(arpent, runs):
    told = {"place": "valley", "image": "S2", "taken": "2022-06-01", "language": "en"}
    lines = [
        told | {"parcel": "hearsay", "text": "Hedges."},
        told | {"parcel": "meadow", "text": "With hedges beside it."},
    ]
    (runs / "told.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = arpent("describe", "search", "hedges", "--in", runs, "--answer", "--json")
    document = json.loads(said.out)
    places = {hit["parcel"]: place for place, hit in enumerate(document["results"], start=1)}
    assert set(places) == {"hearsay", "meadow"}
    measured = [one for one in document["answer"]["statements"] if "NDVI" in one["text"]]
    assert measured
    assert all(one["cited"] == [places["meadow"]] for one in measured)


def test_an_answer_keeps_to_what_meets_all_that_is_asked(arpent, runs):
    said = arpent("describe", "search", "dense, dry", "--in", runs, "--answer", "--json")
    document = json.loads(said.out)
    assert [hit["parcel"] for hit in document["results"]][:2] == ["maize", "meadow"]
    assert "meadow" not in document["answer"]["text"]
    assert document["answer"]["text"].count("1 June 2022") == 1
