"""``arpent.change`` takes what the command line takes, by the same names."""

import pytest

import arpent
from arpent.errors import InvalidSetting, UnknownSetting
from arpent.io import open_image
from arpent.tasks.change.asking import PairImages, pair_of


def test_options_have_the_names_of_the_command_line(land, tmp_path):
    """The dates of all three images, a second image from before, and the setting `dates`."""
    images = [land(tmp_path / f"{name}.tif", seed=seed) for seed, name in enumerate("abc")]
    done = arpent.change(
        *images[1:],
        before_before=images[0],
        model="change-nano",
        output=tmp_path / "run",
        date0="20200101",
        date1=2021001,
        date2=2022001,
        dates="yes",
        runtime="torch",
        device="cpu",
    )
    assert done.manifest.settings["images"] == images
    assert done.manifest.settings["dates_given"] == [2020001, 2021001, 2022001]
    with open_image(done.made.compared.products["after_date"]) as dates:
        assert dates.read(dates.grid.window).pixels.max() == 2022001


def test_a_pair_is_called_by_its_images_in_their_order():
    assert pair_of(PairImages(("x/été 1.tif", "y/b.SAFE/", "c.tif"))).name == "été 1 → b → c"


def test_a_wrong_option_is_told(tmp_path):
    with pytest.raises(UnknownSetting, match="date3"):
        arpent.change("a.tif", "b.tif", model="change-nano", date3=2020001)
    with pytest.raises(InvalidSetting, match="not a date"):
        arpent.change("a.tif", "b.tif", model="change-nano", date0="yesterday")
