"""Which layers a run folder holds, and what becomes of what cannot be shown."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from arpent.core import Grid, Strip, nomenclature, write_file
from arpent.errors import ArpentError, GeoreferenceMissing, UnreadableFile
from arpent.io import CogWriter, RasterSpec, stac_item
from arpent.pixels import Quality
from arpent.store import Run, RunFolder, open_run
from arpent.web.headers import entries_of
from arpent.web.layers import KINDS, Layer
from arpent.web.products import layers_of

CLASSES = nomenclature("commune")
GRID = Grid.north_up(500_000, 5_000_000, 10.0, 24, 20, 32631)
DAY = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)


class Writer:
    """A run that is being written, product by product."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def raster(self, name: str, pixels: NDArray[np.generic], **more: Any) -> None:
        """A raster product with its item; `more` goes to its specification, but for `facts`, which the item gets."""
        facts, grid = more.pop("facts", {}), more.pop("grid", GRID)
        bands = more.pop("bands", tuple(f"b{number}" for number in range(len(pixels))))
        spec = RasterSpec(grid, bands, str(pixels.dtype), **more)
        path = self.run.scratch / f"{name}.tif"
        with CogWriter(path, spec) as writer:
            writer.write(Strip(0, pixels))
        item = stac_item(name, f"./{name}.tif", grid=grid, raster=spec, **{"start": DAY, **facts})
        self.run.publish(path, kind="raster", stac=item)

    def classes(self, name: str, **more: Any) -> None:
        pixels = np.full((1, *GRID.shape), CLASSES.classes[0].id, np.uint8)
        self.raster(name, pixels, nodata=CLASSES.nodata, classes=CLASSES, overviews="mode", bands=("class",), **more)


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Writer]:
    with RunFolder.create(tmp_path, "landcover", "here") as run:
        yield Writer(run)


@pytest.fixture
def finished(begun: Writer) -> Callable[[], Run]:
    return lambda: open_run(begun.run.finish().path)


def by_key(layers: list[Layer]) -> dict[str, Layer]:
    return {layer.key: layer for layer in layers}


def floats(low: float, high: float, bands: int = 1) -> NDArray[np.float32]:
    return np.linspace(low, high, bands * GRID.height * GRID.width, dtype=np.float32).reshape(bands, *GRID.shape)


def test_a_land_cover_run_has_its_classes_probabilities_and_footprint(
    begun: Writer, finished: Callable[[], Run]
) -> None:
    begun.classes("classes")
    begun.classes("sheet_1")
    shares = np.full((3, *GRID.shape), 30, np.uint8)
    begun.raster("probabilities", shares, nodata=255, bands=("water", "field", "wood"))
    layers = layers_of(finished())
    assert [layer.key for layer in layers] == ["classes", "probabilities", "footprints"]
    classes, probabilities, footprints = layers
    assert classes.kind == "classes"
    assert (classes.title_en, classes.title_fr) == ("Land cover", "Occupation du sol")
    assert {entry.value: entry.colour for entry in classes.legend.entries} == {
        one.id: one.colour for one in CLASSES.classes
    }
    assert classes.frames[0].date == DAY.date()
    assert classes.bounds is not None
    assert 2.9 < classes.bounds.west < classes.bounds.east < 3.1
    assert probabilities.kind == "probability"
    assert probabilities.bands == ("water", "field", "wood")
    assert (probabilities.legend.low, probabilities.legend.high, probabilities.legend.unit_fr) == (0, 100, "%")
    assert footprints.source == "vector"
    assert json.loads(footprints.frames[0].file.read_text())["type"] == "Feature"


