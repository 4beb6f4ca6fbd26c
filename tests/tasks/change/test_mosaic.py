"""Mosaics against plain re-computations with all rasters in memory, and what they promise besides."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.warp import Resampling, reproject, transform_bounds

from arpent.errors import FileMissing, InputError, InvalidSetting, RunExists, UnreadableFile
from arpent.store import Place, RunFolder, open_run, verify
from arpent.tasks.change.frames import Frame, Pair
from arpent.tasks.change.mosaic import fuse, make_mosaic
from arpent.tasks.change.mosaic_pairs import find_pairs
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.testing.items import validate_stac

UTM, NEXT_ZONE, LAMBERT = "EPSG:32618", "EPSG:32619", "EPSG:3979"
DATES = {0: (2020160, 2021160), 1: (2019150, 2021165), 2: (2020200, 2022170)}


def from_origin(left, top, across, down):
    return Affine(across, 0, left, 0, -down, top)


def write(path, pixels, left, top, *, crs=UTM, resolution=30.0, nodata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = np.atleast_3d(pixels) if pixels.ndim == 3 else pixels[None]
    profile = {"driver": "GTiff", "count": len(bands), "dtype": bands.dtype, "nodata": nodata, "crs": crs}
    profile |= {"height": bands.shape[1], "width": bands.shape[2]}
    with rasterio.open(path, "w", transform=from_origin(left, top, resolution, resolution), **profile) as file:
        file.write(bands)
    return path


def waves(shape, phase, rng):
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    smooth = 0.6 * np.sin(rows / 9.0 + phase) * np.cos(cols / 7.0 - phase) + 0.2
    return np.clip(smooth + rng.normal(0, 0.05, shape), -1, 1).astype(np.float32)


def reference_folders(folder, *, crs=(UTM, UTM, UTM), offsets=((0, 0), (21, -13), (-17, 30))):
    """Three pairs as the reference leaves them: products in two folders, the images that were compared in a third."""
    rng = np.random.default_rng(4)
    for number, (system, offset) in enumerate(zip(crs, offsets, strict=True)):
        shape = (70 + 4 * number, 90 - 6 * number)
        left, top = 500_000.0 + 30 * offset[1], 5_100_000.0 + 30 * offset[0]
        if system == NEXT_ZONE:
            (x,), (y,) = rasterio.warp.transform(UTM, NEXT_ZONE, [left], [top])
            left, top = round(x / 30) * 30.0 + 7.0, round(y / 30) * 30.0
        place = {"left": left, "top": top, "crs": system}
        stems = [f"HLS.{number}.{day}T1" for day in DATES[number]]
        suffix = f"!{stems[0]}!{stems[1]}"
        cosine = waves(shape, number, rng)
        cosine[10 * number : 10 * number + 15, 20:40] = -100
        before, after = (np.full(shape, day, np.int32) for day in DATES[number])
        for dates in (before, after):
            dates[cosine == -100] = -100
        quality = rng.integers(0, 5, shape).astype(np.uint8)
        quality[cosine == -100] = 255
        write(folder / "0" / f"cosine_map{suffix}.tif", cosine, nodata=-100, **place)
        write(folder / "0" / f"before_date{suffix}.tif", before, nodata=-100, **place)
        write(folder / "0" / f"after_date{suffix}.tif", after, nodata=-100, **place)
        write(folder / "0" / f"quality_fmask{suffix}.tif", quality, nodata=255, **place)
        for frame in (0, 1):
            features = np.stack([waves(shape, number + frame + band, rng) for band in range(3)])
            features[:, cosine == -100] = -100
            write(folder / str(frame) / f"feature_maps_{frame}{suffix}.tif", features, nodata=-100, **place)
            image = np.stack([1500 + 900 * waves(shape, band + frame, rng) for band in range(6)]).astype(np.int16)
            write(folder / "in" / f"{stems[frame]}.tif", image, nodata=-9999, **place)
    return [folder / "0", folder / "1"]


def warped(path, grid, method):
    with rasterio.open(path) as file:
        nodata = file.nodata
        out = np.full((file.count, *grid["shape"]), nodata, file.dtypes[0])
        reproject(
            rasterio.band(file, list(file.indexes)),
            out,
            dst_transform=grid["transform"],
            dst_crs=grid["crs"],
            resampling=method,
            dst_nodata=nodata,
            # Left to itself, GDAL widens the kernel by as much as the window is turned: another answer for each window.
            XSCALE=1,
            YSCALE=1,
        )
    return out


def plain_mosaic(folder, crs, resolution):
    """The reference's rules in a few lines, with every raster of the size of the mosaic in memory."""
    led = sorted((folder / "0").glob("cosine_map*"), key=lambda path: path.stem)
    boxes = []
    for path in led:
        with rasterio.open(path) as file:
            boxes.append(transform_bounds(file.crs, crs, *file.bounds))
    left, bottom = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, top = max(b[2] for b in boxes), max(b[3] for b in boxes)
    shape = (int((top - bottom) / resolution) + 1, int((right - left) / resolution) + 1)
    grid = {"shape": shape, "transform": from_origin(left, top, resolution, resolution), "crs": crs}
    near = np.stack([warped(path, grid, Resampling.nearest)[0] for path in led])
    winner = near.argmax(axis=0)
    made = {"persistence": (near != -100).sum(axis=0)[None].astype(np.uint16)}
    layers = {"cosine_map": 0, "before_date": 0, "after_date": 0, "quality_fmask": 0}
    for layer, place in (layers | {"feature_maps_0": 0, "feature_maps_1": 1}).items():
        codes = layer in {"before_date", "after_date", "quality_fmask"}
        files = [folder / str(place) / path.name.replace("cosine_map", layer) for path in led]
        every = [warped(path, grid, Resampling.nearest if codes else Resampling.cubic) for path in files]
        made[layer] = np.choose(winner[None], every)
    for side, layer in ((0, "before"), (1, "after")):
        out = np.full((6, *shape), -9999, np.int16)
        for number in range(len(led)):
            image = warped(folder / "in" / f"HLS.{number}.{DATES[number][side]}T1.tif", grid, Resampling.cubic)
            there = (made[f"{layer}_date"][0] == DATES[number][side]) & (winner == number)
            out[:, there] = image[:, there]
        made[f"{layer}_input"] = out
    return grid, made


