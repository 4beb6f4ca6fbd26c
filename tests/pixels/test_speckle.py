"""Speckle filters against the formulas written out as loops, and against the promises of the engine."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import InvalidSetting, UnknownName
from arpent.pixels import SPECKLE_FILTERS, SpeckleFilter, estimate_looks, local_mean, quegan_yu

SINGLE = [name for name in SPECKLE_FILTERS if name != "quegan_yu"]
LOOKS = 4.4


def speckled(shape, seed=0, looks=LOOKS):
    """A scene of two fields with an edge, under speckle."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices(shape)
    truth = np.where(rows + 2 * cols > sum(shape), 0.4, 0.05)
    return (truth * rng.gamma(looks, 1 / looks, shape)).astype(np.float32)


def around(image, valid, row, col, reach):
    """The pixels of a window that count, with their places relative to the middle."""
    rows = range(max(row - reach, 0), min(row + reach + 1, image.shape[0]))
    cols = range(max(col - reach, 0), min(col + reach + 1, image.shape[1]))
    return [(y - row, x - col, float(image[y, x])) for y in rows for x in cols if valid[y, x]]


def mean_and_spread(values):
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    return mean, math.sqrt(variance) / mean if mean > 0 else 0.0


def refined_half(pixels, reach):
    """The values on the middle's side of the strongest edge."""
    block = reach // 2
    shift = reach - block

    def block_mean(down, across):
        inside = [v for y, x, v in pixels if abs(y - down * shift) <= block and abs(x - across * shift) <= block]
        return sum(inside) / len(inside) if inside else None

    m = {(y, x): block_mean(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)}
    c = m[0, 0]
    m = {place: c if value is None else value for place, value in m.items()}
    edges = []  # (strength, side one, side other), a side as a place and the pixels that belong to it
    for one, belongs in (
        ((0, -1), lambda y, x: x),
        ((-1, 0), lambda y, x: y),
        ((-1, -1), lambda y, x: x + y),
        ((-1, 1), lambda y, x: y - x),
    ):
        other = (-one[0], -one[1])
        near = sum(value for (y, x), value in m.items() if belongs(y, x) < 0)
        far = sum(value for (y, x), value in m.items() if belongs(y, x) > 0)
        edges.append((abs(near - far), one, other, belongs))
    _, one, other, belongs = max(edges, key=lambda edge: edge[0])
    sign = 1 if abs(m[one] - c) <= abs(m[other] - c) else -1
    return [v for y, x, v in pixels if sign * belongs(y, x) <= 0]


def by_formula(name, pixels, reach, looks):
    """One pixel, as the formulas say."""
    centre = next(v for y, x, v in pixels if y == x == 0)
    values = [v for _, _, v in pixels]
    if name == "refined_lee":
        values = refined_half(pixels, reach)
    mean, ci = mean_and_spread(values)
    cu = 1 / math.sqrt(looks)
    weight = max(0.0, 1 - cu**2 / ci**2) if ci > 0 else 0.0
    if name == "lee":
        return mean + weight * (centre - mean)
    if name in ("kuan", "refined_lee"):
        return mean + weight / (1 + cu**2) * (centre - mean)
    if name == "frost":
        weights = [math.exp(-2 * ci**2 * math.hypot(y, x)) for y, x, _ in pixels]
        return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    if ci <= cu:
        return mean
    if name == "enhanced_lee":
        most = math.sqrt(1 + 2 / looks)
        w = math.exp(-(ci - cu) / (most - ci)) if ci < most else 0.0
        return mean * w + centre * (1 - w)
    assert name == "gamma_map"
    if ci >= math.sqrt(2) * cu:
        return centre
    alpha = (1 + cu**2) / (ci**2 - cu**2)
    b = alpha - looks - 1
    return (b * mean + math.sqrt(mean**2 * b**2 + 4 * alpha * looks * mean * centre)) / (2 * alpha)


