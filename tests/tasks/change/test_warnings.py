"""Dates whose radiometry is far from that of training are warned about, each by its name."""

import numpy as np
import pytest

from arpent.store import RunFolder
from arpent.tasks.change.comparing import compare
from arpent.tasks.change.frames import Frame, Pair
from arpent.tasks.change.pairing import PairImage
from arpent.tasks.change.settings import ChangeSettings


@pytest.fixture
def warned(land, nano, tmp_path):
    """What a comparison of two images warns of, as the manifest keeps it."""

    def run(first, then, **facts):
        images = [
            land(tmp_path / f"{name}.tif", values=values, **facts)
            for name, values in zip("ab", (first, then), strict=True)
        ]
        frames = tuple(Frame(image, day) for image, day in zip(images, (2020100, 2021100), strict=True))
        settings = ChangeSettings(runtime="torch", device="cpu", language="fr")
        with RunFolder.create(tmp_path / "run", "change", "pair", exact=True) as folder:
            heard = []
            folder.tell = heard.append
            compare(folder, Pair(frames, "pair"), nano(), settings)
            manifest = folder.finish().manifest
        assert list(manifest.warnings) == heard
        return heard

    return run


def landscape(scale):
    rng = np.random.default_rng(4)
    return np.clip(rng.normal(1000, 500, (6, 90, 90)), 1, None) * scale


def test_images_like_those_of_training_pass_in_silence(warned):
    assert warned(landscape(1), landscape(1.1)) == []


def test_reflectances_from_nought_to_one_are_warned_about(warned):
    """The model expects numbers in the thousands; each date is named."""
    said = warned(landscape(1e-4), landscape(1e-4), dtype="float32")
    assert len(said) == 2
    assert "a.tif est loin des images d’entraînement (test)" in said[0]
    assert "B02 : moyenne tronquée 0,1" in said[0]
    assert "à l’entraînement 1 000 et 500" in said[0].replace("\N{NARROW NO-BREAK SPACE}", " ")


def clouded(share):
    """A landscape of which so many rows are the brightest cloud."""
    values = landscape(1)
    values[:, : round(90 * share)] = 9000
    return values


def test_clouds_that_are_excluded_do_not_count(land, nano, tmp_path):
    """Nor do a few that nobody has marked; a third of the image does."""
    image, codes = land(tmp_path / "a.tif", values=clouded(0.33)), np.zeros((1, 90, 90))
    codes[:, :30] = 2  # the bit of a cloud
    layer = land(tmp_path / "fmask.tif", values=codes, bands=("Fmask",), dtype="uint8", nodata=255)
    for exclude, far in ((("cloud",), False), ((), True)):
        settings = ChangeSettings(exclude=exclude)
        with PairImage(Pair((Frame(image, 2020100, layer),), "a"), nano().contract, settings) as seen:
            assert bool(seen.warnings("en")) == far
    few = land(tmp_path / "b.tif", values=clouded(0.045))
    with PairImage(Pair((Frame(few, 2020100),), "b"), nano().contract, ChangeSettings()) as seen:
        assert seen.warnings("en") == []


def test_bands_are_called_as_the_model_calls_them(land, nano, tmp_path):
    names = tuple(f"band_{number}" for number in range(1, 7))
    image = land(tmp_path / "a.tif", values=landscape(1e-4), dtype="float32", bands=names)
    with PairImage(Pair((Frame(image, 2020100),), "a"), nano().contract, ChangeSettings()) as seen:
        (said,) = seen.warnings("en", "planaura-hls")
    assert "B02: trimmed mean" in said and "(planaura-hls)" in said and "band_1" not in said


def test_holes_do_not_count(warned):
    holed = landscape(1)
    holed[:, :60] = -9999
    assert warned(holed, landscape(1)) == []
