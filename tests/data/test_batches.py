from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from arpent.core import BatchPart, Normalisation, Window, nomenclature
from arpent.data import (
    Augment,
    Batches,
    GridPatches,
    Normaliser,
    PatchLoader,
    PatchRef,
    RandomPatches,
    Sample,
    SampleIndex,
    Share,
)
from arpent.errors import BandMismatch, DatasetError, EmptySplit, InvalidSetting, UnreadableFile
from arpent.io import open_image

COMMUNE = nomenclature("commune")
NORMALISER = Normaliser(Normalisation(origin="t", scale=1 / 255, mean=(0.5,) * 4, std=(0.25,) * 4))
AUGMENT = Augment(gain=0.2, noise=0.1, drop_band=0.2)


@pytest.fixture
def index(scene):
    image, mask = scene
    return SampleIndex([Sample(str(image), str(mask), domain="D1")])


@pytest.fixture
def loader():
    with PatchLoader(NORMALISER, bands=("red", "green", "blue", "nir"), classes=COMMUNE) as loader:
        yield loader


def content(batches):
    return [(b["names"], b["image"].numpy().tobytes(), b["target"].numpy().tobytes()) for b in batches]


def test_a_batch_holds_normalised_pixels_and_class_indices(index, loader):
    batch = next(Batches(GridPatches(index, 64), loader, batch_size=3).epoch(0))
    assert batch["image"].shape == (3, 4, 64, 64)
    assert batch["image"].dtype == torch.float32
    assert batch["valid"].shape == (3, 64, 64)
    assert batch["valid"].dtype == torch.bool
    assert batch["target"].dtype == torch.int64
    assert batch["domains"] == ["D1"] * 3
    assert batch["names"][:2] == ["scene@0,0", "scene@0,64"]
    with open_image(index[0].image) as reader, open_image(index[0].mask) as masks:
        raster, mask = reader.read(Window(0, 64, 64, 64)), masks.read(Window(0, 64, 64, 64))
    assert np.array_equal(batch["image"][1].numpy(), NORMALISER(raster.pixels, raster.valid))
    expected = np.where(raster.valid, COMMUNE.index_of_id[mask.pixels[0]], -1)
    assert np.array_equal(batch["target"][1].numpy(), expected)
    assert set(np.unique(expected)) == {-1, 0, 1, 2, 3, 4, 5}


def test_holes_are_zero_invalid_and_without_truth(index, loader):
    batch = next(Batches(GridPatches(index, 128), loader, batch_size=1).epoch(0))
    hole = (slice(10, 20), slice(30, 50))
    assert not batch["valid"][0][hole].any()
    assert not batch["image"][0, :, 10:20, 30:50].any()
    assert (batch["target"][0][hole] == -1).all()


def test_a_grid_counts_every_pixel_once(index, loader):
    counted = np.zeros((100, 130), int)
    for ref in GridPatches(index, 48).epoch(0):
        patch = loader(ref)
        inside = ref.window.intersect(Window(0, 0, 100, 130))
        counted[inside.slices] += patch.valid[inside.relative_to(ref.window).slices]
        assert patch.valid.sum() == patch.valid[inside.relative_to(ref.window).slices].sum()
    expected = np.ones((100, 130), int)
    expected[10:20, 30:50] = 0
    assert np.array_equal(counted, expected)


def test_the_bytes_do_not_depend_on_the_number_of_workers(index, loader):
    def run(workers):
        plan = RandomPatches(index, 32, count=23, seed=4)
        batches = Batches(plan, loader, batch_size=5, seed=9, augment=AUGMENT, workers=workers)
        return content(batches.epoch(0)) + content(batches.epoch(1))

    alone = run(0)
    assert len(alone) == 10
    assert run(1) == alone
    assert run(4) == alone
    assert alone[:5] != alone[5:]


def test_an_epoch_goes_on_where_it_was_stopped(index, loader):
    batches = Batches(RandomPatches(index, 32, count=23), loader, batch_size=5, augment=AUGMENT)
    whole = content(batches.epoch(3))
    for start in range(6):
        assert content(batches.epoch(3, start)) == whole[start:]


def test_the_last_batch_is_as_large_as_what_is_left(index, loader):
    batches = Batches(RandomPatches(index, 32, count=23), loader, batch_size=5)
    assert [len(batch["names"]) for batch in batches.epoch(0)] == [5, 5, 5, 5, 3]
    assert batches.steps() == 5


