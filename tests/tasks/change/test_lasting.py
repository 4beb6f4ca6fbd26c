import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import InvalidSetting
from arpent.tasks.change.lasting import NEVER, lasting_change


def series(states, usable=None, seed=0):
    """Likeness of a place that is in one of several states at each date; states are at right angles, noise is small."""
    rng = np.random.default_rng(seed)
    vectors = np.eye(8)[np.array(states)] + rng.normal(0, 0.02, (len(states), 8))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    known = np.ones(len(states), bool) if usable is None else np.array(usable, bool)
    return (vectors @ vectors.T)[None].astype(np.float32), known[None]


@pytest.mark.parametrize(
    ("states", "before", "after"),
    [
        ([0, 0, 0, 1, 1, 1], 2, 3),
        ([0, 0, 1, 1], 1, 2),
        ([0, 1, 1], 0, 1),
        ([0, 0, 1], 1, 2),
        ([0, 1], 0, 1),
        ([0, 0, 2, 0, 1, 1, 3, 1], 3, 4),  # a flood before, a cloud after
        ([0, 2, 0, 2, 1, 3, 1, 3], 3, 4),  # seasons on both sides
    ],
)
def test_what_lasts_is_found_with_its_dates(states, before, after):
    found = lasting_change(*series(states))
    assert (found.before[0], found.after[0]) == (before, after)
    assert found.strength[0] > 0.9
    assert found.confidence[0] > 0.4


@pytest.mark.parametrize("states", [[0] * 6, [0, 0, 1, 0, 0], [0, 1, 0, 1, 0, 1], [0, 0, 0, 0, 1], [1, 0, 0, 0, 0]])
def test_what_passes_does_not_count(states):
    """Nothing, a cloud amid a series, seasons, and a single odd date at either end, which may or may not last."""
    found = lasting_change(*series(states))
    assert found.strength[0] < 0.1
    assert found.confidence[0] < 0.4


def test_dates_that_cannot_be_used_are_passed_over():
    likeness, usable = series([0, 0, 5, 6, 1, 1, 7], [1, 1, 0, 0, 1, 1, 0])
    found = lasting_change(likeness, usable)
    assert (found.before[0], found.after[0]) == (1, 4)
    assert found.strength[0] > 0.9
    likeness[:, 2:4] = likeness[:, :, 2:4] = np.nan
    likeness[:, 6] = likeness[:, :, 6] = np.nan
    again = lasting_change(likeness, usable)
    assert again.strength[0] == found.strength[0]


@pytest.mark.parametrize("usable", [[0, 0, 0, 0], [0, 1, 0, 0]])
def test_fewer_than_two_dates_say_nothing(usable):
    found = lasting_change(*series([0, 0, 1, 1], usable))
    assert (found.before[0], found.after[0]) == (NEVER, NEVER)
    assert (found.strength[0], found.confidence[0]) == (0, 0)


def plainly(likeness, usable, hold, share):
    """The definition, written down for one place."""
    dates = np.flatnonzero(usable)
    if len(dates) < 2:
        return 0.0, NEVER, NEVER
    needed = max(min(hold, len(dates) // 2), 1)
    best = (-np.inf, NEVER, NEVER)
    for number in range(needed, len(dates) - needed + 1):
        pairs = sorted(1 - likeness[b, a] for b in dates[:number] for a in dates[number:])
        strength = pairs[int((1 - share) * (len(pairs) - 1) + 1e-9)]
        if strength > best[0]:
            best = (strength, dates[number - 1], dates[number])
    return max(best[0], 0), best[1], best[2]


@settings(deadline=None, max_examples=50)
@given(
    dates=st.integers(2, 9),
    seed=st.integers(0, 9999),
    hold=st.integers(1, 3),
    share=st.sampled_from([1.0, 0.9, 0.75]),
    lacking=st.sampled_from([0.0, 0.3, 0.7]),
)
def test_all_places_at_once_equal_the_definition(dates, seed, hold, share, lacking):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(12, dates, 3))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    likeness = (vectors @ vectors.transpose(0, 2, 1)).astype(np.float32)
    usable = rng.random((12, dates)) >= lacking
    found = lasting_change(likeness, usable, hold=hold, share=share)
    for place in range(12):
        strength, before, after = plainly(likeness[place], usable[place], hold, share)
        assert found.strength[place] == pytest.approx(strength, abs=1e-6)
        assert (found.before[place], found.after[place]) == (before, after)
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()


def test_more_witnesses_give_more_confidence():
    few = lasting_change(*series([0, 1, 1]))
    many = lasting_change(*series([0] * 6 + [1] * 6))
    assert few.confidence[0] < 0.55 < many.confidence[0]


def test_shapes_that_disagree_are_refused():
    with pytest.raises(InvalidSetting, match="disagree"):
        lasting_change(np.zeros((2, 3, 3), np.float32), np.ones((2, 4), bool))
