"""What a raster product may be, and how its overviews are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Grid, nomenclature
from arpent.errors import InvalidSetting
from arpent.io import RasterSpec
from arpent.io.overviews import halved

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def utm(height: int, width: int) -> Grid:
    return Grid.north_up(500_000, 5_000_000, 10, height, width, "EPSG:32631")


def test_a_wide_row_of_blocks_is_cut_to_fit_memory() -> None:
    assert RasterSpec(utm(10_000, 100_000), ("v",), "uint8").block == 512
    assert RasterSpec(utm(10_000, 100_000), ("a", "b", "c"), "float32").block == 192
    assert RasterSpec(utm(10_000, 10_000), tuple(f"d{i}" for i in range(768)), "float32").block == 64


@pytest.mark.parametrize(
    "wrong",
    [
        {"dtype": "complex64"},
        {"bands": ()},
        {"overviews": "median"},
        {"nodata": 300},
        {"nodata": float("nan")},
        {"nodata": float("inf")},
        {"classes": nomenclature("commune"), "dtype": "uint16"},
        {"overviews": "mode", "dtype": "float32"},
    ],
)
def test_impossible_products_are_refused_before_they_begin(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting):
        RasterSpec(**{"grid": utm(5, 5), "bands": ("v",), "dtype": "uint8", **wrong})


@settings(max_examples=40)
@given(
    st.sampled_from(DTYPES),
    st.sampled_from(["average", "mode", "nearest"]),
    st.sampled_from([None, 0, 2, 127]),
    st.integers(1, 7),
    st.integers(1, 7),
    st.integers(0, 1000),
)
def test_overviews_equal_the_definition(
    dtype: str, method: Any, nodata: float | None, height: int, width: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).choice([0, 1, 2, 3, 127], (2, height, width)).astype(dtype)
    if method == "mode" and dtype.startswith("float"):
        method = "average"  # a product of floats by majority is refused
    found = halved(pixels, method, nodata)
    padded = np.pad(pixels, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    for band, row, col in np.ndindex(found.shape):
        four = list(padded[band, 2 * row : 2 * row + 2, 2 * col : 2 * col + 2].ravel().tolist())
        valid = [v for v in four if v != nodata]
        if method == "nearest":
            wanted = four[0]
        elif not valid:
            wanted = nodata
        elif method == "mode":
            wanted = min(v for v in valid if valid.count(v) == max(map(valid.count, valid)))
        elif dtype.startswith("float"):
            wanted = pytest.approx(sum(valid) / len(valid))
        else:
            wanted = int(np.floor(sum(valid) / len(valid) + 0.5))
        assert found[band, row, col] == wanted
