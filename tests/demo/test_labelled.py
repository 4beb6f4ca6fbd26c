"""The ground that is labelled for the demo's map."""

from __future__ import annotations

import numpy as np
import pytest

from arpent.demo import FAST, FULL
from arpent.demo.landcover import NEIGHBOUR, NEO
from arpent.demo.stage import COMMUNE, FAMILY
from arpent.testing import Commune

_COARSE = 8
"""Pixels of the satellite on a side of those that shares are counted by."""


def _shares(seed: int, size: int) -> np.ndarray:
    """The share of each class, by its number."""
    commune = Commune(seed=seed, family=FAMILY)
    fine = commune.grid(NEO, size=size)
    truth = commune.truth(commune.grid(NEO, size=size // _COARSE, resolution=_COARSE * fine.pixel_width))
    return np.bincount(truth.ravel(), minlength=16) / truth.size


@pytest.mark.parametrize("scale", [FULL, FAST], ids=["full", "fast"])
def test_what_is_to_be_mapped_is_labelled(scale):
    mapped, labelled = _shares(COMMUNE, scale.mapped), _shares(NEIGHBOUR, scale.labelled)
    wanted = np.flatnonzero(mapped > 0.01)
    assert len(wanted) > 5
    assert labelled[wanted].min() > 0.02, dict(zip(wanted.tolist(), labelled[wanted].round(3).tolist(), strict=True))
    assert NEIGHBOUR != COMMUNE
