"""Whole configurations, from the list of pairs to the mosaics."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from odc.geo import CRS

from arpent.core import Grid, Strip
from arpent.errors import Interrupted, InvalidSetting, NotWritable, PartialFailure, RunExists, WeightsMismatch
from arpent.io import CogWriter, RasterSpec
from arpent.store import Place, RunFolder, open_run, verify
from arpent.tasks.change import running
from arpent.tasks.change.mosaic import make_mosaic
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.tasks.change.reference_config import read_reference
from arpent.tasks.change.reference_plan import plan_reference
from arpent.tasks.change.running import run_reference

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "change"
TINY = ROOT / "tests" / "golden" / "planaura_tiny_official_layout.pth"
NETWORK = (
    "model_params.load_params.source=local",
    f"model_params.load_params.checkpoint_path={TINY}",
    "model_params.img_size=64",
    "model_params.embed_dim=96",
    "model_params.depth=2",
    "model_params.num_heads=4",
    "model_params.decoder_embed_dim=64",
    "model_params.decoder_depth=1",
    "model_params.decoder_num_heads=4",
    "mosaic_params.target_crs=EPSG:32611",
    "feature_maps.embeddings=[0, 70]",
)
BEFORE = ("HLS.S30.T11UMU.2023237T185919.v2.tif", "HLS.S30.T11UMU.2023239T184921.v2.TIF")
AFTER = "été calme.2024245T.tif"
HEIGHT, WIDTH = 72, 100  # more than a tile of 64, and more than the shift of a second prediction
PRODUCTS = {
    "before": ("cosine_map", "before_date", "after_date", "quality_fmask", "infer_0", "feature_maps_0"),
    "after": ("infer_1", "feature_maps_1"),
}


WHOLE = ("save_reconstructed_images=true", "tif_compression=ZSTD")


def write(path, values, *, left=500_000, nodata=-9999, dtype="int16"):
    grid = Grid.north_up(left, 5_900_000, 30, *values.shape[1:], CRS("EPSG:32611"))
    names = ("B02", "B03", "B04", "B8A", "B11", "B12")[: len(values)]
    writer = CogWriter(path, RasterSpec(grid, names if len(values) > 1 else ("Fmask",), dtype, nodata=nodata))
    writer.write(Strip(0, values.astype(dtype)))
    writer.close()


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """Two dates before and one after, with their quality layers, as the reference's own example has them."""
    folder = tmp_path_factory.mktemp("hls")
    random = np.random.default_rng(0)
    ground = random.integers(200, 3000, (6, HEIGHT, WIDTH))
    for sub, names in (("epoch2023", BEFORE), ("epoch2024", (AFTER,))):
        (folder / sub).mkdir()
        for number, name in enumerate(names):
            seen = ground + random.integers(-40, 40, ground.shape)
            seen[:, 20:50, 30:70] += 900 * (sub == "epoch2024")
            seen[:, :5, :7] = -9999
            write(folder / sub / name, seen, left=500_000 + 90 * number)
            clouds = np.zeros((1, HEIGHT, WIDTH), int)
            clouds[0, 52:, 10:40] = 2
            write(folder / sub / f"fmask_{name}", clouds, left=500_000 + 90 * number, nodata=255, dtype="uint8")
    rows = [f"     {before},{AFTER}\n" for before in BEFORE]
    (folder / "hls_pairs.csv").write_text("input_file_0,input_file_1\n" + "".join(rows))
    return folder


def laid_out(images, folder):
    """A working folder with the example's list and images."""
    for sub in ("epoch2023", "epoch2024"):
        (folder / sub).mkdir()
        for file in (images / sub).iterdir():
            (folder / sub / file.name).hardlink_to(file)
    shutil.copy(images / "hls_pairs.csv", folder)
    return folder


@pytest.fixture
def place(images, tmp_path, monkeypatch):
    """A working folder."""
    monkeypatch.chdir(tmp_path)
    return laid_out(images, tmp_path)


@pytest.fixture(scope="session")
def whole(images, tmp_path_factory):
    """A working folder in which the example has been done, and what came of it."""
    folder = laid_out(images, tmp_path_factory.mktemp("whole"))
    with chdir(folder):
        return folder, run_reference(plan(*WHOLE), Place(exact=folder / "run"))


@pytest.fixture
def short(place):
    """The same with the first pair alone."""
    (place / "hls_pairs.csv").write_text(f"input_file_0,input_file_1\n{BEFORE[0]},{AFTER}\n")
    return place


