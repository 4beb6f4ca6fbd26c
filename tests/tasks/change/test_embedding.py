"""One image embedded by the engine: exact places, the network's own numbers, and the same bytes after a stop."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import torch

from arpent import __version__
from arpent.cli.app import main
from arpent.core import Contract, Grid, Normalisation, Strip, sensor
from arpent.errors import BundleInvalid, InvalidSetting, NoValidPixels
from arpent.io import CogWriter, RasterSpec
from arpent.models import build, load_bundle, save_bundle
from arpent.store import Place, open_run, verify
from arpent.tasks.change.embedding import embed_image, false_colours, for_one_image, plan_embedding
from arpent.tasks.change.embedding_settings import EmbedSettings
from arpent.tasks.change.embedding_sources import open_embeddings
from arpent.testing.items import validate_stac

PATCH, SIDE, WIDTH = 8, 64, 32
SHAPE = {
    "channels": 6,
    "frames": 2,
    "image_size": SIDE,
    "patch": PATCH,
    "width": WIDTH,
    "depth": 2,
    "heads": 2,
    "decoder_width": 32,
    "decoder_depth": 1,
    "decoder_heads": 2,
}
BANDS = sensor("hls-s30").band_names
QUICK = {"runtime": "torch", "device": "cpu", "read_threads": 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny encoder with random weights."""
    contract = Contract(
        task="change",
        architecture="planaura",
        settings=SHAPE,
        bands=sensor("hls-s30").bands,
        nodata=-9999,
        normalisation=Normalisation(origin="test", mean=(1500.0,) * 6, std=(800.0,) * 6),
        arpent=__version__,
    )
    torch.manual_seed(3)
    return save_bundle(tmp_path_factory.mktemp("model") / "tiny.safetensors", build("planaura", SHAPE), contract)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """150 × 130 pixels with a hole of one pixel."""
    grid = Grid.north_up(500_010, 4_900_020, 30, 150, 130, 32631)
    pixels = np.random.default_rng(0).integers(1, 4_000, (6, 150, 130)).astype(np.int16)
    pixels[:, 20, 45] = -9999
    path = tmp_path_factory.mktemp("scene") / "Été à Cahors.tif"
    with CogWriter(path, RasterSpec(grid, BANDS, "int16", nodata=-9999)) as writer:
        writer.write(Strip(0, pixels))
    return path


@pytest.fixture(scope="module")
def embedded(model, image, tmp_path_factory):
    """The image, embedded with all defaults but 32-bit numbers in the table."""
    place = Place(exact=tmp_path_factory.mktemp("run") / "run")
    return embed_image(str(image), model, place, EmbedSettings(**QUICK, table_type="float32"))


def test_a_run_holds_table_image_and_pictures(embedded):
    verify(open_run(embedded.run.path))
    products = {product.name: product for product in embedded.run.manifest.products}
    assert set(products) == {"feature_maps_0", "feature_table_0", "embeddings", "preview"}
    for name in ("feature_maps_0", "feature_table_0"):
        validate_stac(json.loads((embedded.run.path / products[name].stac.file).read_text()))
    assert embedded.run.manifest.inputs[0].role == "image"
    with rasterio.open(embedded.files["feature_maps_0"]) as file:
        assert file.descriptions == tuple(f"embedding {number}" for number in range(WIDTH))
        assert (file.nodata, file.res, file.shape) == (-100, (240, 240), (19, 17))


def test_rows_are_the_networks_own_answers(embedded, image, model):
    table = pq.read_table(embedded.files["feature_table_0"])
    assert table.num_rows == 19 * 17 - 1  # all patches, but that with the hole
    with rasterio.open(image) as file:
        tile = (file.read(window=((0, SIDE), (0, SIDE))).astype(np.float32) - 1500) / 800
        tile[:, 20, 45] = 0.0001
    with torch.inference_mode():
        network = load_bundle(model).model
        features = network(torch.from_numpy(tile)[None, :, None]).features[0, 0].numpy()
    values = np.column_stack([table[f"f{number}"].to_numpy() for number in range(WIDTH)])
    rows, cols = table["row"].to_numpy() // PATCH, table["col"].to_numpy() // PATCH
    first = (rows < 4) & (cols < 4)  # the core of the first tile
    assert first.sum() == 16
    np.testing.assert_allclose(values[first], features[rows[first], cols[first]], atol=1e-5)
    assert (2, 5) not in set(zip(rows.tolist(), cols.tolist(), strict=True))
    x = 500_010 + 30 * (table["col"].to_numpy() + PATCH / 2)
    np.testing.assert_array_equal(table["x"].to_numpy(), x)


