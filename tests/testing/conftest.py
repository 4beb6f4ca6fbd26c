"""Landscapes that the tests of this room look at."""

from __future__ import annotations

import pytest

from arpent.core import Grid
from arpent.testing import Commune


@pytest.fixture(scope="session")
def commune() -> Commune:
    return Commune(seed=1)


@pytest.fixture(scope="session")
def home(commune: Commune) -> Grid:
    """The scene around the origin, 800 m on a side, with pixels of 2 m."""
    return commune.grid("bd-ortho", size=400, resolution=2.0)


@pytest.fixture(scope="session")
def wide(commune: Commune) -> Grid:
    """12 km on a side, with pixels of 60 m."""
    return commune.grid("sentinel-2-l2a", size=200, resolution=60.0)
