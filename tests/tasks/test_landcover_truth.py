"""Masks that cannot be learnt from are refused before a run begins, and what is missing in them is told."""

import numpy as np
import pytest

from arpent.core import Grid, Strip
from arpent.engine import FitSettings
from arpent.errors import DatasetError, UnknownName
from arpent.io import CogWriter, RasterSpec
from arpent.store import Place
from arpent.tasks.landcover import LandcoverSettings, train


@pytest.fixture
def masked(tmp_path, train_settings):
    """Settings of a training whose validation mask holds the numbers given, and where one side may hold one alone."""

    def make(*numbers, blank=None, number=0):
        lines = ["image,mask,split"]
        rng = np.random.default_rng(2)
        for place, side in enumerate(("train", "val")):
            grid = Grid.north_up(650_000, 6_860_000 + 1000 * place, 1.0, 64, 64, 2154)
            with CogWriter(tmp_path / f"{side}.tif", RasterSpec(grid, ("red", "green", "blue", "nir"), "uint8")) as w:
                w.write(Strip(0, rng.integers(1, 255, (4, 64, 64)).astype(np.uint8)))
            mask = rng.choice(np.array([5, 7], np.uint8), (1, 64, 64))
            if side == "val":
                mask[0, 0, : len(numbers)] = numbers
            if side == blank:
                mask[:] = number
            with CogWriter(tmp_path / f"{side}_mask.tif", RasterSpec(grid, ("class",), "uint8")) as w:
                w.write(Strip(0, mask))
            lines.append(f"{side}.tif,{side}_mask.tif,{side}")
        (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
        return train_settings(index=str(tmp_path / "index.csv"), patch=32, fit=FitSettings(epochs=1, device="cpu"))

    return make


def test_numbers_of_no_class_are_listed_with_their_counts(masked, tmp_path):
    with pytest.raises(
        DatasetError, match=r"no class of commune \(found 99 \(2 pixels\), 200 \(1 pixels\).*task.codes"
    ):
        train(masked(99, 99, 200), Place(exact=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("language", "words"), [("en", "warning: no training pixel shows building"), ("fr", "ne montre : bâtiment")]
)
def test_classes_that_training_never_sees_are_told(masked, tmp_path, language, words):
    heard = []
    settings = masked().model_copy(update={"language": language})
    run = train(settings, Place(exact=tmp_path / "run", tell=heard.append))
    (warning,) = run.manifest.warnings
    assert [warning] == heard
    assert words in warning
    assert "water" not in warning
    assert ", eau" not in warning


@pytest.mark.parametrize(
    ("side", "number", "words"),
    [
        ("train", 0, "no training pixel has a truth to learn from .*4096 pixels without data; expected classes of"),
        ("val", 0, "no validation pixel has a truth to be judged by .*the column 'mask'"),
        ("train", 10, "no training pixel .*4096 ignored"),
    ],
)
def test_masks_that_say_nothing_are_refused_before_training(masked, tmp_path, side, number, words):
    task = LandcoverSettings(network={"widths": [4]}, ignore=("10",))
    with pytest.raises(DatasetError, match=words):
        train(masked(blank=side, number=number).model_copy(update={"task": task}), Place(exact=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("best", "error", "words"),
    [
        ("mIoU", UnknownName, "Did you mean 'miou'"),
        ("iou/watr", UnknownName, "Did you mean 'iou/water'"),
        ("iou/building", DatasetError, "no validation pixel shows building"),
    ],
)
def test_a_figure_that_validation_cannot_give_is_told_before_training(masked, tmp_path, best, error, words):
    fit = FitSettings(epochs=1, device="cpu", best=best)
    with pytest.raises(error, match=words):
        train(masked().model_copy(update={"fit": fit}), Place(exact=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
