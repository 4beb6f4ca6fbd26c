"""Indices on parcels: the numbers of a slow and plain computation, whatever the parcels, clouds and windows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import shapely

from arpent.core import Grid, Raster, sensor
from arpent.errors import BandMismatch, UnknownName
from arpent.pixels import index_names, spectral_indices
from arpent.tasks.describe import measuring
from arpent.tasks.describe.layouts import BANDS
from arpent.tasks.describe.measuring import indices_of, measure, measure_parcels, require_indices
from arpent.tasks.describe.parcels import Field, Fields, lay, read_parcels
from arpent.tasks.describe.scene_settings import IndexSettings
from arpent.tasks.describe.table import measured_of

GRID = Grid.north_up(500_000, 4_690_000, 10, 60, 90, "EPSG:32631")


class Memory:
    """A scene in memory."""

    name, place, taken, grid, bands = "memory", "Here", dt.date(2022, 6, 1), GRID, BANDS

    def __init__(self, pixels, valid=None, cloud=None):
        self.pixels = np.asarray(pixels, np.float32)
        self.valid = np.ones(GRID.shape, bool) if valid is None else valid
        self.cloud = cloud
        self.reads = 0

    def read(self, window):
        self.reads += 1
        return Raster(self.pixels[(slice(None), *window.slices)], self.valid[window.slices], GRID.crop(window), BANDS)

    def clouds(self, window):
        return None if self.cloud is None else self.cloud[window.slices]


def fields(*boxes):
    """Parcels from (column, row, width, height)."""
    made = []
    for number, (col, row, width, height) in enumerate(boxes):
        left, top = 500_000 + 10 * col, 4_690_000 - 10 * row
        shape = shapely.box(left, top - 10 * height, left + 10 * width, top)
        made.append(Field(f"p{number}", shape, "wheat" if number == 0 else None))
    return lay(Fields(tuple(made), "EPSG:32631"), GRID)


def rows_of(scene, parcels, **settings):
    return measure(scene, parcels, IndexSettings(**settings)).to_pylist()


@pytest.mark.parametrize("side", [1024, 7])
def test_means_and_deviations_are_those_of_a_plain_computation(country, monkeypatch, side):
    monkeypatch.setattr(measuring, "_SIDE", side)
    valid = np.ones(GRID.shape, bool)
    valid[:, ::7] = False
    scene = Memory(country.stack(BANDS), valid)
    parcels = fields((0, 0, 90, 60), (20, 10, 30, 17), (35, 5, 1, 1), (55, 20, 30, 30), (22, 12, 30, 17))
    common = {band.common: country.stack([band.name])[0] / 1e4 for band in sensor("sentinel-2-l2a").bands}
    planes = dict(zip(index_names(), spectral_indices(index_names(), common), strict=True))
    for row, parcel in zip(rows_of(scene, parcels), parcels.items, strict=True):
        inside = parcel.mask(GRID.window)
        seen = inside & valid
        assert row["pixels"] == inside.sum()
        assert row["valid"] == pytest.approx(seen.sum() / inside.sum())
        for name in index_names():
            if not seen.any():
                assert row[f"{name.lower()}_mean"] is None
                continue
            assert row[f"{name.lower()}_mean"] == pytest.approx(planes[name][seen].mean(dtype=np.float64), abs=1e-6)
            assert row[f"{name.lower()}_std"] == pytest.approx(planes[name][seen].std(dtype=np.float64), abs=1e-6)


def test_shares_of_the_ground_and_facts_of_the_parcel(country):
    scene = Memory(country.stack(BANDS))
    whole, meadow = rows_of(scene, fields((0, 0, 90, 60), (30, 0, 30, 60)))
    assert [round(whole[name], 2) for name in ("water", "vegetation", "soil")] == [0.33, 0.33, 0.33]
    assert [meadow[name] for name in ("water", "vegetation", "soil")] == [0, 1, 0]
    assert (whole["parcel"], whole["crop"], meadow["crop"]) == ("p0", "wheat", None)
    assert (whole["place"], whole["image"], whole["taken"]) == ("Here", "memory", dt.date(2022, 6, 1))
    assert whole["area_m2"] == pytest.approx(540_000, rel=2e-3)
    assert whole["cloud"] is None
    assert shapely.from_wkb(whole["geometry"]).centroid.y == pytest.approx(42.36, abs=0.02)
    measured = measured_of(meadow)
    assert measured.indices["NDVI"] == pytest.approx(0.79, abs=0.01)
    assert measured.shares == {"vegetation": 1, "soil": 0, "water": 0}


def test_a_lake_under_haze_is_no_soil(country):
    pixels = country.stack(BANDS)
    hazy = {"B03": 980, "B04": 840, "B08": 1090, "B8A": 1050, "B11": 820, "B12": 690}  # a lake of Boadella, 2020-01-13
    for band, number in hazy.items():
        pixels[BANDS.index(band), :, :30] = number
    (lake,) = rows_of(Memory(pixels), fields((0, 0, 30, 60)))
    assert lake["ndwi_mean"] < 0 < lake["mndwi_mean"]
    assert (lake["water"], lake["soil"], lake["vegetation"]) == (1, 0, 0)


def test_cloud_is_a_share_of_the_parcel_and_hides_it(country):
    cloud = np.zeros(GRID.shape, bool)
    cloud[:30] = True
    scene = Memory(country.stack(BANDS), ~cloud, cloud)
    half, hidden = rows_of(scene, fields((30, 20, 30, 20), (30, 0, 30, 20)))
    assert (half["cloud"], half["valid"]) == (0.5, 0.5)
    assert (hidden["cloud"], hidden["valid"], hidden["ndvi_mean"], hidden["vegetation"]) == (1, 0, None, None)
    assert measured_of(hidden).indices == {}


def test_each_window_is_read_once_whatever_the_parcels(country, monkeypatch):
    monkeypatch.setattr(measuring, "_SIDE", 30)
    scene = Memory(country.stack(BANDS))
    boxes = [(col, row, 4, 4) for row in range(0, 56, 2) for col in range(0, 56, 2)]
    parcels = fields(*boxes)
    assert len(parcels.items) == 784
    assert len(measure_parcels(scene, parcels.items, ("NDVI",))) == 784
    assert scene.reads == 4  # of six windows; no parcel lies in the two others


def test_dark_water_does_not_run_away(country):
    pixels = country.stack(BANDS).astype(np.float32)
    pixels[:, 0, :30] = -20
    pixels[:, 1, :30] = 0
    pixels[BANDS.index("B08"), 2, :30] = 0
    (row,) = rows_of(Memory(pixels), fields((0, 0, 30, 60)))
    for name in index_names():
        assert np.isfinite(row[f"{name.lower()}_mean"]), name
        assert -1.5 <= row[f"{name.lower()}_mean"] <= 10


def test_indices_that_bands_allow():
    assert indices_of(BANDS) == index_names()
    assert indices_of(("B04", "B8A")) == ("NDVI", "DVI", "SAVI", "OSAVI", "MSAVI", "EVI2")
    assert indices_of(("B01",)) == ()
    assert require_indices(("ndvi", "NDVI"), ("B04", "B08"), "a.tif") == ("NDVI",)
    with pytest.raises(BandMismatch, match=r"NDMI cannot be measured on a\.tif without B11 .*ask for NDVI, DVI"):
        require_indices(("NDMI", "ndvi"), ("B04", "B08"), "a.tif")
    with pytest.raises(UnknownName, match="spectral index"):
        require_indices(("NDV",), BANDS, "a.tif")


def test_the_order_of_bands_in_a_scene_does_not_matter(country):
    scene = Memory(country.stack(BANDS))
    expected = rows_of(scene, read_parcels(None, GRID), indices=("EVI", "NDMI"))
    scene.bands = BANDS[::-1]

    def turned(window):
        raster = Memory.read(scene, window)
        return Raster(raster.pixels[::-1], raster.valid, raster.grid, BANDS[::-1])

    scene.read = turned
    assert rows_of(scene, read_parcels(None, GRID), indices=("EVI", "NDMI")) == expected
    assert "savi_mean" not in expected[0]
