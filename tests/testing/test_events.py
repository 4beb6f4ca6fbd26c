"""Change: what really happened, and nothing else."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from pyproj import Transformer

from arpent.testing import Commune, EventKind
from arpent.testing.position import HOME, HOME_CRS
from arpent.testing.simulation import CHANGES

BEFORE, DURING, AFTER = dt.date(2021, 6, 20), dt.date(2022, 7, 1), dt.date(2022, 12, 31)


@pytest.fixture(scope="module")
def seen(commune: Commune) -> dict[EventKind, np.ndarray]:
    """What changed, the truth before and the truth after, around an event of each kind.

    Pixels of half a metre hold one point each: no mixed pixels blur the comparison.
    """
    coarse = commune.grid("hls-s30", size=160)
    kinds = commune.changes(coarse, BEFORE, DURING)
    to_home = Transformer.from_crs(coarse.crs.to_wkt(), HOME_CRS, always_xy=True)
    found = {}
    for kind in (EventKind.FIRE, EventKind.CLEAR_CUT, EventKind.CONSTRUCTION, EventKind.FLOOD):
        row, col = np.argwhere(kinds == kind)[0]
        x, y = to_home.transform(coarse.bounds.left + 30 * col + 15, coarse.bounds.top - 30 * row - 15)
        grid = commune.grid("bd-ortho", size=500, resolution=0.5, east=x - HOME[0], north=y - HOME[1])
        truth = [commune.truth(grid, date=day) for day in (BEFORE, DURING)]
        found[kind] = np.stack([commune.changes(grid, BEFORE, DURING), *truth])
    return found


def test_where_nothing_happened_the_truth_is_the_same(seen: dict[EventKind, np.ndarray]) -> None:
    for changes, before, after in seen.values():
        np.testing.assert_array_equal(before[changes == EventKind.NONE], after[changes == EventKind.NONE])


def test_events_do_what_their_names_say(seen: dict[EventKind, np.ndarray]) -> None:
    changes, before, after = np.concatenate([part.reshape(3, -1) for part in seen.values()], axis=1)
    assert set(np.unique(changes)) == set(EventKind)
    assert set(np.unique(after[changes == EventKind.FIRE])) == {4}
    assert set(np.unique(before[changes == EventKind.CLEAR_CUT])) <= {6, 7}
    assert set(np.unique(after[changes == EventKind.CLEAR_CUT])) == {4}
    assert set(np.unique(after[changes == EventKind.CONSTRUCTION])) <= {1, 3, 4, 7, 10, 13}
    assert {1, 3} <= set(np.unique(after[changes == EventKind.CONSTRUCTION]))
    assert set(np.unique(after[changes == EventKind.FLOOD])) == {5}
    assert 5 not in before[changes == EventKind.FLOOD]


def test_every_kind_of_event_happens(commune: Commune) -> None:
    grid = commune.grid("hls-s30", size=160)
    changes = commune.changes(grid, BEFORE, DURING)
    assert set(np.unique(changes)) == set(EventKind)
    assert 0.005 < (changes > 0).mean() < 0.1


def test_seasons_are_no_change(commune: Commune) -> None:
    grid = commune.grid("hls-s30", size=60)
    winter, summer = dt.date(2021, 1, 10), dt.date(2021, 7, 10)
    assert not commune.changes(grid, winter, summer).any()
    images = [commune.view("hls-s30", grid, date=day).pixels.astype(int) for day in (winter, summer)]
    assert np.abs(images[0] - images[1]).mean() > 150


def test_change_has_no_direction_and_no_cause_without_time(commune: Commune) -> None:
    grid = commune.grid("hls-s30", size=80)
    np.testing.assert_array_equal(commune.changes(grid, BEFORE, AFTER) > 0, commune.changes(grid, AFTER, BEFORE) > 0)
    assert not commune.changes(grid, AFTER, AFTER).any()


def test_events_come_one_after_the_other(commune: Commune) -> None:
    """Fires, cuts and buildings stay; the later date shows them all."""
    grid = commune.grid("hls-s30", size=100)
    lasting = [EventKind.FIRE, EventKind.CLEAR_CUT, EventKind.CONSTRUCTION]
    early, late = (np.isin(commune.changes(grid, BEFORE, day), lasting) for day in (DURING, AFTER))
    assert early.any()
    assert not (early & ~late).any()
    assert late.sum() > early.sum()


def test_the_change_mask_has_a_name_for_each_kind() -> None:
    assert {entry.id for entry in CHANGES.classes} == set(EventKind)