def plan(*assignments, name="planaura_hls", dates=(), **overrides):
    file = read_reference(EXAMPLES / f"{name}.yaml", (*NETWORK, *assignments))
    return plan_reference(file, {"runtime": "torch", "read_threads": 1, **overrides}, dates)


def names(folder):
    return {file.name for file in Path(folder).iterdir() if file.is_file()}


def suffix(before):
    return f"!{Path(before).stem}!{Path(AFTER).stem}"


def read(path):
    with rasterio.open(path) as file:
        return file.read()


@pytest.fixture(params=["planaura", "arpent"])
def done(request, whole, place):
    """The example done in each profile: its working folder, and what came of it."""
    if request.param == "arpent":
        return whole
    return place, run_reference(plan(*WHOLE, profile="planaura"), Place(exact=place / "run"))


def test_the_example_from_list_to_mosaic(done):
    place, made = done
    assert [outcome.state for outcome in made.outcomes] == ["done", "done"]
    before, after = place / "epoch2023" / "inference", place / "epoch2024" / "inference"
    for pair in BEFORE:
        wanted = {f"{product}{suffix(pair)}.tif" for product in PRODUCTS["before"]}
        assert wanted | {f"feature_maps_0{suffix(pair)}.geoparquet"} <= names(before)
        wanted = {f"{product}{suffix(pair)}.tif" for product in PRODUCTS["after"]}
        assert wanted | {f"feature_maps_1{suffix(pair)}.geoparquet"} <= names(after)
    layers = ("cosine_map", "persistence", "before_date", "after_date", "before_input", "after_input", "quality_fmask")
    assert {f"mosaic_{layer}_example_c.tif" for layer in layers} <= names(before)
    assert not {name for name in names(after) if name.startswith("mosaic")}

    first = f"cosine_map{suffix(BEFORE[0])}.tif"
    assert (before / first).samefile(made.run.path / first)
    cosine = read(before / first)
    assert cosine.min() == -100
    assert cosine.max() <= 1
    dates = read(before / f"before_date{suffix(BEFORE[1])}.tif")
    assert set(np.unique(dates)) == {-100, 2023239}
    assert {0, 1} <= set(np.unique(read(before / f"quality_fmask{suffix(BEFORE[0])}.tif"))) <= {0, 1, 255}
    with rasterio.open(after / f"infer_1{suffix(BEFORE[0])}.tif") as file:
        assert (file.dtypes[0], file.nodata, file.count) == ("int16", -9999, 6)

    manifest = open_run(place / "run").manifest
    assert manifest.status == "complete"
    assert manifest.settings["configuration"]["change_map"]["return"] is True
    assert {record.role for record in manifest.inputs} >= {"configuration", "list", "before", "after"}
    assert {place / path for path in made.placed} == {path for folder in (before, after) for path in folder.iterdir()}
    for path in made.placed:
        if path.suffix == ".tif":
            with rasterio.open(place / path) as file:
                assert file.compression.name == "zstd"


def test_a_checkpoint_alone_names_images_of_the_first_generation(short):
    text = (EXAMPLES / "planaura_hls.yaml").read_text("utf-8").replace("write_as_df", "write_as_csv")
    (short / "first.yaml").write_text(text)
    asked = read_reference(short / "first.yaml", (*NETWORK, "task_list=[infer]", "feature_maps.write_as_image=false"))
    assert asked.generation == "2026-01"
    made = run_reference(plan_reference(asked, {"runtime": "torch"}), Place(exact=short / "run"))
    table = short / "epoch2024" / "inference" / f"feature_maps_1{suffix(BEFORE[0])}.csv"
    assert table in [path.resolve() for path in made.placed]
    assert table.read_text().startswith("x,y,f0" if plan().settings.profile == "planaura" else "")
    assert not list(table.parent.glob("*.tif"))


