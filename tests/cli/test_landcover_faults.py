"""Samples and images that land cover cannot use: one line, the cure, its exit code, and nothing left behind."""

import numpy as np
import pytest
import yaml

from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec
from arpent.models import load_bundle, save_bundle
from arpent.testing.toys import toy_bundle

BANDS = ("red", "green", "blue", "nir")
HERE, THERE = 6_860_000, 6_900_000
GOOD = ("a.tif,a_mask.tif,train", "b.tif,b_mask.tif,val")


def write(path, values, bands, *, gsd=0.2, north=HERE, crs=2154):
    side = values.shape[-1]
    grid = Grid.north_up(650_000, north, gsd, side, side, crs) if crs else Grid(side, side)
    with CogWriter(path, RasterSpec(grid, bands, str(values.dtype))) as writer:
        writer.write(Strip(0, values))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two places with masks, and what can be wrong with them."""
    folder, rng = tmp_path_factory.mktemp("faults"), np.random.default_rng(0)

    def image(name, dtype="uint8", top=255, **where):
        write(folder / name, rng.integers(1, top, (4, 64, 64)).astype(dtype), BANDS, **where)

    def mask(name, numbers=(1, 3, 5), side=64, **where):
        write(folder / name, rng.choice(np.array(numbers, np.uint8), (1, side, side)), ("class",), **where)

    image("a.tif")
    mask("a_mask.tif")
    image("b.tif", north=THERE)
    mask("b_mask.tif", north=THERE)
    image("deep_a.tif", "uint16", 4000)
    image("deep_b.tif", "uint16", 4000, north=THERE)
    image("coarse_b.tif", north=THERE, gsd=0.5)
    image("nowhere.tif", crs=None)
    mask("alien.tif", (1, 3, 77))
    mask("elsewhere.tif", north=6_990_000)
    mask("cut.tif", side=50, crs=None)
    return folder


@pytest.fixture
def train(arpent, folder, tmp_path):
    def run(rows, *, out="run", head="image,mask,split", **changes):
        (folder / "index.csv").write_text("\n".join([head, *rows]) + "\n")
        settings = {
            "index": str(folder / "index.csv"),
            "task": {"network": {"widths": [4, 8]}},
            "patch": 32,
            "batch_size": 2,
            "fit": {"epochs": 1, "device": "cpu"},
        }
        (tmp_path / "train.yaml").write_text(yaml.safe_dump(settings | changes))
        return arpent("landcover", "train", tmp_path / "train.yaml", "-o", tmp_path / out)

    return run


def one_line(said, code, *words):
    assert said.code == code, said.err
    errors = [line for line in said.err.splitlines() if not line.startswith("warning:")]
    assert len(errors) == 1, said.err
    for word in words:
        assert word in errors[0], said.err


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        (["a.tif,alien.tif,train", GOOD[1]], 5, ["no class of commune", "77 (", "task.codes"]),
        (["a.tif,elsewhere.tif,train", GOOD[1]], 3, ["elsewhere.tif", "Check that both images show the same place"]),
        (["nowhere.tif,cut.tif,train", GOOD[1]], 5, ["50 × 50", "64 × 64", "to the size of the image"]),
        ([GOOD[0]], 5, ["no sample on the side 'val'", "train 1", "column 'split'"]),
        ([GOOD[0], "a.tif,a_mask.tif,val"], 5, ["leak between the sides", "the same file"]),
        ([GOOD[0], "gone.tif,b_mask.tif,val"], 3, ["gone.tif", "relative to the index"]),
        ([GOOD[0], "deep_b.tif,b_mask.tif,val"], 5, ["uint16", "uint8", "one type of pixels"]),
        ([GOOD[0], "coarse_b.tif,b_mask.tif,val"], 5, ["0.4999 m", "0.2 m", "one resolution"]),
    ],
)
def test_samples_that_cannot_be_learnt_from_leave_nothing(train, tmp_path, rows, code, words):
    one_line(train(rows), code, *words)
    assert not list((tmp_path / "run").glob("[!.]*"))


def test_an_unknown_bit_depth_is_refused_and_the_folder_stays_free(train, tmp_path):
    """Known only once the images are looked at, in a run that has begun: what is mended needs neither option."""
    rows = ["deep_a.tif,a_mask.tif,train", "deep_b.tif,b_mask.tif,val"]
    one_line(train(rows, normalise="norma-01"), 2, "bit depth", "Set 'bits'")
    assert not (tmp_path / "run").exists()
    assert train(rows, normalise="norma-01", bits=12).code == 0


def test_one_domain_and_no_split(train):
    said = train(["a.tif,a_mask.tif", "b.tif,b_mask.tif"], head="image,mask")
    one_line(said, 5, "neither splits nor at least two domains", "column 'split'")


def test_a_loss_that_is_no_number_names_its_samples(train, tmp_path):
    fit = {"epochs": 2, "device": "cpu", "clip": None, "optimiser": {"name": "sgd", "rate": 1e30}}
    said = train(GOOD, fit=fit)
    assert said.code == 6
    assert "the loss is no longer a number" in said.err
    assert "a@" in said.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()  # nothing was learnt: with a lower rate the same command is to begin anew
    assert train(GOOD).code == 0


def test_a_loss_that_is_no_number_later_on_keeps_what_is_finished_and_says_so(train, tmp_path):
    """One step an epoch: the first is taken with a loss that is still a number."""
    fit = {"epochs": 3, "device": "cpu", "clip": None, "optimiser": {"name": "sgd", "rate": 1e30}}
    one_line(train(GOOD, fit=fit, patches=2), 6, "in epoch 2", "a@", "then start over with --force")
    assert (tmp_path / "run").exists()
    one_line(train(GOOD), 7, "--force")


def test_classes_that_no_pixel_shows_are_told(train):
    said = train(GOOD)
    assert said.code == 0
    assert "no training pixel shows" in said.err
    assert "swimming pool" in said.err


def test_another_pixel_size_is_refused_once_and_then_resampled(arpent, folder, tmp_path):
    toy = load_bundle(toy_bundle(tmp_path / "toy.safetensors"))
    model = save_bundle(tmp_path / "m.safetensors", toy.model, toy.contract.model_copy(update={"gsd": 0.2}))
    words = ("landcover", "predict", folder / "coarse_b.tif", "--model", model, "--runtime", "torch")
    one_line(arpent(*words, "-o", tmp_path / "map"), 4, "0.5", "0.2", "--resample")
    assert not (tmp_path / "map").exists()
    assert arpent(*words, "-o", tmp_path / "map", "--resample").code == 0


def test_an_image_of_no_place_is_mapped_and_that_is_said(arpent, folder, tmp_path):
    model = toy_bundle(tmp_path / "m.safetensors")
    said = arpent("landcover", "predict", folder / "nowhere.tif", "--model", model, "-o", tmp_path / "map")
    assert said.code == 0
    assert "no place on earth" in said.err
