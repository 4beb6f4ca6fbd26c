"""Polygons of change against a plain computation on the whole map at once."""

import json

import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from arpent.core import Grid, Strip, ground_area
from arpent.errors import BandMismatch, InvalidSetting, UnknownName
from arpent.io import CogWriter, RasterSpec, vector
from arpent.pixels import Quality
from arpent.store import Place, open_run
from arpent.tasks.change.mosaic import make_mosaic
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.tasks.change.polygons import (
    ChangeLayers,
    Decision,
    OutlineSettings,
    decisions_of,
    layers_in,
    outline_change,
    outline_run,
)

GRID = Grid.north_up(500_000, 5_000_000, 30, 60, 50, "EPSG:32618")
STAIRS = OutlineSettings(simplify=0)


def write(path, values, nodata, grid):
    spec = RasterSpec(grid, ("value",), str(values.dtype), nodata, overviews="nearest")
    with CogWriter(path, spec) as writer:
        writer.write(Strip(0, values[None]))
    return path


def comparison(folder, seed=0, grid=GRID, holes=0.1):
    """A comparison in files, and its arrays."""
    rng = np.random.default_rng(seed)
    shape = grid.shape
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 2)
    cosine = np.clip(0.75 + smooth * 2, -1, 1).astype(np.float32)
    cosine[rng.random(shape) < holes] = -100
    before = rng.choice([2021100, 2022100], shape).astype(np.int32)
    after = np.where(cosine == -100, -100, 2023200).astype(np.int32)
    before[cosine == -100] = -100
    quality = rng.choice([0, 0, 0, 1, 4, 255], shape).astype(np.uint8)
    arrays = {"cosine": cosine, "before": before, "after": after, "quality": quality}
    files = {
        role: write(folder / f"{role}.tif", values, 255 if role == "quality" else -100, grid)
        for role, values in arrays.items()
    }
    return ChangeLayers("", **files), arrays


def plain(arrays, changed):
    """What each patch should say, by its first pixel."""
    labels, count = ndimage.label(changed)
    found = {}
    for number in range(1, count + 1):
        inside = labels == number
        qualities = arrays["quality"][inside]
        found[int(np.flatnonzero(inside)[0])] = {
            "pixels": int(inside.sum()),
            "cosine_mean": float(arrays["cosine"][inside].astype(float).mean()),
            "cosine_min": float(arrays["cosine"][inside].min()),
            "before_date": int(arrays["before"][inside].min()),
            "after_date": int(arrays["after"][inside].max()),
            **{f"share_{q.name.casefold()}": float((qualities == q).mean()) for q in Quality},
        }
    return found


def first_pixel(shape, grid):
    """The first pixel of a polygon in reading order: under the westernmost of its highest corners."""
    points = shapely.get_coordinates(shape)
    cols = np.rint((points[:, 0] - grid.bounds.left) / 30).astype(int)
    rows = np.rint((grid.bounds.top - points[:, 1]) / 30).astype(int)
    top = rows.min()
    return int(top * grid.width + cols[rows == top].min())


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), band=st.integers(1, 70), holes=st.sampled_from([0.0, 0.1, 0.6]))
def test_each_polygon_says_what_its_pixels_say(seed, band, holes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("change")
    layers, arrays = comparison(folder, seed, holes=holes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector, "_band_rows", lambda width: band)
        made = outline_change(layers, folder / "change.parquet", STAIRS)
    rows = pq.read_table(made.path).to_pylist()
    assert made.changes == len(rows)
    wanted = plain(arrays, (arrays["cosine"] != -100) & (arrays["cosine"] < 0.75))
    found = {first_pixel(shapely.from_wkb(row["geometry"]), GRID): row for row in rows}
    assert found.keys() == wanted.keys()
    for place, expected in wanted.items():
        row = found[place]
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-6)
        assert shapely.from_wkb(row["geometry"]).area == 900 * row["pixels"]
        # At the edge of a zone of UTM a metre on the map is 0.1 % more or less than one on the ground.
        assert row["area_m2"] == pytest.approx(900 * row["pixels"], rel=2e-3)
    total = sum(row["area_m2"] for row in rows)
    share = sum(row["pixels"] for row in rows) / (60 * 50)
    assert total == pytest.approx(ground_area(GRID) * share, rel=1e-4)


