from __future__ import annotations

import shutil
import sys
from collections import Counter

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arpent.core import Window
from arpent.data import (
    Sample,
    SampleIndex,
    check_leak,
    cut_blocks,
    find_leaks,
    footprints,
    located,
    split_by_block,
    split_by_domain,
)
from arpent.data.split import shares_ground, sided
from arpent.errors import DatasetError, EmptySplit, GeoreferenceMissing, InvalidSetting, SplitLeak
from arpent.io import open_image

EQUAL = {"train": 0.5, "val": 0.25, "test": 0.25}


@pytest.fixture
def mosaic(write_tiff):
    """An 8 × 8 mosaic of images of 20 × 20 m, two rows a domain; each image holds its own number."""

    def make(*, gsd=1.0, step=20.0):
        samples = []
        for row in range(8):
            for col in range(8):
                pixels = np.full((1, 20, 20), row * 8 + col, np.uint8)
                place = {"left": 700_000 + col * step, "top": 6_600_000 - row * step, "gsd": gsd}
                path = write_tiff(f"{row}_{col}.tif", pixels, **place)
                samples.append(Sample(str(path), domain=f"D{row // 2}"))
        return SampleIndex(samples)

    return make


def test_sides_that_an_index_names_are_kept_and_others_are_drawn_by_domain(mosaic):
    index = mosaic()
    drawn = sided(index)
    assert {sample.split for sample in drawn} == {"train", "val"}
    assert all(len({sample.split for sample in drawn if sample.domain == domain}) == 1 for domain in index.domains)
    assert sided(drawn) is drawn
    with pytest.raises(DatasetError, match="nor at least two domains"):
        sided(index[:4])


def sides(index):
    return {sample.name: sample.split for sample in index}


def test_domains_stay_whole_and_come_near_their_share(mosaic):
    index = split_by_domain(mosaic(), EQUAL, seed=3)
    by_domain = {domain: {s.split for s in index if s.domain == domain} for domain in index.domains}
    assert all(len(found) == 1 for found in by_domain.values())
    assert Counter(sample.split for sample in index) == {"train": 32, "val": 16, "test": 16}


def test_a_split_depends_on_the_seed_and_not_on_the_order(mosaic):
    index = mosaic()
    turned = SampleIndex(reversed(index.samples))
    assert sides(split_by_domain(index, EQUAL, seed=1)) == sides(split_by_domain(turned, EQUAL, seed=1))
    assert sides(split_by_block(index, EQUAL, block=40)) == sides(split_by_block(turned, EQUAL, block=40))
    assert len({tuple(sides(split_by_block(index, EQUAL, block=40, seed=k)).values()) for k in range(5)}) > 1


def test_blocks_of_ground_do_not_leak(mosaic):
    index = split_by_block(mosaic(), EQUAL, block=60, seed=2)
    check_leak(index.of_split("train"), index.of_split("val"), index.of_split("test"))
    counts = Counter(sample.split for sample in index)
    assert None not in counts
    assert 0.3 < counts["train"] / 64 < 0.7


def test_a_buffer_keeps_sides_apart(mosaic):
    index = split_by_block(mosaic(), {"train": 0.8, "val": 0.2}, block=80, buffer=5, seed=0)
    prints = dict(zip([s.name for s in index], footprints(index), strict=True))
    metres = 111_195 * np.cos(np.radians(46.5))
    train = shapely.union_all([prints[s.name].ground for s in index.of_split("train")])
    val = shapely.union_all([prints[s.name].ground for s in index.of_split("val")])
    assert shapely.distance(train, val) * metres > 5
    assert any(sample.split is None for sample in index)


def test_overlapping_samples_are_taken_out_of_training(mosaic):
    index = split_by_block(mosaic(step=15.0), EQUAL, block=60, seed=0)
    check_leak(index.of_split("train"), index.of_split("val"), index.of_split("test"))
    assert any(sample.split is None for sample in index)


