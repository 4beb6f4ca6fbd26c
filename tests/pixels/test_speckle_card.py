"""The report card: looks by blocks, edges by Laplacians, and that pieces make the whole."""

import math

import numpy as np
import pytest

from arpent.errors import NoValidPixels
from arpent.pixels import CardTally, SpeckleFilter, edge_preservation, estimate_looks, looks_of_blocks

LOOKS = 4.4


def field(shape, seed=0):
    return np.random.default_rng(seed).gamma(LOOKS, 1 / LOOKS, shape).astype(np.float32)


def test_looks_are_the_median_over_blocks() -> None:
    """A bright town in a corner changes one block of sixteen, and not the answer."""
    image = field((100, 110))
    blocks = [image[r : r + 25, c : c + 25] for r in range(0, 100, 25) for c in range(0, 100, 25)]
    expected = np.median([block.mean() ** 2 / block.var() for block in blocks])
    assert estimate_looks(image) == pytest.approx(expected, rel=1e-4)
    image[:25, :12] *= 50
    assert estimate_looks(image) == pytest.approx(LOOKS, rel=0.15)


def test_blocks_count_what_is_known_and_leave_the_rest() -> None:
    image, valid = field((50, 50)), np.ones((50, 50), bool)
    valid[:25, :20] = False  # most of the first block
    valid[25:, 30:32] = False  # a little of the last one
    image[~valid] = np.nan
    looks = looks_of_blocks(image, valid)
    assert len(looks) == 3
    last = image[25:, 25:][valid[25:, 25:]]
    assert looks[2] == pytest.approx(last.mean() ** 2 / last.var(), rel=1e-4)


def test_small_and_scattered_images_are_one_block() -> None:
    image = field((7, 40))
    assert len(looks_of_blocks(image, np.ones(image.shape, bool))) == 1
    image[np.random.default_rng(0).random(image.shape) > 0.2] = np.nan
    known = image[np.isfinite(image)]
    assert estimate_looks(image) == pytest.approx(known.mean() ** 2 / known.var(), rel=1e-4)


def test_without_speckle_looks_are_infinite_and_without_pixels_there_are_none() -> None:
    assert estimate_looks(np.full((30, 30), 0.3, np.float32)) == math.inf
    with pytest.raises(NoValidPixels, match="no-data value"):
        estimate_looks(np.full((30, 30), np.nan, np.float32))


def test_edges_are_kept_by_scaling_and_lost_by_blurring() -> None:
    image = field((40, 40))
    assert edge_preservation(image, 3 * image + 1) == pytest.approx(1)
    blurred = SpeckleFilter("lee", 7, 1.0)(image)
    assert edge_preservation(image, blurred) < 0.6
    assert math.isnan(edge_preservation(image, np.ones_like(image)))
    holed = image.copy()
    holed[20, 20] = np.nan
    assert edge_preservation(image, holed) == pytest.approx(1)


def test_pieces_make_the_card_of_the_whole() -> None:
    image = field((160, 77))
    image[:, 40:] *= 5
    valid = np.random.default_rng(1).random(image.shape) > 0.05
    filtered = SpeckleFilter("lee", 5, LOOKS)(image, valid)
    cards = []
    for rows in (200, 75, 25):
        tally = CardTally(image.size)
        for top in range(0, 160, rows):
            part = slice(top, top + rows)
            tally.add(image[part], filtered[part], valid[part])
        cards.append(tally.card)
    for card in cards[1:]:
        assert vars(card) == pytest.approx(vars(cards[0]), rel=1e-9)
    card = cards[0]
    assert card.edges == pytest.approx(edge_preservation(image, filtered, valid), rel=1e-9)
    assert card.mean_ratio == pytest.approx(filtered[valid].mean() / image[valid].mean(), rel=1e-4)
    assert card.looks_after > 4 * card.looks_before
    assert LOOKS < card.ratio_looks < 1.5 * LOOKS  # a pixel is part of its own mean, which takes a little away
    assert card.ratio_mean == pytest.approx(1, abs=0.05)


def test_a_very_large_image_is_judged_by_some_of_its_blocks() -> None:
    image = field((25, 2500))
    tally = CardTally(25 * 25 * 500_000)  # twice as many blocks as are kept
    tally.add(image, image, np.ones(image.shape, bool))
    assert tally.card.looks_before == pytest.approx(estimate_looks(image), rel=0.1)
    assert tally.card.looks_before != estimate_looks(image)
