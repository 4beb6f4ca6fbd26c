"""How far changes are believed, against a search over every pixel."""

import numpy as np
import pytest

from arpent.errors import InvalidSetting
from arpent.metrics import believed

N = 4000


def drawn(strength, seed=0):
    """Pixels whose scores rise or fall truly, foretold as so many times too large, under noise."""
    rng = np.random.default_rng(seed)
    now, moved = rng.normal(-1, 2, N), rng.normal(0, 2, N)
    truth = (now + moved + rng.logistic(0, 0.2, N) > 0).astype(int) ^ 1  # class 0 is watched
    kept = np.stack([now, np.zeros(N)], 1)
    return kept, np.stack([strength * moved, np.zeros(N)], 1)[:, None], truth[:, None]


@pytest.mark.parametrize(("strength", "share"), [(1.0, 1.0), (2.0, 0.5), (4.0, 0.25)])
def test_changes_that_are_too_large_are_believed_as_far_as_they_come_true(strength, share):
    assert believed(*drawn(strength)) == pytest.approx([share], abs=0.11)


def test_changes_are_never_made_larger():
    assert believed(*drawn(0.4)) == [1.0]


def test_what_never_comes_true_is_not_believed():
    kept, changes, truth = drawn(1.0)
    stays = (kept.argmax(1) == 1).astype(int)[:, None]
    assert believed(kept, -changes, truth) == [0.0]
    assert believed(kept, changes, stays) == [0.0]


def test_horizons_are_found_each_and_unknown_pixels_do_not_count():
    kept, good, truth = drawn(1.0)
    changes, truths = np.concatenate([good, 4 * good], 1), np.concatenate([truth, truth], 1)
    found = believed(kept, changes, truths)
    assert found[0] > 0.85
    assert found[1] < 0.4
    wrong = np.concatenate([truths, 1 - truths])
    wrong[N:] = -1
    twice = believed(np.concatenate([kept, kept]), np.concatenate([changes, changes]), wrong)
    assert twice.tolist() == found.tolist()


def test_the_watched_class_decides_and_without_it_changes_are_believed():
    kept, changes, truth = drawn(4.0)
    swapped = believed(kept[:, ::-1], changes[..., ::-1], 1 - truth, watched=1)
    assert swapped.tolist() == believed(kept, changes, truth).tolist()
    dry = np.full((N, 1), -1)
    assert believed(kept, changes, dry) == [1.0]


def test_what_does_not_fit_is_refused():
    with pytest.raises(InvalidSetting, match="do not fit each other"):
        believed(np.zeros((4, 2)), np.zeros((4, 3, 2)), np.zeros((4, 2), int))