def test_a_smallest_area_drops_lone_changes_and_closes_gaps_inside(tmp_path):
    cosine = np.full((20, 30), 0.9, np.float32)
    cosine[2:12, 2:12] = 0.1
    cosine[5, 5] = 0.9  # a gap
    cosine[15, 20] = 0.0  # a speck amid the unchanged
    cosine[:, 25:] = -100
    cosine[3, 28] = 0.0  # a speck amid the unknown
    grid = Grid.north_up(500_000, 5_000_000, 30, 20, 30, "EPSG:32618")
    layers = ChangeLayers("", cosine=write(tmp_path / "c.tif", cosine, -100, grid))
    everything = outline_change(layers, tmp_path / "all.parquet", STAIRS)
    assert everything.changes == 3
    made = outline_change(layers, tmp_path / "large.parquet", OutlineSettings(simplify=0, min_area=5000))
    rows = pq.read_table(made.path).to_pylist()
    assert [row["pixels"] for row in rows] == [100]
    assert len(shapely.from_wkb(rows[0]["geometry"]).interiors) == 0
    assert rows[0]["cosine_min"] == pytest.approx(0.1)
    assert rows[0]["cosine_mean"] == pytest.approx((99 * 0.1 + 0.9) / 100, abs=1e-6)


def test_outlines_show_no_bands_and_fit_the_geopackage(tmp_path, monkeypatch):
    layers, _ = comparison(tmp_path, 3)
    smooth = OutlineSettings(simplify=1.5, form="gpkg")
    assert smooth.suffix == ".gpkg"
    monkeypatch.setattr(vector, "_band_rows", lambda width: 7)
    made = outline_change(layers, tmp_path / "change.gpkg", smooth)
    info, table = pyogrio.read_arrow(made.path)
    assert "32618" in info["crs"]
    shapes = shapely.from_wkb(table[info["geometry_name"] or "geometry"].to_numpy())
    assert len(shapes) == made.changes
    assert shapely.is_valid(shapes).all()
    assert (table["area_m2"].to_numpy() > 0).all()


def test_the_probability_decides_where_there_is_one(tmp_path):
    layers, arrays = comparison(tmp_path, 5)
    probability = np.where(arrays["cosine"] == -100, -100, (1 - arrays["cosine"]) / 2).astype(np.float32)
    both = ChangeLayers(**{**vars(layers), "probability": write(tmp_path / "p.tif", probability, -100, GRID)})
    made = outline_change(both, tmp_path / "p.parquet", OutlineSettings(probability=0.3, simplify=0))
    table = pq.read_table(made.path)
    assert sum(table["pixels"].to_pylist()) == (probability >= np.float32(0.3)).sum()
    assert min(table["probability_max"].to_pylist()) >= 0.3
    assert max(table["probability_mean"].to_pylist()) <= 1
    by_cosine = outline_change(both, tmp_path / "c.parquet", OutlineSettings(score="cosine_map", simplify=0))
    changed = (arrays["cosine"] != -100) & (arrays["cosine"] < 0.75)
    assert sum(pq.read_table(by_cosine.path)["pixels"].to_pylist()) == changed.sum()


def test_excluded_qualities_are_no_change(tmp_path):
    layers, arrays = comparison(tmp_path, 6)
    made = outline_change(layers, tmp_path / "a.parquet", OutlineSettings(simplify=0, exclude=("cloud",)))
    changed = (arrays["cosine"] != -100) & (arrays["cosine"] < 0.75) & ~np.isin(arrays["quality"], (1, 255))
    table = pq.read_table(made.path)
    assert sum(table["pixels"].to_pylist()) == changed.sum()
    assert set(table["share_cloud"].to_pylist()) <= {0.0}
    with pytest.raises(InvalidSetting, match="no quality layer to exclude cloud by"):
        outline_change(
            ChangeLayers("", cosine=layers.cosine), tmp_path / "b.parquet", OutlineSettings(exclude=("cloud",))
        )


def test_layers_that_are_coarser_or_missing(tmp_path):
    layers, arrays = comparison(tmp_path, 7)
    coarse = GRID.coarsened(2)
    dates = np.full(coarse.shape, 2020001, np.int32)
    mixed = ChangeLayers("", cosine=layers.cosine, before=write(tmp_path / "coarse.tif", dates, -100, coarse))
    table = pq.read_table(outline_change(mixed, tmp_path / "a.parquet", STAIRS).path)
    assert table.schema.names[:4] == ["pixels", "cosine_mean", "cosine_min", "before_date"]
    assert set(table["before_date"].to_pylist()) == {2020001}
    assert "after_date" not in table.schema.names
    with pytest.raises(UnknownName, match="no score layer of the run is called 'change_probability'"):
        outline_change(layers, tmp_path / "b.parquet", OutlineSettings(score="change_probability"))
    with CogWriter(tmp_path / "two.tif", RasterSpec(GRID, ("a", "b"), "float32", -100)) as writer:
        writer.write(Strip(0, np.stack([arrays["cosine"]] * 2)))
    with pytest.raises(BandMismatch, match="not a layer of a comparison"):
        outline_change(ChangeLayers("", cosine=tmp_path / "two.tif"), tmp_path / "c.parquet", STAIRS)
    assert not (tmp_path / "c.parquet").exists()


