"""Clouds in a comparison: which pixels they take away, and what happens when they take all."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio

from arpent.cli.app import main
from arpent.errors import FileMissing, NoValidPixels
from arpent.models import load_bundle, save_bundle
from arpent.store import Place
from arpent.tasks.change import ChangeSettings, Frame, Pair
from arpent.tasks.change.embedding import embed_image
from arpent.tasks.change.embedding_settings import EmbedSettings
from arpent.tasks.change.pairs import compare_images

NONE = -100.0


def layer(land, path, codes):
    return land(path, values=codes[None], bands=("Fmask",), dtype="uint8", nodata=255)


@pytest.mark.parametrize("head", [False, True])
def test_a_cloud_counts_at_the_date_before_that_was_chosen(nano, land, compared, tmp_path, head):
    now = land(tmp_path / "now.tif", 64, 64, seed=1)
    other = land(tmp_path / "other.tif", 64, 64, seed=2)
    clear, clouds = np.zeros((64, 64)), np.zeros((64, 64))
    clouds[:32, :32] = 2
    cloudy, none = layer(land, tmp_path / "cloudy.tif", clouds), layer(land, tmp_path / "none.tif", clear)
    facts = {"attention": False, "exclude": ("cloud",)}
    bundle = nano(frames=3, twins=True, head=head)
    # The second date before equals the last one and is chosen everywhere: a cloud in the first one hides nothing.
    arrays, _ = compared([other, now, now], bundle, quality=(cloudy, none, none), **facts)
    for name in ("cosine_map", "change_probability")[: 1 + head]:
        assert (arrays[name] != NONE).all()
    for layers in ((none, cloudy, none), (none, none, cloudy)):
        arrays, _ = compared([other, now, now], bundle, quality=layers, **facts)
        for name in ("cosine_map", "change_probability")[: 1 + head]:
            np.testing.assert_array_equal(arrays[name][0] == NONE, clouds == 2)


def test_a_comparison_without_a_single_pixel_is_no_comparison(nano, land, tmp_path):
    image = land(tmp_path / "a.tif", 40, 40)
    clouds = layer(land, tmp_path / "clouds.tif", np.full((40, 40), 2))
    pair = Pair((Frame(image, 2020100, clouds), Frame(image, 2021100, clouds)), "pair")
    chosen = ChangeSettings(runtime="torch", device="cpu", exclude=("cloud",))
    bundle = nano()
    save_bundle(tmp_path / "nano.safetensors", bundle.model, bundle.contract)
    with pytest.raises(NoValidPixels, match="--exclude"):
        compare_images(pair, bundle, tmp_path / "nano.safetensors", Place(exact=tmp_path / "run"), chosen)
    assert not (tmp_path / "run" / "manifest.json").exists()


QUICK = {"runtime": "torch", "device": "cpu", "read_threads": 1}


@pytest.fixture
def scene(nano, land, tmp_path):
    """An image of 64 × 96 pixels, its layer with one pixel of cloud, and a model of patches of 16 pixels."""
    codes = np.zeros((64, 96))
    codes[20, 40] = 2
    bundle = nano()
    model = save_bundle(tmp_path / "nano.safetensors", bundle.model, bundle.contract)
    return land(tmp_path / "a.tif", 64, 96), layer(land, tmp_path / "clouds.tif", codes), model


@pytest.mark.parametrize("stride", [16, 8])
@pytest.mark.parametrize("upsample", [False, True])
def test_patches_that_touch_a_cloud_are_not_embedded(scene, tmp_path, stride, upsample):
    image, clouds, model = scene
    given = {"stride": stride, "upsample": upsample, "table_type": "float32", "dims": (0, 5)}
    made = embed_image(
        image,
        model,
        Place(exact=tmp_path / "run"),
        EmbedSettings(**QUICK, **given, exclude=("cloud",), compression="zstd"),
        quality=[clouds],
    )
    plain = embed_image(image, model, Place(exact=tmp_path / "all"), EmbedSettings(**QUICK, **given))
    tables = [pq.read_table(one.files["feature_table_0"]) for one in (made, plain)]
    there, everywhere = (set(zip(table["row"].to_pylist(), table["col"].to_pylist(), strict=True)) for table in tables)
    touching = {(row, col) for row, col in everywhere if row <= 20 < row + 16 and col <= 40 < col + 16}
    assert touching and there == everywhere - touching
    with rasterio.open(made.files["feature_maps_0"]) as file:
        assert file.compression.name == "zstd"
        assert (file.read(1)[20 // (1 if upsample else stride), 40 // (1 if upsample else stride)] == NONE).all()
        assert (file.read(1) == NONE).sum() <= (32 if upsample else 2) ** 2
    assert "quality_fmask" in made.files and "quality_fmask" not in plain.files


def test_the_command_excludes_and_groups_what_is_left(scene, tmp_path):
    image, clouds, model = scene
    words = ["change", "embed", image, "-m", str(model), "-o", str(tmp_path / "run"), "--runtime", "torch"]
    assert main([*words, "--quality", clouds, "--exclude", "cloud", "--no-image"]) == 0
    assert pq.read_table(tmp_path / "run" / "feature_maps_0.parquet").num_rows == 4 * 6 - 1
    assert (
        main(["embed", "cluster", str(tmp_path / "run"), "-k", "2", "--no-curve", "-o", str(tmp_path / "kinds")]) == 0
    )
    with rasterio.open(tmp_path / "kinds" / "clusters.tif") as file:
        assert [index.tolist() for index in np.nonzero(file.read(1) == file.nodata)] == [[1], [2]]


def test_a_row_per_pixel_leaves_clouds_out_too(scene, tmp_path):
    image, clouds, model = scene
    chosen = EmbedSettings(**QUICK, table_pixels=True, image=False, dims=(0,), exclude=("cloud",))
    made = embed_image(image, model, Place(exact=tmp_path / "run"), chosen, quality=[clouds])
    table = pq.read_table(made.files["feature_table_0"])
    there = set(zip(table["row"].to_pylist(), table["col"].to_pylist(), strict=True))
    assert 64 * 96 - 16**2 <= len(there) < 64 * 96
    assert (20, 40) not in there


def test_tables_of_a_pair_leave_out_what_is_cloudy_at_either_date(scene, land, compared, tmp_path):
    image, clouds, _ = scene
    clear = layer(land, tmp_path / "clear.tif", np.zeros((64, 96)))
    nano = load_bundle(scene[2])
    _, done = compared([image, image], nano, quality=(clouds, clear), exclude=("cloud",), table="geoparquet")
    tables = [pq.read_table(done.products[f"feature_table_{date}"]) for date in (0, 1)]
    assert [table.num_rows for table in tables] == [4 * 6 - 1] * 2
    assert tables[0]["geometry"] == tables[1]["geometry"]


def test_what_is_all_cloud_or_has_no_layer_is_not_embedded(scene, land, tmp_path):
    image, _, model = scene
    chosen = EmbedSettings(**QUICK, exclude=("cloud",))
    run = Place(exact=tmp_path / "run")
    clouds = layer(land, tmp_path / "all.tif", np.full((64, 96), 2))
    with pytest.raises(NoValidPixels, match="excluded"):
        embed_image(image, model, run, chosen, quality=[clouds])
    assert not (tmp_path / "run").exists()
    with pytest.raises(FileMissing, match="quality layer"):
        embed_image(image, model, run, chosen)