@pytest.mark.parametrize(
    ("crs", "target"),
    [((UTM, UTM, UTM), UTM), ((UTM, NEXT_ZONE, UTM), LAMBERT)],
    ids=["one system, whole pixels", "two systems"],
)
def test_the_reference_profile_equals_a_plain_recomputation(tmp_path, crs, target):
    folders = reference_folders(tmp_path, crs=crs)
    chosen = MosaicSettings(
        profile="planaura", crs=target, resolution=30, postfix="example", inputs=(str(tmp_path / "in"),)
    )
    made = make_mosaic(folders, Place(exact=tmp_path / "out"), chosen)
    grid, plain = plain_mosaic(tmp_path, target, 30)
    assert made.fused.grid.shape == grid["shape"]
    assert np.allclose(tuple(made.fused.grid.transform), tuple(grid["transform"]), atol=1e-6)
    assert made.fused.files.keys() == plain.keys()
    for layer, wanted in plain.items():
        path = tmp_path / "out" / f"mosaic_{layer}_example_c.tif"
        with rasterio.open(path) as file:
            pixels = file.read()
        assert pixels.dtype == wanted.dtype, layer
        close = np.isclose(pixels, wanted, atol=2e-3 if pixels.dtype.kind == "f" else 2).all(axis=0)
        # Two warps of nearest neighbours may differ where a pixel's middle lies between two others.
        assert close.mean() >= (1.0 if target == UTM else 0.999), (layer, close.mean())