def test_a_picture_has_outlines_without_area_and_nothing_may_have_changed(tmp_path):
    layers, _ = comparison(tmp_path, 8, Grid(60, 50))
    table = pq.read_table(outline_change(layers, tmp_path / "a.parquet", STAIRS).path)
    assert table.num_rows
    assert table["area_m2"].null_count == table.num_rows
    calm = ChangeLayers("", cosine=write(tmp_path / "calm.tif", np.full((9, 9), 1, np.float32), -100, Grid(9, 9)))
    assert outline_change(calm, tmp_path / "b.parquet", STAIRS).changes == 0


def test_layers_are_found_by_their_names(tmp_path):
    names = ["cosine_map!a!b", "before_date!a!b", "cosine_map", "quality_fmask", "mosaic_cosine_map_x_c", "preview"]
    names += ["mosaic_after_date_x_c", "before_date!only", "infer_0!a!b"]
    found = {layers.label: layers for layers in layers_in({name: tmp_path / name for name in names})}
    assert found.keys() == {"!a!b", "", "_mosaic_x_c"}
    assert found["!a!b"].before == tmp_path / "before_date!a!b"
    assert found["_mosaic_x_c"].after == tmp_path / "mosaic_after_date_x_c"
    assert found[""].quality == tmp_path / "quality_fmask"
    assert found[""].before is None


def test_a_finished_run_is_outlined_in_a_run_of_its_own(tmp_path):
    layers, _ = comparison(tmp_path, 9)
    with Place(exact=tmp_path / "pair").begin("change", "pair", {}) as run:
        for label in ("!HLS.T18.2021100!HLS.T18.2023200", "!c!d"):
            for name, path in (("cosine_map", layers.cosine), ("quality_fmask", layers.quality)):
                copy = run.scratch / f"{name}{label}.tif"
                copy.write_bytes(path.read_bytes())
                run.publish(copy, kind="raster", name=f"{name}{label}")
        finished = run.finish()
    made = outline_run(finished, Place(exact=tmp_path / "polygons"), OutlineSettings())
    assert open_run(made.path).manifest.metrics["changes!c!d"] > 0
    product = made.manifest.product("change!HLS.T18.2021100!HLS.T18.2023200")
    assert (product.kind, product.file) == ("vector", "change!HLS.T18.2021100!HLS.T18.2023200.parquet")
    item = json.loads((made.path / product.stac.file).read_text())
    assert item["assets"]["data"]["href"] == f"./{product.file}"
    with Place(exact=tmp_path / "other").begin("landcover", "x", {}) as run:
        other = run.finish()
    with pytest.raises(UnknownName, match="cosine_map"):
        outline_run(other, Place(exact=tmp_path / "none"), OutlineSettings())


@pytest.mark.parametrize(
    ("asked", "layer", "threshold"),
    [
        ({}, "change_probability", 0.3),
        ({"threshold": 0.9}, "cosine_map", 0.9),
        ({"score": "cosine_map"}, "cosine_map", 0.6),
        ({"probability": 0.45, "threshold": 0.9}, "change_probability", 0.45),
    ],
)
def test_figures_and_polygons_speak_of_the_layer_that_decides(nano, land, compared, tmp_path, asked, layer, threshold):
    images = [land(tmp_path / f"{name}.tif", 70, 60, seed=seed) for seed, name in ((1, "a"), (2, "b"))]
    bundle = nano(head=True, metrics={"threshold": 0.3, "cosine_threshold": 0.6})
    arrays, done = compared(images, bundle, polygons="geoparquet", **asked)
    assert done.judgement is not None
    assert (done.judgement.layer, done.judgement.threshold) == (layer, threshold)
    values = arrays[layer][0][arrays[layer][0] != -100]
    changed = values < threshold if layer == "cosine_map" else values >= threshold
    assert done.figures["changed_share"] == pytest.approx(changed.mean())
    assert sum(pq.read_table(done.products["change"])["pixels"].to_pylist()) == changed.sum()


