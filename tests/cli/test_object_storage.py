"""Images, models and runs in an object store, as typed: the same pixels as on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arpent import __version__
from arpent.core import Band, Contract, Grid, Normalisation, Strip, nomenclature
from arpent.io import CogWriter, RasterSpec, retry
from arpent.store import open_run, stage_of

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image, a model, and the run that they make on this machine."""
    import torch

    from arpent.cli.app import main
    from arpent.models import UNetSettings, build, save_bundle

    folder, classes, bands = tmp_path_factory.mktemp("here"), nomenclature("commune"), ("red", "green", "blue")
    settings = UNetSettings(channels=3, classes=len(classes), widths=(4, 8))
    contract = Contract(
        task="landcover",
        architecture="unet",
        settings=settings.model_dump(mode="json"),
        bands=tuple(Band(name=name) for name in bands),
        normalisation=Normalisation(origin="test", mean=(100.0,) * 3, std=(50.0,) * 3),
        dtype="uint8",
        nodata=0,
        classes=classes,
        arpent=__version__,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_bundle(folder / "model.safetensors", build("unet", settings), contract)
    grid = Grid.north_up(500_000, 5_000_000, 10, 96, 160, "EPSG:32631")
    with CogWriter(folder / "scene.tif", RasterSpec(grid, bands, "uint8", 0)) as writer:
        writer.write(Strip(0, np.random.default_rng(0).integers(1, 255, (3, 96, 160)).astype(np.uint8)))
    words = ["--model", str(folder / "model.safetensors"), "-o", str(folder / "map"), "--date", "2026-06-01", "--quiet"]
    assert main(["landcover", "predict", str(folder / "scene.tif"), *words]) == 0
    return folder


@pytest.fixture
def there(s3: Any, folder: Path) -> Any:
    """The store, with the image and the model."""
    s3.client.upload_file(str(folder / "scene.tif"), "land", "images/scene.tif")
    s3.client.upload_file(str(folder / "model.safetensors"), "land", "models/model.safetensors")
    return s3


PREDICT = ("landcover", "predict", "s3://land/images/scene.tif", "--model", "s3://land/models/model.safetensors")
MORE = ("--date", "2026-06-01", "-o", "s3://land/runs/map")


def contents(run: str | Path) -> dict[str, str]:
    """The hash of every product of a run."""
    return {product.file: product.sha256 for product in open_run(run).manifest.products}


def test_a_run_from_store_to_store_is_that_of_this_machine(arpent: Command, there: Any, folder: Path) -> None:
    said = arpent(*PREDICT, *MORE)
    assert said.code == 0, said.err
    assert "s3://land/runs/map/classes.tif" in said.out
    assert "sending" in said.err
    assert str(stage_of("s3://land/runs/map")) not in said.out + said.err
    assert contents("s3://land/runs/map") == contents(folder / "map")
    assert arpent("runs", "verify", "s3://land/runs/map").code == 0
    (listed,) = arpent("runs", "list", "s3://land/runs", "--json").document
    assert listed["path"] == "s3://land/runs/map"
    shown = arpent("runs", "show", "s3://land/runs/map", "--json").document
    assert [entry["source"] for entry in shown["inputs"]] == ["s3://land/images/scene.tif"]
    again = arpent(*PREDICT, *MORE, "--json")
    assert (again.code, again.document["error"]["class"]) == (7, "RunExists")


def test_a_store_that_is_away_for_ten_seconds_is_waited_for(arpent: Command, there: Any, folder: Path) -> None:
    with there.away(10):
        said = arpent(*PREDICT, *MORE)
    assert said.code == 0, said.err
    assert contents("s3://land/runs/map") == contents(folder / "map")


def test_a_store_that_is_gone_ends_in_one_line_and_is_gone_on_with(
    arpent: Command, there: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arpent.store.sending import Goal

    monkeypatch.setattr(retry, "PAUSES", (0.01,))
    with there.away():
        said = arpent(*PREDICT, *MORE)
    assert said.code == 8
    assert said.err.count("\n") == 1
    send = Goal.send

    def without_store(*arguments: Any) -> None:
        with there.away():
            send(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Goal, "send", without_store)
        said = arpent(*PREDICT, *MORE, "--json")
    assert said.code == 8
    assert said.document["error"]["what"] == "the run is made, and not all of it has reached s3://land/runs/map"
    assert "--resume" in said.document["error"]["cure"]
    assert there.keys("land", "runs/") == []
    assert arpent("runs", "show", "s3://land/runs/map").code == 3
    assert arpent(*PREDICT, *MORE, "--resume").code == 0
    assert contents("s3://land/runs/map") == contents(folder / "map")


def test_addresses_where_none_can_be(arpent: Command, s3: Any, tmp_path: Path) -> None:
    said = arpent("simulate", "-o", "s3://land/data", "--size", "64")
    assert said.code == 2
    assert "--output cannot be an address here" in said.err
    said = arpent("describe", "indices", "x.tif", "-o", "s3://land/table.csv")
    assert (said.code, "--output cannot be an address here" in said.err) == (2, True)
    said = arpent("landcover", "predict", "x.tif", "--model", "s3://land/none", "-o", tmp_path / "map")
    assert (said.code, "nothing at s3://land/none" in said.err) == (3, True)
    said = arpent("stats", "s3://land/none.tif", "-o", tmp_path / "stats")
    assert said.code == 3, said.err


def test_images_are_found_by_place_and_time(arpent: Command, there: Any, folder: Path, tmp_path: Path) -> None:
    bands = [{"name": name, "eo:common_name": name} for name in ("red", "green", "blue")]
    asset = {"href": "./scene.tif", "type": "image/tiff; application=geotiff", "roles": ["data"], "bands": bands}
    item = {
        "type": "Feature",
        "id": "scene",
        "bbox": [3.0, 45.1, 3.1, 45.2],
        "properties": {"datetime": "2026-06-01T10:00:00Z"},
        "assets": {"image": asset},
    }
    other = item | {"id": "other", "bbox": [9.0, 45.1, 9.1, 45.2]}
    listed = json.dumps({"type": "FeatureCollection", "features": [other, item]})
    there.client.put_object(Bucket="land", Key="images/items.json", Body=listed.encode())
    words = ("--model", folder / "model.safetensors", "--date", "2026-06-01", "-o", tmp_path / "found")
    asked = ("--stac", "s3://land/images/items.json", "--bbox", "3.01,45.12,3.02,45.14", "--datetime", "2026-06-01")
    said = arpent("landcover", "predict", *asked, *words)
    assert said.code == 0, said.err
    assert "1 items: scene" in said.err
    assert contents(tmp_path / "found")["classes.tif"] == contents(folder / "map")["classes.tif"]
    for wrong, told in (
        (("landcover", "predict", *words), "no image is given"),
        (("landcover", "predict", "x.tif", *asked, *words), "both named and searched for"),
        (("landcover", "predict", "x.tif", "--bbox", "1,2,3,4", *words), "--bbox is about a catalog"),
        (("describe", "indices", *asked[:2], "--bbox", "0,0,1,1"), "no item of s3://land/images/items.json lies in"),
    ):
        said = arpent(*wrong)
        assert (said.code in (2, 3), told in said.err) == (True, True), said.err