def small_pair(folder, suffix, cosine, *, left=600_000.0, top=5_000_000.0, quality=None, **place):
    """A pair of one or two products; no data where the cosine is NaN."""
    pixels = np.where(np.isnan(cosine), -100, cosine).astype(np.float32)
    write(folder / f"cosine_map{suffix}.tif", pixels, left, top, nodata=-100, **place)
    if quality is not None:
        write(folder / f"quality_fmask{suffix}.tif", quality.astype(np.uint8), left, top, nodata=255, **place)


def read(path):
    with rasterio.open(path) as file:
        return file.read()


def made_of(folder, out, **changes):
    return make_mosaic([folder], Place(exact=out), MosaicSettings(**changes))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shapes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4),
    offsets=st.lists(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), min_size=4, max_size=4),
    seed=st.integers(0, 99),
)
def test_on_shared_pixels_the_highest_cosine_wins_and_everybody_is_counted(tmp_path, shapes, offsets, seed):
    folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
    rng = np.random.default_rng(seed)
    whole = np.full((len(shapes), 40, 40), np.nan)
    for number, ((height, width), (down, across)) in enumerate(zip(shapes, offsets, strict=False)):
        cosine = rng.integers(-4, 5, (height, width)) / 4
        cosine[rng.random(cosine.shape) < 0.2] = np.nan
        whole[number, 15 + down : 15 + down + height, 15 + across : 15 + across + width] = cosine
        small_pair(folder / "in", f"!{number}", cosine, left=600_000 + 30 * across, top=5_000_000 - 30 * down)
    made = made_of(folder / "in", folder / "out", threshold=0.3)
    origin = made.fused.grid.transform
    row, col = 15 + round((5_000_000 - origin.f) / 30), 15 + round((origin.c - 600_000) / 30)
    height, width = made.fused.grid.shape
    wanted = whole[:, row : row + height, col : col + width]
    best = np.where(np.isnan(wanted), -100, wanted).max(axis=0)
    assert np.array_equal(read(made.fused.files["cosine_map"])[0], best.astype(np.float32))
    assert np.array_equal(read(made.fused.files["persistence"])[0], (~np.isnan(wanted)).sum(axis=0))
    with np.errstate(invalid="ignore"):
        agree = np.where(best < 0.3, wanted < 0.3, wanted >= 0.3).sum(axis=0)
    assert np.array_equal(read(made.fused.files["agreement"])[0], agree)
    assert made.fused.metrics["valid_share"] == pytest.approx((best != -100).mean())