@given(st.integers(0, 10**6), st.lists(st.integers(1, 50), min_size=3, max_size=30))
@settings(deadline=None, max_examples=50)
def test_every_side_gets_a_domain_and_shares_are_as_near_as_domains_allow(seed, areas):
    from arpent.data.split import _best_assignment

    sizes = np.array(areas) / sum(areas)
    targets = np.array([0.7, 0.15, 0.15])
    chosen = _best_assignment(sizes, targets, seed)
    filled = np.bincount(chosen, sizes, minlength=3)
    assert set(chosen.tolist()) == {0, 1, 2}
    assert np.abs(filled - targets).max() <= sizes.max() + 0.35
    if len(areas) >= 25 and sizes.max() < 0.08:
        assert np.abs(filled - targets).max() < 0.05


@pytest.mark.parametrize(
    "fractions", [{"train": 0.9}, {"train": 0.5, "val": 0.6}, {"train": 1.2, "val": -0.2}, {}, {"learn": 1.0}]
)
def test_fractions_must_add_up(mosaic, fractions):
    with pytest.raises(InvalidSetting, match="fractions"):
        split_by_domain(mosaic(), fractions)


def test_splits_that_cannot_be_filled(mosaic):
    with pytest.raises(EmptySplit, match="1 blocks cannot fill 3 sides"):
        split_by_block(mosaic(), block=1e6)
    with pytest.raises(EmptySplit, match=r"2 domains cannot fill 3 sides .*Name more domains in the column 'domain'"):
        split_by_domain(mosaic()[:32])
    with pytest.raises(InvalidSetting, match="side above 0"):
        split_by_block(mosaic(), block=0)


def test_pictures_without_a_place(write_tiff):
    with pytest.warns(match="no geotransform"):
        path = write_tiff("p.tif", np.zeros((1, 30, 40), np.uint8), crs=None)
    index = SampleIndex([Sample(str(path), domain=d, name=d) for d in "abc"])
    assert footprints(index)[0].area == 1200
    assert {sample.split for sample in split_by_domain(index)} == {"train", "val", "test"}
    with pytest.raises(GeoreferenceMissing, match="no place on earth"):
        split_by_block(index, block=100)
    with pytest.raises(GeoreferenceMissing, match="pixel size"):
        cut_blocks(index, 100)


def test_one_image_is_cut_into_blocks_that_can_be_split(write_tiff):
    path = write_tiff("big.tif", np.zeros((1, 250, 330), np.uint8), gsd=2.0)
    blocks = cut_blocks(SampleIndex([Sample(str(path))]), 100)
    assert len(blocks) == 5 * 7
    assert len({sample.name for sample in blocks}) == 35
    cover = np.zeros((250, 330), int)
    for sample in blocks:
        cover[sample.window.slices] += 1
    assert np.all(cover == 1)
    index = split_by_block(blocks, EQUAL, block=100)
    check_leak(index.of_split("train"), index.of_split("val"), index.of_split("test"))
    apart = cut_blocks(SampleIndex([Sample(str(path))]), 100, margin=20)
    assert apart[0].window == Window(5, 5, 40, 40)
    with pytest.raises(DatasetError, match="margin leaves nothing"):
        cut_blocks(SampleIndex([Sample(str(path))]), 100, margin=100)


def test_windows_are_known_after_a_look_at_the_headers(write_tiff):
    path = write_tiff("a.tif", np.zeros((1, 12, 17), np.uint8))
    index = located(SampleIndex([Sample(str(path)), Sample(str(path), window=Window(0, 0, 2, 2))]))
    assert [sample.window for sample in index] == [Window(0, 0, 12, 17), Window(0, 0, 2, 2)]


