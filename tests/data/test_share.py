import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.core import BatchPart
from arpent.data import WHOLE, Share
from arpent.errors import InvalidSetting


@given(first=st.integers(0, 50), count=st.integers(1, 40), world=st.integers(1, 12))
def test_shares_are_never_empty_and_those_that_count_make_the_batch(first, count, world):
    places = range(first, first + count)
    shares = [Share(rank, world) for rank in range(world)]
    parts = [share.of(places) for share in shares]
    told = [share.part(places) for share in shares]
    assert all(parts)
    assert [list(part) for part in parts] == [[places[row] for row in one.own] for one in told]
    counted = [row for one in told if one.counted for row in one.own]
    assert sorted(counted) == list(range(count))
    assert {(one.whole, one.world) for one in told} == {(count, world)}


def test_one_process_has_everything():
    assert WHOLE.of(range(3, 7)) == range(3, 7)
    assert WHOLE.part(range(3, 7)) == BatchPart(range(4), 4)


@pytest.mark.parametrize(("rank", "world"), [(-1, 2), (2, 2), (0, 0)])
def test_there_are_only_as_many_shares_as_processes(rank, world):
    with pytest.raises(InvalidSetting, match=f"process {rank} of {world}"):
        Share(rank, world)