def test_values_stay_cosines_where_pairs_are_resampled(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(3):
        hard = np.where(rng.random((40, 50)) < 0.5, -1.0, 1.0)
        small_pair(tmp_path / "in", f"!{number}", hard, left=600_000 + 11 * number, top=5_000_000 - 7 * number)
    made = made_of(tmp_path / "in", tmp_path / "out", crs=LAMBERT, resolution=25)
    cosine = read(made.fused.files["cosine_map"])[0]
    assert np.abs(cosine[cosine != -100]).max() <= 1.0
    # The reference's way gives impossible cosines on the same pairs, which is why it is not the default.
    theirs = made_of(tmp_path / "in", tmp_path / "theirs", crs=LAMBERT, resolution=25, profile="planaura")
    assert read(theirs.fused.files["cosine_map"]).max() > 1.05


def test_clouds_are_dropped_before_a_pair_is_chosen(tmp_path):
    cloudy, clear = np.full((20, 20), 0.9), np.full((20, 20), 0.2)
    quality = np.zeros((20, 20))
    quality[5:10, 5:10] = 1
    quality[12:14, 12:14] = 4
    quality[0, :] = 255
    small_pair(tmp_path / "in", "!cloudy", cloudy, quality=quality)
    small_pair(tmp_path / "in", "!clear", clear, quality=np.zeros((20, 20)))
    wanted = np.where((quality == 1) | (quality == 255), 0.2, 0.9).astype(np.float32)
    made = made_of(tmp_path / "in", tmp_path / "out", exclude=("cloud",))
    assert np.array_equal(read(made.fused.files["cosine_map"])[0], wanted)
    both = made_of(tmp_path / "in", tmp_path / "both", exclude=("cloud", "snow"))
    assert (read(both.fused.files["cosine_map"])[0] == np.float32(0.2)).sum() == 25 + 4 + 20
    # Where pixels are resampled, those into which a cloud was mixed go too.
    fine = made_of(tmp_path / "in", tmp_path / "fine", exclude=("cloud",), resolution=10)
    cosine = read(fine.fused.files["cosine_map"])[0]
    assert np.all(cosine[15 - 3 : 30 + 3, 15 - 3 : 30 + 3] == np.float32(0.2))


def test_a_pair_without_quality_stops_an_exclusion_or_counts_as_clear(tmp_path):
    small_pair(tmp_path / "in", "!a", np.full((4, 4), 0.5))
    small_pair(tmp_path / "in", "!b", np.full((4, 4), 0.1), quality=np.ones((4, 4)))
    with pytest.raises(InputError, match=r"!a has no quality layer.*--missing-quality"):
        made_of(tmp_path / "in", tmp_path / "out", exclude=("cloud",))
    made = made_of(tmp_path / "in", tmp_path / "clear", exclude=("cloud",), missing_quality="clear")
    assert np.all(read(made.fused.files["persistence"]) == 1)
    assert np.all(read(made.fused.files["cosine_map"]) == np.float32(0.5))


def test_of_two_images_before_the_one_of_the_winning_date_is_shown(tmp_path):
    dates = np.full((6, 6), 2019150, np.int32)
    dates[:, 3:] = 2020160
    dates[0, 0] = -100
    place = {"left": 600_000.0, "top": 5_000_000.0}
    small_pair(tmp_path / "in", "", np.full((6, 6), 0.5), **place)
    write(tmp_path / "in" / "before_date.tif", dates, nodata=-100, **place)
    frames = []
    for value, day in ((1, 2019150), (2, 2020160), (3, 2021170)):
        image = write(tmp_path / "img" / f"{day}.tif", np.full((2, 6, 6), value, np.uint8), nodata=0, **place)
        frames.append(Frame(str(image), day))
    found = find_pairs([tmp_path / "in"], MosaicSettings(), {"": Pair(tuple(frames), "tri")})
    with RunFolder.create(tmp_path / "out", "change", "tri", exact=True) as run:
        fused = fuse(run, found.pairs, MosaicSettings())
        run.finish()
    wanted = np.where(dates == 2019150, 1, np.where(dates == 2020160, 2, 0))
    assert np.array_equal(read(fused.files["before_input"])[1], wanted)
    assert np.all(read(fused.files["after_input"]) == 3)
    assert read(fused.files["after_input"]).dtype == np.uint8


def test_the_run_is_described_drawn_and_styled(tmp_path):
    folders = reference_folders(tmp_path)
    made = make_mosaic(
        folders, Place(exact=tmp_path / "out"), MosaicSettings(inputs=(str(tmp_path / "in"),), language="fr")
    )
    run = open_run(tmp_path / "out")
    verify(run)
    names = {product.name: product for product in run.manifest.products}
    assert {"mosaic_cosine_map_c", "mosaic_agreement_c", "mosaic_preview", "mosaic_cosine_map_c_style"} <= names.keys()
    item = json.loads((run.path / names["mosaic_cosine_map_c"].stac.file).read_text())
    validate_stac(item)
    assert item["properties"]["start_datetime"].startswith("2019-05-30")
    assert item["properties"]["end_datetime"].startswith("2022-06-19")
    assert 'color="#a50f15"' in (run.path / "mosaic_cosine_map_c.qml").read_text()
    with rasterio.open(made.fused.files["before_date"]) as dates:
        assert dates.nodata == -100
        assert set(np.unique(dates.read())) <= {-100, 2019150, 2020160, 2020200}
    assert run.manifest.metrics["mosaic/pairs"] == 3
    with pytest.raises(RunExists):
        make_mosaic(folders, Place(exact=tmp_path / "out"), MosaicSettings())
    # The mosaic of a finished run is no pair of the next one.
    with pytest.raises(FileMissing, match="no product of a pair"):
        make_mosaic([tmp_path / "out"], Place(exact=tmp_path / "again"), MosaicSettings())


def test_what_is_missing_is_told_and_what_is_there_is_used(tmp_path):
    place = {"left": 600_000.0, "top": 5_000_000.0}
    small_pair(tmp_path / "in", "!a", np.full((5, 5), 0.5), quality=np.full((5, 5), 3))
    small_pair(tmp_path / "in", "!b", np.full((5, 5), 0.9))
    write(tmp_path / "in" / "before_date!c.tif", np.full((5, 5), 2020001, np.int32), nodata=-100, **place)
    write(tmp_path / "in" / "infer_0!a.tif", np.full((2, 5, 5), 7, np.uint8), nodata=0, **place)
    write(tmp_path / "in" / "infer_0!b.tif", np.full((2, 5, 5), -7, np.int16), nodata=-9999, **place)
    made = made_of(tmp_path / "in", tmp_path / "out")
    assert any("!b and 1 more: no quality_fmask" in note for note in made.fused.notes)
    assert "!c has no cosine_map and cannot win" in made.fused.notes
    assert np.all(read(made.fused.files["quality_fmask"]) == 255)
    inferred = read(made.fused.files["infer_0"])
    assert inferred.dtype == np.int16
    assert np.all(inferred == -7)
    assert "before_date" not in made.fused.files
    assert "quality_fmask" not in made_of(tmp_path / "in", tmp_path / "less", ignore=("quality_fmask",)).fused.files


@pytest.mark.parametrize("profile", ["arpent", "planaura"])
def test_other_layers_can_lead(tmp_path, profile):
    place = {"left": 600_000.0, "top": 5_000_000.0}
    for suffix, code, band in (("!a", 4, 2.0), ("!b", 2, 1.0)):
        small_pair(tmp_path / "in", suffix, np.full((5, 5), code / 10), quality=np.full((5, 5), code))
        write(tmp_path / "in" / f"infer_0{suffix}.tif", np.full((1, 5, 5), band, np.float32), nodata=-9999, **place)
    settings = {"crs": UTM, "resolution": 30, "profile": profile}
    quality = made_of(tmp_path / "in", tmp_path / "f", reference="quality_fmask", **settings)
    assert quality.fused.files["quality_fmask"].name == "mosaic_quality_fmask_f.tif"
    # Snow is the better ground to Arpent; the reference takes the lower number.
    assert read(quality.fused.files["quality_fmask"]).max() <= (4 if profile == "arpent" else 255)
    assert read(quality.fused.files["cosine_map"])[0, 2, 2] == np.float32(0.4 if profile == "arpent" else 0.2)
    inferred = made_of(tmp_path / "in", tmp_path / "i", reference="infer_0", **settings)
    assert inferred.fused.files["infer_0"].name == "mosaic_infer_0_i0.tif"
    assert read(inferred.fused.files["infer_0"])[0, 2, 2] == 2.0


def test_the_threshold_of_probabilities_decides_where_it_is_given(tmp_path):
    place = {"left": 600_000.0, "top": 5_000_000.0}
    small_pair(tmp_path / "in", "!a", np.full((5, 5), 0.9))
    chance = np.linspace(0, 0.96, 25, dtype=np.float32).reshape(5, 5)
    write(tmp_path / "in" / "change_probability!a.tif", chance, nodata=-100, **place)
    usual = made_of(tmp_path / "in", tmp_path / "usual").fused
    assert (usual.judgement.layer, usual.judgement.threshold) == ("change_probability", 0.5)
    fused = made_of(tmp_path / "in", tmp_path / "low", probability=0.2, threshold=0.3).fused
    assert (fused.judgement.layer, fused.judgement.threshold) == ("change_probability", 0.2)
    assert fused.metrics["changed_share"] == pytest.approx((chance >= 0.2).mean())
    assert usual.metrics["changed_share"] == pytest.approx((chance >= 0.5).mean())
    assert fused.metrics["probability"] == 0.2
    cosine = made_of(tmp_path / "in", tmp_path / "cosine", threshold=0.3).fused
    assert (cosine.judgement.layer, cosine.judgement.threshold) == ("cosine_map", 0.3)


def test_a_damaged_pair_does_not_stop_the_others(tmp_path):
    small_pair(tmp_path / "in", "!good", np.full((5, 5), 0.5))
    (tmp_path / "in" / "cosine_map!bad.tif").write_bytes(b"II*\x00 cut short")
    made = made_of(tmp_path / "in", tmp_path / "out")
    assert made.run.manifest.status == "partial"
    assert made.run.manifest.failures[0].item == "!bad"
    (tmp_path / "in" / "cosine_map!good.tif").unlink()
    with pytest.raises(UnreadableFile):
        made_of(tmp_path / "in", tmp_path / "none")
    assert not (tmp_path / "none" / "manifest.json").exists()


def test_residues_go_and_tables_stay(tmp_path):
    folder = tmp_path / "in"
    small_pair(folder, "!a.1!b", np.full((5, 5), 0.5))
    small_pair(folder, "!a.1!b.v2", np.full((5, 5), 0.7))
    for name in ("cosine_map!a.1!b.tfw", "cosine_map!a.1!b.tif.aux.xml", "cosine_map!a.1!b.csv", "mine.tif"):
        (folder / name).write_text("x")
    (folder / "feature_maps_0!a.1!b.geoparquet").write_text("x")
    made = made_of(folder, tmp_path / "out", delete_residues=True)
    assert made.removed == 4
    assert sorted(path.name for path in folder.iterdir()) == [
        "cosine_map!a.1!b.csv",
        "feature_maps_0!a.1!b.geoparquet",
        "mine.tif",
    ]


def test_the_products_of_finished_runs_are_found_and_never_removed(tmp_path):
    for name in ("one", "two"):
        with RunFolder.create(tmp_path / name, "change", name, exact=True) as run:
            for value in (1, 2):
                image = tmp_path / f"{name}{value}.tif"
                run.add_input(write(image, np.full((5, 5), value, np.int16), 600_000, 5_000_000, nodata=-9999))
            small_pair(run.scratch, "", np.full((5, 5), 0.5))
            run.publish(run.scratch / "cosine_map.tif", kind="raster")
            run.finish()
    runs = [tmp_path / "one", tmp_path / "two", tmp_path / "one"]
    with pytest.raises(InvalidSetting, match="belong to a finished run"):
        make_mosaic(runs, Place(exact=tmp_path / "out"), MosaicSettings(delete_residues=True))
    made = make_mosaic(runs, Place(exact=tmp_path / "out"), MosaicSettings())
    assert np.all(read(made.fused.files["persistence"]) == 2)
    assert np.all(read(made.fused.files["before_input"]) == 1)
    assert np.all(read(made.fused.files["after_input"]) == 2)
    assert [record.role for record in made.run.manifest.inputs] == ["pairs", "pairs"]


def test_nothing_to_do_is_one_clear_line(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(FileMissing, match="no product of a pair"):
        made_of(tmp_path / "in", tmp_path / "out")
    with pytest.raises(FileMissing, match="there is no folder"):
        made_of(tmp_path / "nowhere", tmp_path / "out")
    with RunFolder.create(tmp_path / "run", "change", "x", exact=True) as run, pytest.raises(FileMissing):
        fuse(run, (), MosaicSettings())


def test_pairs_across_the_antimeridian_are_fused(tmp_path):
    for name, left in (("!a", 179.98), ("!b", -180.02 + 0.005)):
        small_pair(
            tmp_path / "in", name, np.full((20, 40), 0.5), left=left, top=-17.0, crs="EPSG:4326", resolution=0.001
        )
    made = made_of(tmp_path / "in", tmp_path / "out")
    assert made.fused.grid.shape == (20, 45)
    counts = read(made.fused.files["persistence"])[0]
    assert (counts[:, 5:40] == 2).all()
    assert (counts[:, :5] == 1).all()
    assert (counts[:, 40:] == 1).all()
