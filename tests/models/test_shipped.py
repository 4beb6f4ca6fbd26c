"""Bundles that come with Arpent: small, whole, and made as they say."""

import pytest

from arpent.models import load_bundle
from arpent.models.shipped import shipped_bundle, shipped_names


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_bundle_is_small_and_says_how_it_was_made(name):
    path = shipped_bundle(name)
    assert path is not None and path.stat().st_size <= 2_000_000
    contract = load_bundle(path).contract
    assert contract.licence == "Apache-2.0"
    assert all(step.startswith("arpent ") for step in contract.recipe["made_by"])
    assert contract.metrics


def test_there_is_one_for_change_and_none_of_any_name():
    assert "change-nano" in shipped_names()
    assert shipped_bundle("../shipped") is None
