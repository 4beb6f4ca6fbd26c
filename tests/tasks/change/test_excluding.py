"""Clouds in a comparison: which pixels they take away, and what happens when they take all."""

import numpy as np
import pytest

from arpent.errors import NoValidPixels
from arpent.models import save_bundle
from arpent.store import Place
from arpent.tasks.change import ChangeSettings, Frame, Pair
from arpent.tasks.change.pairs import compare_images

NONE = -100.0


def layer(land, path, codes):
    return land(path, values=codes[None], bands=("Fmask",), dtype="uint8", nodata=255)


@pytest.mark.parametrize("head", [False, True])
def test_a_cloud_counts_at_the_date_before_that_was_chosen(nano, land, compared, tmp_path, head):
    now = land(tmp_path / "now.tif", 64, 64, seed=1)
    other = land(tmp_path / "other.tif", 64, 64, seed=2)
    clear, clouds = np.zeros((64, 64)), np.zeros((64, 64))
    clouds[:32, :32] = 2
    cloudy, none = layer(land, tmp_path / "cloudy.tif", clouds), layer(land, tmp_path / "none.tif", clear)
    facts = {"attention": False, "exclude": ("cloud",)}
    bundle = nano(frames=3, twins=True, head=head)
    # The second date before equals the last one and is chosen everywhere: a cloud in the first one hides nothing.
    arrays, _ = compared([other, now, now], bundle, quality=(cloudy, none, none), **facts)
    for name in ("cosine_map", "change_probability")[: 1 + head]:
        assert (arrays[name] != NONE).all()
    for layers in ((none, cloudy, none), (none, none, cloudy)):
        arrays, _ = compared([other, now, now], bundle, quality=layers, **facts)
        for name in ("cosine_map", "change_probability")[: 1 + head]:
            np.testing.assert_array_equal(arrays[name][0] == NONE, clouds == 2)


def test_a_comparison_without_a_single_pixel_is_no_comparison(nano, land, tmp_path):
    image = land(tmp_path / "a.tif", 40, 40)
    clouds = layer(land, tmp_path / "clouds.tif", np.full((40, 40), 2))
    pair = Pair((Frame(image, 2020100, clouds), Frame(image, 2021100, clouds)), "pair")
    chosen = ChangeSettings(runtime="torch", device="cpu", exclude=("cloud",))
    bundle = nano()
    save_bundle(tmp_path / "nano.safetensors", bundle.model, bundle.contract)
    with pytest.raises(NoValidPixels, match="--exclude"):
        compare_images(pair, bundle, tmp_path / "nano.safetensors", Place(exact=tmp_path / "run"), chosen)
    assert not (tmp_path / "run" / "manifest.json").exists()
