"""The default profile: what the map of a pair must be, whatever the images are like."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import rasterio.warp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arpent.errors import (
    BandMismatch,
    BundleInvalid,
    ContractMismatch,
    FileMissing,
    GeoreferenceMissing,
    InvalidSetting,
    NoOverlap,
    NoValidPixels,
    UnknownName,
)
from arpent.store import RunFolder, verify
from arpent.tasks.change import ChangeSettings, Frame, Pair, compare
from arpent.testing.items import validate_stac

NONE = -100.0


@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (17, 33), (64, 64), (100, 90)])
def test_equal_images_are_alike_everywhere_whatever_their_size(nano, land, compared, tmp_path, shape):
    image = land(tmp_path / "a.tif", *shape)
    arrays, done = compared([image, image], nano(twins=True))
    np.testing.assert_allclose(arrays["cosine_map"], np.ones((1, *shape)), atol=1e-5)
    assert done.figures["valid_share"] == 1 and done.figures["changed_share"] == 0
    assert (arrays["before_date"] == 2020100).all() and (arrays["after_date"] == 2021100).all()


@pytest.mark.parametrize("stride", [4, 2, 1])
@pytest.mark.parametrize("upsample", [True, False])
def test_equal_images_are_alike_at_every_stride(nano, land, compared, tmp_path, stride, upsample):
    image = land(tmp_path / "a.tif", 41, 37)
    arrays, done = compared([image, image], nano(patch=4, size=32, twins=True), stride=stride, upsample=upsample)
    scale = 1 if upsample else stride
    assert arrays["cosine_map"].shape == (1, -(-41 // scale), -(-37 // scale))
    np.testing.assert_allclose(arrays["cosine_map"], 1, atol=1e-5)
    with rasterio.open(done.products["cosine_map"]) as made:
        assert made.transform.a == 30 * scale


def test_a_hole_hides_the_patches_that_touch_it_and_nothing_else(nano, land, compared, tmp_path):
    values = np.random.default_rng(1).uniform(200, 3000, (6, 90, 75))
    values[3, 20, 33] = -9999
    before, after = land(tmp_path / "a.tif", values=values), land(tmp_path / "b.tif", 90, 75, seed=2)
    expected = np.ones((90, 75), bool)
    expected[16:32, 32:48] = False
    arrays, _ = compared([before, after], nano())
    np.testing.assert_array_equal(arrays["cosine_map"][0] != NONE, expected)
    # At finer strides the nearest answer decides: those whose patch touches the pixel are missing.
    arrays, _ = compared([before, after], nano(patch=4, size=32), stride=2)
    hidden = np.argwhere(arrays["cosine_map"][0] == NONE)
    assert hidden.min(0).tolist() == [19, 31] and hidden.max(0).tolist() == [22, 34]


def test_a_constant_stays_constant_up_to_the_hole(nano, land, compared, tmp_path):
    values = np.full((6, 96, 96), 1500.0)
    values[:, 50, 50] = -9999
    image = land(tmp_path / "a.tif", values=values)
    arrays, _ = compared([image, image], nano(twins=True))
    known = arrays["cosine_map"][0] != NONE
    assert (~known).sum() == 256
    np.testing.assert_allclose(arrays["cosine_map"][0][known], 1, atol=1e-5)


@settings(max_examples=12)
@example(down=0.0, across=1.5007584512908885)  # the middle of a column lies a trifle outside of the second image
@example(down=-3.4993, across=2.5)
@given(down=st.floats(-20, 20), across=st.floats(-20, 20))
def test_shared_ground_is_used_to_its_last_pixel(nano, land, compared, tmp_path_factory, down, across):
    folder = tmp_path_factory.mktemp("shared")
    before = land(folder / "a.tif", 70, 60, seed=1)
    after = land(folder / "b.tif", 70, 60, seed=2, place=(500_000 + 30 * across, 5_000_000 - 30 * down))
    arrays, _ = compared([before, after], nano(), "shared")
    found = arrays["cosine_map"][0]
    # All pixels of the first image whose middle lies in the second one.
    rows = (np.arange(70) + 0.5 > down + 2e-3) & (np.arange(70) + 0.5 < down + 70 - 2e-3)
    cols = (np.arange(60) + 0.5 > across + 2e-3) & (np.arange(60) + 0.5 < across + 60 - 2e-3)
    assert found.shape[0] >= rows.sum() and found.shape[1] >= cols.sum()
    assert (found != NONE).sum() >= rows.sum() * cols.sum()


def test_sub_pixel_offsets_are_resampled_not_cut_off(nano, land, compared, tmp_path):
    rows, cols = np.mgrid[:80, :80]

    def scene(shift):
        return np.stack([1500 + 900 * np.sin((rows + shift) / 9) * np.cos((cols + shift) / 7)] * 6)

    before = land(tmp_path / "a.tif", values=scene(0))
    moved = land(tmp_path / "b.tif", values=scene(0.4), place=(500_000 + 12, 5_000_000 - 12))
    arrays, _ = compared([before, moved], nano(twins=True))
    known = arrays["cosine_map"][0] != NONE
    assert known.mean() > 0.9
    assert arrays["cosine_map"][0][known].min() > 0.999


def test_of_two_dates_before_the_one_most_alike_is_compared(nano, land, compared, tmp_path):
    now = land(tmp_path / "now.tif", 64, 64, seed=1)
    half = land(tmp_path / "other.tif", 64, 64, seed=2)
    with rasterio.open(now) as one, rasterio.open(half) as two:
        mixed = two.read()
        mixed[:, :32] = one.read()[:, :32]
        rest = one.read()
        rest[:, :32] = two.read()[:, :32]
    first, second = land(tmp_path / "m.tif", values=mixed), land(tmp_path / "r.tif", values=rest)
    arrays, _ = compared([first, second, now], nano(frames=3, twins=True), attention=False, upsample=False)
    np.testing.assert_allclose(arrays["cosine_map"], 1, atol=1e-5)
    assert (arrays["before_date"][0, :2] == 2020100).all() and (arrays["before_date"][0, 2:] == 2021100).all()
    assert (arrays["after_date"] == 2022100).all()


def test_one_image_gives_embeddings(nano, land, compared, tmp_path):
    image = land(tmp_path / "a.tif", 70, 60)
    arrays, done = compared([image], nano(), features=True, dims=(3, 0), upsample=False, table="geoparquet")
    assert arrays["feature_maps_0"].shape == (2, 5, 4)
    with rasterio.open(done.products["feature_maps_0"]) as made:
        assert made.descriptions == ("embedding 3", "embedding 0")
    table = pq.read_table(done.products["feature_table_0"])
    assert table.num_rows == 20 and {"f3", "f0"} <= set(table.column_names)
    with pytest.raises(InvalidSetting, match="nothing is asked"):
        compared([image], nano())


def test_embeddings_are_those_of_the_map(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{seed}.tif", 64, 64, seed=seed) for seed in (1, 2)]
    arrays, _ = compared(images, nano(), features=True, upsample=False)
    first, second = arrays["feature_maps_0"], arrays["feature_maps_1"]
    cosine = (first * second).sum(0) / np.linalg.norm(first, axis=0) / np.linalg.norm(second, axis=0)
    np.testing.assert_allclose(arrays["cosine_map"][0], cosine, atol=1e-5)


def test_reconstructions_keep_type_order_and_no_data_of_their_image(nano, land, compared, tmp_path):
    order = ("B12", "B02", "B03", "B04", "B8A", "B11")
    values = np.random.default_rng(1).uniform(200, 3000, (6, 64, 64))
    values[:, 5, 5] = -9999
    plain = land(tmp_path / "plain.tif", values=values)
    turned = land(tmp_path / "turned.tif", values=values[[5, 0, 1, 2, 3, 4]], bands=order)
    model = nano()
    arrays, done = compared([plain, plain], model, reconstruct=True)
    others, _ = compared([turned, turned], model, "other", reconstruct=True)
    np.testing.assert_array_equal(others["cosine_map"], arrays["cosine_map"])
    np.testing.assert_array_equal(others["infer_1"], arrays["infer_1"][[5, 0, 1, 2, 3, 4]])
    with rasterio.open(done.products["infer_0"]) as made:
        assert made.dtypes[0] == "int16" and made.nodata == -9999
        assert made.descriptions == ("B02", "B03", "B04", "B8A", "B11", "B12")
        assert (made.read()[:, 5, 5] == -9999).all() and (made.read()[:, 0, 0] != -9999).all()


def test_a_change_head_gives_probabilities(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{seed}.tif", 70, 66, seed=seed) for seed in (1, 2)]
    for extra in ({}, {"upsample": False}, {"profile": "planaura"}):
        arrays, _ = compared(images, nano(head=True), **extra)
        chance = arrays["change_probability"]
        assert chance.shape == (1, 70, 66)
        assert chance.min() > 0 and chance.max() < 1 and np.ptp(chance) > 0.01


def write_mask(land, path, code, shape=(64, 64), **facts):
    return land(path, values=np.full((1, *shape), code), bands=("mask",), dtype="uint8", nodata=None, **facts)


def test_quality_is_the_worse_of_both_dates_at_every_pixel(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{seed}.tif", 64, 64, seed=seed) for seed in (1, 2)]
    bits = np.zeros((1, 64, 64), np.uint8)
    bits[0, 10, 10], bits[0, 10, 11], bits[0, 30, 30] = 0b10, 0b1100_0000, 255
    first = land(tmp_path / "q.tif", values=bits, bands=("mask",), dtype="uint8", nodata=None)
    second = write_mask(land, tmp_path / "snow.tif", 0b1_0000)
    arrays, _ = compared(images, nano(), quality=(first, second))
    quality = arrays["quality_fmask"][0]
    assert quality[10, 10] == 1 and quality[10, 11] == 6 and quality[30, 30] == 255 and quality[0, 0] == 4
    coarse, _ = compared(images, nano(), quality=(first, second), upsample=False)
    assert coarse["quality_fmask"][0].tolist() == [[1, 4, 4, 4], [4, 255, 4, 4], [4] * 4, [4] * 4]
    kept, _ = compared(images, nano(), quality=(first, second), exclude=("cloud",))
    hidden = np.argwhere(kept["cosine_map"][0] == NONE).tolist()
    assert hidden == [[10, 10], [30, 30]]
    only, _ = compared(images[:1], nano(), quality=(first,), features=True, dims=(0,))
    assert only["quality_fmask"][0, 10, 10] == 1 and only["quality_fmask"][0, 0, 0] == 0


def test_quality_layers_are_found_beside_images_and_inside_products(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{seed} é.TIF", 64, 64, seed=seed) for seed in (1, 2)]
    write_mask(land, tmp_path / "fmask_1 é.TIF", 0b1000)
    with pytest.raises(FileMissing, match=r"2 é\.TIF has no quality layer"):
        compared(images, nano())
    arrays, _ = compared(images, nano(), missing_quality="clear")
    assert (arrays["quality_fmask"] == 3).all()
    arrays, _ = compared(images, nano(), quality=(), missing_quality="clear", layer="planaura")
    assert (arrays["quality_fmask"] == 8).all()
    with pytest.raises(UnknownName, match="quality layer"):
        compared(images, nano(), layer="clouds")
    values = np.concatenate([np.random.default_rng(1).uniform(200, 3000, (6, 64, 64)), np.full((1, 64, 64), 9)])
    product = land(tmp_path / "product.tif", values=values, bands=("B02", "B03", "B04", "B8A", "B11", "B12", "SCL"))
    arrays, _ = compared([product, product], nano(), "inside")
    assert (arrays["quality_fmask"] == 1).all()


def test_a_quality_layer_that_does_not_reach_an_image_is_fill(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{seed}.tif", 64, 64, seed=seed) for seed in (1, 2)]
    near = write_mask(land, tmp_path / "near.tif", 0, (32, 200))
    far = write_mask(land, tmp_path / "far.tif", 0, place=(700_000.0, 5_000_000.0))
    arrays, _ = compared(images, nano(), quality=(near, near))
    assert (arrays["quality_fmask"][0, :32] == 0).all() and (arrays["quality_fmask"][0, 32:] == 255).all()
    arrays, _ = compared(images, nano(), quality=(near, far))
    assert (arrays["quality_fmask"] == 255).all()


def test_images_that_cannot_be_compared_are_refused_by_name(nano, land, compared, tmp_path):
    good = land(tmp_path / "good.tif", 64, 64)
    far = land(tmp_path / "far.tif", 64, 64, place=(900_000.0, 5_000_000.0))
    with pytest.raises(NoOverlap, match=r"good\.tif and .*far\.tif"):
        compared([good, far], nano())
    nowhere = land(tmp_path / "nowhere.tif", 64, 64, crs=None)
    with pytest.raises(GeoreferenceMissing, match="nowhere"):
        compared([good, nowhere], nano())
    with pytest.raises(GeoreferenceMissing, match="differ in size"):
        compared([nowhere, land(tmp_path / "small.tif", 32, 64, crs=None)], nano())
    five = land(tmp_path / "five.tif", 64, 64, bands=("B02", "B03", "B04", "B8A", "B11"))
    with pytest.raises(BandMismatch, match="B12"):
        compared([good, five], nano())
    nameless = land(tmp_path / "nameless.tif", 64, 64, bands=[f"band_{n}" for n in range(1, 6)])
    with pytest.raises(BandMismatch, match="does not name its bands"):
        compared([good, nameless], nano())
    with pytest.raises(ContractMismatch, match="pixels of 30 m"):
        compared([good, good], nano(gsd=10.0))
    with pytest.raises(ContractMismatch, match="positions for 2 dates"):
        compared([good, good, good], nano())
    with pytest.raises(BundleInvalid, match="no model of change"):
        compared([good, good], nano(task="landcover"))
    with pytest.raises(InvalidSetting, match="not known"):
        compared([good, good], nano(), days=(), dates="yes")
    with pytest.raises(InvalidSetting, match="too many"):
        Pair((Frame("a"),) * 4, "four")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_pictures_without_a_place_are_laid_pixel_on_pixel(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{seed}.tif", 64, 70, seed=seed, crs=None) for seed in (1, 2)]
    arrays, done = compared(images, nano())
    assert (arrays["cosine_map"] != NONE).all() and "changed_m2" not in done.figures


def test_bands_without_names_are_those_of_the_model(nano, land, compared, tmp_path):
    values = np.random.default_rng(1).uniform(200, 3000, (6, 64, 64))
    named = land(tmp_path / "named.tif", values=values)
    plain = land(tmp_path / "plain.tif", values=values, bands=[f"band_{n}" for n in range(1, 7)])
    arrays, _ = compared([named, plain], nano(twins=True))
    np.testing.assert_allclose(arrays["cosine_map"], 1, atol=1e-5)


def test_nothing_but_no_data_is_an_error_and_odd_numbers_are_no_data(nano, land, compared, tmp_path):
    good = land(tmp_path / "good.tif", 64, 64)
    empty = land(tmp_path / "empty.tif", values=np.full((6, 64, 64), -9999))
    with pytest.raises(NoValidPixels, match="no ground in common"):
        compared([good, empty], nano())
    with pytest.raises(NoValidPixels, match="holds no data"):
        compared([empty], nano(), features=True)
    values = np.random.default_rng(1).uniform(200, 3000, (6, 64, 64))
    values[0, 3, 3], values[1, 40, 40], values[2, 3, 40] = np.nan, np.inf, -np.inf
    odd = land(tmp_path / "odd.tif", values=values, dtype="float32", nodata=None)
    arrays, _ = compared([good, odd], nano())
    known = arrays["cosine_map"][0] != NONE
    assert (~known).sum() == 3 * 256 and not known[0, 0] and not known[40, 40] and not known[3, 40]


def test_a_box_and_a_shift_cut_out_a_part(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{seed}.tif", 100, 90, seed=seed) for seed in (1, 2)]
    box = (500_000 + 300, 5_000_000 - 2400, 500_000 + 2100, 5_000_000 - 600)
    arrays, done = compared(images, nano(), box=box)
    assert arrays["cosine_map"].shape == (1, 60, 60)
    with rasterio.open(done.products["cosine_map"]) as made:
        assert made.bounds == box
        lonlat = rasterio.warp.transform_bounds(made.crs, "EPSG:4326", *box)
    arrays, _ = compared(images, nano(), box=lonlat, box_crs="EPSG:4326")
    assert abs(arrays["cosine_map"].shape[1] - 60) <= 2
    arrays, _ = compared(images, nano(), shift=30, profile="planaura")
    assert arrays["cosine_map"].shape == (1, 70, 60)
    for wrong in ({"shift": 200}, {"box": (1.0, 1.0, 0.0, 2.0)}, {"box": box, "box_crs": "EPSG:nothing"}):
        with pytest.raises(InvalidSetting):
            compared(images, nano(), **wrong)
    with pytest.raises(NoOverlap, match="box"):
        compared(images, nano(), box=(0.0, 0.0, 9.0, 9.0))


@pytest.mark.requires("openvino")
def test_openvino_gives_the_same_map(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{seed}.tif", 100, 90, seed=seed) for seed in (1, 2)]
    arrays, _ = compared(images, nano(head=True))
    others, _ = compared(images, nano(head=True), runtime="openvino")
    for product in ("cosine_map", "change_probability"):
        np.testing.assert_allclose(others[product], arrays[product], atol=1e-4)
    with pytest.raises(InvalidSetting, match="OpenVINO"):
        compared(images, nano(), runtime="openvino", stride=4)


def test_tiles_are_mixed_so_that_no_seam_is_left(nano, land, compared, tmp_path):
    images = [land(tmp_path / f"{seed}.tif", 200, 40, seed=seed) for seed in (1, 2)]
    arrays, _ = compared(images, nano(patch=4, size=64))
    down = np.abs(np.diff(arrays["cosine_map"][0], axis=0)).mean(axis=1)
    assert down.max() < 8 * np.median(down)


def test_a_run_of_several_pairs_is_complete_and_described(nano, land, tmp_path):
    from arpent.store import RunFolder, open_run
    from arpent.tasks.change import ChangeSettings
    from arpent.tasks.change.comparing import compare

    images = [land(tmp_path / f"i.{seed}.v2.tif", 64, 64, seed=seed) for seed in (1, 2, 3)]
    with RunFolder.create(tmp_path / "run", "change", "x", exact=True) as run:
        for number, (before, after) in enumerate(itertools.pairwise(images)):
            pair = Pair((Frame(before, 2020001), Frame(after, 2020001 + number)), f"pair {number}")
            chosen = ChangeSettings(runtime="torch", device="cpu")
            compare(run, pair, nano(), chosen, suffix=f"!i.{number}.v2!i.{number + 1}.v2")
        run.finish()
    found = open_run(tmp_path / "run")
    assert verify(found).files == 2 * (3 * 2 + 1)
    assert {"cosine_map!i.0.v2!i.1.v2", "cosine_map!i.1.v2!i.2.v2"} <= {p.name for p in found.manifest.products}
    assert {"changed_m2/pair 0", "changed_m2/pair 1"} <= set(found.manifest.metrics)
    for product in found.manifest.products:
        if product.stac:
            item = json.loads((found.path / product.stac.file).read_text())
            validate_stac(item)
            assert item["properties"]["arpent:acquired"]


def run_again(script, folder):
    """Runs a script, kills it at moments that differ, and starts it again until it is done; how often it was killed."""
    kills = 0
    for attempt in range(40):
        child = subprocess.Popen([sys.executable, "-W", "ignore", "-c", script], env=os.environ)
        deadline = time.monotonic() + 120
        seen = ledgers(folder)
        while child.poll() is None and ledgers(folder) in ([], seen):
            time.sleep(0.002)
            assert time.monotonic() < deadline
        time.sleep(0.01 * (attempt % 3))
        if child.poll() is None and kills < 2:
            child.send_signal(signal.SIGKILL)
            kills += 1
        assert child.wait(120) in (0, -signal.SIGKILL)
        if (folder / "manifest.json").exists():
            return kills
    raise AssertionError("never done")


def ledgers(folder):
    try:
        return [path.read_bytes() for path in Path(folder).rglob("ledger.json")]
    except FileNotFoundError:
        return []


SCRIPT = """
import sys
from pathlib import Path
from arpent.models import load_bundle
from arpent.store import Place
from arpent.tasks.change.asking import PairImages, pair_of
from arpent.tasks.change.pairs import compare_images
from arpent.tasks.change import ChangeSettings
folder, profile, target = {folder!r}, {profile!r}, {target!r}
pair = pair_of(PairImages((folder + "/a.tif", folder + "/b.tif")), (2020100, 2021100))
model = folder + "/nano.safetensors"
settings = ChangeSettings(profile=profile, runtime="torch", device="cpu", features=True, dims=(0,), table="geoparquet")
compare_images(pair, load_bundle(model), model, Place(exact=Path(target), resume=True), settings)
"""


@pytest.mark.parametrize("profile", ["arpent", pytest.param("planaura", marks=pytest.mark.faults)])
def test_killed_and_started_again_every_byte_is_the_same(nano, land, tmp_path, profile):
    from arpent.models import save_bundle

    bundle = nano()
    save_bundle(tmp_path / "nano.safetensors", bundle.model, bundle.contract)
    land(tmp_path / "a.tif", 220, 60, seed=1)
    land(tmp_path / "b.tif", 220, 60, seed=2)
    facts = {"folder": str(tmp_path), "profile": profile}
    exec(SCRIPT.format(target=str(tmp_path / "whole"), **facts), {})
    kills = run_again(SCRIPT.format(target=str(tmp_path / "killed"), **facts), tmp_path / "killed")
    assert kills >= 2
    names = [path.name for path in (tmp_path / "whole").iterdir() if path.suffix in (".tif", ".parquet", ".png")]
    assert len(names) == 8
    for name in names:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.slow
def test_memory_does_not_grow_with_the_height_of_the_images(nano, land, tmp_path):
    """Of the taller pair, the network's input alone would take 209 MB and the products 61 MB more.

    One process does both; its heap and GDAL's cache grow until they are full.
    """
    from arpent.models import save_bundle

    bundle = nano(size=256)
    script = ""
    for height in (1500, 10_000):
        folder = tmp_path / str(height)
        folder.mkdir()
        save_bundle(folder / "nano.safetensors", bundle.model, bundle.contract)
        for seed, name in ((1, "a.tif"), (2, "b.tif")):
            land(folder / name, height, 512, seed=seed)
        one = SCRIPT.format(folder=str(folder), profile="arpent", target=str(folder / "run"))
        script += one.replace(', features=True, dims=(0,), table="geoparquet"', "")
        script += "from arpent.testing.memory import peak_memory\nprint(peak_memory())\n"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    short, tall = map(int, done.stdout.split())
    assert tall - short < 160 * 2**20, (short, tall)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32", "float64"])
def test_the_numbers_of_training_are_taken_in_any_type_that_holds_them(nano, land, compared, tmp_path, dtype):
    bundle = nano(dtype="int16")
    plain = [land(tmp_path / f"{name}.tif", seed=seed) for seed, name in enumerate("ab")]
    other = []
    for path in plain:
        with rasterio.open(path) as image:
            other.append(land(f"{path}.{dtype}.tif", values=image.read(), dtype=dtype, nodata=0))
    (wanted, _), (found, _) = compared(plain, bundle), compared(other, bundle)
    assert np.array_equal(wanted["cosine_map"], found["cosine_map"])


@pytest.mark.parametrize(
    ("dtype", "value", "told"), [("float32", 0.25, "0.25"), ("uint16", 40_000, "40000"), ("uint8", 90, "uint8")]
)
def test_numbers_that_training_could_not_know_are_refused(nano, land, compared, tmp_path, dtype, value, told):
    values = np.full((6, 300, 40), 7)
    image = land(
        tmp_path / "a.tif", values=np.where(np.arange(300)[:, None] > 290, value, values), dtype=dtype, nodata=0
    )
    with pytest.raises(ContractMismatch, match=f"{dtype} .*int16.*{told}" if dtype != "uint8" else "uint8 .*int16"):
        compared([image, image], nano(dtype="int16"))


@pytest.mark.parametrize(("dtype", "value"), [("uint16", 40_000), ("float32", 1e6)])
def test_one_odd_pixel_is_clipped_wherever_it_lies(nano, land, compared, tmp_path, dtype, value):
    """In a corner, where the type is looked at, as well as elsewhere; said once."""
    with rasterio.open(land(tmp_path / "plain.tif")) as image:
        plain = image.read()
    made = {}
    for name, odd in (("odd", value), ("most", 32_767)):
        values = plain.astype(dtype)
        values[2, 0, 0] = odd
        made[name] = land(tmp_path / f"{name}.tif", values=values, dtype=dtype, nodata=0)
    with RunFolder.create(tmp_path / "run", "change", "run", exact=True) as run:
        frames = tuple(Frame(made["odd"], day) for day in (2020100, 2021100))
        compare(run, Pair(frames, "run"), nano(dtype="int16"), ChangeSettings(runtime="torch", device="cpu"))
        (told,) = [line for line in run.finish().manifest.warnings if "brought to their range" in line]
    assert "odd.tif" in told
    (found, _), (wanted, _) = (compared([made[name]] * 2, nano(dtype="int16")) for name in ("odd", "most"))
    assert np.array_equal(found["cosine_map"], wanted["cosine_map"])


@pytest.mark.parametrize("fill", [np.finfo(np.float32).min, np.inf, -np.inf, np.nan])
def test_an_untagged_fill_of_floats_is_no_data(nano, land, compared, tmp_path, fill):
    with rasterio.open(land(tmp_path / "plain.tif")) as image:
        values = image.read().astype(np.float32)
    values[:, 60:] = fill
    image = land(tmp_path / "fill.tif", values=values, dtype="float32", nodata=None)
    found, _ = compared([image, image], nano(dtype="int16"), minimum_valid=0)
    assert (found["cosine_map"][0, 60:] == -100).all()
    assert (found["cosine_map"][0, :40] >= -1).all()


def test_dates_on_both_counts_of_longitude_are_one_place(nano, land, compared, tmp_path):
    degrees = {"crs": 4326, "resolution": 0.0005}
    east = land(tmp_path / "east.tif", place=(179.98, -17.0), **degrees)
    west = land(tmp_path / "west.tif", place=(-180.02, -17.0), **degrees)
    arrays, done = compared([east, west], nano(twins=True))
    assert done.figures["valid_share"] == 1
    np.testing.assert_allclose(arrays["cosine_map"], 1, atol=1e-5)


@pytest.mark.parametrize("zones", [(32760, 32701), (32701, 32760)])
def test_neighbours_beyond_the_last_zone_are_compared(nano, land, compared, tmp_path, zones):
    left = {32760: 817_000, 32701: 177_000}
    images = [land(tmp_path / f"{zone}.tif", crs=zone, place=(left[zone], 8_117_000.0)) for zone in zones]
    _, done = compared(images, nano())
    assert done.figures["valid_share"] > 0.6
    degrees = land(
        tmp_path / "degrees.tif", crs=4326, place=(179.975, -16.995), resolution=0.0003, height=120, width=120
    )
    for pair in ((images[0], degrees), (degrees, images[1])):
        _, done = compared(pair, nano())
        assert done.figures["valid_share"] > 0.5
