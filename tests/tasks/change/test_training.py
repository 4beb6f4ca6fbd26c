"""Whole trainings on three tiny places: both parts, resumed, from a bundle, and what goes wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from arpent.cli.app import main
from arpent.core import Grid, Strip, load_yaml, sensor
from arpent.engine import FitSettings, OptimiserSettings
from arpent.errors import BundleInvalid, DatasetError, Interrupted
from arpent.io import CogWriter, RasterSpec
from arpent.models import load_bundle, save_bundle
from arpent.store import Place
from arpent.tasks.change.detection import DetectionTask
from arpent.tasks.change.train_settings import ChangeTrainSettings, MaskingSettings
from arpent.tasks.change.training import train

NETWORK = {
    "image_size": 16,
    "patch": 4,
    "width": 16,
    "depth": 1,
    "heads": 2,
    "decoder_width": 16,
    "decoder_depth": 1,
    "decoder_heads": 2,
    "head_width": 8,
}


def write(path, pixels, bands, nodata=None):
    path.parent.mkdir(exist_ok=True)
    east = 10_000 * int(path.parent.name)
    grid = Grid.north_up(500_000 + east, 5_000_000, 30, *pixels.shape[1:], 32631)
    with CogWriter(path, RasterSpec(grid, bands, str(pixels.dtype), nodata)) as writer:
        writer.write(Strip(0, pixels))


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Three places at two dates: noise, in which squares become brighter."""
    folder, rng = tmp_path_factory.mktemp("commune"), np.random.default_rng(0)
    rows = ["image,domain,sensor,date,quality,change"]
    for place in range(3):
        truth = np.zeros((1, 48, 48), np.uint16)
        truth[0, 8 * place : 8 * place + 16, 10:24] = 1
        for number, when in enumerate(("2021-07-05", "2022-09-25")):
            pixels = rng.integers(800, 1200, (6, 48, 48)) + 900 * number * truth
            write(folder / f"{place}/{when}.tif", pixels.astype(np.int16), sensor("hls-s30").band_names, -9999)
            clouds = (np.arange(48 * 48).reshape(1, 48, 48) < 96).astype(np.uint8) << 1
            write(folder / f"{place}/quality_{when}.tif", clouds, ("quality",))
            change = f"{place}/change.tif" if number else ""
            rows.append(f"{place}/{when}.tif,{place},hls-s30,{when},{place}/quality_{when}.tif,{change}")
        write(folder / f"{place}/change.tif", truth.astype(np.uint8), ("event",))
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    return str(folder / "index.csv")


def settings(index, **changes):
    quick = {"device": "cpu", "optimiser": OptimiserSettings(rate=5e-3)}
    return ChangeTrainSettings(
        **{
            "images": index,
            "pairs": index,
            "network": NETWORK,
            "patches": 16,
            "batch_size": 4,
            "workers": 0,
            "pretrain": FitSettings(epochs=1, **quick),
            "fit": FitSettings(epochs=2, best="average_precision", **quick),
            **changes,
        }
    )


@pytest.fixture(scope="module")
def run(index, tmp_path_factory):
    return train(settings(index), Place(exact=tmp_path_factory.mktemp("trained") / "run"))


def weights(run):
    return load_bundle(run.file("model")).model.state_dict()


def test_both_parts_give_a_bundle_with_all_that_it_demands(run):
    bundle = load_bundle(run.file("model"))
    contract = bundle.contract
    assert (contract.task, contract.architecture) == ("change", "planaura-change")
    assert contract.band_names == ("B02", "B03", "B04", "B8A", "B11", "B12")
    assert contract.dtype == "int16" and contract.nodata == -9999
    assert contract.gsd == pytest.approx(30, rel=0.01)
    assert len(contract.normalisation.mean) == 6 and contract.normalisation.origin == "change, training images"
    assert {"f1", "threshold", "average_precision", "cosine_threshold", "loss"} <= set(contract.metrics)
    assert contract.recipe["settings"]["pairs"] and contract.recipe["epochs"] == 2
    assert bundle.model.settings.patch == 4 and bundle.model.head is not None
    assert {product.name for product in run.manifest.products} == {"model", "curves", "history_paint", "history_tell"}
    lines = run.file("history_paint").read_text().splitlines()
    assert len(lines) == 1 and json.loads(lines[0])["train_loss"] > 0
    assert {one.role for one in run.manifest.inputs} == {"image", "change"}


def test_painting_alone_gives_the_plain_network(index, tmp_path):
    chosen = settings(index, pairs=None, dates=1, network={k: v for k, v in NETWORK.items() if k != "head_width"})
    done = train(chosen, Place(exact=tmp_path / "run"))
    contract = load_bundle(done.file("model")).contract
    assert contract.architecture == "planaura" and contract.settings["frames"] == 1
    assert set(contract.metrics) == {"loss"}