def test_a_pair_that_fails_does_not_stop_the_others(place):
    (place / "epoch2023" / "torn.2023001T.tif").write_bytes((place / "epoch2023" / BEFORE[0]).read_bytes()[:900])
    write(place / "epoch2023" / "far.2023001T.tif", np.full((6, 20, 20), 500), left=900_000)
    write(place / "epoch2023" / "three.2023001T.tif", np.full((3, 20, 20), 500))
    write(place / "epoch2023" / "bare.2023001T.tif", np.full((6, 64, 64), 500))
    write(place / "epoch2023" / "empty.2023001T.tif", np.full((6, 64, 64), -9999))
    shutil.copy(place / "epoch2023" / f"fmask_{BEFORE[0]}", place / "epoch2023" / "fmask_empty.2023001T.tif")
    rows = ["gone.2023001T.tif", "torn.2023001T.tif", "far.2023001T.tif", "three.2023001T.tif"]
    rows += ["bare.2023001T.tif", "empty.2023001T.tif", BEFORE[0]]
    (place / "hls_pairs.csv").write_text("input_file_0,input_file_1\n" + "".join(f"{r},{AFTER}\n" for r in rows))
    made = run_reference(plan("task_list=[infer]"), Place(exact=place / "run"))
    states = {outcome.item.partition(" ")[0]: outcome for outcome in made.outcomes}
    assert [name for name, outcome in states.items() if outcome.state == "done"] == [BEFORE[0]]
    assert "no image" in states["gone.2023001T.tif"].problem
    assert "share no ground" in states["far.2023001T.tif"].problem
    assert "quality layer" in states["bare.2023001T.tif"].problem
    assert "no ground in common that holds data" in states["empty.2023001T.tif"].problem
    manifest = json.loads((place / "run" / "manifest.json").read_text())
    assert manifest["status"] == "partial"
    assert len(manifest["failures"]) == 6
    assert all(product["name"].endswith((suffix(BEFORE[0]), "preview")) for product in manifest["products"])
    assert all(suffix(BEFORE[0]) in name for name in names(place / "epoch2023" / "inference"))


def test_products_are_never_written_over_without_force(short):
    inference = short / "epoch2023" / "inference"
    inference.mkdir()
    older = inference / f"cosine_map{suffix(BEFORE[0])}.tif"
    older.write_text("somebody's own")
    asked = plan("task_list=[infer]", "feature_maps.return=false")
    with pytest.raises(RunExists, match="--force"):
        run_reference(asked, Place(exact=short / "run"))
    assert older.read_text() == "somebody's own"
    assert not (short / "run").exists()
    run_reference(asked, Place(exact=short / "run", force=True))
    assert older.stat().st_size > 100
    with pytest.raises(RunExists):
        run_reference(asked, Place(exact=short / "run"))
    again = run_reference(asked, Place(exact=short / "run", force=True))
    assert older.samefile(again.run.path / older.name)


def test_force_keeps_the_old_run_where_nothing_can_be_done(short):
    run, settings = short / "run", ("task_list=[infer]", "feature_maps.return=false")
    done = run_reference(plan(*settings), Place(exact=run))
    product = run / f"cosine_map{suffix(BEFORE[0])}.tif"
    with pytest.raises(InvalidSetting, match="dimension 500"):
        run_reference(plan("task_list=[infer]", "feature_maps.embeddings=[500]"), Place(exact=run, force=True))
    with pytest.raises(InvalidSetting, match="concatenate_char"):
        plan(*settings, "concatenate_char=/")
    with pytest.raises(InvalidSetting, match="reference system"):
        plan(*settings, "process_bbox=[0, 0, 1, 1]", "process_bbox_crs=EPSG:1")
    # What only pairs can tell: all fail, and the finished run comes back.
    with pytest.raises(PartialFailure, match="stays as it was; first: "):
        run_reference(
            plan(*settings, "process_bbox=[0, 0, 1, 1]", "process_bbox_crs=EPSG:4326"), Place(exact=run, force=True)
        )
    verify(open_run(run))
    assert open_run(run).manifest == done.run.manifest
    assert product.samefile(short / "epoch2023" / "inference" / product.name)


@pytest.fixture
def stopped(place, monkeypatch):
    """A function that does a configuration until its second pair begins; it gives the names of compared pairs."""

    def stop(asked):
        seen, real = [], running.compare

        def stopping(run, pair, *rest, **options):
            seen.append(pair.name)
            if len(seen) == 2:
                raise Interrupted("stopped", cure="Go on.")
            return real(run, pair, *rest, **options)

        monkeypatch.setattr(running, "compare", stopping)
        with pytest.raises(Interrupted):
            run_reference(asked, Place(exact=place / "run"))
        return seen

    return stop


