"""Profile planaura against the reference's rules, worked out again here in the plainest way, and its golden answers."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rasterio.warp import Resampling, reproject
from scipy import ndimage

from arpent.core import Band, Normalisation
from arpent.models import MISSING
from arpent.tasks.change.weights import ModelFit, load_model

GOLDEN = Path(__file__).parents[2] / "golden"
DATES = (2020100, 2021100)
NONE = -100.0


def on_first_grid(path, first):
    """An image on the grid of the first: shifted by whole pixels, or reprojected."""
    with rasterio.open(path) as image, rasterio.open(first) as base:
        if image.crs == base.crs:
            col, row = ~base.transform @ (image.transform.c, image.transform.f)
            canvas = np.full((image.count, base.height, base.width), image.nodata, np.float64)
            row, col = round(row), round(col)
            top, left = max(row, 0), max(col, 0)
            bottom, right = min(row + image.height, base.height), min(col + image.width, base.width)
            canvas[:, top:bottom, left:right] = image.read()[:, top - row : bottom - row, left - col : right - col]
            return canvas, image.nodata
        target = np.full((image.count, base.height, base.width), image.nodata, np.float32)
        reproject(
            image.read().astype(np.float32),
            target,
            src_transform=image.transform,
            src_crs=image.crs,
            dst_transform=base.transform,
            dst_crs=base.crs,
            src_nodata=image.nodata,
            dst_nodata=image.nodata,
            resampling=Resampling.cubic,
            tolerance=1e-3,
            XSCALE=1,
            YSCALE=1,
        )
        return np.rint(target).astype(np.float64), image.nodata


def starts(length, size):
    """Where tiles begin: half a tile apart, the last one at the end."""
    found = list(range(0, length - size + 1, size // 2))
    return found if found[-1] + size == length else [*found, length - size]


def decoded(bits):
    codes = np.zeros(bits.shape, np.uint8)
    for bit, code in ((1, 1), (2, 2), (3, 3), (4, 4)):
        codes[(bits >> bit) & 1 == 1] = code
    codes[(bits >> 6) == 3] = 6
    return codes


def max_pooled(codes, patch, stride):
    view = np.lib.stride_tricks.sliding_window_view(codes, (patch, patch))[::stride, ::stride]
    return view.max(axis=(2, 3))


def upsampled(values, valid, patch):
    zoom = {"zoom": patch, "order": 3, "mode": "nearest", "grid_mode": True}
    total = ndimage.zoom(np.where(valid, values, 0).astype(np.float64), **zoom)
    return np.where(ndimage.zoom(valid.astype(np.float64), **zoom) > 0.9, np.clip(total, -1, 1), NONE)


def by_the_rules(images, model, *, stride=None, minimum=0.9, masks=None, full=True):
    """Cosine and quality of a pair, tile by tile and coat by coat, with everything in memory."""
    patch, size = model.model.settings.patch, model.model.settings.image_size
    stride = stride or patch
    rule = model.contract.normalisation
    dates = []
    for path in images:
        values, nodata = on_first_grid(path, images[0])
        mean, std = (np.array(part)[:, None, None] for part in (rule.mean, rule.std))
        normal = ((values - mean) / std).astype(np.float32)
        dates.append(np.where(values == nodata, np.float32(MISSING), normal))
    height, width = dates[0].shape[1:]
    side = 1 if full or stride == 1 else patch
    shape = (-(-height // side), -(-width // side))
    coats = {name: [np.full(shape, NONE), np.full(shape, NONE)] for name in ("cosine", "quality")}
    for row in starts(height, size):
        for col in starts(width, size):
            cut = [date[:, row : row + size, col : col + size] for date in dates]
            if any((date == np.float32(MISSING)).mean(axis=(1, 2)).max() > 1 - minimum for date in cut):
                continue
            with torch.inference_mode():
                out = model.model(torch.from_numpy(np.stack(cut, axis=1)[None]), stride=stride)
            cosine = out.cosine[0].numpy()
            codes = np.zeros(cosine.shape)
            if masks is not None:
                pooled = [max_pooled(decoded(m[row : row + size, col : col + size]), patch, stride) for m in masks]
                codes = np.maximum(*pooled)
            at, inset = (row, col), 0
            if stride == 1:
                inset = patch // 2 - 1
                at = (row + inset, col + inset)
            elif full:
                cosine = upsampled(cosine, cosine != NONE, patch)
                codes = codes.repeat(patch, 0).repeat(patch, 1)
            else:
                at = ((row + patch // 2) // patch, (col + patch // 2) // patch)
            middle = size // 4 // (side if not full else 1)
            half = slice(middle, middle + size // 2 // (side if not full else 1))
            for name, values in (("cosine", cosine), ("quality", np.where(cosine != NONE, codes, NONE))):
                paint(coats[name][0], values, at)
                paint(coats[name][1], values[half, half], (at[0] + middle, at[1] + middle))
    return {name: np.where(above != NONE, above, below) for name, (below, above) in coats.items()}


def paint(canvas, values, at):
    row, col = at
    values = values[: canvas.shape[0] - row, : canvas.shape[1] - col]
    part = canvas[row : row + values.shape[0], col : col + values.shape[1]]
    part[values != NONE] = values[values != NONE]


def check(arrays, rules):
    np.testing.assert_array_equal(arrays["cosine_map"][0] != NONE, rules["cosine"] != NONE)
    np.testing.assert_allclose(arrays["cosine_map"][0], rules["cosine"], atol=2e-5)


@pytest.mark.parametrize(
    ("first", "second", "offset"),
    [((128, 128), (128, 128), (0, 0)), ((150, 213), (190, 230), (-7, 12)), ((301, 64), (250, 90), (20, -9))],
)
def test_cosines_are_those_of_the_rules(nano, land, compared, tmp_path, first, second, offset):
    before = land(tmp_path / "before.tif", *first, seed=1)
    place = (500_000 + 30 * offset[1], 5_000_000 - 30 * offset[0])
    after = land(tmp_path / "after.tif", *second, seed=2, place=place)
    model = nano()
    arrays, done = compared([before, after], model, profile="planaura", minimum_valid=0.5)
    rules = by_the_rules([before, after], model, minimum=0.5)
    check(arrays, rules)
    known = rules["cosine"] != NONE
    assert known.mean() > 0.5
    for product, date in zip(("before_date", "after_date"), DATES, strict=True):
        np.testing.assert_array_equal(arrays[product][0], np.where(known, date, NONE))
    assert done.figures["valid_share"] == pytest.approx(known.mean())


def holed(path, land, seed, **facts):
    rng = np.random.default_rng(seed)
    values = rng.uniform(200, 3000, (6, 20, 18)).repeat(9, 1).repeat(9, 2)
    values[2, 40:44, 70:75] = -9999  # in one band only
    values[:, 100:160, :50] = -9999
    return land(path, values=values, **facts)


def test_holes_and_the_least_share_of_data_follow_the_rules(nano, land, compared, tmp_path):
    before, after = holed(tmp_path / "a.tif", land, 1), holed(tmp_path / "b.tif", land, 2)
    model, seen = nano(), []
    for minimum in (0.9, 0.3):
        arrays, _ = compared([before, after], model, profile="planaura", minimum_valid=minimum)
        rules = by_the_rules([before, after], model, minimum=minimum)
        check(arrays, rules)
        seen.append((rules["cosine"] != NONE).sum())
    assert seen[0] < seen[1]


def test_coarse_maps_lie_where_the_rules_lay_them(nano, land, compared, tmp_path):
    before, after = land(tmp_path / "a.tif", 200, 139, seed=1), land(tmp_path / "b.tif", 200, 139, seed=2)
    model = nano()
    arrays, done = compared([before, after], model, profile="planaura", upsample=False)
    check(arrays, by_the_rules([before, after], model, full=False))
    with rasterio.open(done.products["cosine_map"]) as made:
        assert made.transform.a == 16 * 30


def test_answers_for_single_pixels_lie_where_the_rules_lay_them(nano, land, compared, tmp_path):
    values = np.random.default_rng(5).uniform(200, 3000, (6, 12, 13)).repeat(6, 1).repeat(6, 2)
    values[:, 40:43, 50:52] = -9999
    before, after = land(tmp_path / "a.tif", values=values), land(tmp_path / "b.tif", 72, 78, seed=2)
    model = nano(patch=8, size=32)
    arrays, _ = compared([before, after], model, profile="planaura", stride=1)
    check(arrays, by_the_rules([before, after], model, stride=1))


def test_another_reference_system_is_resampled_as_the_rules_have_it(nano, land, compared, tmp_path):
    before = land(tmp_path / "a.tif", 160, 150, seed=1)
    rows, cols = np.mgrid[:220, :220]
    smooth = 1500 + 1000 * np.sin(rows / 19) * np.cos(cols / 23)
    with rasterio.open(before) as image:
        place = rasterio.warp.transform(image.crs, "EPSG:32619", [500_000], [5_000_000])
    x, y = place[0][0] - 900, place[1][0] + 1500
    after = land(tmp_path / "b.tif", values=np.stack([smooth] * 6), crs=32619, place=(x, y))
    model = nano()
    arrays, _ = compared([before, after], model, profile="planaura")
    rules = by_the_rules([before, after], model)
    known = (arrays["cosine_map"][0] != NONE) & (rules["cosine"] != NONE)
    assert known.mean() > 0.5
    assert ((arrays["cosine_map"][0] != NONE) != (rules["cosine"] != NONE)).mean() < 0.01
    # A whole number may be rounded the other way at some pixels: features hardly notice.
    np.testing.assert_allclose(arrays["cosine_map"][0][known], rules["cosine"][known], atol=2e-3)


def test_quality_is_the_greatest_code_in_each_patch(nano, land, compared, tmp_path):
    rng = np.random.default_rng(3)
    before, after = land(tmp_path / "a.tif", 130, 140, seed=1), land(tmp_path / "b.tif", 130, 140, seed=2)
    masks = []
    for name in ("a.tif", "b.tif"):
        bits = rng.choice([0, 2, 4, 8, 16, 32, 64, 192, 2 | 16, 255], (1, 17, 18)).repeat(8, 1).repeat(8, 2)
        bits = bits[:, :130, :140]
        land(tmp_path / f"fmask_{name}", values=bits, bands=("mask",), dtype="uint8", nodata=None)
        masks.append(bits[0])
    model = nano()
    arrays, _ = compared([before, after], model, profile="planaura")
    rules = by_the_rules([before, after], model, masks=masks)
    np.testing.assert_array_equal(
        arrays["quality_fmask"][0], np.where(rules["quality"] == NONE, 255, rules["quality"]).astype(np.uint8)
    )
    assert len(np.unique(arrays["quality_fmask"])) > 3


def test_images_smaller_than_a_tile_are_filled_up_with_no_data(nano, land, compared, tmp_path):
    before, after = land(tmp_path / "a.tif", 40, 50, seed=1), land(tmp_path / "b.tif", 40, 50, seed=2)
    arrays, _ = compared([before, after], nano(), profile="planaura", upsample=False)
    cosine = arrays["cosine_map"][0]
    assert cosine.shape == (3, 4)
    assert (cosine[:2, :3] > NONE).all() and (cosine[2] == NONE).all() and (cosine[:, 3] == NONE).all()


def test_the_golden_answers_through_files_and_the_engine(land, compared, tmp_path):
    golden = np.load(GOLDEN / "planaura_tiny_golden.npz")
    bands = tuple(f"b{number}" for number in range(6))
    fit = ModelFit(
        bands=bands,
        normalisation=Normalisation(origin="golden", mean=(0.0,) * 6, std=(1.0,) * 6),
        nodata=float(np.float32(MISSING)),
        heads=4,
        decoder_heads=4,
        frames=2,
    )
    model = load_model(GOLDEN / "planaura_tiny_official_layout.pth", fit)
    assert tuple(Band(name=name) for name in bands) == model.contract.bands
    facts = {"bands": bands, "dtype": "float32", "nodata": float(np.float32(MISSING))}
    images = [land(tmp_path / f"{date}.tif", values=golden["input"][0][:, date], **facts) for date in range(2)]
    for attention, key in ((True, "att"), (False, "noatt")):
        wanted = {"profile": "planaura", "attention": attention, "minimum_valid": 0.0, "features": True}
        arrays, _ = compared(images, model, upsample=False, reconstruct=attention, **wanted)
        np.testing.assert_allclose(arrays["cosine_map"][0], golden[f"s16_{key}_cosine"][0], atol=1e-4)
        for date in range(2):
            features = np.moveaxis(arrays[f"feature_maps_{date}"], 0, -1)
            np.testing.assert_allclose(features, golden[f"s16_{key}_features"][0, date], atol=1e-4)
            if attention:
                painted = golden["s16_reconstruction"][0][:, date]
                np.testing.assert_allclose(arrays[f"infer_{date}"], painted, atol=1e-4)
        arrays, _ = compared(images, model, stride=1, **(wanted | {"features": False}))
        inside = arrays["cosine_map"][0][7:56, 7:56]
        np.testing.assert_allclose(inside, golden[f"s1_{key}_cosine"][0], atol=1e-4)
        assert (arrays["cosine_map"][0][:7] == NONE).all()