def test_from_a_bundle_with_a_frozen_encoder(index, run, tmp_path):
    start = run.file("model")
    done = train(settings(index, images=None, start=str(start), freeze=True), Place(exact=tmp_path / "run"))
    before, after = weights(run), weights(done)
    moved = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"head"}
    first, second = (load_bundle(one.file("model")).contract for one in (run, done))
    assert first.normalisation == second.normalisation
    assert done.manifest.bundle.source == str(start)


def test_a_plain_bundle_gets_a_head(index, tmp_path):
    chosen = settings(index, pairs=None, network={k: v for k, v in NETWORK.items() if k != "head_width"})
    plain = train(chosen, Place(exact=tmp_path / "plain"))
    chosen = settings(index, images=None, start=str(plain.path), freeze=True, network={"head_width": 4})
    done = train(chosen, Place(exact=tmp_path / "run"))
    before, after = weights(plain), weights(done)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert load_bundle(done.file("model")).model.settings.head_width == 4


def test_stopped_and_resumed_it_ends_in_the_same_weights(index, run, tmp_path, monkeypatch):
    place = tmp_path / "run"
    real, seen = DetectionTask.loss, []

    def stop_in_the_second_epoch(self, out, batch):
        seen.append(1)
        if torch.is_grad_enabled() and len(seen) > 9:
            raise KeyboardInterrupt
        return real(self, out, batch)

    monkeypatch.setattr(DetectionTask, "loss", stop_in_the_second_epoch)
    with pytest.raises(Interrupted):
        train(settings(index), Place(exact=place))
    assert (place / ".scratch/fit/tell/checkpoint.pt").exists()
    monkeypatch.undo()
    done = train(settings(index), Place(exact=place, resume=True))
    first, second = weights(run), weights(done)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_options_of_painting(index, tmp_path):
    chosen = settings(index, pairs=None, masking=MaskingSettings(ratio=0.5, normalise=True))
    assert "head_width" in chosen.network
    with pytest.raises(Exception, match="head_width"):
        train(chosen, Place(exact=tmp_path / "wrong"))
    network = {k: v for k, v in NETWORK.items() if k != "head_width"}
    done = train(chosen.model_copy(update={"network": network}), Place(exact=tmp_path / "run"))
    assert np.isfinite(done.manifest.metrics["validation/loss"])


def test_in_bfloat16(index, tmp_path):
    how = FitSettings(epochs=1, precision="bf16", device="cpu", best="average_precision")
    done = train(settings(index, images=None, fit=how), Place(exact=tmp_path / "run"))
    assert all(tensor.dtype == torch.float32 for tensor in weights(done).values())


def test_one_place_is_not_enough(index, tmp_path):
    rows = Path(index).read_text().splitlines()
    one = Path(index).with_name("one.csv")
    one.write_text("\n".join([rows[0], *(row for row in rows[1:] if row.startswith("0/"))]) + "\n")
    with pytest.raises(DatasetError, match="at least two domains"):
        train(settings(str(one)), Place(exact=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_bundle_of_another_task_is_refused(index, run, tmp_path):
    bundle = load_bundle(run.file("model"))
    bare = save_bundle(
        tmp_path / "x.safetensors", bundle.model, bundle.contract.model_copy(update={"normalisation": None})
    )
    with pytest.raises(BundleInvalid, match="cannot be taught change"):
        train(settings(index, start=str(bare)), Place(exact=tmp_path / "run"))


def test_the_recipe_that_ships_from_the_command_line(index, tmp_path, capsys):
    recipe = Path(__file__).parents[3] / "examples" / "change" / "train_nano.yaml"
    words = ["change", "train", str(recipe), "-o", str(tmp_path / "run"), "--json"]
    smaller = ("image_size=16", "width=16", "depth=1", "heads=2", "decoder_width=16", "decoder_heads=2", "head_width=8")
    changes = [*(f"network.{one}" for one in smaller), "patches=8", "fit.epochs=1", "pretrain.epochs=1"]
    recipe_words = load_yaml(recipe)
    changes += [f"{name}={index}" for name in ("images", "pairs") if name in recipe_words]
    for change in changes:
        words += ["--set", change]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert Path(said["model"]).exists() and 0 <= said["metrics"]["validation/f1"] <= 1


def test_the_heading_of_the_recipe_says_how_its_places_are_made():
    text = (Path(__file__).parents[3] / "examples" / "change" / "train_nano.yaml").read_text()
    assert "arpent simulate -o places" in text and "arpent change train examples/change/train_nano.yaml" in text