def test_finished_pairs_are_not_done_again(place, stopped, whole):
    asked = plan(*WHOLE)
    compared = stopped(asked)
    assert not list((place / "run").rglob("*.npz"))  # what a pair needs to go on is gone when it is finished
    made = run_reference(asked, Place(exact=place / "run", resume=True))
    assert [outcome.state for outcome in made.outcomes] == ["kept", "done"]
    assert compared == [asked.pairs[0].pair.name, asked.pairs[1].pair.name, asked.pairs[1].pair.name]
    folder, uninterrupted = whole
    for sub in ("epoch2023", "epoch2024"):
        assert names(sub + "/inference") == names(folder / sub / "inference")
        for name in names(sub + "/inference"):
            here = place / sub / "inference" / name
            assert here.read_bytes() == (folder / sub / "inference" / name).read_bytes(), name
    manifests = ((made.run.manifest, place), (uninterrupted.run.manifest, folder))
    read = [{record.source.removeprefix(str(home)) for record in manifest.inputs} for manifest, home in manifests]
    assert read[0] == read[1]


def test_a_list_done_in_part_goes_on_with_what_failed(place, whole):
    asked = plan(*WHOLE)
    spoilt = place / "epoch2023" / BEFORE[1]
    good = spoilt.read_bytes()
    spoilt.unlink()  # not written over: it is a second name of the other tests' image
    spoilt.write_bytes(good[:900])
    made = run_reference(asked, Place(exact=place / "run"))
    assert made.run.manifest.status == "partial"
    with pytest.raises(RunExists, match="--resume"):
        run_reference(asked, Place(exact=place / "run"))
    made = run_reference(asked, Place(exact=place / "run", resume=True))
    assert [outcome.state for outcome in made.outcomes] == ["kept", "failed"]
    spoilt.write_bytes(good)
    made = run_reference(asked, Place(exact=place / "run", resume=True))
    assert [outcome.state for outcome in made.outcomes] == ["kept", "done"]
    folder, uninterrupted = whole
    assert (made.run.manifest.status, made.run.manifest.attempts) == ("complete", 3)
    assert made.run.manifest.metrics == uninterrupted.run.manifest.metrics
    verify(made.run)
    assert {p.name for p in made.run.path.iterdir()} == {p.name for p in uninterrupted.run.path.iterdir()}
    for sub in ("epoch2023", "epoch2024"):
        assert names(sub + "/inference") == names(folder / sub / "inference")
        for name in names(sub + "/inference"):
            here = place / sub / "inference" / name
            assert here.read_bytes() == (folder / sub / "inference" / name).read_bytes(), name
    with pytest.raises(RunExists, match="--force"):
        run_reference(asked, Place(exact=place / "run", resume=True))


def test_an_image_that_changed_meanwhile_is_compared_again(place, stopped):
    asked = plan("task_list=[infer]", "feature_maps.return=false")
    stopped(asked)
    product = place / "epoch2023" / "inference" / f"cosine_map{suffix(BEFORE[0])}.tif"
    earlier = read(product)
    write(place / "other.tif", np.full((6, HEIGHT, WIDTH), 700))
    (place / "other.tif").replace(place / "epoch2023" / BEFORE[0])
    made = run_reference(asked, Place(exact=place / "run", resume=True))
    assert [outcome.state for outcome in made.outcomes] == ["done", "done"]
    assert (read(product) != earlier).any()
    assert product.samefile(made.run.path / product.name)


def test_folders_that_cannot_be_written_are_told_before_any_pair(place, monkeypatch):
    (place / "epoch2024" / "inference").write_text("a file")
    monkeypatch.setattr(running, "compare", None)
    with pytest.raises(NotWritable, match=r"epoch2024.inference"):
        run_reference(plan("task_list=[infer]"), Place(exact=place / "run"))


def test_residues_go_when_the_mosaics_are_there_and_tables_stay(short):
    place = short
    made = run_reference(plan("mosaic_params.delete_residues=true"), Place(exact=place / "run"))
    before = names(place / "epoch2023" / "inference")
    assert all(name.startswith("mosaic_") for name in before if name.endswith((".tif", ".qml")))
    assert len([name for name in before if name.endswith(".geoparquet")]) == 1
    kinds = {p.name: p.kind for p in made.run.manifest.products}
    assert all(name.startswith("mosaic") for name, kind in kinds.items() if kind == "raster")
    assert all(path.exists() for path in made.placed)