def test_the_table_and_the_image_say_the_same_where_one_tile_is_alone(embedded):
    table, image = (open_embeddings(embedded.files[name])[0] for name in ("feature_table_0", "feature_maps_0"))
    found = []
    for source in (table, image):
        values = np.full((*table.grid.shape, WIDTH), np.nan, np.float32)
        for batch in source.batches():
            values[batch.rows, batch.cols] = batch.values
        found.append(values)
    np.testing.assert_allclose(found[0][:3, :3], found[1][:3, :3], atol=1e-5)
    assert np.isnan(found[0][2, 5]).all()


def test_chosen_dimensions_are_those_of_the_whole(embedded, model, image, tmp_path):
    wish = EmbedSettings(**QUICK, dims=(3, 30), table_type="float32")
    some = embed_image(str(image), model, Place(exact=tmp_path / "run"), wish)
    table, whole = (pq.read_table(one.files["feature_table_0"]) for one in (some, embedded))
    assert table.column_names == ["row", "col", "x", "y", "geometry", "f3", "f30", "bbox"]
    np.testing.assert_allclose(table["f30"].to_numpy(), whole["f30"].to_numpy(), atol=1e-6)
    with rasterio.open(some.files["feature_maps_0"]) as file:
        assert file.descriptions == ("embedding 3", "embedding 30")


def test_the_references_csv_has_its_header_its_corners_and_its_holes(model, image, tmp_path):
    wish = EmbedSettings(**QUICK, profile="planaura", table="csv", image=False)
    made = embed_image(str(image), model, Place(exact=tmp_path / "run"), wish)
    lines = made.files["feature_table_0"].read_text().splitlines()
    assert made.files["feature_table_0"].name == "feature_maps_0.csv"
    assert lines[0].replace('"', "").split(",") == ["x", "y", *(f"f{number}" for number in range(WIDTH))]
    values = np.loadtxt(lines[1:], delimiter=",")
    assert (values[:, 2:] == -100).all(axis=1).sum() >= 1
    assert [500_010, 4_900_020] in values[:, :2].tolist()  # the corner of the image is that of a patch


@pytest.mark.parametrize("stride", [4, 2])
def test_finer_strides_place_more_patches_exactly(model, image, tmp_path, stride):
    wish = EmbedSettings(**QUICK, stride=stride, image=False, dims=(0,), box=(500_010, 4_898_520, 501_930, 4_900_020))
    made = embed_image(str(image), model, Place(exact=tmp_path / "run"), wish)
    table = pq.read_table(made.files["feature_table_0"])
    rows, cols = table["row"].to_numpy(), table["col"].to_numpy()
    assert set(np.diff(np.unique(cols))) == {stride}
    assert len(set(zip(rows, cols, strict=True))) == table.num_rows
    assert not ((rows > 20 - PATCH) & (rows <= 20) & (cols > 45 - PATCH) & (cols <= 45)).any()
    np.testing.assert_array_equal(table["y"].to_numpy(), 4_900_020 - 30 * (rows + PATCH / 2))


def test_stopped_and_resumed_the_table_is_the_same_to_the_byte(embedded, model, image, tmp_path, monkeypatch):
    from arpent.engine.ledger import Ledger

    class Stop(Exception):
        pass

    write, calls = Ledger.write, []

    def stopping(self, *arguments):
        write(self, *arguments)
        calls.append(1)
        if len(calls) == 2:
            raise Stop

    wish = EmbedSettings(**QUICK, table_type="float32")
    with monkeypatch.context() as patched, pytest.raises(Stop):
        patched.setattr(Ledger, "write", stopping)
        embed_image(str(image), model, Place(exact=tmp_path / "run"), wish)
    made = embed_image(str(image), model, Place(exact=tmp_path / "run", resume=True), wish)
    for name in ("feature_table_0", "feature_maps_0"):
        assert made.files[name].read_bytes() == embedded.files[name].read_bytes()