def test_every_product_of_change_has_its_kind(begun: Writer, finished: Callable[[], Run]) -> None:
    pair: dict[str, Any] = {"facts": {"end": dt.datetime(2024, 9, 1, tzinfo=dt.UTC)}}
    dates = np.where(floats(0, 1) > 0.5, 2024061, 2024245).astype(np.int32)
    begun.raster("cosine_map", floats(0, 1), nodata=-100, **pair)
    begun.raster("change_probability", floats(0, 1), nodata=-100)
    begun.raster("after_date!a!b", dates, nodata=-100, overviews="nearest")
    begun.raster("quality_fmask", np.ones((1, *GRID.shape), np.uint8), nodata=255, overviews="nearest")
    year = {"end": DAY + dt.timedelta(days=365)}
    begun.raster("infer_0", floats(0, 3000, 3).astype(np.uint16), nodata=0, bands=("B04", "B03", "B02"), facts=year)
    begun.raster("feature_maps_1", floats(-2, 2, 4), nodata=-100, facts=year)
    begun.raster("mosaic_persistence_c", np.full((1, *GRID.shape), 4, np.uint16), nodata=0)
    begun.raster("mosaic_agreement_c", np.full((1, *GRID.shape), 3, np.uint16), nodata=0)
    begun.raster("mosaic_before_input_c", floats(0, 3000, 3).astype(np.int16), nodata=-1)
    begun.raster("series_strength", floats(0, 1), nodata=-100)
    begun.raster("elevation", floats(100, 300), nodata=-100, unit="m")
    begun.run.add_metrics({"threshold/cosine_map": 0.3})
    found = by_key(layers_of(finished()))
    kinds = {key: layer.kind for key, layer in found.items() if key != "footprints"}
    assert kinds == {
        "cosine_map": "change",
        "change_probability": "change",
        "after_date!a!b": "date",
        "quality_fmask": "fmask",
        "infer_0": "reconstruction",
        "feature_maps_1": "embedding",
        "mosaic_persistence_c": "persistence",
        "mosaic_agreement_c": "agreement",
        "mosaic_before_input_c": "composite",
        "series_strength": "change",
        "elevation": "continuous",
    }
    assert set(kinds.values()) <= set(KINDS)
    assert found["cosine_map"].frames[0].date == dt.date(2024, 9, 1)
    # Red below the threshold of the run and nowhere else.
    ramp = found["cosine_map"].legend.ramp
    pale = next(place for place, colour in enumerate(ramp) if colour == ramp[-1])
    assert pale == pytest.approx((0.3 + 0.2) / 1.2 * (len(ramp) - 1), abs=1)
    assert found["change_probability"].legend.ramp[0] == ramp[-1]
    days = found["after_date!a!b"]
    assert [entry.value for entry in days.legend.entries] == [2024061, 2024245]
    assert [entry.fr for entry in days.legend.entries] == ["1er mars 2024", "1er septembre 2024"]
    assert days.title_en.endswith("a → b")
    codes = {entry.value: entry.en for entry in found["quality_fmask"].legend.entries}
    assert set(codes) == {int(code) for code in Quality} - {Quality.FILL}
    assert (codes[Quality.CLOUD], codes[Quality.SHADOW], codes[Quality.SNOW]) == ("cloud", "shadow", "snow or ice")
    assert found["feature_maps_1"].bands == ("b0", "b1", "b2", "b3")
    assert found["infer_0"].frames[0].date == DAY.date(), "it shows the first date"
    assert found["feature_maps_1"].frames[0].date == (DAY + dt.timedelta(days=365)).date()
    assert found["mosaic_persistence_c"].legend.high == 4
    assert (found["elevation"].legend.unit_en, found["elevation"].title_en) == ("m", "elevation")


def test_a_forecast_is_one_layer_of_dates_that_says_what_it_is_based_on(
    begun: Writer, finished: Callable[[], Run]
) -> None:
    dates = []
    for step in (-1, 0, 1, 2):
        day = dt.date(2024, 3, 1) + dt.timedelta(days=6 * step)
        begun.classes(f"classes_{day}")
        if step == 1:
            shares = np.full((2, *GRID.shape), 30, np.uint8)
            begun.raster(f"probabilities_{day}", shares, nodata=255, bands=("water", "wood"))
        iou = {"water": 0.8, "wood": 0.6} if step != 2 else {}
        dates.append(
            {
                "date": day.isoformat(),
                "kind": "forecast" if step > 0 else "observed",
                "horizon": step,
                "classes": f"classes_{day}.tif",
                "iou": iou,
                "persistence": {"water": 0.5, "wood": 0.5} if step == 1 else {},
                "probabilities": f"probabilities_{day}.tif" if step == 1 else None,
                "polygons": "../../../etc/passwd",
            }
        )
    document = {"format": 1, "place": "river", "issue": "2024-03-01", "step_days": 6.0, "dates": dates[::-1]}
    begun.run.publish(write_file(begun.run.scratch / "timeline.json", json.dumps(document)), kind="text")
    begun.run.use_bundle("runs/ahead/model.safetensors", "0" * 64)
    layers = by_key(layers_of(finished()))
    assert set(layers) == {"classes", "probabilities", "footprints"}
    assert layers["probabilities"].bands == ("water", "wood")
    assert [frame.horizon for frame in layers["probabilities"].frames] == [1]
    layer = layers["classes"]
    assert [frame.horizon for frame in layer.frames] == [-1, 0, 1, 2]
    assert [frame.observed for frame in layer.frames] == [True, True, False, False]
    assert layer.issue == dt.date(2024, 3, 1)
    assert layer.skill is not None
    assert layer.skill["iou"] == [{"horizon": 1, "model": pytest.approx(0.7), "persistence": pytest.approx(0.5)}]
    assert "24 février 2024" in layer.skill["based_on"]["fr"]
    assert "2 dates" in layer.skill["based_on"]["en"]
    assert layer.skill["based_on"]["en"].endswith("; model ahead"), "the training, not the file that all trainings make"