def test_processes_see_one_batch_between_them_and_read_only_their_own(index, loader):
    """Ten patches in batches of four, for three processes: in the last batch, of two, one of them has nothing."""
    read = [[] for _ in range(3)]

    def batches(rank):
        def noted(ref):
            read[rank].append(ref.name)
            return loader(ref)

        return Batches(RandomPatches(index, 32, count=10), noted, batch_size=4, augment=AUGMENT, workers=rank)

    whole = list(Batches(RandomPatches(index, 32, count=10), loader, batch_size=4, augment=AUGMENT).epoch(2))
    parts = [list(batches(rank).epoch(2, share=Share(rank, 3))) for rank in range(3)]
    assert [len(part) for part in parts] == [len(whole)] * 3 == [3] * 3
    for number, batch in enumerate(whole):
        count = len(batch["names"])
        assert batch["part"] == BatchPart(range(count), count)
        for rank, part in enumerate(parts):
            mine = part[number]
            if rank < count:
                assert mine["names"] == batch["names"][rank::3]
                assert torch.equal(mine["image"], batch["image"][rank::3])
                assert torch.equal(mine["target"], batch["target"][rank::3])
                assert mine["part"] == BatchPart(range(rank, count, 3), count, 3)
            else:
                assert mine["names"] == batch["names"][:1]
                assert mine["part"] == BatchPart(range(1), count, 3, counted=False)
    assert [len(names) for names in read] == [2 + 2 + 1, 1 + 1 + 1, 1 + 1 + 1]


def test_an_epoch_ends_where_it_is_told_to(index, loader):
    batches = Batches(RandomPatches(index, 32, count=23), loader, batch_size=5)
    whole = content(batches.epoch(3))
    for start in range(6):
        for stop in range(start, 7):
            assert content(batches.epoch(3, start, stop)) == whole[start:stop]


def test_a_batch_must_have_a_patch_for_each_process(index, loader):
    with pytest.raises(InvalidSetting, match=r"batch of 2 .* 3 processes\. Set 'batch_size' to 3"):
        Batches(RandomPatches(index, 32), loader, batch_size=2).epoch(0, share=Share(0, 3))


def test_stopping_early_leaves_no_thread(index, loader):
    before = threading.active_count()
    epoch = Batches(RandomPatches(index, 32, count=40), loader, batch_size=2, workers=3).epoch(0)
    next(epoch)
    assert threading.active_count() > before
    epoch.close()
    assert threading.active_count() == before


def test_random_patches_stay_inside_and_differ_between_epochs(index):
    plan = RandomPatches(SampleIndex([replace(index[0], window=Window(10, 20, 50, 70))]), 16, count=300)
    refs = plan.epoch(0)
    assert all(ref.window in Window(10, 20, 50, 70) for ref in refs)
    assert {ref.window.row for ref in refs} == set(range(10, 45))
    assert list(refs) == list(plan.epoch(0))
    assert list(refs) != list(plan.epoch(1))
    assert list(refs) != list(RandomPatches(index, 16, count=300, seed=1).epoch(0))


def test_small_images_come_exactly_once_an_epoch(write_tiff):
    samples = [Sample(str(write_tiff(f"{k}.tif", np.full((1, 32, 32), k, np.uint8)))) for k in range(7)]
    plan = RandomPatches(SampleIndex(samples), 32)
    assert plan.count == 7
    orders = {tuple(ref.sample.name for ref in plan.epoch(number)) for number in range(4)}
    assert all(sorted(order) == [str(k) for k in range(7)] for order in orders)
    assert len(orders) > 1


def test_large_images_get_patches_in_proportion_to_their_area(write_tiff):
    samples = [
        Sample(str(write_tiff(f"{side}.tif", np.zeros((1, side, side), np.uint8))), name=str(side))
        for side in (32, 64, 96)
    ]
    names = [ref.sample.name for ref in RandomPatches(SampleIndex(samples), 16, count=140).epoch(0)]
    assert [names.count(name) for name in ("32", "64", "96")] == [10, 40, 90]


def test_an_image_smaller_than_a_patch_is_padded(write_tiff, loader):
    image = write_tiff("tiny.tif", np.full((4, 5, 3), 255, np.uint8), bands=("red", "green", "blue", "nir"))
    mask = write_tiff("tiny_mask.tif", np.full((1, 5, 3), 5, np.uint8))
    plan = RandomPatches(SampleIndex([Sample(str(image), str(mask))]), 8)
    patch = loader(plan.epoch(0)[0])
    assert patch.valid.sum() == 15
    assert patch.valid[:5, :3].all()
    assert (patch.target == COMMUNE.index_of_id[5]).sum() == 15
    assert patch.image[:, :5, :3] == pytest.approx(np.full((4, 5, 3), 2), rel=1e-6)


def test_a_patch_never_sees_ground_of_another_side(index, loader):
    left = replace(index[0], window=Window(0, 0, 100, 40))
    patches = [loader(ref) for ref in GridPatches(SampleIndex([left]), 64).epoch(0)]
    assert not any(patch.valid[:, 40:].any() or patch.image[:, :, 40:].any() for patch in patches)


def test_bands_are_picked_by_name(index):
    with PatchLoader(
        Normaliser(Normalisation(origin="", mean=(0.0,) * 2, std=(1.0,) * 2)), bands=("nir", "red")
    ) as two:
        patch = two(PatchRef(index[0], Window(30, 30, 8, 8)))
    with open_image(index[0].image) as reader:
        pixels = reader.read(Window(30, 30, 8, 8)).pixels
    assert np.array_equal(patch.image, pixels[[3, 0]].astype(np.float32))
    assert patch.target is None
    batch = next(Batches(GridPatches(index, 64), PatchLoader(NORMALISER), batch_size=2).epoch(0))
    assert "target" not in batch