def test_leaks_of_every_kind_are_found_and_named(write_tiff, tmp_path):
    rng = np.random.default_rng(0)

    def image(name, left):
        return Sample(str(write_tiff(name, rng.integers(0, 99, (1, 20, 20), dtype=np.uint8), left=left)))

    a, b, c, d = (image(f"{name}.tif", 700_000 + 100 * k) for k, name in enumerate("abcd"))
    shutil.copy(b.image, tmp_path / "copy.tif")
    near = image("near.tif", 700_200 + 15)
    train = SampleIndex([a, b, c, d])
    val = SampleIndex([Sample(a.image), Sample(str(tmp_path / "copy.tif"))])
    test = SampleIndex([near])
    leaks = find_leaks({"train": train, "val": val, "test": test})
    assert [(leak.first, leak.second, leak.reason) for leak in leaks] == [
        ("a", "a", "the same file"),
        ("b", "copy", "the same content"),
        ("c", "near", "the same ground"),
    ]
    with pytest.raises(SplitLeak, match=r"3 pairs .*c \(train\) and near \(test\): the same ground"):
        check_leak(train, val, test)
    check_leak(SampleIndex([d]), val, test)


def test_neighbours_do_not_leak_also_across_projections(write_tiff):
    west = write_tiff("w.tif", np.zeros((1, 20, 20), np.uint8), crs="EPSG:32631", left=500_000, top=5_000_000)
    east = write_tiff("e.tif", np.ones((1, 20, 20), np.uint8), crs="EPSG:32631", left=500_020, top=5_000_000)
    same = write_tiff("s.tif", np.ones((1, 20, 20), np.uint8), crs="EPSG:4326", left=3.0, top=45.1535, gsd=1e-5)
    check_leak(SampleIndex([Sample(str(west))]), SampleIndex([Sample(str(east))]))
    with pytest.raises(SplitLeak, match="the same ground"):
        check_leak(SampleIndex([Sample(str(west))]), SampleIndex([Sample(str(same))]))


def test_windows_of_one_file_leak_only_where_they_overlap(write_tiff):
    path = str(write_tiff("a.tif", np.zeros((1, 40, 40), np.uint8)))
    left, right = Sample(path, window=Window(0, 0, 40, 20)), Sample(path, window=Window(0, 20, 40, 20))
    check_leak(SampleIndex([left]), SampleIndex([right]))
    with pytest.raises(SplitLeak, match="the same file"):
        check_leak(SampleIndex([left]), SampleIndex([Sample(path, window=Window(0, 19, 40, 20))]))
    with pytest.raises(SplitLeak, match="the same file"):
        check_leak(SampleIndex([left]), SampleIndex([Sample(path)]))


def test_an_image_cut_into_many_blocks_is_opened_once_and_no_block_held_against_all(write_tiff, monkeypatch):
    index = cut_blocks(SampleIndex([Sample(str(write_tiff("a.tif", np.zeros((1, 120, 120), np.uint8))))]), 4)
    sides = {"train": index[::2], "val": index[1::2]}
    opened, calls = [], 0
    headers = sys.modules["arpent.data.footprints"]  # the package has a function of that name
    monkeypatch.setattr(headers, "open_image", lambda *a, **k: opened.append(a) or open_image(*a, **k))

    def count(frame, event, _):
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.endswith("leaks.py")

    sys.setprofile(count)
    try:
        assert find_leaks(sides) == ()
    finally:
        sys.setprofile(None)
    assert len(index) == 900
    assert len(opened) == len(sides)
    assert calls < 20 * len(index)


def test_the_antimeridian_is_no_border(write_tiff):
    place = {"crs": "EPSG:4326", "gsd": 0.01, "top": -16.0}
    across = write_tiff("x.tif", np.zeros((1, 20, 20), np.uint8), left=179.9, **place)
    west = write_tiff("w.tif", np.ones((1, 5, 5), np.uint8), left=-179.99, **place)
    assert footprints([Sample(str(across))])[0].ground.geom_type == "MultiPolygon"
    with pytest.raises(SplitLeak, match="the same ground"):
        check_leak(SampleIndex([Sample(str(across))]), SampleIndex([Sample(str(west))]))


@given(st.floats(0, 2), st.floats(0, 2))
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sharing_ground_does_not_depend_on_the_order(x, y):
    one, other = shapely.box(0, 0, 1, 1), shapely.box(x, y, x + 1, y + 1)
    assert shares_ground(one, other) == shares_ground(other, one)
    assert shares_ground(one, other) == (max(0, 1 - x) * max(0, 1 - y) > 1e-4)