def test_images_that_a_run_has_looked_at_are_shown_as_long_as_they_are_those(
    begun: Writer, finished: Callable[[], Run], tmp_path: Path
) -> None:
    for day in ("2024-03-01", "2024-03-07"):
        with CogWriter(tmp_path / f"s2_{day}.tif", RasterSpec(GRID, ("B04", "B03", "B02"), "uint16", 0)) as writer:
            writer.write(Strip(0, floats(0, 3000, 3).astype(np.uint16)))
        begun.run.add_input(tmp_path / f"s2_{day}.tif", role=f"date {day}")
    (tmp_path / "notes.txt").write_text("no image")
    begun.run.add_input(tmp_path / "notes.txt", role="image")
    begun.run.add_input("https://example.org/a.tif", role="image")
    begun.classes("classes")
    run = finished()
    layer = by_key(layers_of(run))["images"]
    assert layer.kind == "composite"
    assert [frame.date for frame in layer.frames] == [dt.date(2024, 3, 1), dt.date(2024, 3, 7)]
    (tmp_path / "s2_2024-03-01.tif").write_bytes(b"II*\0 another file")
    assert "images" not in by_key(layers_of(run))


def test_images_of_several_places_are_a_layer_each_and_those_without_dates_one_by_one(
    begun: Writer, finished: Callable[[], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, left in (("river", 500_000), ("lake", 510_000), ("hill", 520_000)):
        (tmp_path / place).mkdir()
        for day in ("2024-03-01", "2024-03-07"):
            name = f"image_{day}.tif" if place != "hill" else f"{day[-1]}.tif"
            grid = Grid.north_up(left + (10 if day[-1] == "7" else 0), 5_000_000, 10.0, 24, 20, 32631)
            with CogWriter(tmp_path / place / name, RasterSpec(grid, ("a",), "uint8", 0)) as writer:
                writer.write(Strip(0, np.ones((1, 24, 20), np.uint8)))
            begun.run.add_input(tmp_path / place / name, role="image")
    run = finished()
    layers = layers_of(run)
    assert [layer.title_en for layer in layers] == ["Images: river", "Images: lake", "Image: 1", "Image: 7"]
    assert [len(layer.frames) for layer in layers] == [2, 2, 1, 1]
    assert len({layer.key for layer in layers}) == 4
    monkeypatch.setattr("arpent.web.images.MOST_IMAGES", 4)
    told: list[ArpentError] = []
    assert [layer.title_en for layer in layers_of(run, told.append)] == ["Images: river", "Images: lake"]
    assert [str(problem)[:9] for problem in told] == ["2 images "], "what is left out is told"


def test_embeddings_of_many_dates_are_a_layer_for_each_place(begun: Writer, finished: Callable[[], Run]) -> None:
    names = tuple(f"feature_{number}" for number in range(3))
    for name, top in (("lake_2024-03-07", 1), ("river_2024-03-07", 9), ("lake_2024-03-01", 2), ("lake_2024-02-31", 9)):
        begun.raster(name, floats(0, top, 3), bands=names, nodata=-100)
    begun.raster("alone", floats(0, 1, 3), bands=names, nodata=-100)
    found = by_key(layers_of(finished()))
    assert list(found) == ["lake", "river", "lake_2024-02-31", "alone", "footprints"]
    assert {layer.kind for name, layer in found.items() if name != "footprints"} == {"embedding"}
    assert [frame.file.name for frame in found["lake"].frames] == ["lake_2024-03-01.tif", "lake_2024-03-07.tif"]
    assert found["lake"].bands == names and found["lake"].title_en == "Embeddings: lake"
    high = found["lake"].legend.high
    assert high is not None and 1.5 < high <= 2, "a colour means the same on every date"


def test_outlines_of_classes_have_the_colours_of_their_classes(begun: Writer, finished: Callable[[], Run]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    begun.classes("classes")
    pq.write_table(pa.table({"geometry": [b""], "numero": [1]}), begun.run.scratch / "polygons.parquet")
    begun.run.publish(begun.run.scratch / "polygons.parquet", kind="vector", name="polygons")
    found = by_key(layers_of(finished()))
    assert found["polygons"].legend == found["classes"].legend and found["polygons"].legend.entries


def test_shapes_are_layers_and_tables_without_shapes_are_none(begun: Writer, finished: Callable[[], Run]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, columns in (
        ("indices", {"geometry": [b""]}),
        ("scores", {"geometry": [b""]}),
        ("embeddings", {"a": [1]}),
    ):
        pq.write_table(pa.table(columns), begun.run.scratch / f"{name}.parquet")
        begun.run.publish(begun.run.scratch / f"{name}.parquet", kind="table")
    for name in ("change!a!b", "descriptions"):
        pq.write_table(pa.table({"geometry": [b""]}), begun.run.scratch / f"{name}.parquet")
        begun.run.publish(begun.run.scratch / f"{name}.parquet", kind="vector", name=name)
    found = by_key(layers_of(finished()))
    assert {key: layer.kind for key, layer in found.items()} == {
        "indices": "parcels",
        "change!a!b": "polygons",
        "descriptions": "parcels",
    }
    assert found["change!a!b"].title_fr == "Contours du changement\u00a0: a → b"


def test_what_cannot_be_shown_is_told_and_the_rest_is_shown(begun: Writer, finished: Callable[[], Run]) -> None:
    begun.classes("classes")
    begun.raster("nowhere", floats(0, 1), nodata=-100, grid=Grid(*GRID.shape))
    begun.raster("broken", floats(0, 1), nodata=-100)
    run = finished()
    (run.path / "broken.tif").write_bytes(b"<VRTDataset/>")
    with pytest.raises((GeoreferenceMissing, UnreadableFile)):
        layers_of(run)
    told: list[ArpentError] = []
    assert set(by_key(layers_of(run, told.append))) == {"classes", "footprints"}
    assert len(told) == 2


def test_rasters_of_unknown_name_are_told_by_what_they_hold(begun: Writer, finished: Callable[[], Run]) -> None:
    begun.classes("D046_01")
    begun.raster("aerial", floats(0, 200, 3).astype(np.uint8), nodata=0)
    begun.raster("heights", floats(100, 300), nodata=-100)
    begun.raster("unmeasured", np.full((1, *GRID.shape), -100, np.float32), nodata=-100)
    found = by_key(layers_of(finished()))
    assert [found[name].kind for name in ("D046_01", "aerial", "heights")] == ["classes", "composite", "continuous"]
    assert found["D046_01"].title_fr == "Occupation du sol\u00a0: D046_01"
    low, high = found["heights"].legend.low, found["heights"].legend.high
    assert low is not None
    assert high is not None
    assert 100 <= low < 110
    assert 290 < high <= 300
    assert (found["unmeasured"].legend.low, found["unmeasured"].legend.high) == (0, 1)


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, 3, "x"], "properties": []},
        {"bbox": [1, 80, 3, 120], "properties": {"datetime": "soon"}},
        {"bbox": [1, 2, 3, 4, 5, 6], "properties": {"datetime": None}, "assets": {"data": {"bands": [3]}}},
    ],
)
def test_an_item_that_says_nothing_of_use_leaves_the_file_to_speak(
    begun: Writer, finished: Callable[[], Run], item: dict[str, Any]
) -> None:
    begun.classes("classes")
    begun.run.publish(begun.run.path / "classes.tif", kind="raster", stac=item)
    (layer,) = layers_of(finished())
    assert layer.frames[0].date is None
    assert layer.bounds is not None
    assert 2.9 < layer.bounds.west < 3.1


@pytest.mark.parametrize("content", ["[]", "{", '{"dates": 3}', '{"dates": [3, {}, {"date": "x"}]}', "null"])
def test_a_timeline_that_nobody_understands_lists_nothing(
    begun: Writer, finished: Callable[[], Run], content: str
) -> None:
    begun.classes("classes_2024-03-01")
    begun.run.publish(write_file(begun.run.scratch / "timeline.json", content), kind="text")
    assert set(by_key(layers_of(finished()))) == {"classes_2024-03-01", "footprints"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"1": 3}',
        '{"x": {"colour": "#000000"}}',
        '{"1": {"colour": "red"}}',
        '{"300": {"colour": "#000000"}}',
    ],
)
def test_metadata_of_another_origin_names_no_classes(text: str) -> None:
    assert entries_of(text) == ()
