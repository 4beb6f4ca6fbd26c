"""Each function does what the command of its name does: the same products, the same settings, the same errors."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

import arpent as ap
from arpent import __version__
from arpent.cli.app import main
from arpent.core import Band, Contract, Grid, Normalisation, Strip, nomenclature, sensor
from arpent.errors import FileMissing, InvalidSetting, PartialFailure, RunExists, UnknownSetting
from arpent.io import CogWriter, RasterSpec
from arpent.models import build, save_bundle

GRID = Grid.north_up(500_000, 4_690_000, 10, 48, 60, "EPSG:32631")


def image_of(path, bands, seed=0):
    rng = np.random.default_rng(seed)
    with CogWriter(path, RasterSpec(GRID, bands, "uint16", nodata=0)) as writer:
        writer.write(Strip(0, rng.integers(200, 4000, (len(bands), *GRID.shape)).astype(np.uint16)))
    return path


@pytest.fixture(scope="module")
def four_bands(tmp_path_factory):
    return image_of(tmp_path_factory.mktemp("image") / "ortho.tif", ("red", "green", "blue", "nir"))


@pytest.fixture(scope="module")
def sentinel(tmp_path_factory):
    home = tmp_path_factory.mktemp("sentinel")
    bands = sensor("sentinel-2-l2a").band_names
    return [image_of(home / f"S2_2022-0{month}-01.tif", bands, month) for month in (5, 6)]


@pytest.fixture(scope="module")
def mapper(tmp_path_factory):
    """A land-cover model of random weights."""
    torch.manual_seed(0)
    network = {"channels": 4, "classes": len(nomenclature("commune")), "widths": [4, 8]}
    contract = Contract(
        task="landcover",
        architecture="unet",
        settings=network,
        bands=tuple(Band(name=name) for name in ("red", "green", "blue", "nir")),
        gsd=10.0,
        dtype="uint16",
        normalisation=Normalisation(origin="test", mean=(2000.0,) * 4, std=(1000.0,) * 4),
        classes=nomenclature("commune"),
        arpent=__version__,
    )
    path = tmp_path_factory.mktemp("mapper") / "model.safetensors"
    return save_bundle(path, build("unet", network), contract)


def test_landcover_makes_what_the_command_makes(four_bands, mapper, tmp_path):
    given = {"tile": 64, "halo": 8, "ring": 4, "device": "cpu", "runtime": "torch"}
    run = ap.landcover(four_bands, model=mapper, output=tmp_path / "here", vector=True, **given)
    words = [f"--{name}={value}" for name, value in given.items()]
    command = [
        "landcover",
        "predict",
        str(four_bands),
        "--model",
        str(mapper),
        "-o",
        str(tmp_path / "there"),
        "--vector",
    ]
    assert main([*command, *words]) == 0
    there = ap.open_run(tmp_path / "there")
    assert list(run.products) == list(there.products)
    assert run.products["classes"].read_bytes() == there.products["classes"].read_bytes()
    assert run.manifest.settings == there.manifest.settings
    assert run.made.path == run.products["classes"] and len(run.made.areas) == len(nomenclature("commune"))
    assert run.to_table().num_rows > 0


def test_describe_makes_what_the_command_makes(sentinel, tmp_path):
    run = ap.describe(sentinel, chip=24, place="valley", output=tmp_path / "here")
    command = ["describe", "indices", *map(str, sentinel), "--chip", "24", "--place", "valley"]
    assert main([*command, "-o", str(tmp_path / "there")]) == 0
    assert run.to_table().equals(ap.open_run(tmp_path / "there").to_table())
    assert run.made.rows == len(run.texts()) == 12
    assert "NDVI" in run.texts("fr")[0].text and run.texts("fr")[0].language == "fr"
    assert run.texts()[0].text.split()[0] in run._repr_html_()


def test_a_part_that_fails_ends_as_the_command_does_and_the_rest_is_there(sentinel, tmp_path):
    broken = tmp_path / "S2_2022-07-01.tif"
    broken.write_bytes(b"nothing")
    with pytest.raises(PartialFailure, match=r"ap\.open_run") as told:
        ap.describe([*sentinel, broken], chip=24, output=tmp_path / "run")
    assert "1 of the items" in str(told.value) and "S2_2022-07-01" in str(told.value)
    run = ap.open_run(tmp_path / "run")
    assert run.manifest.status == "partial" and run.to_table().num_rows == 12
    assert "1 item failed" in run._repr_html_()


def test_what_is_there_stays_unless_a_place_says_otherwise(sentinel, tmp_path):
    ap.describe(sentinel[0], chip=24, output=tmp_path / "run")
    with pytest.raises(RunExists):
        ap.describe(sentinel[0], chip=30, output=tmp_path / "run")
    again = ap.describe(sentinel[0], chip=30, output=ap.Place(exact=tmp_path / "run", force=True))
    assert again.manifest.settings["chip"] == 30


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (ap.landcover, ("a.tif",)),
        (ap.change, ("a.tif", "b.tif")),
        (ap.forecast, ("series",)),
        (ap.describe, ("a.tif",)),
        (ap.classify, ("a.jpg",)),
    ],
    ids=["landcover", "change", "forecast", "describe", "classify"],
)
def test_settings_are_closed_and_checked(function, arguments):
    with pytest.raises(UnknownSetting, match=rf"ap\.{function.__name__}.*language") as told:
        function(*arguments, model="model.safetensors", langage="fr")
    assert "langage" in str(told.value)
    with pytest.raises(InvalidSetting, match="language"):
        function(*arguments, model="model.safetensors", language="it")


@pytest.mark.parametrize("name", ["landcover", "forecast", "classify"])
def test_a_model_that_is_not_there_is_told_as_by_the_command(name, four_bands, tmp_path):
    with pytest.raises(FileMissing, match="nowhere"):
        getattr(ap, name)(four_bands, model=tmp_path / "nowhere", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_every_function_says_what_it_gives_back():
    """Type checkers read these; help() shows them."""
    for name in ("change", "classify", "describe", "forecast", "landcover"):
        function = getattr(ap, name)
        assert str(inspect.signature(function).return_annotation).startswith("Run["), name
        said = inspect.getdoc(function)
        given = [one for one in inspect.signature(function).parameters if one != "self"]
        assert all(f"    {one}: " in said for one in given), name


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: ap.change(None, "j.tif"), "ap.change: 'before' cannot be used (found None; expected a path"),
        (lambda: ap.change(["i.tif", 3], "j.tif"), "ap.change: 'before' cannot be used (found a value of type int"),
        (lambda: ap.change("i.tif", None), "ap.change: 'after' cannot be used (found None"),
        (lambda: ap.landcover(None, model="m"), "ap.landcover: 'image' cannot be used (found None"),
        (lambda: ap.landcover("i.tif", model=None), "ap.landcover: 'model' cannot be used (found None"),
        (lambda: ap.forecast(3), "ap.forecast: 'series' cannot be used (found a value of type int"),
        (lambda: ap.describe(None), "ap.describe: 'images' cannot be used (found None"),
        (lambda: ap.classify(b"a.jpg"), "ap.classify: 'pictures' cannot be used (found a value of type bytes"),
    ],
)
def test_what_is_no_path_is_told_by_its_name(call, line):
    with pytest.raises(InvalidSetting) as caught:
        call()
    assert str(caught.value).startswith(line)


def test_one_word_is_a_list_of_one(tmp_path):
    with pytest.raises(FileMissing, match="there is no"):  # and not: a list is wanted
        ap.change(tmp_path / "a.tif", tmp_path / "b.tif", model="change-nano", exclude="cloud")
