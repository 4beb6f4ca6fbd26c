"""``arpent describe indices`` as people use it: golden numbers, five hundred parcels in one run, and bad input."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from rasterio.errors import NotGeoreferencedWarning

from arpent.core import Grid, sensor
from arpent.store import open_run
from arpent.tasks.describe.table import read_measured

GOLDEN = {
    "AnnualCrop_1": (0.18885, -0.06895, 0.10720, 0.13790, 0.17594, 0.05797),
    "AnnualCrop_2": (0.73730, 0.70528, 0.49478, 0.76179, 0.93647, 0.30106),
    "AnnualCrop_3": (0.26964, 0.12495, 0.20057, 0.28411, 0.21958, 0.13302),
}
GRID = Grid.north_up(500_000, 4_690_000, 10, 200, 300, "EPSG:32631")
L2A = sensor("sentinel-2-l2a").band_names


def scene(path: Path, *, bands=L2A, grid: Grid = GRID, empty: bool = False, placed: bool = True) -> Path:
    """Meadow on the upper half and ploughed land on the lower, in the bands named."""
    meadow = dict(zip(L2A, (200, 300, 500, 400, 1000, 2500, 3200, 3400, 3600, 3600, 1800, 900), strict=True))
    ploughed = dict(zip(L2A, (800, 900, 1100, 1600, 1700, 1800, 2000, 2100, 2200, 2200, 3000, 2500), strict=True))
    pixels = np.empty((len(bands), *grid.shape), np.uint16)
    for plane, band in zip(pixels, bands, strict=True):
        plane[: grid.height // 2], plane[grid.height // 2 :] = meadow.get(band, 100), ploughed.get(band, 100)
    if empty:
        pixels[:] = 0
    profile = {"driver": "GTiff", "count": len(bands), "dtype": "uint16", "photometric": "MINISBLACK"}
    profile |= {"height": grid.height, "width": grid.width}
    profile |= {"crs": "EPSG:32631", "transform": grid.transform} if placed else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
        rasterio.open(path, "w", **profile) as file,
    ):
        file.write(pixels)
        file.descriptions = bands
    return path


def parcels(path: Path, boxes, **columns) -> Path:
    features = []
    for number, (col, row, width, height) in enumerate(boxes):
        left, top = 500_000 + 10 * col, 4_690_000 - 10 * row
        shape = shapely.box(left, top - 10 * height, left + 10 * width, top)
        values = {"name": f"f{number:03d}"} | {name: column[number] for name, column in columns.items()}
        features.append({"type": "Feature", "properties": values, "geometry": shapely.geometry.mapping(shape)})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}), "utf-8")
    return path


def test_golden_values_to_five_digits_through_the_reader_of_eurosat(arpent, data_folder, tmp_path):
    images = sorted((data_folder / "s2" / "eurosat" / "AnnualCrop").glob("*.tif"))
    said = arpent("describe", "indices", *images, "-o", tmp_path / "t.parquet")
    assert said.code == 0, said.err
    assert "EuroSAT" in said.err
    rows = {row["parcel"]: row for row in pq.read_table(tmp_path / "t.parquet").to_pylist()}
    columns = ("ndvi_mean", "nbr_mean", "savi_mean", "evi_mean", "arvi_mean", "dvi_mean")
    for name, expected in GOLDEN.items():
        assert tuple(round(rows[name][column], 5) for column in columns) == expected
        assert rows[name]["valid"] == 1


def test_five_hundred_parcels_over_one_scene_in_one_run(arpent, tmp_path):
    boxes = [(col, row, 8, 8) for row in range(0, 200, 10) for col in range(0, 250, 10)]
    assert len(boxes) == 500
    crops = ["meadow" if row < 100 else "" for _, row, _, _ in boxes]
    fields = parcels(tmp_path / "fields.geojson", boxes, crop=crops)
    image = scene(tmp_path / "Farm_2022-06-01.tif")
    said = arpent("describe", "indices", image, "-p", fields, "--crop-column", "crop", "-o", tmp_path / "run")
    assert said.code == 0, said.err
    assert "500 rows: 500 parcels, 1 image, 20 indices" in said.out
    run = open_run(tmp_path / "run")
    assert run.manifest.task == "describe-indices"
    assert run.manifest.metrics["rows"] == 500
    assert {Path(one.source).name for one in run.manifest.inputs} == {"Farm_2022-06-01.tif", "fields.geojson"}
    found = read_measured(tmp_path / "run")
    assert len({one.parcel for one in found}) == 500
    upper = [one for one in found if one.crop == "meadow"]
    assert len(upper) == 250
    assert all(one.indices["NDVI"] == pytest.approx(0.789, abs=1e-3) and one.place == "Farm" for one in upper)
    assert all(one.shares["soil"] == 1 for one in found if one.crop is None)


@pytest.mark.parametrize("suffix", ["csv", "gpkg", "jsonl"])
def test_the_table_in_other_formats(arpent, tmp_path, suffix):
    import pyogrio

    image, file = scene(tmp_path / "a_20220601T105031.tif"), tmp_path / f"t.{suffix}"
    said = arpent("describe", "indices", image, "--chip", 100, "--indices", "NDVI,ndmi", "-o", file, "--json")
    assert said.code == 0, said.err
    assert (said.document["rows"], said.document["indices"]) == (6, ["NDVI", "NDMI"])
    if suffix == "gpkg":
        info = pyogrio.read_info(file)
        assert (info["features"], info["crs"]) == (6, "EPSG:4326")
        assert {"ndvi_mean", "ndmi_std", "taken"} <= set(info["fields"])
    else:
        text = file.read_text("utf-8")
        assert "r001c002" in text
        assert "2022-06-01" in text


def test_several_dates_and_what_is_not_reached(arpent, tmp_path):
    images = [scene(tmp_path / f"Farm_2022-0{month}-01.tif") for month in (5, 6)]
    fields = parcels(tmp_path / "f.geojson", [(0, 0, 5, 5), (290, 190, 5, 5), (900, 0, 5, 5)])
    said = arpent("describe", "indices", *images, "--parcels", fields, "-o", tmp_path / "t.parquet", "--json")
    assert said.code == 0, said.err
    assert said.document["outside"] == {"f002": "it lies outside the image"}
    assert said.document["rows"] == 4
    assert said.document["warnings"] == ["f002: it lies outside all images"]
    assert [row["taken"].month for row in pq.read_table(tmp_path / "t.parquet").to_pylist()] == [5, 5, 6, 6]
    said = arpent("describe", "indices", images[0], "-p", fields, "-o", tmp_path / "u.parquet", "--language", "fr")
    assert "2 lignes : 2 parcelles" in said.out


def test_images_of_one_name_are_told_apart(arpent, tmp_path):
    images = [scene(tmp_path / folder / "a_2022-06-01.tif") for folder in ("one", "two")]
    assert arpent("describe", "indices", *images, "-o", tmp_path / "t.parquet").code == 0
    assert [row["image"] for row in pq.read_table(tmp_path / "t.parquet").to_pylist()] == [
        "one/a_2022-06-01", "two/a_2022-06-01",
    ]  # fmt: skip


def test_bands_that_are_missing_and_what_can_be_done_without(arpent, tmp_path):
    image = scene(tmp_path / "a_2022-06-01.tif", bands=("B02", "B03", "B04", "B08"))
    said = arpent("describe", "indices", image, "-o", tmp_path / "t.parquet", "--json")
    assert said.code == 0
    assert "NDVI" in said.document["indices"]
    assert "NDMI" not in said.document["indices"]
    assert "it has no B05, B07, B11, B12" in said.document["warnings"][0]
    said = arpent("describe", "indices", image, "--indices", "NDMI,NDVI", "-o", tmp_path / "u.parquet")
    assert said.code == 3
    assert "NDMI cannot be measured on a_2022-06-01 without B11" in said.err
    assert "or ask for NDVI" in said.err
    assert not (tmp_path / "u.parquet").exists()
    whole = scene(tmp_path / "b_2022-06-01.tif")
    assert arpent("describe", "indices", image, whole, "-o", tmp_path / "v.parquet").code == 0
    rows = pq.read_table(tmp_path / "v.parquet").to_pylist()
    assert [row["ndmi_mean"] is None for row in rows] == [True, False]


def test_an_image_that_fails_does_not_take_the_others_along(arpent, tmp_path):
    good, bad = scene(tmp_path / "a_2022-06-01.tif"), tmp_path / "b.tif"
    bad.write_bytes(b"no image")
    said = arpent("describe", "indices", good, bad, "-o", tmp_path / "run")
    assert said.code == 9
    assert "1 of 2 images could not be measured" in said.err
    assert open_run(tmp_path / "run").manifest.status == "partial"
    assert len(read_measured(tmp_path / "run")) == 1
    said = arpent("describe", "indices", bad, tmp_path / "none.tif", "-o", tmp_path / "other")
    assert said.code == 3
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--parcels", "far.geojson"], "none of the 1 parcels of"),
        (["--parcels", "no.gpkg"], "there is no file"),
        (["--parcels", "none.geojson"], "none.geojson holds no parcel"),
        (["--parcels", "far.geojson", "--chip", "10"], "both along parcels and into squares"),
        (["--layout", "eurosat"], "does not have the bands that are declared"),
        (["--layout", "l3"], "layout"),
        (["--offset", "-500"], "offset"),
        (["--indices", "NDVII"], "Did you mean 'NDVI'"),
        (["--exclude", "clouds"], "Did you mean 'cloud'"),
        (["--quality", "no.tif"], "no cloud layer"),
        (["--crop-column", "x", "--parcels", "far.geojson"], "column of far.geojson"),
        (["-o", "t.xlsx"], "names no table format"),
    ],
)
def test_bad_input_is_one_line_and_a_cure(arpent, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    scene(tmp_path / "a_2022-06-01.tif")
    parcels(tmp_path / "far.geojson", [(9000, 0, 5, 5)])
    parcels(tmp_path / "none.geojson", [])
    output = [] if "-o" in words else ["-o", "t.parquet"]
    said = arpent("describe", "indices", "a_2022-06-01.tif", *words, *output)
    assert said.code in (2, 3)
    assert message in said.err
    assert said.err.strip().count("\n") <= 1
    assert not (tmp_path / "t.parquet").exists()


def test_nothing_to_see_is_an_error(arpent, tmp_path):
    image = scene(tmp_path / "a_2022-06-01.tif", empty=True)
    said = arpent("describe", "indices", image, "-o", tmp_path / "t.parquet")
    assert said.code == 3
    assert "no pixel of any parcel has a value" in said.err


@pytest.mark.parametrize("suffix", ["parquet", "gpkg", "csv"])
def test_an_image_without_a_place_is_measured_without_areas(arpent, tmp_path, suffix):
    image = scene(tmp_path / "a_2022-06-01.tif", placed=False)
    said = arpent("describe", "indices", image, "--chip", 100, "-o", tmp_path / f"t.{suffix}", "--json")
    assert (said.code, said.document["rows"]) == (0, 6)
    if suffix == "parquet":
        rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
        assert all(row["geometry"] is None and row["area_m2"] is None for row in rows)
        assert rows[0]["ndvi_mean"] == pytest.approx(0.789, abs=1e-3)
    fields = parcels(tmp_path / "f.geojson", [(0, 0, 5, 5)])
    said = arpent("describe", "indices", image, "-p", fields, "-o", tmp_path / "u.parquet")
    assert said.code == 3
    assert "the image under the parcels has no coordinate reference system" in said.err