def plainly(name, image, valid, window, looks):
    """The reference: every pixel by itself."""
    out = np.full(image.shape, np.nan)
    for row, col in np.argwhere(valid):
        out[row, col] = by_formula(name, around(image, valid, row, col, window // 2), window // 2, looks)
    return out


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("window", [3, 5, 7, 9])
def test_every_filter_is_its_formula(name, window) -> None:
    """To the rim, where windows are cut, with looks that make all branches happen."""
    image = speckled((13, 17))
    valid = np.ones(image.shape, bool)
    for looks in (2.0, 12.0):
        made = SpeckleFilter(name, window, looks)(image)
        np.testing.assert_allclose(made, plainly(name, image, valid, window, looks), rtol=2e-6)


@given(
    name=st.sampled_from(SINGLE),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    window=st.sampled_from([3, 5, 7, 11]),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_holes_are_nobodys_neighbours(name, height, width, window, share, seed) -> None:
    """Any size, any holes, and in the holes numbers that would show."""
    rng = np.random.default_rng(seed)
    image = speckled((height, width), seed)
    valid = rng.random(image.shape) >= share
    dirty = np.where(valid, image, rng.choice([np.nan, np.inf, -1e30, 1e30], image.shape)).astype(np.float32)
    made = SpeckleFilter(name, window, LOOKS)(dirty, valid)
    np.testing.assert_allclose(made, plainly(name, image, valid, window, LOOKS), rtol=2e-6)


@pytest.mark.parametrize("name", SINGLE)
def test_what_is_no_number_does_not_count(name) -> None:
    image = speckled((12, 15))
    image[3:6, 4] = np.nan
    image[0, 0] = np.inf
    filter_ = SpeckleFilter(name)
    assert np.array_equal(filter_(image), filter_(image, np.isfinite(image)), equal_nan=True)
    assert np.isnan(filter_(image)[3:6, 4]).all()


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("name", SINGLE)
def test_tiles_give_the_bytes_of_the_whole(name, holes) -> None:
    """Strips and tiles of odd sizes, wider than a piece of the loops, over seven orders of magnitude."""
    rng = np.random.default_rng(1)
    image = (speckled((61, 803)) * 10 ** rng.uniform(-1, 6, (61, 803))).astype(np.float32)
    valid = rng.random(image.shape) > (0.1 if holes else -1)
    filter_ = SpeckleFilter(name, 7, LOOKS)
    whole, halo = filter_(image, valid), filter_.halo
    for top, left, height, width in ((0, 0, 20, 803), (20, 0, 1, 803), (21, 17, 30, 500), (51, 700, 10, 103)):
        rows = slice(max(top - halo, 0), min(top + height + halo, 61))
        cols = slice(max(left - halo, 0), min(left + width + halo, 803))
        inner = slice(top - rows.start, top - rows.start + height)
        tile = filter_(image[rows, cols], valid[rows, cols], inner)[:, left - cols.start : left - cols.start + width]
        assert tile.tobytes() == whole[top : top + height, left : left + width].tobytes()


@pytest.mark.parametrize("looks", [LOOKS, math.inf])
@pytest.mark.parametrize("name", SINGLE)
def test_a_constant_image_stays_constant(name, looks) -> None:
    for value in (0.0, 0.1, 12_345.678, 3e12):
        image = np.full((9, 11), value, np.float32)
        assert np.array_equal(SpeckleFilter(name, 5, looks)(image), image)


@pytest.mark.parametrize("name", SINGLE)
def test_digital_numbers_keep_their_precision(name) -> None:
    """The same scene in numbers a million million times as large: 32 bits would lose squares beside bright targets."""
    image = speckled((40, 40))
    image[20, 20] = 1e4
    scale = np.float32(2.0**40)
    assert np.array_equal(SpeckleFilter(name)(image) * scale, SpeckleFilter(name)(image * scale))


@pytest.mark.parametrize("name", [name for name in SINGLE if name != "refined_lee"])
def test_mirrored_images_give_mirrored_answers(name) -> None:
    """Sums go from the middle outwards: no side comes first."""
    image, filter_ = speckled((33, 801)), SpeckleFilter(name, 9, LOOKS)
    assert np.array_equal(filter_(image[::-1, ::-1].copy()), filter_(image)[::-1, ::-1])


def test_a_homogeneous_field_becomes_smooth_and_keeps_its_mean() -> None:
    """The targets of Lee 7 × 7; what others reach stands in docs/benchmarks.md."""
    field = np.random.default_rng(0).gamma(LOOKS, 1 / LOOKS, (512, 512)).astype(np.float32)
    assert estimate_looks(field) == pytest.approx(LOOKS, rel=0.02)
    made = SpeckleFilter("lee", 7, LOOKS)(field)
    assert made.mean(dtype=np.float64) / field.mean(dtype=np.float64) == pytest.approx(1, abs=1e-3)
    assert estimate_looks(made) >= 100


def test_several_dates_share_their_speckle() -> None:
    """J_k = m_k · mean of I / m; a date that lacks a pixel does not count there."""
    stack = np.stack([speckled((20, 24), seed) for seed in range(8)])
    valid = np.random.default_rng(3).random(stack.shape) > 0.1
    made = quegan_yu(stack, valid, 7)
    means = np.stack([local_mean(image, known, 7) for image, known in zip(stack, valid, strict=True)]).astype(float)
    for date, row, col in np.argwhere(valid)[::97]:
        there = [k for k in range(8) if valid[k, row, col]]
        grain = np.mean([stack[k, row, col] / means[k, row, col] for k in there])
        assert made[date, row, col] == pytest.approx(means[date, row, col] * grain, rel=1e-5)
    assert np.array_equal(np.isnan(made), ~valid)
    smooth = quegan_yu(np.random.default_rng(0).gamma(LOOKS, 1 / LOOKS, (8, 200, 200)), window=7)
    assert 25 < estimate_looks(smooth[0]) < 40  # T L, a little less for the local mean


def test_dates_without_echo_stay_without() -> None:
    stack = np.zeros((3, 9, 9), np.float32)
    assert np.array_equal(quegan_yu(stack), stack)


def test_read_only_and_double_images_are_taken() -> None:
    image = speckled((10, 10))
    frozen = image.copy()
    frozen.setflags(write=False)
    filter_ = SpeckleFilter("lee")
    assert np.array_equal(filter_(frozen), filter_(image))
    assert np.array_equal(filter_(image.astype(np.float64)), filter_(image))


@pytest.mark.parametrize("window", [0, 1, 4, 8, -3, 1001])
def test_a_window_has_a_middle(window) -> None:
    with pytest.raises(InvalidSetting, match="odd number"):
        SpeckleFilter("lee", window)
    with pytest.raises(InvalidSetting, match="odd number"):
        local_mean(np.ones((3, 3), np.float32), window=window)


def test_a_misspelt_filter_and_no_looks_are_refused() -> None:
    with pytest.raises(UnknownName, match="'refined_lee'"):
        SpeckleFilter("refined_le")
    with pytest.raises(InvalidSetting, match="above 0"):
        SpeckleFilter("lee", looks=0.0)


def test_quegan_yu_is_for_ground_that_stays():
    """A shore that moves on the last of eight dates leaves the old one in it; a filter of that date alone does not."""
    truth = np.full((8, 120, 120), 0.1)
    truth[:, :, :40] = truth[-1, :, 40:80] = 0.005
    views = (truth * np.random.default_rng(0).gamma(LOOKS, 1 / LOOKS, truth.shape)).astype(np.float32)

    def error(image, cols):
        return np.sqrt(np.mean((10 * np.log10(image / truth[-1]))[:, cols] ** 2))

    together, alone = quegan_yu(views)[-1], SpeckleFilter("lee", 7, LOOKS)(views[-1])
    shores = np.r_[36:44, 76:84]
    assert error(together, shores) > 1.3 * error(alone, shores)
    assert error(together, np.r_[:30, 90:120]) < 1
