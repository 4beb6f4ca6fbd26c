"""Tiles: the pixels of rio-tiler, in PNGs that every reader understands, from a bounded number of open files."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rio_tiler.io import Reader

from arpent.core import Grid, Strip
from arpent.errors import FileMissing, InvalidSetting, UnreadableFile
from arpent.io import CogWriter, RasterSpec
from arpent.web.layers import Entry, Legend
from arpent.web.tiles import OpenFiles, Shelf, display, palette_of, tile_tag
from arpent.web.tiles.canvas import WORLD
from arpent.web.tiles.png import palette_png, rgba_png

LEGEND = Legend(tuple(Entry(value, f"#{40 * value:02x}40ff", str(value), str(value)) for value in range(1, 6)))
PALETTE = palette_of(LEGEND)
rasterios = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
"""A warning of affine at what rasterio does for rio-tiler."""


def write(path: Path, pixels: NDArray[np.generic], resolution: float = 10.0, left: float = 500_000) -> Path:
    _, height, width = pixels.shape
    grid = Grid.north_up(left, 5_000_000, resolution, height, width, 32631)
    names = tuple(("red", "green", "blue")[: len(pixels)]) if len(pixels) > 1 else ("class",)
    with CogWriter(path, RasterSpec(grid, names, str(pixels.dtype), 0)) as writer:
        writer.write(Strip(0, pixels))
    return path


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> display.Display:
    """Five classes on 1 500 × 1 500 pixels, with a hole."""
    folder = tmp_path_factory.mktemp("shown")
    rng = np.random.default_rng(3)
    pixels = rng.integers(1, 6, (1, 150, 150)).astype(np.uint8).repeat(10, axis=1).repeat(10, axis=2)
    pixels[:, 300:900, 300:900] = 0
    return display.make(write(folder / "classes.tif", pixels), "classes", LEGEND, folder / "shown.tif")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> display.Display:
    folder = tmp_path_factory.mktemp("picture")
    pixels = np.random.default_rng(4).integers(0, 4000, (3, 300, 300)).astype(np.uint16)
    return display.make(write(folder / "picture.tif", pixels), "composite", Legend(), folder / "shown.tif")


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf(cache=0)
    yield made
    made.close()


def tiles_of(shown: display.Display, z: int) -> list[tuple[int, int]]:
    """Columns and rows of the tiles that reach the image at a zoom, and one to each side."""
    with Reader(str(shown.file)) as reader:
        found = list(reader.tms.tiles(*reader.get_geographic_bounds("epsg:4326"), zooms=[z]))
    xs, ys = [tile.x for tile in found], [tile.y for tile in found]
    return [(x, y) for x in range(min(xs) - 1, max(xs) + 2) for y in range(min(ys) - 1, max(ys) + 2)]


def opened(png: bytes | None, side: int = 256) -> NDArray[np.uint8]:
    if png is None:
        return np.zeros((side, side, 4), np.uint8)
    return np.asarray(Image.open(BytesIO(png)).convert("RGBA"))


def places(png: bytes | None, side: int = 256) -> NDArray[np.uint8]:
    return np.zeros((side, side), np.uint8) if png is None else np.asarray(Image.open(BytesIO(png)))


@rasterios
def test_pixels_are_those_of_rio_tiler(shown: display.Display, shelf: Shelf) -> None:
    with Reader(str(shown.file)) as reader:
        for z in range(shown.minzoom, shown.maxzoom + 1):
            for x, y in tiles_of(shown, z)[:: 1 + 2 * (z - shown.minzoom)]:
                ours = places(shelf.tile(shown.file, z, x, y, palette=PALETTE))
                if reader.tile_exists(x, y, z):
                    assert np.array_equal(ours, reader.tile(x, y, z).array.filled(0)[0]), (z, x, y)
                else:
                    assert not ours.any(), (z, x, y)


@rasterios
def test_pictures_are_those_of_rio_tiler_with_alpha(picture: display.Display, shelf: Shelf) -> None:
    z = picture.maxzoom
    with Reader(str(picture.file)) as reader:
        for x, y in tiles_of(picture, z)[::2]:
            ours = opened(shelf.tile(picture.file, z, x, y))
            if reader.tile_exists(x, y, z):
                theirs = reader.tile(x, y, z).array.filled(0)
                assert np.array_equal(ours[..., :3], np.moveaxis(theirs, 0, -1)), (x, y)
                assert np.array_equal(ours[..., 3] == 255, theirs.any(axis=0))


def test_lower_zooms_are_read_from_the_overviews(shown: display.Display, shelf: Shelf) -> None:
    for level in range(shown.maxzoom - shown.minzoom):
        with rasterio.open(shown.file, overview_level=level) as dataset:
            whole = dataset.read(1)
            size, left, top = dataset.res[0], dataset.bounds.left, dataset.bounds.top
        z = shown.maxzoom - level - 1
        seen = np.zeros_like(whole)
        for x, y in tiles_of(shown, z):
            col, row = round((x * 256 * size - WORLD - left) / size), round((top - WORLD) / size) + y * 256
            rows, cols = slice(max(row, 0), max(row + 256, 0)), slice(max(col, 0), max(col + 256, 0))
            part = places(shelf.tile(shown.file, z, x, y, palette=PALETTE))[max(-row, 0) :, max(-col, 0) :]
            place = seen[rows, cols]
            place[:] = part[: place.shape[0], : place.shape[1]]
        assert np.array_equal(seen, whole), level


def test_a_tile_of_twice_the_scale_is_made_of_the_four_below(shown: display.Display, shelf: Shelf) -> None:
    for z in (shown.maxzoom - 2, shown.maxzoom - 1):
        x, y = tiles_of(shown, z)[5]
        large = places(shelf.tile(shown.file, z, x, y, scale=2, palette=PALETTE), 512)
        for down in (0, 1):
            for right in (0, 1):
                part = places(shelf.tile(shown.file, z + 1, 2 * x + right, 2 * y + down, palette=PALETTE))
                assert np.array_equal(large[256 * down :, 256 * right :][:256, :256], part)


def test_beyond_the_native_zoom_pixels_are_enlarged_and_below_the_pyramid_thinned(
    shown: display.Display, shelf: Shelf
) -> None:
    z = shown.maxzoom
    x, y = next(at for at in tiles_of(shown, z) if shelf.tile(shown.file, z, *at, palette=PALETTE))
    native = places(shelf.tile(shown.file, z, x, y, palette=PALETTE))
    deep = places(shelf.tile(shown.file, z + 2, 4 * x + 1, 4 * y, palette=PALETTE))
    assert np.array_equal(deep, native[:64, 64:128].repeat(4, axis=0).repeat(4, axis=1))
    far = places(shelf.tile(shown.file, 0, 0, 0, palette=PALETTE))
    assert far.shape == (256, 256)
    again = places(shelf.tile(shown.file, 26, x << (26 - z), y << (26 - z), palette=PALETTE))
    assert (again == native[0, 0]).all()


def test_colours_are_those_of_the_legend_and_nothing_is_clear(shown: display.Display, shelf: Shelf) -> None:
    z = shown.maxzoom
    for at in tiles_of(shown, z):
        png = shelf.tile(shown.file, z, *at, palette=PALETTE)
        if png is None:
            continue
        bytes_, colours = places(png), opened(png)
        assert (colours[bytes_ == 0, 3] == 0).all()
        for number, entry in enumerate(LEGEND.entries, start=1):
            seen = colours[bytes_ == number]
            assert (seen == (*bytes.fromhex(entry.colour[1:]), 255)).all()


def test_outside_there_is_nothing_and_nonsense_is_refused(shown: display.Display, shelf: Shelf) -> None:
    assert shelf.tile(shown.file, 10, 0, 0, palette=PALETTE) is None
    bad: list[dict[str, Any]] = [
        {"z": 27, "x": 0, "y": 0},
        {"z": -1, "x": 0, "y": 0},
        {"z": 2, "x": 4, "y": 0},
        {"z": 2, "x": 0, "y": -1},
        {"z": 2, "x": 0, "y": 0, "scale": 3},
        {"z": 2, "x": 0, "y": 0, "band": 2},
        {"z": 2, "x": 0, "y": 0, "band": 0},
    ]
    for one in bad:
        with pytest.raises(InvalidSetting):
            shelf.tile(shown.file, **one, palette=PALETTE)


def test_tags_change_with_the_pixels_and_with_the_style(shown: display.Display) -> None:
    other = palette_of(Legend((), ("#000000", "#ffffff"), 0, 1))
    tags = {
        tile_tag(shown.digest, PALETTE, 3, 2, 1, 1, 1),
        tile_tag(shown.digest, other, 3, 2, 1, 1, 1),
        tile_tag(shown.digest, None, 3, 2, 1, 1, 1),
        tile_tag("0" * 64, PALETTE, 3, 2, 1, 1, 1),
        tile_tag(shown.digest, PALETTE, 3, 2, 1, 2, 1),
    }
    assert len(tags) == 5
    assert tile_tag(shown.digest, PALETTE, 3, 2, 1, 1, 1) in tags


def test_a_file_that_is_replaced_is_seen_and_one_that_goes_is_missed(tmp_path: Path) -> None:
    shelf = Shelf()
    one, two = (
        display.make(
            write(tmp_path / f"{value}.tif", np.full((1, 300, 300), value, np.uint8)),
            "classes",
            LEGEND,
            tmp_path / f"d{value}.tif",
        )
        for value in (1, 2)
    )
    z = one.maxzoom
    at = next(at for at in tiles_of(one, z) if shelf.tile(one.file, z, *at, palette=PALETTE))
    assert places(shelf.tile(one.file, z, *at, palette=PALETTE)).max() == 1
    two.file.replace(one.file)
    assert places(shelf.tile(one.file, z, *at, palette=PALETTE)).max() == 2
    content = one.file.read_bytes()
    one.file.write_bytes(content[: len(content) // 3])
    with pytest.raises(UnreadableFile):
        shelf.tile(one.file, z, *at, palette=PALETTE)
    one.file.unlink()
    with pytest.raises(FileMissing):
        shelf.tile(one.file, z, *at, palette=PALETTE)


def test_open_files_and_kept_tiles_are_bounded(tmp_path: Path) -> None:
    pixels = np.ones((1, 16, 16), np.uint8)
    made = [
        display.make(write(tmp_path / f"{n}.tif", pixels, left=400_000 + n), "classes", LEGEND, tmp_path / f"d{n}.tif")
        for n in range(6)
    ]
    files = OpenFiles(3)
    for one in made:
        with files.borrow(one.file) as dataset:
            dataset.read(1)
    assert len(files) == 3
    shelf = Shelf(limit=2, cache=2_000)
    for one in made:
        for x, y in tiles_of(one, one.maxzoom):
            shelf.tile(one.file, one.maxzoom, x, y, palette=PALETTE)
    assert shelf.held <= 2_000
    shelf.close()
    assert shelf.held == 0


def test_many_threads_get_the_tiles_that_one_gets(shown: display.Display) -> None:
    wanted = [(z, *at) for z in range(shown.minzoom, shown.maxzoom + 1) for at in tiles_of(shown, z)]
    alone = Shelf(cache=0)
    expected = [alone.tile(shown.file, *one, palette=PALETTE) for one in wanted]
    shelf = Shelf(limit=1, cache=100_000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: shelf.tile(shown.file, *one, palette=PALETTE), wanted * 4))
    assert found == expected * 4


def test_a_file_is_opened_again_whose_room_another_thread_has_needed(tmp_path: Path) -> None:
    """More files than may be open, and threads that change at every step: one is often closed before it is read."""
    files = [write(tmp_path / f"{number}.tif", np.full((1, 16, 16), number, np.uint8)) for number in range(1, 7)]
    opened, interval = OpenFiles(2), sys.getswitchinterval()

    def look(seed: int) -> bool:
        right = True
        for number in np.random.default_rng(seed).integers(0, 6, 60).tolist():
            with opened.borrow(files[number]) as dataset:
                right &= bool((dataset.read(1) == number + 1).all())
        return right

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(look, range(8)))
    finally:
        sys.setswitchinterval(interval)
        opened.close()
    assert len(opened) == 0


def test_pngs_hold_the_pixels_that_they_were_made_of() -> None:
    rng = np.random.default_rng(0)
    bytes_ = rng.integers(0, 256, (5, 9)).astype(np.uint8)
    assert np.array_equal(np.asarray(Image.open(BytesIO(palette_png(bytes_, PALETTE.chunks)))), bytes_)
    colours = rng.integers(0, 256, (7, 3, 4)).astype(np.uint8)
    assert np.array_equal(np.asarray(Image.open(BytesIO(rgba_png(colours)))), colours)