def test_a_mask_on_another_grid_is_read_on_that_of_the_image(write_tiff, loader):
    image = write_tiff("i.tif", np.full((4, 24, 24), 9, np.uint8), bands=("red", "green", "blue", "nir"))
    numbers = np.repeat(np.repeat(np.array([[[1, 3], [4, 5]]], np.uint8), 6, 1), 6, 2)
    mask = write_tiff("m.tif", numbers, left=700_000 + 4, top=6_600_000 - 2, gsd=2.0)
    patch = loader(PatchRef(Sample(str(image), str(mask)), Window(0, 0, 24, 24)))
    indices = COMMUNE.index_of_id
    assert (patch.target[2:14, 4:16] == indices[1]).all()
    assert (patch.target[2:14, 16:] == indices[3]).all()
    assert (patch.target[14:, 4:16] == indices[4]).all()
    assert (patch.target[:2] == -1).all()
    assert (patch.target[:, :4] == -1).all()


def test_masks_of_wide_integers_and_of_no_place(write_tiff, loader):
    image = write_tiff("i.tif", np.full((4, 2, 3), 9, np.uint8), bands=("red", "green", "blue", "nir"))
    with pytest.warns(match="no geotransform"):
        mask = write_tiff("m.tif", np.array([[[1, -1, 3], [300, 0, 13]]], np.int16), crs=None)
    patch = loader(PatchRef(Sample(str(image), str(mask)), Window(0, 0, 2, 3)))
    indices = COMMUNE.index_of_id
    assert patch.target.tolist() == [[indices[1], -1, indices[3]], [-1, -1, indices[13]]]


def test_a_pool_closes_what_is_not_used(write_tiff):
    paths = [write_tiff(f"{k}.tif", np.full((4, 8, 8), k, np.uint8)) for k in range(6)]
    with PatchLoader(NORMALISER, capacity=2) as loader:
        for path in [*paths, *paths]:
            patch = loader(PatchRef(Sample(str(path)), Window(0, 0, 8, 8)))
            value = (int(path.stem) / 255 - 0.5) / 0.25
            assert patch.image == pytest.approx(np.full((4, 8, 8), value), abs=1e-6)
            assert len(loader._pool._shelves) <= 2
    assert not loader._pool._shelves


def test_pool_under_many_threads(write_tiff):
    from concurrent.futures import ThreadPoolExecutor

    paths = [write_tiff(f"{k}.tif", np.full((4, 8, 8), k, np.uint8)) for k in range(5)]
    refs = [PatchRef(Sample(str(paths[k % 5])), Window(0, 0, 8, 8)) for k in range(200)]
    with PatchLoader(NORMALISER, capacity=1) as loader, ThreadPoolExecutor(8) as threads:
        patches = list(threads.map(loader, refs))
    for ref, patch in zip(refs, patches, strict=True):
        assert patch.image[0, 0, 0] == pytest.approx((int(ref.sample.name) / 255 - 0.5) / 0.25, abs=1e-6)


def test_a_damaged_file_stops_the_epoch_with_its_error(index, loader, tmp_path):
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"no image")
    refs = [*GridPatches(index, 64).epoch(0), PatchRef(Sample(str(broken)), Window(0, 0, 64, 64))]

    class Plan:
        def epoch(self, number):
            return refs

    batches = Batches(Plan(), loader, batch_size=2, workers=2).epoch(0)
    assert len([next(batches) for _ in range(len(refs) // 2)]) == 3
    with pytest.raises(UnreadableFile, match=r"broken\.tif"):
        next(batches)


def test_mistakes_are_explained(index, loader, write_tiff, scene):
    with pytest.raises(InvalidSetting, match="at least one patch"):
        Batches(GridPatches(index, 8), loader, batch_size=0)
    with pytest.raises(InvalidSetting, match="at least one pixel"):
        GridPatches(index, 0)
    with pytest.raises(EmptySplit, match="no sample"):
        RandomPatches(SampleIndex([]), 8)
    with pytest.raises(DatasetError, match="has no mask"):
        loader(PatchRef(Sample(index[0].image), Window(0, 0, 8, 8)))
    with pytest.raises(DatasetError, match="outside its image"):
        loader(PatchRef(index[0], Window(500, 0, 8, 8)))
    with pytest.raises(DatasetError, match="one band of whole numbers"):
        loader(PatchRef(Sample(index[0].image, index[0].image), Window(0, 0, 8, 8)))
    with pytest.raises(BandMismatch, match="no band 'red'"):
        loader(PatchRef(Sample(str(scene[1]), str(scene[1])), Window(0, 0, 8, 8)))
    with pytest.warns(match="no geotransform"):
        small = write_tiff("small.tif", np.ones((1, 8, 8), np.uint8), crs=None)
    with pytest.raises(DatasetError, match=r"differ in size .*found 8 × 8; expected 130 × 100"):
        loader(PatchRef(replace(index[0], mask=str(small)), Window(0, 0, 8, 8)))
