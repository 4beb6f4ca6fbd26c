"""Rectangles of pixels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arpent.core import Window

windows = st.builds(Window, st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 60), st.integers(1, 60))


@given(windows, windows)
def test_what_two_windows_share_is_in_both_and_nothing_else_is(one: Window, other: Window) -> None:
    shared = one.intersect(other)
    assert shared == other.intersect(one) or shared.size == 0
    both = {(r, c) for r in range(one.row, one.row_end) for c in range(one.col, one.col_end)} & {
        (r, c) for r in range(other.row, other.row_end) for c in range(other.col, other.col_end)
    }
    assert shared.size == len(both)
    assert not both or (shared in one and shared in other)


@given(windows, st.integers(1, 70))
def test_strips_cut_a_window_without_rest(window: Window, rows: int) -> None:
    strips = list(window.strips(rows))
    assert [strip.row for strip in strips] == list(range(window.row, window.row_end, rows))
    assert sum(strip.size for strip in strips) == window.size
    assert all(strip in window for strip in strips)


@given(windows, st.integers(1, 70), st.none() | st.integers(1, 70))
def test_blocks_cut_a_window_without_rest(window: Window, rows: int, cols: int | None) -> None:
    blocks = list(window.blocks(rows, cols))
    across = -(-window.width // (cols or rows))
    assert sum(block.size for block in blocks) == window.size
    assert all(block in window and block.height <= rows and block.width <= (cols or rows) for block in blocks)
    assert [block.row for block in blocks[::across]] == [strip.row for strip in window.strips(rows)]


@given(windows, st.integers(1, 9))
def test_the_coarser_window_covers_just_enough(window: Window, factor: int) -> None:
    coarse = window.coarsened(factor)
    fine = Window(coarse.row * factor, coarse.col * factor, coarse.height * factor, coarse.width * factor)
    assert window in fine
    assert window.row - fine.row < factor
    assert fine.col_end - window.col_end < factor


@given(windows, windows, st.integers(0, 9))
def test_moving_and_padding(window: Window, origin: Window, pixels: int) -> None:
    moved = window.relative_to(origin)
    assert Window(moved.row + origin.row, moved.col + origin.col, *moved.shape) == window
    grown = window.padded(pixels)
    assert window in grown
    assert grown.shape == (window.height + 2 * pixels, window.width + 2 * pixels)


def test_a_window_picks_its_pixels_from_the_last_two_axes() -> None:
    image = np.arange(2 * 5 * 7).reshape(2, 5, 7)
    window = Window.between(1, 2, 4, 6)
    assert image[:, *window.slices].shape == (2, *window.shape)
    assert image[0][window.slices][0, 0] == 1 * 7 + 2


def test_nothing_has_no_size() -> None:
    assert Window(0, 0, 5, 5).intersect(Window(9, 9, 2, 2)).size == 0
    assert Window(0, 0, -3, 5).size == 0


def test_a_window_is_judged_from_its_middle_and_its_corners():
    squares = Window(10, 20, 100, 60).middle_and_corners(20)
    corners = {(10, 20), (10, 60), (90, 20), (90, 60)}
    assert {(one.row, one.col) for one in squares} == corners | {(50, 40)}
    assert {one.shape for one in squares} == {(20, 20)}
    assert Window(1, 2, 5, 9).middle_and_corners(9) == [Window(1, 2, 5, 9)]
