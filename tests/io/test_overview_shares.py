"""Overviews that keep the share of each class."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from arpent.core import Grid, Strip
from arpent.errors import InvalidSetting
from arpent.io import CogWriter, RasterSpec
from arpent.io.overviews import halved


def shares(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    """Of each value but 0."""
    counts = np.bincount(pixels.ravel(), minlength=256)[1:].astype(float)
    found: NDArray[np.float64] = counts / max(counts.sum(), 1)
    return found


def test_rare_classes_keep_their_share_where_majorities_lose_it() -> None:
    pixels = np.random.default_rng(0).choice([1, 2, 3], p=[0.6, 0.3, 0.1], size=(1, 256, 256)).astype(np.uint8)
    kept: NDArray[np.generic] = pixels
    lost: NDArray[np.generic] = pixels
    for _ in range(4):
        kept, lost = halved(kept, "shares", 0), halved(lost, "mode", 0)
    assert np.abs(shares(kept) - shares(pixels)).max() < 0.01
    assert np.abs(shares(lost) - shares(pixels)).max() > 0.3


def test_what_is_all_of_one_class_stays_so_and_clear_majorities_stand() -> None:
    pixels = np.full((1, 64, 64), 4, np.uint8)
    assert (halved(pixels, "shares", 0) == 4).all()
    pixels[:, :32] = 9
    assert np.array_equal(halved(pixels, "shares", 0), halved(pixels, "mode", 0))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40), st.integers(0, 6))
def test_no_value_is_invented_and_no_data_never_spreads(seed: int, rows: int, columns: int, values: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, values + 1, (1, rows, columns)).astype(np.uint8)
    small, majority = halved(pixels, "shares", 0), halved(pixels, "mode", 0)
    assert np.array_equal(small == 0, majority == 0)
    even = np.pad(pixels, ((0, 0), (0, rows % 2), (0, columns % 2)), mode="edge")
    corners = np.stack([even[:, 0::2, 0::2], even[:, 0::2, 1::2], even[:, 1::2, 0::2], even[:, 1::2, 1::2]])
    assert (corners == small).any(axis=0).all()


def test_a_writer_makes_blocks_and_a_last_level_of_the_side_asked_for(tmp_path: Path) -> None:
    grid = Grid.north_up(200_000, 6_000_000, 10.0, 1024, 1024, 3857)
    spec = RasterSpec(grid, ("class",), "uint8", 0, overviews="shares", side=256)
    with CogWriter(tmp_path / "a.tif", spec) as writer:
        writer.write(Strip(0, np.ones((1, 1024, 1024), np.uint8)))
    with rasterio.open(tmp_path / "a.tif") as dataset:
        assert dataset.block_shapes == [(256, 256)]
        assert dataset.overviews(1) == [2, 4]


def test_floats_have_no_shares_and_blocks_have_sizes_that_a_tiff_can_have() -> None:
    grid = Grid.north_up(0, 0, 1.0, 8, 8, 3857)
    with pytest.raises(InvalidSetting, match="shares are counted in bytes"):
        RasterSpec(grid, ("a",), "float32", overviews="shares")
    with pytest.raises(InvalidSetting, match="no blocks of this size"):
        RasterSpec(grid, ("a",), "uint8", side=100)