def test_mosaics_of_what_earlier_runs_have_left(place, whole):
    inference = place / "epoch2023" / "inference"
    inference.mkdir()
    for file in (whole[0] / "epoch2023" / "inference").glob("*!*.tif"):
        (inference / file.name).hardlink_to(file)
    made = run_reference(plan("task_list=[mosaic]", "feature_maps.return=false"), Place(exact=place / "fused"))
    assert made.outcomes == ()
    assert read(inference / "mosaic_persistence_example_c.tif").max() == 2
    rasters = {p.file for p in made.run.manifest.products if p.kind == "raster"}
    assert all(name.startswith("mosaic") for name in rasters)
    for side in ("before", "after"):  # the images of the pairs are found by the list, as the reference finds them
        name = f"mosaic_{side}_input_example_c.tif"
        assert name in rasters and Path("epoch2023", "inference", name) in made.placed
        np.testing.assert_array_equal(read(inference / name), read(whole[0] / "epoch2023" / "inference" / name))


def test_a_mosaic_of_another_runs_folder_keeps_the_images_that_were_compared(whole, tmp_path):
    """The run that made the pairs names their images."""
    folder, first = whole
    with chdir(folder):
        settings = MosaicSettings(crs="EPSG:32611", resolution=30)
        made = make_mosaic([first.run.path], Place(exact=tmp_path / "fused"), settings)
    kinds = {product.file: product.kind for product in made.run.manifest.products}
    for side in ("before", "after"):
        assert kinds[f"mosaic_{side}_input_c.tif"] == "raster"
        pixels = read(made.fused.files[f"{side}_input"])
        assert (pixels.dtype, len(pixels)) == (np.int16, 6)
        np.testing.assert_array_equal(pixels, read(first.run.path / f"mosaic_{side}_input_example_c.tif"))


def test_more_predictions_and_one_that_changes_nothing(short, whole):
    product = Path("epoch2023", "inference", f"cosine_map{suffix(BEFORE[0])}.tif")
    few = ("task_list=[infer]", "feature_maps.return=false", "change_map.save_fmask_layer=false", "num_predictions=2")
    made = run_reference(plan(*few), Place(exact=short / "two"))
    once, twice = read(whole[0] / product), read(short / product)
    assert twice.shape == once.shape
    assert (twice >= once).all()
    assert (twice[:, 64:, 64:] > once[:, 64:, 64:]).any()
    assert np.array_equal(twice[:, :60], once[:, :60])
    assert {p.name for p in made.run.manifest.products if p.kind == "raster"} == {
        f"{product}{suffix(BEFORE[0])}" for product in ("cosine_map", "before_date", "after_date")
    }
    assert not [name for name in names(made.run.path) if "!64" in name or "!0." in name]


def test_tables_have_a_row_for_each_pixel_where_that_is_asked_for(short):
    fine = ("task_list=[infer]", "feature_maps.upsample_feature_map=true", "feature_maps.write_as_image=false")
    made = run_reference(plan(*fine, profile="planaura"), Place(exact=short / "run"))
    table = next(path for path in made.placed if path.suffix == ".geoparquet")
    assert pq.read_metadata(table).num_rows == HEIGHT * WIDTH


@pytest.mark.parametrize(
    "assignments, absent, present",
    [
        (("change_map.return=false", "feature_maps.write_as_df=false"), "cosine_map", "feature_maps_0"),
        (("change_map.save_fmask_layer=false",), "quality_fmask", "before_date"),
        (("change_map.save_fmask_layer=false", "change_map.save_dates_layer=false"), "before_date", "cosine_map"),
        (("feature_maps.write_as_image=false",), "feature_maps_0", "cosine_map"),
    ],
)
def test_only_what_is_asked_for_is_written(short, assignments, absent, present):
    made = run_reference(plan("task_list=[infer]", *assignments), Place(exact=short / "run"))
    written = {path.name.partition("!")[0] for path in made.placed if path.suffix == ".tif"}
    assert absent not in written
    assert present in written


@pytest.mark.parametrize("predictions", [1, 2])
def test_a_map_that_is_not_wanted_is_never_in_sight(short, monkeypatch, predictions):
    asked = plan("task_list=[infer]", "change_map.return=false", f"num_predictions={predictions}")
    run, real, begun = short / "run", RunFolder.publish, []

    def stopping(self, file, *, name=None, **options):
        if self.path == run:
            begun.append(name)
            if len(begun) == 3:
                raise Interrupted("stopped", cure="Go on.")
        return real(self, file, name=name, **options)

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "publish", stopping)
        with pytest.raises(Interrupted):
            run_reference(asked, Place(exact=run))
    seen = names(run)
    assert len([name for name in seen if name.endswith((".tif", ".geoparquet"))]) == 2
    made = run_reference(asked, Place(exact=run, resume=True))
    published = {product.name.partition("!")[0] for product in made.run.manifest.products}
    assert {"feature_maps_0", "feature_maps_1", "feature_table_0"} <= published
    assert not {name for name in begun if name.startswith("cosine_map")} | ({"cosine_map"} & published)
    assert not [name for name in seen | names(run) if name.startswith("cosine_map")]
    assert all(product.stac for product in made.run.manifest.products if product.kind == "raster")
    verify(open_run(run))


