from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from arpent.data import Augment, Patch, dihedral, generator_for

SQUARE = np.arange(9).reshape(3, 3)


def patch(height=16, width=16, bands=4, seed=0):
    rng = np.random.default_rng(seed)
    valid = rng.random((height, width)) > 0.2
    image = rng.standard_normal((bands, height, width)).astype(np.float32) * valid
    # The truth is a function of the image, so that a shift between the two is seen.
    return Patch(image, valid, np.where(valid, (image[0] > 0).astype(np.int64), -1))


def test_the_eight_symmetries_are_different_and_close_under_composition():
    images = {dihedral(SQUARE, k).tobytes() for k in range(8)}
    assert len(images) == 8
    assert np.array_equal(dihedral(SQUARE, 0), SQUARE)
    for a in range(8):
        for b in range(8):
            assert dihedral(dihedral(SQUARE, a), b).tobytes() in images


@given(st.integers(0, 200))
@settings(deadline=None, max_examples=50)
def test_image_truth_and_mask_move_together(index):
    original = patch()
    varied = Augment()(original, generator_for(0, 0, index))
    assert np.array_equal(varied.target, np.where(varied.valid, varied.image[0] > 0, -1))
    assert np.array_equal(np.sort(varied.image, axis=None), np.sort(original.image, axis=None))


def test_all_eight_are_drawn_and_about_equally_often():
    original = patch()
    seen: dict[bytes, int] = {}
    for index in range(800):
        key = np.ascontiguousarray(Augment()(original, generator_for(1, 0, index)).image).tobytes()
        seen[key] = seen.get(key, 0) + 1
    assert len(seen) == 8
    assert min(seen.values()) > 60


def test_rectangles_and_flips_keep_their_shape():
    for augment, original in ((Augment(), patch(8, 12)), (Augment(geometry="flips"), patch(9, 9))):
        images = {augment(original, generator_for(0, 0, k)).image.tobytes() for k in range(60)}
        shapes = {augment(original, generator_for(0, 0, k)).image.shape for k in range(60)}
        assert len(images) == 4
        assert shapes == {original.image.shape}


def test_no_variation_gives_the_same_patch():
    original = patch()
    assert Augment(geometry="none")(original, generator_for(0, 0, 0)) == original


STRONG = Augment(geometry="none", gain=0.3, bias=0.5, gamma=0.4, noise=0.1, drop_band=0.3)


def test_light_changes_the_image_and_neither_truth_nor_holes():
    original = patch()
    before = original.image.copy()
    varied = STRONG(original, generator_for(0, 0, 1))
    assert not np.array_equal(varied.image, original.image)
    assert np.array_equal(original.image, before)
    assert varied.target is original.target
    assert not varied.image[:, ~original.valid].any()


@given(st.integers(0, 2**31), st.integers(0, 99), st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_the_same_place_gives_the_same_variation(seed, epoch, index):
    first = STRONG(patch(), generator_for(seed, epoch, index)).image
    assert np.array_equal(first, STRONG(patch(), generator_for(seed, epoch, index)).image)
    for other in ((seed + 1, epoch, index), (seed, epoch + 1, index), (seed, epoch, index + 1)):
        assert not np.array_equal(first, STRONG(patch(), generator_for(*other)).image)


def test_gain_and_bias_stay_within_their_bounds():
    original = Patch(np.ones((3, 4, 4), np.float32), np.ones((4, 4), bool))
    gains = [Augment(gain=0.2)(original, generator_for(0, 0, k)).image[0, 0, 0] for k in range(200)]
    assert 0.8 <= min(gains) < 0.85
    assert 1.15 < max(gains) <= 1.2001
    shifts = [Augment(bias=0.5)(original, generator_for(0, 0, k)).image[1, 0, 0] for k in range(200)]
    assert 0.4999 <= min(shifts) < 0.6
    assert 1.4 < max(shifts) <= 1.5001


def test_gamma_keeps_extremes_and_order():
    original = patch()
    varied = Augment(geometry="none", gamma=0.7)(original, generator_for(0, 0, 3))
    for band in range(4):
        before, after = original.image[band][original.valid], varied.image[band][original.valid]
        assert after.min() == pytest.approx(before.min(), abs=1e-5)
        assert after.max() == pytest.approx(before.max(), abs=1e-5)
        assert np.all(np.diff(after[np.argsort(before)]) >= -1e-6)
    hollow = Patch(np.zeros((2, 3, 3), np.float32), np.zeros((3, 3), bool))
    assert not Augment(gamma=0.7)(hollow, generator_for(0, 0, 0)).image.any()


def test_one_band_always_remains():
    original = Patch(np.ones((3, 2, 2), np.float32), np.ones((2, 2), bool))
    augment = Augment(drop_band=0.9)
    left = [int(augment(original, generator_for(0, 0, k)).image.any((1, 2)).sum()) for k in range(200)]
    assert min(left) == 1
    assert max(left) > 1


def test_settings_are_closed():
    with pytest.raises(ValidationError):
        Augment(gain=1.5)
    with pytest.raises(ValidationError):
        Augment(rotate=True)
