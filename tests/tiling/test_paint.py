import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Window
from arpent.errors import InvalidSetting
from arpent.tiling import RowPainter, TilePlan, TileShape, painted


@st.composite
def paintings(draw):
    """A plan of overlapping tiles of one size, its scale and inset, and what each tile answers."""
    scale = draw(st.sampled_from([1, 1, 2, 4]))
    size = 4 * scale * draw(st.integers(1, 6))
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    plan = TilePlan.of(height, width, TileShape(size=size, ring=0, halo=size // 4, align=1, fixed=True))
    inset = draw(st.integers(0, size // 8)) if scale == 1 else 0
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    share = draw(st.sampled_from([0.0, 0.3, 0.9]))
    answers = {}
    for tile in plan:
        values = rng.normal(size=(2, size // scale, size // scale)).astype(np.float32)
        valid = rng.random(values.shape[1:]) >= share
        values[:, ~valid] = np.nan
        answers[tile.row, tile.col] = values, valid
    return plan, scale, inset, answers


def painted_in_memory(plan, scale, inset, answers):
    """Both coats over the whole image, as one would write it down."""
    height, width = -(-plan.height // scale), -(-plan.width // scale)
    reach = max(plan.rows[-1].end, plan.cols[-1].end) // scale + scale
    image = np.zeros((2, reach, reach), np.float32)
    known = np.zeros((reach, reach), bool)
    for coat in ("whole tiles", "middles"):
        for tile in plan:
            values, valid = answers[tile.row, tile.col]
            size = valid.shape[0]
            counts = valid.copy()
            if coat == "middles":
                inner = slice(size // 4 + inset, size // 4 + inset + size // 2)
                counts[:] = False
                counts[inner, inner] = valid[inner, inner]
            # The nearest pixel of the product; half a pixel goes up.
            row, col = (int(np.floor(span.start / scale + 0.5)) for span in (tile.down, tile.across))
            here = (slice(row, row + size), slice(col, col + size))
            image[:, *here][:, counts] = values[:, counts]
            known[here][counts] = True
    return image[:, :height, :width], known[:height, :width]


def add_rows(painter, plan, answers, rows):
    for row in rows:
        for tile in plan.row_of_tiles(row):
            yield painter.add(tile, *answers[tile.row, tile.col])


@settings(deadline=None, max_examples=150)
@given(painting=paintings())
def test_rows_painted_one_by_one_are_the_picture_painted_at_once(painting):
    plan, scale, inset, answers = painting
    product = painted(plan, scale=scale, inset=inset)
    image = np.full((2, product.height, product.width), np.nan, np.float32)
    known = np.zeros((product.height, product.width), bool)
    times = np.zeros((product.height, product.width), int)
    for patch in add_rows(RowPainter(product, 2), product, answers, range(len(product.rows))):
        assert patch.window in Window(0, 0, product.height, product.width)
        image[:, *patch.window.slices] = patch.values
        known[patch.window.slices] = patch.valid
        times[patch.window.slices] += 1
    assert (times == 1).all()
    expected, expected_known = painted_in_memory(plan, scale, inset, answers)
    assert (known == expected_known).all()
    np.testing.assert_array_equal(image, expected)


@settings(deadline=None, max_examples=40)
@given(painting=paintings(), data=st.data())
def test_a_painter_restored_between_two_rows_goes_on_as_if_nothing_had_happened(painting, data):
    plan, scale, inset, answers = painting
    product = painted(plan, scale=scale, inset=inset)
    stop, last = data.draw(st.integers(0, len(product.rows))), len(product.rows)

    def run(painter, rows):
        return [(p.values.tobytes(), p.valid.tobytes()) for p in add_rows(painter, product, answers, rows)]

    whole = run(RowPainter(product, 2), range(last))
    first, second = RowPainter(product, 2), RowPainter(product, 2)
    before = run(first, range(stop))
    second.restore(stop, {name: array.copy() for name, array in first.state().items()})
    assert before + run(second, range(stop, last)) == whole


def test_tiles_lie_where_published_ones_do():
    shape = TileShape(size=512, ring=0, halo=128, align=1, fixed=True)
    plan = painted(TilePlan.of(1000, 512, shape))
    assert [span.start for span in plan.rows] == [0, 256, 488]
    assert [(span.core_start, span.core_end) for span in plan.rows] == [(128, 384), (384, 640), (616, 872)]
    assert [span.start for span in plan.cols] == [0]
    coarse = painted(TilePlan.of(1000, 512, shape), scale=16)
    assert [(span.start, span.end) for span in coarse.rows] == [(0, 32), (16, 48), (31, 63)]
    assert coarse.height == 63


def test_the_middle_of_a_tile_lies_over_the_rim_of_its_neighbour():
    plan = painted(TilePlan.of(8, 12, TileShape(size=8, ring=0, halo=2, align=1, fixed=True)))
    painter = RowPainter(plan, 1)
    rows = [
        painter.add(tile, np.full((1, 8, 8), number + 1, np.float32), np.ones((8, 8), bool)).values
        for number, tile in enumerate(plan)
    ]
    assert np.concatenate(rows, axis=2)[0, 4].tolist() == [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    # Above the middles the later tile lies over the earlier one from its first pixel on.
    assert np.concatenate(rows, axis=2)[0, 0].tolist() == [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]


def test_what_is_kept_does_not_grow_with_the_height():
    plan = painted(TilePlan.of(4096, 3000, TileShape(size=512, ring=0, halo=128, align=1, fixed=True)))
    painter = RowPainter(plan, 1)
    for row in range(4):
        for tile in plan.row_of_tiles(row):
            painter.add(tile, np.zeros((1, 512, 512), np.float32), np.ones((512, 512), bool))
        assert {array.shape[-2:] for array in painter.state().values()} == {(256, 3000)}


def test_tiles_of_several_sizes_and_tiles_out_of_order_are_refused():
    with pytest.raises(InvalidSetting, match="all have one size"):
        painted(TilePlan.of(100, 100, TileShape(size=64, ring=0, halo=16, align=4)))
    plan = painted(TilePlan.of(100, 100, TileShape(size=64, ring=0, halo=16, align=1, fixed=True)))
    with pytest.raises(InvalidSetting, match="row by row"):
        RowPainter(plan, 1).add(list(plan)[1], np.zeros((1, 64, 64)), np.ones((64, 64), bool))