def test_the_reference_counts_positions_anew_for_one_image(model):
    bundle = load_bundle(model)
    assert for_one_image(bundle, "arpent") is bundle
    alone = for_one_image(bundle, "planaura").model
    assert alone.settings.positions == "computed"
    assert bundle.model.settings.positions == "stored"
    pixels = torch.randn(1, 6, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(alone(pixels).features, bundle.model(pixels).features, atol=1e-5, rtol=1e-4)


def test_false_colours_show_what_varies_most(embedding_table, tmp_path):
    grid = Grid.north_up(0, 0, 10, 40, 40, 32631)
    features = np.zeros((10, 10, 4), np.float32)
    features[..., 2] = np.arange(10)[None] * 10
    features[..., 0] = np.arange(10)[:, None]
    source = open_embeddings(embedding_table(tmp_path / "a.parquet", features, grid, 4))[0]
    seen = false_colours(source)
    assert np.corrcoef(seen.pixels[0].ravel(), features[..., 2].ravel())[0, 1] == pytest.approx(1, abs=1e-4)
    assert np.corrcoef(seen.pixels[1].ravel(), features[..., 0].ravel())[0, 1] == pytest.approx(1, abs=1e-4)
    assert seen.valid.all()


def test_what_cannot_be_embedded_is_said(model, image, tmp_path):
    place = Place(exact=tmp_path / "run", force=True)
    with pytest.raises(InvalidSetting, match="table"):
        embed_image(str(image), model, place, EmbedSettings(table="none", image=False))
    with pytest.raises(InvalidSetting, match="dimension"):
        embed_image(str(image), model, place, EmbedSettings(**QUICK, dims=(WIDTH,)))
    empty = tmp_path / "empty.tif"
    with CogWriter(empty, RasterSpec(Grid.north_up(0, 0, 30, 70, 70, 32631), BANDS, "int16", nodata=-9999)) as writer:
        writer.write(Strip(0, np.full((6, 70, 70), -9999, np.int16)))
    with pytest.raises(NoValidPixels):
        embed_image(str(empty), model, place, EmbedSettings(**QUICK))
    other = tmp_path / "unet.safetensors"
    contract = load_bundle(model).contract.model_copy(update={"architecture": "unet", "task": "landcover"})
    settings = {"channels": 6, "classes": 2}
    save_bundle(other, build("unet", settings), contract.model_copy(update={"settings": settings}))
    with pytest.raises(BundleInvalid):
        embed_image(str(image), other, place, EmbedSettings(**QUICK))


def test_one_pixel_is_enough(model, tmp_path):
    path = tmp_path / "one.tif"
    with CogWriter(path, RasterSpec(Grid.north_up(0, 0, 30, 1, 1, 32631), BANDS, "int16", nodata=-9999)) as writer:
        writer.write(Strip(0, np.full((6, 1, 1), 700, np.int16)))
    made = embed_image(str(path), model, Place(exact=tmp_path / "run"), EmbedSettings(**QUICK))
    assert pq.read_table(made.files["feature_table_0"]).num_rows == 1


def test_the_plan_names_what_will_be_made(model, image):
    plan = plan_embedding(str(image), model, EmbedSettings(**QUICK))
    assert plan.products == ("feature_maps_0.tif", "feature_maps_0.parquet")
    assert plan.tiles == 4 * 4  # of 64 px, 32 px apart


def test_the_command_line_goes_the_whole_way(model, image, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["change", "embed", str(image), "-m", str(model), "-o", str(run), "--runtime", "torch", "--dims", "0,1,2"]
    assert main([*words, "--dry-run"]) == 0
    assert not run.exists()
    assert "feature_maps_0.parquet" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["products"]["feature_table_0"] == "feature_maps_0.parquet"
    assert main(["embed", "cluster", str(run), "-k", "3", "--no-curve", "-o", str(tmp_path / "groups")]) == 0
    assert "cluster 3" in capsys.readouterr().out
    labels = tmp_path / "mask.tif"
    grid = Grid.north_up(500_010, 4_900_020, 240, 19, 17, 32631)
    with CogWriter(labels, RasterSpec(grid, ("class",), "uint8")) as writer:
        writer.write(Strip(0, np.random.default_rng(0).integers(1, 3, (1, 19, 17)).astype(np.uint8)))
    probe = ["embed", "probe", str(run), "--labels", str(labels), "-o", str(tmp_path / "probe"), "--buffer", "0"]
    assert main([*probe, "--block", "960", "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert {"embeddings/accuracy", "raw/accuracy", "majority/accuracy"} <= set(metrics)
