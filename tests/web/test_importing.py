"""Predictions of other programs: every bad row is told, good ones are kept, and nothing is imported twice."""

import csv
import json
import os
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from arpent.errors import DatasetError, FileMissing, GeoreferenceMissing, InvalidSetting, UnreadableFile
from arpent.web.index import geojson
from arpent.web.index.predictions import read_predictions

HEAD = ("date", "horizon", "lat", "lon", "prob", "class")
GOOD = ("2026-07-14", "1", "44.1", "1.2", "0.9", "water")


def write_csv(path: Path, *rows: tuple[str, ...], head: tuple[str, ...] = HEAD) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([head, *rows])
    return path


def write_geojson(path: Path, features: list[Any], crs: str | None = None) -> Path:
    document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if crs is not None:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(document))
    return path


def feature(shape: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(shape))}


@pytest.fixture
def load(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`load_predictions` on a map whose imports go to a folder of the test; they are off the map afterwards."""
    from django.conf import settings as site_settings

    from arpent.web.index.importing import load_predictions

    monkeypatch.setattr(site_settings, "DATA_PATH", tmp_path / "data")
    return load_predictions


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, "nix", "no day"),
        (0, "", "no date"),
        (1, "x", "whole number"),
        (1, "1.5", "whole number"),
        (1, "1e99", "whole number"),
        (2, "", "no place"),
        (2, "144", "not on earth"),
        (3, "abc", "no place"),
        (3, "inf", "no place"),
        (4, "1.4", "0 to 1"),
        (4, "nan", "0 to 1"),
        (0, "2026-07-1499", "no day"),
        (2, "4_4.5", "no place"),
        (5, "x" * 300, "300 characters"),
        (5, "a\0b", "cannot be shown"),
    ],
)
def test_each_bad_row_is_told_with_its_number_and_its_reason(
    tmp_path: Path, place: int, value: str, reason: str
) -> None:
    bad = (*GOOD[:place], value, *GOOD[place + 1 :])
    read = read_predictions(write_csv(tmp_path / "a.csv", GOOD, bad, GOOD))
    assert read.numbers == [2, 4]
    (row,) = read.bad
    assert row.number == 3
    assert reason in row.reason


def test_rows_of_other_shapes_are_told(tmp_path: Path) -> None:
    read = read_predictions(write_csv(tmp_path / "a.csv", (*GOOD, "more"), GOOD[:3], GOOD))
    assert [row.number for row in read.bad] == [2, 3]
    features = [feature(shapely.Point(1, 44)), 5, {"type": "Feature", "properties": 3}, {"type": "Feature"}]
    read = read_predictions(write_geojson(tmp_path / "a.geojson", features))
    assert [row.number for row in read.bad] == [2, 3, 4]
    knot = feature(shapely.from_wkt("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"))
    (row,) = read_predictions(write_geojson(tmp_path / "b.geojson", [knot])).bad
    assert "Self-intersection" in row.reason


def test_outlines_in_any_declared_system_come_to_degrees(tmp_path: Path) -> None:
    square = shapely.box(650_000, 6_860_000, 650_100, 6_860_100)
    expected = Transformer.from_crs(2154, 4326, always_xy=True).transform(650_000, 6_860_000)
    by_name = write_geojson(tmp_path / "a.geojson", [feature(square)], "urn:ogc:def:crs:EPSG::2154")
    by_text = write_csv(tmp_path / "a.csv", (square.wkt, "0.5"), head=("wkt", "prob"))
    for read in (read_predictions(by_name), read_predictions(by_text, "EPSG:2154")):
        assert not read.bad
        assert shapely.bounds(read.shapes[0])[:2] == pytest.approx(expected, abs=2e-5)  # the meridians lean
    undeclared = read_predictions(write_geojson(tmp_path / "b.geojson", [feature(shapely.Point(1.5, 44.5))]))
    assert shapely.get_coordinates(undeclared.shapes).tolist() == [[1.5, 44.5]]
    assert undeclared.dates == [None]


def test_tables_of_french_spreadsheets_are_read_and_other_letters_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("date;horizon;lat;lon;prob;class\n2026-07-14;1;44,5;1,5;0,25;forêt\n", "utf-8-sig")
    read = read_predictions(path)
    assert shapely.get_coordinates(read.shapes).tolist() == [[1.5, 44.5]]
    assert (read.probs, read.horizons, read.classes) == ([0.25], [1], ["forêt"])
    for encoding in ("latin-1", "utf-16"):
        path.write_text("lat,lon,class\n45,3,forêt\n", encoding)
        with pytest.raises(UnreadableFile, match="no text in UTF-8"):
            read_predictions(path)


def test_a_table_that_is_read_in_parts_is_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = (*GOOD[:4], "1.4", "water")
    file = write_csv(tmp_path / "a.csv", GOOD, bad, GOOD, GOOD, bad)
    whole = read_predictions(file)
    monkeypatch.setattr("arpent.web.index.predictions._AT_ONCE", 2)
    parts = read_predictions(file)
    assert parts.numbers == whole.numbers == [2, 4, 5] and parts.bad == whole.bad and len(whole.bad) == 2
    assert shapely.equals(parts.shapes, whole.shapes).all()
    columns = ("dates", "horizons", "probs", "classes")
    assert all(getattr(parts, name) == getattr(whole, name) for name in columns)


def test_features_are_the_same_wherever_the_file_is_cut_in_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = [
        feature(shapely.Point(650_000.25 + place, 6_860_000), date="2026-07-14", prob=0.125, **{"class": "forêt \\"})
        for place in range(7)
    ]
    features += [True, 12.5e3, feature(shapely.box(650_000, 6_860_000, 650_100, 6_860_100), date="2026-07-14")]
    file = write_geojson(tmp_path / "a.geojson", features, "EPSG:2154")  # which stands behind the features
    whole = read_predictions(file)
    assert whole.numbers == [*range(1, 8), 10] and [row.number for row in whole.bad] == [8, 9]
    for part, count in [(1, 1), (7, 3), (31, 100), (4096, 2)]:
        monkeypatch.setattr("arpent.web.index.geojson._PART", part)
        monkeypatch.setattr("arpent.web.index.predictions._FEATURES_AT_ONCE", count)
        parts = read_predictions(file)
        assert parts.numbers == whole.numbers and parts.bad == whole.bad
        assert parts.classes == whole.classes == ["forêt \\"] * 7 + [None]
        assert shapely.equals(parts.shapes, whole.shapes).all()


def test_numbers_and_words_are_whole_wherever_the_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [12.5e3, -1e-7, 1e5, 120, True, None, 'a"\\é', [], {}]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "name": 1.5, "features": values}))
    for first in range(1, path.stat().st_size + 2):
        monkeypatch.setattr(geojson, "_PART", first)
        assert list(geojson.features_of(path, {})) == values, first


def test_what_is_wrong_is_told_with_its_line_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = [feature(shapely.Point(1, 44)) for _ in range(200)]
    path = write_geojson(tmp_path / "a.geojson", good)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1) + "\n")
    lines = path.read_text().splitlines()
    lines[1500] = " " * 7 + "0,9"
    path.write_text("\n".join(lines))
    for part in (1 << 20, 97):
        monkeypatch.setattr(geojson, "_PART", part)
        with pytest.raises(UnreadableFile, match="line 1501, column "):
            read_predictions(path)


def test_a_member_that_nobody_asks_for_is_not_kept_and_a_huge_one_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "more": "x" * 5000, "features": [5]}))
    members: dict[str, Any] = {}
    assert list(geojson.features_of(path, members)) == [5]
    assert members == {"type": "FeatureCollection"}
    monkeypatch.setattr(geojson, "_PART", 100)
    monkeypatch.setattr(geojson, "_LONGEST", 1000)
    with pytest.raises(UnreadableFile, match="a value of more than"):
        read_predictions(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_single_feature_is_read_in_any_encoding_of_json(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(feature(shapely.Point(1, 44), **{"class": "forêt"}), ensure_ascii=False), encoding)
    assert read_predictions(path).classes == ["forêt"]


def test_a_large_file_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    one = json.dumps(feature(shapely.Point(1, 44), note="x" * 2000))
    with path.open("w") as stream:
        stream.write('{"type": "FeatureCollection", "features": [' + one)
        for _ in range(20_000):
            stream.write("," + one)
        stream.write("]}")
    tracemalloc.start()
    try:
        assert len(read_predictions(path)) == 20_001
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 40 << 20
    assert most < 25 << 20


def test_an_outline_of_ten_thousand_corners_is_a_field_like_others(tmp_path: Path) -> None:
    forest = shapely.Point(1.5, 44.5).buffer(0.1, quad_segs=2500)
    read = read_predictions(write_csv(tmp_path / "a.csv", (forest.wkt, "forest"), head=("wkt", "class")))
    assert not read.bad and shapely.get_num_coordinates(read.shapes[0]) > 10_000
    assert csv.field_size_limit() < 1 << 20, "the limit of other readers stays as it is"


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.geojson", "{", UnreadableFile),
        ("a.geojson", '{"type": "FeatureCollection", "features": 5}', UnreadableFile),
        ("a.geojson", '{"type": "FeatureCollection", "features": [], "crs": {"properties": {"name": "nix"}}}',
         GeoreferenceMissing),
        ("a.geojson", "[" * 100_000, UnreadableFile),
        ("a.geojson", '{"type": ' + "[" * 100_000, UnreadableFile),
        ("a.geojson", '{"type": "FeatureCollection"}', UnreadableFile),
        ("a.geojson", '{"features": []}', UnreadableFile),
        ("a.geojson", '{"type": "FeatureCollection", "features": [1 2]}', UnreadableFile),
        ("a.geojson", '{"type": "FeatureCollection", "features": [1,]}', UnreadableFile),
        ("a.geojson", '{"type": "FeatureCollection", "features": []} and more', UnreadableFile),
        ("a.geojson", '{"type": "FeatureCollection", "features": [], "features": []}', UnreadableFile),
        ("a.geojson", '{"type": "FeatureCollection", "features": [{"a": "' + "x" * 100, UnreadableFile),
        ("a.csv", "date,prob\n2026-01-01,0.5\n", InvalidSetting),
        ("a.csv", "", InvalidSetting),
        ("a.csv", 'lat,lon\n"' + "x" * 200_000, UnreadableFile),
        ("a.csv", 'lat,lon\n"45,3\n46,3\n', UnreadableFile),
        ("a.shp", "", UnreadableFile),
    ],
)  # fmt: skip
def test_files_that_hold_no_predictions_are_one_line(
    tmp_path: Path, name: str, content: str, error: type[Exception]
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(error) as told:
        read_predictions(tmp_path / name)
    assert "\n" not in str(told.value)


@settings(max_examples=40)
@given(rows=st.lists(st.tuples(*[st.text(max_size=8)] * 6), max_size=8))
def test_no_table_whatever_it_holds_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.csv"
    try:
        read = read_predictions(write_csv(path, *rows, GOOD))
    except UnreadableFile:
        return
    assert len(read) >= 0
    assert len(read.numbers) == len(set(read.numbers))
    assert not {row.number for row in read.bad} & set(read.numbers)


def test_good_rows_are_kept_and_seen_and_none_with_strict(load: Callable[..., Any], tmp_path: Path) -> None:
    from arpent.web.index.models import Feature, Layer
    from arpent.web.index.registering import remove

    bad = (*GOOD[:4], "7", "water")
    later = ("2026-07-15", "2", "44.2", "1.3", "0.4", "crop")
    path = write_csv(tmp_path / "preds.csv", GOOD, bad, later)
    with pytest.raises(DatasetError, match="1 bad rows of 3; row 3: prob '7'"):
        load(path, strict=True)
    assert not Layer.objects.filter(name="preds").exists()

    done = load(path)
    assert (done.rows, [row.number for row in done.bad], done.is_new) == (2, [3], True)
    layer = Layer.objects.get(run_id=done.registration.number)
    frames = list(layer.frames.order_by("place"))
    assert [(str(frame.date), frame.horizon, frame.observed) for frame in frames] == [
        ("2026-07-14", 1, False),
        ("2026-07-15", 2, False),
    ]
    assert str(layer.issue) == "2026-07-13"
    assert [entry["en"] for entry in layer.legend["entries"]] == ["crop", "water"]
    (own,) = Feature.objects.filter(frame=frames[1])
    assert json.loads(own.properties)["colour"] == layer.legend["entries"][0]["colour"]
    refused = done.registration.path / "refused.csv"
    assert refused.read_text().splitlines()[1].startswith("3,prob")

    again = load(path)
    assert (again.is_new, again.registration.number) == (False, done.registration.number)
    assert Feature.objects.filter(layer=layer).count() == 2
    with pytest.raises(DatasetError, match="1 bad rows of 3; row 3: prob '7'"):
        load(path, strict=True)
    remove(done.registration.number)


def test_a_run_that_did_not_come_as_far_as_the_map_still_knows_its_bad_rows(
    load: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arpent.web.index import importing
    from arpent.web.index.registering import remove

    path = write_csv(tmp_path / "preds.csv", GOOD, (*GOOD[:4], "7", "water"))
    with monkeypatch.context() as early:
        early.delattr(importing, "register")
        with pytest.raises(NameError):
            load(path)
    with pytest.raises(DatasetError, match="not imported"):
        load(path, strict=True)
    done = load(path)
    assert (done.rows, [row.number for row in done.bad], done.is_new) == (1, [3], True)
    remove(done.registration.number)


def test_imports_come_back_when_the_database_is_lost(load: Callable[..., Any], tmp_path: Path) -> None:
    from django.conf import settings as site_settings

    from arpent.web.index.gathering import everything_known
    from arpent.web.index.models import Run
    from arpent.web.index.registering import register, remove

    done = load(write_csv(tmp_path / "preds.csv", GOOD))
    Run.objects.filter(id=done.registration.number).delete()
    assert done.registration.path in everything_known(Path(site_settings.DATA_PATH))
    assert register(done.registration.path).number == done.registration.number
    assert Run.objects.filter(id=done.registration.number).exists()
    remove(done.registration.number)


def test_the_commands_work_as_they_are_written(
    load: Callable[..., Any],
    new_run: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from arpent.web.index.models import Run
    from arpent.web.index.registering import remove

    known = set(Run.objects.values_list("id", flat=True))
    path = write_csv(tmp_path / "preds.csv", GOOD, (*GOOD[:4], "7", ""))
    call_command("load_predictions", "--file", str(path))
    out, err = capsys.readouterr()
    assert out == "preds.csv: 1 rows are on the map, 1 were left out.\n"
    assert err == "row 3: prob '7' is no number from 0 to 1\n"
    call_command("load_predictions", "--file", str(path))
    assert capsys.readouterr().out == "preds.csv is on the map already.\n"
    run = new_run(tmp_path / "runs", "classify")
    call_command("load_predictions", "--file", str(run / "manifest.json"))
    assert "valley: 1 layers" in capsys.readouterr().out
    call_command("register", str(tmp_path / "runs"))
    assert "on the map already" in capsys.readouterr().out
    with pytest.raises(FileMissing, match="nix"):
        call_command("load_predictions", "--file", str(tmp_path / "nix.csv"))
    for number in set(Run.objects.values_list("id", flat=True)) - known:
        remove(number)


@pytest.fixture
def own_database(site: Path, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Lets the map of this process look at another database for the rest of the test."""
    from django.db import connection

    before = connection.settings_dict["NAME"]

    def look_at(path: str) -> None:
        connection.close()
        connection.settings_dict["NAME"] = path

    yield look_at
    look_at(before)


@pytest.mark.alone
def test_100_000_polygons_are_imported_in_less_than_30_s_and_found_in_less_than_20_ms(
    own_database: Callable[[str], None], root: Path, tmp_path: Path
) -> None:
    """By the commands as they are written; in time of the processor, since other programs may take turns with these."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 10, 100_000), rng.uniform(40, 50, 100_000)
    shapes = json.loads(f"[{','.join(shapely.to_geojson(shapely.box(x, y, x + 0.005, y + 0.005)))}]")
    features = [
        {
            "type": "Feature",
            "properties": {"date": "2026-07-14", "horizon": 1, "class": "wcf"[n % 3]},
            "geometry": shape,
        }
        for n, shape in enumerate(shapes)
    ]
    path = write_geojson(tmp_path / "many.geojson", features)
    data = tmp_path / "map"
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")} | {
        "DATA_PATH": str(data)
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for words in (["migrate"], ["load_predictions", "--file", str(path)]):
        done = subprocess.run(
            [sys.executable, str(root / "manage.py"), *words], capture_output=True, text=True, env=env, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout == "many.geojson: 100,000 rows are on the map, 0 were left out.\n"
    assert after.ru_utime - before.ru_utime < 30

    from arpent.web.index.boxes import Box
    from arpent.web.index.models import Frame
    from arpent.web.index.repository import which

    own_database(str(data / "map.sqlite"))
    frame = Frame.objects.get()
    for box, share in ((Box(2, 42, 2.5, 42.5), 0.0025), (Box(2, 42, 4, 44), 0.04), (Box(0, 40, 9, 49), 0.81)):
        seconds = []
        for _ in range(7):
            start = time.process_time()
            assert which().within(frame.id, box, share=share, after=0, limit=501)
            seconds.append(time.process_time() - start)
        assert np.median(seconds) < 0.020, (box, seconds)
