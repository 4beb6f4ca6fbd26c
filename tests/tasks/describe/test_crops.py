"""Crops are learnt from labelled series, judged on ground held out from them, and named only where that is good."""

import csv
from datetime import date, timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely

from arpent.errors import DatasetError, InvalidSetting, UnreadableFile
from arpent.io.gdal import placeless
from arpent.language import Measured
from arpent.language.claims import check, parse
from arpent.pixels import spectral_indices
from arpent.tasks.describe.crops import learn_crops, read_labelled
from arpent.tasks.describe.season_telling import tell
from arpent.tasks.describe.seasons import seasons_of
from arpent.tasks.describe.table import Measurement, table_of

INDICES = ("NDVI", "NDMI", "EVI2", "BSI", "NDRE", "NDWI")
WHEN = [date(2021, 3, 1) + timedelta(days=15 * step) for step in range(14)]


def _curve(crop, day, chance):
    """NDVI of wheat, which peaks in May, and of maize, which peaks in August."""
    peak = {"wheat": date(2021, 5, 15), "maize": date(2021, 8, 10)}[crop]
    return 0.2 + 0.6 * np.exp(-(((day - peak).days / 40) ** 2)) + chance.normal(0, 0.03)


def _rows(parcels, *, label=True, years=0, noise=None, seed=0):
    chance = np.random.default_rng(seed)
    rows = []
    for number in range(parcels):
        crop = ("wheat", "maize")[number % 2]
        spot = shapely.to_wkb(shapely.Point(*chance.uniform(0, 1, 2)).buffer(0.01))
        for day in WHEN:
            value = chance.uniform(0, 1) if noise else _curve(crop, day, chance)
            measured = Measured(
                f"p{number}",
                {"NDVI": value, "NDMI": value - 0.4},
                taken=day.replace(year=day.year + years),
                crop=crop if label else None,
                place="here",
            )
            rows.append(Measurement(measured, f"S2_{day}", 9, geometry=spot))
    return rows


def _seasons(*args, **more):
    return seasons_of(_rows(*args, **more), by_name=True)


def test_crops_are_learnt_and_named_in_another_year():
    asked = _seasons(10, label=False, years=2, seed=5)
    probe = learn_crops(_seasons(60), asked)
    assert probe.crops == ("maize", "wheat")
    assert probe.years == 2
    assert probe.score.by == "ground"
    assert probe.score.trusted
    assert probe.score.right > 0.95 > probe.score.commonest
    guesses = [probe.guess(season) for season in asked]
    assert [guess.crop for guess in guesses] == ["wheat", "maize"] * 5
    assert all(guess.probability >= 0.8 for guess in guesses)


def test_a_probe_that_is_worth_nothing_names_nothing():
    asked = _seasons(6, label=False, seed=5)
    probe = learn_crops(_seasons(60, noise=True), asked)
    assert not probe.score.trusted
    assert {probe.guess(season).crop for season in asked} == {None}
    assert probe.guess(asked[0]).likeliest in ("maize", "wheat")


def test_a_season_seen_too_seldom_keeps_its_crop_to_itself():
    probe = learn_crops(_seasons(60), _seasons(2, label=False))
    few = seasons_of([row for row in _rows(1, label=False) if row.measured.taken in WHEN[:3]], by_name=True)[0]
    assert probe.guess(few).crop is None
    assert probe.guess(few).likeliest is None


def test_what_cannot_be_learnt_is_told():
    with pytest.raises(DatasetError, match="two crops or more"):
        learn_crops(_seasons(4), _seasons(2, label=False))
    autumn = [
        Measurement(Measured("a", {"NDVI": 0.5}, taken=date(2021, 12, 1) + timedelta(days=9 * step)), "x", 9)
        for step in range(6)
    ]
    with pytest.raises(InvalidSetting, match="other parts of the year"):
        learn_crops(_seasons(60), seasons_of(autumn, by_name=True))


