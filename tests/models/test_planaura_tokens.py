"""Where Planaura's tokens lie: the parts of a dense grid, and positions stretched or counted."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from arpent.models.planaura_tokens import (
    ResampledPositions,
    SubGrid,
    TokenGrid,
    resampling_weights,
    sin_cos_table,
    sub_grids,
)


def images(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@given(
    rows=st.integers(1, 40), cols=st.integers(1, 40), frames=st.integers(1, 3), step=st.sampled_from([1, 2, 4, 8, 16])
)
@settings(max_examples=50)
def test_parts_partition_the_grid(rows: int, cols: int, frames: int, step: int) -> None:
    grid = TokenGrid(frames, rows, cols)
    hits = torch.zeros(rows, cols)
    parts = sub_grids(grid, step)
    for part in parts:
        hits[part.rows, part.cols] += 1
        assert part.of(grid) == (frames, *hits[part.rows, part.cols].shape)
    assert (hits == 1).all()
    assert sum(part.of(grid).tokens for part in parts) == grid.tokens
    assert parts[0].of(grid).tokens == max(part.of(grid).tokens for part in parts) > 0


@given(source=st.integers(1, 40), target=st.integers(1, 90))
@settings(max_examples=50)
def test_resampling_is_antialiased_linear_interpolation(source: int, target: int) -> None:
    row = images(1, 3, 1, source)
    expected = functional.interpolate(row, (1, target), mode="bilinear", antialias=True, align_corners=False)
    # Both count places in float32, whose last digits differ between the two ways.
    torch.testing.assert_close(row @ resampling_weights(source, target).T, expected, rtol=0, atol=5e-5)


@given(rows=st.integers(1, 30), cols=st.integers(1, 30), step=st.sampled_from([1, 2, 8]))
@settings(max_examples=30)
def test_positions_of_a_part_are_those_of_the_dense_table(rows: int, cols: int, step: int) -> None:
    table = images(2, 4, 4, 16)
    grid = TokenGrid(2, rows, cols)
    dense = functional.interpolate(
        table.movedim(-1, 1), (rows, cols), mode="bilinear", antialias=True, align_corners=False
    ).movedim(1, -1)
    positions = ResampledPositions(table, grid)
    for part in sub_grids(grid, step):
        torch.testing.assert_close(positions.at(part), dense[:, part.rows, part.cols], rtol=0, atol=1e-5)


def test_stored_positions_at_their_own_grid_are_untouched() -> None:
    table = images(2, 4, 4, 16)
    assert torch.equal(ResampledPositions(table, TokenGrid(2, 4, 4)).at(SubGrid(0, 0, 1)), table)


def test_sines_and_cosines_tell_column_row_and_date_in_that_order() -> None:
    table = sin_cos_table(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 2.0]), torch.tensor([0.0, 3.0]), 32)
    assert table.shape == (2, 2, 2, 32)
    assert torch.equal(table[0, 0, 0], table[0, 0, 0].round())  # sin 0, cos 0
    assert torch.equal(table[0, 0, 1, 12:], table[0, 0, 0, 12:])
    assert torch.equal(table[0, 1, 0, :12], table[0, 0, 0, :12])
    assert torch.equal(table[1, 0, 0, :24], table[0, 0, 0, :24])
    places = [math.sin(3.0), math.sin(2.0), math.sin(1.0)]
    torch.testing.assert_close(table[1, 1, 1, [0, 12, 24]], torch.tensor(places))
    slow = 10_000 ** (-5 / 6)
    torch.testing.assert_close(table[1, 1, 1, [5, 11]], torch.tensor([math.sin(3 * slow), math.cos(3 * slow)]))