def test_one_date_and_three(place):
    (place / "hls_pairs.csv").write_text(
        f"input_file_0,input_file_1,input_file_2\n../epoch2023/{BEFORE[0]},../epoch2023/{BEFORE[1]},{AFTER}\n"
    )
    three = (
        "num_frames=3",
        "inference_input_folder_frame_1=epoch2024",
        "inference_input_folder_frame_2=epoch2024",
        "inference_save_folder_frame_2=third",
        "model_params.keep_pos_embedding=false",
        "task_list=[infer]",
    )
    made = run_reference(plan(*three), Place(exact=place / "three"))
    stem = f"!{Path(BEFORE[0]).stem}!{Path(BEFORE[1]).stem}!{Path(AFTER).stem}"
    assert f"feature_maps_2{stem}.tif" in names(place / "third")
    dates = read(made.run.path / f"before_date{stem}.tif")
    assert set(np.unique(dates)) <= {-100, 2023237, 2023239}
    one = ("num_frames=1", "model_params.keep_pos_embedding=false", "task_list=[infer]")
    made = run_reference(plan(*one), Place(exact=place / "one"))
    assert {p.name for p in made.run.manifest.products if p.kind == "raster"} == {
        f"{product}!{Path(BEFORE[0]).stem}" for product in ("feature_maps_0", "quality_fmask")
    }


def test_weights_of_another_network_stop_everything(place):
    with pytest.raises(WeightsMismatch, match="depth 2 instead of 12"):
        run_reference(plan("model_params.depth=12"), Place(exact=place / "run"))


@pytest.mark.parametrize("example", ["planaura_s2.yaml", "planaura_s2_senegal.yaml"])
def test_the_other_examples(place, example):
    name = Path(example).stem
    for number, date in enumerate((20230825, 20240901)):
        write(place / f"T28_{date}_10m.tif", np.random.default_rng(number).integers(500, 2500, (6, 80, 90)))
    text = "input_file_0;input_file_1\nT28_20230825_10m.tif;T28_20240901_10m.tif\n"
    for listed in ("s2_pairs.csv", "senegal_pairs.csv"):
        (place / listed).write_text(text)
    changes = ["feature_maps.embeddings=null", "model_params.no_data=-9999"]
    if name.endswith("senegal"):
        changes += ["process_bbox=[500600, 5898200, 501800, 5899400]", "process_bbox_crs=EPSG:32611"]
    made = run_reference(plan(*changes, name=name), Place(exact=place / "run"))
    cosine = read(place / "inference_before" / "cosine_map!T28_20230825_10m!T28_20240901_10m.tif")
    assert cosine.shape == ((1, 40, 40) if name.endswith("senegal") else (1, 80, 90))
    assert "mosaic_cosine_map_example_c.tif" in names(place / "inference_before")
    assert made.run.manifest.status == "complete"


@pytest.mark.parametrize("wrong", ["mosaic_params.mosaic_save_postfix=../../x", "mosaic_params.target_crs=EPSG:99"])
def test_what_cannot_be_fused_is_refused_before_any_pair(place, wrong):
    with pytest.raises(InvalidSetting, match=r"postfix|reference system"):
        plan(wrong)
    assert plan(wrong, "task_list=[infer]").pairs


def test_what_a_list_gives_reason_to_doubt_is_one_sentence(place):
    """Two pairs of dates, all far from a model of much brighter ones."""
    far = "model_params.data_mean=[90000, 90000, 90000, 90000, 90000, 90000]"
    made = run_reference(
        plan(far, "model_params.data_std=[500, 500, 500, 500, 500, 500]", "task_list=[infer]", language="fr"),
        Place(exact=place / "run"),
    )
    (said,) = made.run.manifest.warnings
    assert "3 autres avertissements" in said
    assert made.run.manifest.language == "fr"
