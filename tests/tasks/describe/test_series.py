"""Series: images of several days in, seasons of parcels out."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely

from arpent.errors import DatasetError, InvalidSetting, UnreadableFile
from arpent.store import Place, open_run, verify
from arpent.tasks.describe.series import series_run
from arpent.tasks.describe.series_settings import SeriesSettings
from arpent.tasks.describe.table import read_rows

DAYS = {"20220401": 0.3, "20220520": 1.0, "20220701": 0.6}
"""How much the meadow has grown."""


def _fields(path, crops=("grass", None)):
    shapes = [shapely.box(500_310, 4_689_500, 500_590, 4_689_900), shapely.box(500_610, 4_689_500, 500_890, 4_689_900)]
    features = [
        {
            "type": "Feature",
            "geometry": json.loads(shapely.to_geojson(shape)),
            "properties": {"name": name, "crop": crop},
        }
        for shape, name, crop in zip(shapes, ("meadow", "ploughed"), crops, strict=True)
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return path


@pytest.fixture
def dates(write_scene, country):
    """Three days; the meadow greens and dries."""
    names = [f"B{number:02}" for number in range(1, 9)] + ["B8A", "B09", "B11", "B12"]
    images = []
    for day, grown in DAYS.items():
        stack = country.stack(names).astype(float)
        bare = stack[:, :, 60:].copy()
        stack[:, :, 30:60] = grown * stack[:, :, 30:60] + (1 - grown) * bare
        images.append(str(write_scene(f"S2_{day}.tif", stack.astype(np.uint16), names=names)))
    return images


def test_images_in_seasons_out(dates, tmp_path):
    fields = _fields(tmp_path / "fields.geojson")
    settings = SeriesSettings(crop_column="crop", charts=1)
    made = series_run(dates, Place(exact=tmp_path / "run"), settings, parcels=fields)
    meadow, ploughed = made.told
    assert next((turn.index, turn.kind, turn.taken.isoformat()) for turn in meadow.turns) == (
        "NDVI",
        "peak",
        "2022-05-20",
    )
    assert (meadow.crop, meadow.crop_from) == ("grass", "column")
    assert ploughed.crop is None
    assert all(text.dropped == 0 for one in made.told for text in one.texts.values())
    run = open_run(tmp_path / "run")
    assert {"season-001", "preview", "seasons_parquet", "seasons_jsonl", "indices", "report"} == {
        product.name for product in run.manifest.products
    }
    assert verify(run).files == len(run.manifest.products)
    assert len(read_rows(run.path / "indices.parquet")) == 6
    rows = pq.read_table(run.path / "seasons.parquet").to_pylist()
    assert rows[0]["chart"] == "season-001.png"
    assert shapely.from_wkb(rows[0]["geometry"]).area > 0
    page = (run.path / "report.html").read_text("utf-8")
    assert "meadow" in page and "20 May 2022" in page and "data:image/png" in page
    assert run.manifest.metrics["dropped"] == 0


def test_whole_images_are_one_parcel_on_all_their_days(dates, tmp_path):
    made = series_run(dates, Place(exact=tmp_path / "run"), SeriesSettings(charts=0))
    (season,) = made.told
    assert len(season.season.days) == 3
    assert season.season.parcel == "S2"


def test_a_table_of_indices_will_do(dates, tmp_path):
    first = series_run(dates, Place(exact=tmp_path / "run"), SeriesSettings(charts=0, chip=30))
    table = str(tmp_path / "run" / "indices.parquet")
    again = series_run([table], Place(exact=tmp_path / "again"), SeriesSettings(charts=0, language="fr"))
    assert [one.texts["fr"].text for one in again.told] == [one.texts["fr"].text for one in first.told]
    assert "Saisons" in (tmp_path / "again" / "report.html").read_text("utf-8")
    with pytest.raises(InvalidSetting, match="has its parcels already"):
        series_run([table], Place(exact=tmp_path / "more"), SeriesSettings(), parcels=_fields(tmp_path / "f.geojson"))
    assert not (tmp_path / "more").exists()


def test_an_image_that_cannot_be_read_is_noted(dates, tmp_path):
    broken = tmp_path / "S2_20220801.tif"
    broken.write_bytes(b"no image")
    made = series_run([*dates, str(broken)], Place(exact=tmp_path / "run"), SeriesSettings(charts=0))
    assert made.run.manifest.status == "partial"
    with pytest.raises(UnreadableFile):
        series_run([str(broken)], Place(exact=tmp_path / "none"), SeriesSettings())


def test_one_day_is_no_season(dates, tmp_path):
    with pytest.raises(DatasetError, match="two days or more"):
        series_run(dates[:1], Place(exact=tmp_path / "run"), SeriesSettings())
    assert not (tmp_path / "run").exists()


@pytest.mark.requires("data")
def test_ten_real_dates_of_boadella(data_folder, tmp_path):
    images = sorted(map(str, (data_folder / "s2" / "boadella").glob("*.tif")))
    made = series_run(images, Place(exact=tmp_path / "run"), SeriesSettings(chip=190, charts=0))
    assert len(made.told) == 4
    assert all(len(one.season.days) == 10 for one in made.told)
    assert all(text.dropped == 0 for one in made.told for text in one.texts.values())
    assert all(one.turns for one in made.told)