def test_without_a_head_the_cosine_decides_and_nothing_else_can(nano, land, compared, tmp_path):
    image = land(tmp_path / "a.tif", 40, 40)
    _, done = compared([image, image], nano())
    assert (done.judgement.layer, done.judgement.threshold) == ("cosine_map", 0.75)
    with pytest.raises(UnknownName, match="change_probability"):
        compared([image, image], nano(), score="change_probability")


@pytest.mark.parametrize(
    ("asked", "layer", "threshold", "why"),
    [
        ({}, "change_probability", 0.3, "run"),
        ({"score": "cosine_map"}, "cosine_map", 0.6, "run"),
        ({"threshold": 0.9}, "cosine_map", 0.9, "asked"),
        ({"probability": 0.45}, "change_probability", 0.45, "asked"),
    ],
)
def test_finished_runs_are_outlined_by_their_models_thresholds(
    nano, land, compared, tmp_path, asked, layer, threshold, why
):
    images = [land(tmp_path / f"{name}.tif", 70, 60, seed=seed) for seed, name in ((1, "a"), (2, "b"))]
    arrays, done = compared(images, nano(head=True, metrics={"threshold": 0.3, "cosine_threshold": 0.6}))
    run, wanted = open_run(done.products["cosine_map"].parent), OutlineSettings(**asked)
    made = outline_run(run, Place(exact=tmp_path / "polygons"), wanted)
    values = arrays[layer][0][arrays[layer][0] != -100]
    changed = values < threshold if layer == "cosine_map" else values >= threshold
    assert sum(pq.read_table(made.file("change"))["pixels"].to_pylist()) == changed.sum()
    assert made.manifest.metrics[f"threshold/{layer}"] == threshold
    assert decisions_of(run, wanted)[""] == Decision(layer, threshold, why)


def test_a_mosaic_takes_its_threshold_from_its_pairs_and_hands_it_on(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{name}.tif", 70, 60, seed=seed) for seed, name in ((1, "a"), (2, "b"))]
    runs = [
        compared(images, nano(metrics=own))[1].products["cosine_map"].parent for own in ({"cosine_threshold": 0.6}, {})
    ]
    mosaic = make_mosaic(runs[:1], Place(exact=tmp_path / "one"), MosaicSettings())
    assert mosaic.fused.metrics["threshold"] == 0.6
    with rasterio.open(mosaic.fused.files["cosine_map"]) as file:
        values = file.read(masked=True).compressed()
    assert mosaic.fused.metrics["changed_share"] == pytest.approx((values < np.float32(0.6)).mean())
    (decision,) = decisions_of(mosaic.run, OutlineSettings()).values()
    assert decision == Decision("cosine_map", 0.6, "run")
    mixed = make_mosaic(runs, Place(exact=tmp_path / "two"), MosaicSettings())
    assert mixed.fused.metrics["threshold"] == 0.75  # they do not agree
    asked = make_mosaic(runs, Place(exact=tmp_path / "three"), MosaicSettings(threshold=0.4))
    assert asked.fused.metrics["threshold"] == 0.4


def test_a_mosaic_judges_by_probability_where_its_model_has_a_head(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{name}.tif", 70, 60, seed=seed) for seed, name in ((1, "a"), (2, "b"))]
    bundle = nano(head=True, metrics={"threshold": 0.3, "cosine_threshold": 0.6})
    runs = [compared(images, bundle)[1].products["cosine_map"].parent]
    mosaic = make_mosaic(runs, Place(exact=tmp_path / "one"), MosaicSettings())
    judgement = mosaic.fused.judgement
    assert judgement is not None
    assert (judgement.layer, judgement.threshold) == ("change_probability", 0.3)
    metrics = mosaic.run.manifest.metrics
    assert (metrics["mosaic/threshold"], metrics["mosaic/probability"]) == (0.6, 0.3)
    with rasterio.open(mosaic.fused.files["change_probability"]) as file:
        changed = file.read(masked=True).compressed() >= np.float32(0.3)
    assert metrics["mosaic/changed_share"] == pytest.approx(changed.mean())
    (decision,) = decisions_of(mosaic.run, OutlineSettings()).values()
    assert decision == Decision("change_probability", 0.3, "run")
    made = outline_run(mosaic.run, Place(exact=tmp_path / "polygons"), OutlineSettings())
    (table,) = [product.name for product in made.manifest.products if product.kind == "vector"]
    assert sum(pq.read_table(made.file(table))["pixels"].to_pylist()) == changed.sum()
    asked = make_mosaic(runs, Place(exact=tmp_path / "two"), MosaicSettings(threshold=0.4)).fused.judgement
    assert asked is not None and (asked.layer, asked.threshold) == ("cosine_map", 0.4)