def test_labelled_series_are_read_from_tables_of_either_kind(tmp_path):
    table = table_of(_rows(12), ["NDVI", "NDMI"])
    pq.write_table(table, tmp_path / "labels.parquet")
    lines = [{**row, "geometry": None, "taken": str(row["taken"])} for row in table.to_pylist()]
    with (tmp_path / "labels.csv").open("w") as stream:
        writer = csv.DictWriter(stream, [name for name in lines[0] if name != "geometry"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    one, other = read_labelled(tmp_path / "labels.parquet"), read_labelled(tmp_path / "labels.csv")
    assert len(one) == len(other) == 12
    assert dict(one[0].of("NDVI")) == pytest.approx(dict(other[0].of("NDVI")))
    assert learn_crops(other * 5, other).score.by == "parcel"
    bare = tmp_path / "bare.parquet"
    pq.write_table(table_of(_rows(2, label=False), ["NDVI"]), bare)
    with pytest.raises(DatasetError, match="--crop-column"):
        read_labelled(bare)
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UnreadableFile, match="parcel"):
        read_labelled(tmp_path / "odd.csv")


def test_naming_a_crop_that_nobody_knows_is_an_unsupported_claim():
    (unknown,) = _seasons(1, label=False)
    for language, text in (("en", "This is a field of maize."), ("fr", "C'est une parcelle de maïs.")):
        for crop, verdict in ((None, "unsupported"), ("maize", "supported"), ("wheat", "contradicted")):
            series = unknown.growing(crop).told
            (finding,) = check(parse(text, language), series[-1], before=series[:-1])
            assert (finding.claim.kind, finding.verdict) == ("crop", verdict)


def test_no_text_of_a_season_names_a_crop_that_nobody_knows():
    for season in _seasons(6, label=False):
        for told in tell(season).texts.values():
            assert not [f for _, findings in told.sentences for f in findings if f.claim.kind == "crop"]


@pytest.fixture(scope="module")
def flanders(data_folder):
    """Blocks of 4 × 4 pixels of one crop each, over 1.3 years of Sentinel-2, labelled by the project WorldCereal."""
    folder = data_folder / "s2" / "worldcereal" / "0000280849BAC91C"
    names = {1110: "winter wheat", 1200: "maize", 1510: "winter barley", 9120: "grass"}

    def read(part, band):
        (path,) = folder.glob(f"{part}*")
        with placeless(), rasterio.open(f"netcdf:{path}:{band}") as source:
            return source.read()

    fine = {
        name: read("S2_L2A_10m", band) / 1e4
        for name, band in zip(("blue", "green", "red", "nir"), ("B02", "B03", "B04", "B08"), strict=True)
    }
    coarse = {"rededge071": "B05", "swir16": "B11"}
    bands = fine | {name: np.kron(read("S2_L2A_20m", band) / 1e4, np.ones((1, 2, 2))) for name, band in coarse.items()}
    seen = np.kron(np.isin(read("S2_L2A_20m", "SCL"), (4, 5, 6, 7)), np.ones((1, 2, 2), bool))
    crops = read("OUTPUT", "CT")[0]
    (path,) = folder.glob("S2_L2A_10m*")
    with placeless(), rasterio.open(f"netcdf:{path}:B04") as source:
        seconds = [int(source.tags(band)["NETCDF_DIM_timestamp"]) for band in source.indexes]
    days = [date(2018, 8, 4) + timedelta(seconds=second) for second in seconds]
    rows = []
    for at, day in enumerate(days):
        planes = spectral_indices(INDICES, {name: band[at].astype(np.float32) for name, band in bands.items()})
        for row in range(0, 64, 4):
            for col in range(0, 64, 4):
                part = (slice(row, row + 4), slice(col, col + 4))
                kinds = np.unique(crops[part])
                if len(kinds) != 1 or int(kinds[0]) not in names:
                    continue
                valid = seen[at][part]
                means = (
                    {n: float(p[part][valid].mean()) for n, p in zip(INDICES, planes, strict=True)}
                    if valid.any()
                    else {}
                )
                spot = shapely.to_wkb(shapely.box(col, -row - 4, col + 4, -row))
                measured = Measured(
                    f"{row} {col}",
                    means,
                    valid=float(valid.mean()),
                    taken=day,
                    crop=names[int(kinds[0])],
                    place="Flanders",
                )
                rows.append(Measurement(measured, str(day), 16, geometry=spot))
    return seasons_of(rows, by_name=True)


@pytest.mark.requires("data")
def test_real_crops_of_flanders_are_told_on_ground_held_out(flanders):
    probe = learn_crops(flanders, flanders)
    assert probe.score.by == "ground"
    assert probe.score.right > 0.9 > probe.score.commonest + 0.3
    assert probe.score.trusted
