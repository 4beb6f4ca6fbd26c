import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.data import WHOLE, Share
from arpent.errors import InvalidSetting


@given(first=st.integers(0, 50), count=st.integers(1, 40), world=st.integers(1, 12))
def test_shares_are_never_empty_and_their_weighted_means_make_the_mean(first, count, world):
    places = range(first, first + count)
    shares = [Share(rank, world) for rank in range(world)]
    parts = [share.of(places) for share in shares]
    weights = [share.weight(places) for share in shares]
    assert all(parts)
    counted = [place for part, weight in zip(parts, weights, strict=True) for place in part if weight]
    assert sorted(counted) == list(places)
    means = [weight * sum(part) / len(part) for part, weight in zip(parts, weights, strict=True)]
    assert sum(means) / world == pytest.approx(sum(places) / count)


def test_one_process_has_everything():
    assert WHOLE.of(range(3, 7)) == range(3, 7)
    assert WHOLE.weight(range(3, 7)) == 1


@pytest.mark.parametrize(("rank", "world"), [(-1, 2), (2, 2), (0, 0)])
def test_there_are_only_as_many_shares_as_processes(rank, world):
    with pytest.raises(InvalidSetting, match=f"process {rank} of {world}"):
        Share(rank, world)
