"""From images to a run folder of embeddings, with faults, resume and the files of XVision."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from pyogrio import raw as vector

from arpent.engine import ItemOptions
from arpent.errors import (
    ContractMismatch,
    DiskFull,
    FileMissing,
    NoValidPixels,
    UnreadableFile,
    WeightsMissing,
)
from arpent.store import Place, open_run, verify
from arpent.tasks.describe import embedding
from arpent.tasks.describe.embed_settings import EmbedSettings
from arpent.tasks.describe.embedding import embed_images
from arpent.tasks.describe.embedding_table import encoder_of, read_embeddings, vectors_of, visual_of
from arpent.tasks.describe.encoding import Encoder
from arpent.tasks.describe.layouts import BANDS

TINY = {"encoder": "croma-tiny", "random_init": True, "device": "cpu", "runtime": "torch"}


@pytest.fixture
def dates(write_scene, country):
    """Three dates of a place."""
    pixels = country.stack(BANDS)
    days = ("20220601", "20220611", "20220621")
    return [str(write_scene(f"place_{day}.tif", pixels + n * 100, names=BANDS)) for n, day in enumerate(days)]


def embedded(images, folder, *, parcels=None, resume=False, **settings):
    place = Place(exact=folder, resume=resume)
    return embed_images(images, place, EmbedSettings(**TINY, **settings), parcels=parcels)


def contents(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    passing = ("created", "finished", "attempts", "timings")
    return (folder / "embeddings.parquet").read_bytes(), {k: v for k, v in manifest.items() if k not in passing}


def test_a_run_has_a_row_for_each_square_and_date(dates, tmp_path):
    made = embedded(dates, tmp_path / "run", chip=30)
    table = read_embeddings(made.run.path)
    assert made.rows == len(table) == 18 and made.images == 3
    assert set(table["parcel"].to_pylist()) == {f"r{row:03d}c{col:03d}" for row in range(2) for col in range(3)}
    assert [str(day) for day in dict.fromkeys(table["taken"].to_pylist())] == ["2022-06-01", "2022-06-11", "2022-06-21"]
    assert table["image"].to_pylist()[0] == "place_20220601" and set(table["place"].to_pylist()) == {"place"}
    assert vectors_of(table).shape == (18, 256) and visual_of(table).shape == (18, 25, 256)
    ground = json.loads(pq.read_metadata(made.file).metadata[b"geo"])["columns"]["geometry"]
    assert ground["geometry_types"] == ["Polygon"] and ground["bbox"][0] == pytest.approx(3, abs=0.1)
    assert verify(open_run(made.run.path)).files == 1
    assert made.run.manifest.metrics == {"embed/rows": 18, "embed/images": 3, "embed/unseen": 0, "embed/tiles": 3}


def test_random_weights_are_said_in_the_terminal_the_manifest_and_the_table(dates, tmp_path):
    told = []
    place = Place(exact=tmp_path / "run", tell=told.append)
    made = embed_images(dates[:1], place, EmbedSettings(**TINY, language="fr"))
    assert "aléatoires" in told[0] and "aléatoires" in made.run.manifest.warnings[0]
    assert made.run.manifest.language == "fr"
    assert made.run.manifest.bundle.source.startswith("random:croma-tiny:seed0:")
    facts = encoder_of(pq.read_schema(made.file))
    assert facts.random and facts.name == "croma-tiny" and facts.statistics.unit and facts.pooling == "gap"


def test_parcels_of_a_file_are_cut_out_of_every_date(dates, tmp_path):
    fields = np.array(
        [
            shapely.box(500_010, 4_689_500, 500_200, 4_689_900),
            shapely.box(500_700, 4_689_600, 500_890, 4_689_990),
            shapely.box(0, 0, 10, 10),
        ]
    )
    vector.write(
        tmp_path / "fields.gpkg",
        shapely.to_wkb(fields),
        [np.array(["lake", "field", "elsewhere"])],
        ["name"],
        crs="EPSG:32631",
        geometry_type="Polygon",
    )
    made = embedded(dates[:2], tmp_path / "run", parcels=tmp_path / "fields.gpkg")
    table = read_embeddings(made.run.path)
    assert sorted(table["parcel"].to_pylist()) == ["field", "field", "lake", "lake"]
    assert any(note.startswith("elsewhere: ") for note in made.notes)
    lake, field = (vectors_of(table.filter(table["parcel"].to_numpy() == name)) for name in ("lake", "field"))
    assert np.linalg.norm(lake[0] - lake[1]) < np.linalg.norm(lake[0] - field[0])
    assert [record.role for record in made.run.manifest.inputs] == ["image", "image", "parcels"]


def test_a_resumed_run_ends_in_the_same_bytes(dates, tmp_path, monkeypatch):
    settings = {"chip": 20, "tile": 32, "batch_size": 2}
    embedded(dates, tmp_path / "whole", **settings)
    monkeypatch.setattr(embedding, "ItemOptions", lambda *given, **named: ItemOptions(*given, **named, every=0.0))
    tokens, calls = Encoder.tokens, []

    def stops(self, images):
        calls.append(len(images))
        if len(calls) == 5:
            raise SystemError("killed here")
        return tokens(self, images)

    with monkeypatch.context() as patch, pytest.raises(SystemError):
        patch.setattr(Encoder, "tokens", stops)
        embedded(dates, tmp_path / "run", **settings)
    seen = []
    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "tokens", lambda self, images: seen.append(len(images)) or tokens(self, images))
        embedded(dates, tmp_path / "run", resume=True, **settings)
    whole, run = contents(tmp_path / "whole"), contents(tmp_path / "run")
    assert run == whole and sum(seen) == 3 * 6 - 8
    with pytest.raises(FileMissing):
        embedded([*dates, "nowhere.tif"][3:], tmp_path / "other")


def test_another_process_makes_the_same_rows(dates, tmp_path, elsewhere):
    settings = {"chip": 20, "tile": 32, "batch_size": 2}
    embedded(dates, tmp_path / "whole", **settings)
    with elsewhere():
        embedded(dates, tmp_path / "elsewhere", **settings)
    assert contents(tmp_path / "elsewhere") == contents(tmp_path / "whole")


def test_a_faulty_image_is_told_and_the_others_are_done(dates, tmp_path, write_scene, country):
    (tmp_path / "cut.tif").write_bytes((tmp_path / "place_20220601.tif").read_bytes()[:900])
    few = str(write_scene("few_20220701.tif", country.stack(BANDS[:6]), names=BANDS[:6]))
    made = embedded([dates[0], str(tmp_path / "cut.tif"), few], tmp_path / "run", chip=45)
    failures = {failure.item: failure.message for failure in made.run.manifest.failures}
    assert made.run.manifest.status == "partial" and made.images == 1 and made.rows == 4
    assert set(failures) == {str(tmp_path / "cut.tif"), few}
    assert "bands B07, B08, B8A, B09, B11, B12 are missing" in failures[few]
    with pytest.raises(ContractMismatch, match="B12 are missing"):
        embedded([few], tmp_path / "alone")
    assert not (tmp_path / "alone").exists()


def test_pixels_that_cannot_be_read_cost_their_image_alone(dates, tmp_path, monkeypatch):
    read = embedding.Scene.read

    def breaks(self, window):
        if self.name == "place_20220611" and window.row:
            raise UnreadableFile("block 3 is damaged", cure="Take a fresh copy.")
        return read(self, window)

    monkeypatch.setattr(embedding.Scene, "read", breaks)
    made = embedded(dates, tmp_path / "run", chip=16, tile=16)
    assert made.images == 2 and [failure.item for failure in made.run.manifest.failures] == [dates[1]]
    rows = read_embeddings(made.run.path).to_pylist()
    of_image = {name: sum(row["image"] == name for row in rows) for name in ("place_20220601", "place_20220611")}
    assert of_image == {"place_20220601": 24, "place_20220611": 6}
    with pytest.raises(UnreadableFile, match="block 3"):
        embedded(dates[1:2], tmp_path / "alone", tile=16)


def test_clouds_leave_no_embedding_and_a_run_of_clouds_none_at_all(write_scene, country, tmp_path):
    pixels = country.stack(BANDS)
    cloudy = np.concatenate([pixels, np.full((1, 60, 90), 9)]).astype(np.uint16)
    half = cloudy.copy()
    half[-1, :, 45:] = 4
    paths = [
        write_scene(f"{name}_20220601.tif", image, names=[*BANDS, "SCL"])
        for name, image in (("half", half), ("all", cloudy))
    ]
    made = embedded([str(paths[0])], tmp_path / "half", chip=45)
    rows = read_embeddings(made.run.path).to_pylist()
    assert [
        (row["parcel"], row["valid"], row["embedding"] is None) for row in sorted(rows, key=lambda row: row["parcel"])
    ] == [("r000c000", 0, True), ("r000c001", 1, False), ("r001c000", 0, True), ("r001c001", 1, False)]
    assert made.run.manifest.metrics["embed/unseen"] == 2
    with pytest.raises(NoValidPixels, match="no pixel of any parcel"):
        embedded([str(paths[1])], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_images_of_one_name_are_told_apart(write_scene, country, tmp_path):
    paths = [str(write_scene(f"{folder}/same_20220601.tif", country.stack(BANDS), names=BANDS)) for folder in "ab"]
    made = embedded(paths, tmp_path / "run")
    assert read_embeddings(made.run.path)["image"].to_pylist() == ["a/same_20220601", "b/same_20220601"]


def test_the_array_of_xvision_holds_the_same_numbers(dates, tmp_path):
    made = embedded(dates, tmp_path / "run", profile="xvision", chip=50, tile=40)
    array, table = np.load(made.run.path / "sentinel_embeddings_256.npy"), read_embeddings(made.run.path)
    assert array.dtype == np.float32 and array.shape == (12, 256)
    order = sorted(range(12), key=lambda row: (table["image"][row].as_py(), table["parcel"][row].as_py()))
    assert np.array_equal(array, vectors_of(table)[order]) and order != list(range(12))
    assert made.run.manifest.products[1].file == "sentinel_embeddings_256.npy"


def test_more_scenes_than_stay_open(write_scene, country, tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "_KEPT_OPEN", 2)
    paths = [str(write_scene(f"s_202206{day:02d}.tif", country.stack(BANDS), names=BANDS)) for day in range(1, 7)]
    most, opened = [], embedding.Shelf.scene

    def counted(self, number):
        scene = opened(self, number)
        most.append(len(self._open))
        return scene

    monkeypatch.setattr(embedding.Shelf, "scene", counted)
    made = embedded(paths, tmp_path / "run", batch_size=1, read_threads=1)
    assert made.rows == 6 and max(most) <= 5
    assert len(np.unique(vectors_of(read_embeddings(made.run.path)), axis=0)) == 1


def test_no_run_is_begun_without_weights(dates, tmp_path, monkeypatch):
    monkeypatch.setenv("ARPENT_MODELS", str(tmp_path))
    with pytest.raises(WeightsMissing):
        embed_images(dates, Place(exact=tmp_path / "run"), EmbedSettings())
    assert not (tmp_path / "run").exists()


def test_tables_of_something_else_are_refused(dates, tmp_path):
    made = embedded(dates[:1], tmp_path / "run")
    with pytest.raises(FileMissing, match="describe embed"):
        read_embeddings(tmp_path / "nothing")
    (tmp_path / "cut.parquet").write_bytes(made.file.read_bytes()[:200])
    with pytest.raises(UnreadableFile, match="damaged"):
        read_embeddings(tmp_path / "cut.parquet")
    pq.write_table(pq.read_table(made.file).drop_columns(["embedding"]), tmp_path / "other.parquet")
    with pytest.raises(UnreadableFile, match="no column embedding"):
        read_embeddings(tmp_path / "other.parquet")


def test_a_full_disk_leaves_what_is_done_to_be_resumed(dates, tmp_path, monkeypatch):
    def full(*_):
        raise DiskFull("no space left", cure="Make room.")

    with monkeypatch.context() as patch, pytest.raises(DiskFull):
        patch.setattr(Encoder, "tokens", full)
        embedded(dates, tmp_path / "run")
    assert embedded(dates, tmp_path / "run", resume=True).rows == 3


def test_all_images_at_fault_end_the_run(tmp_path):
    with pytest.raises(FileMissing):
        embedded([str(tmp_path / "a.tif"), str(tmp_path / "b.tif")], tmp_path / "run")
    assert not (tmp_path / "run").exists()
