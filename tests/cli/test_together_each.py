"""Every command that trains, in two processes: it learns what one process learns, to rounding."""

import json

import numpy as np
import pytest
import rasterio
import yaml
from affine import Affine
from PIL import Image

from arpent.cli.app import main
from arpent.cli.together import TRAININGS
from arpent.core import sensor
from arpent.store import open_run, verify

QUICK = {"device": "cpu", "epochs": 2}
BARE = (700, 800, 1000, 1400, 1600, 1800, 1900, 2000, 2200, 2200, 3000, 2500)
GREEN = (200, 300, 500, 300, 900, 2500, 3300, 3600, 3800, 3800, 1700, 800)
PLANAURA = {"image_size": 16, "patch": 4, "width": 16, "depth": 1, "heads": 2, "head_width": 8}
PLANAURA |= {"decoder_width": 16, "decoder_depth": 1, "decoder_heads": 2}


def typed(*words):
    assert main([str(word) for word in words]) == 0, words


def write(path, pixels, names, place=(5e5, 4.9e6, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    east, north, size = place
    facts = {"count": len(pixels), "dtype": pixels.dtype, "height": pixels.shape[1], "width": pixels.shape[2]}
    facts |= {"crs": "EPSG:32631", "transform": Affine(size, 0, east, 0, -size, north)}
    with rasterio.open(path, "w", "GTiff", **facts) as image:
        image.write(pixels)
        image.descriptions = names


def landcover(folder):
    """Batches of 3, 3 and 1; all that looks across a batch: batch norm, Lovász, classes of several weights, dropout."""
    typed("simulate", "-o", folder / "data", "--size", "96", "--scenes", "3")
    network = {"widths": [4], "norm": "batch"}
    task = {"network": network, "loss": "cross-entropy+lovasz", "weights": {"herbaceous vegetation": 3}}
    settings = {"index": str(folder / "data" / "index.csv"), "task": task, "patch": 32, "patches": 7, "batch_size": 3}
    (folder / "train.yaml").write_text(yaml.safe_dump(settings | {"fit": {**QUICK, "best": "loss"}}))
    dice = ("--set", "task.loss=focal+dice", "--set", "fit.accumulate=2", "--set", "fit.clip=0.1")
    return {"plain": ("train", folder / "train.yaml"), "dice": ("train", folder / "train.yaml", *dice)}


def change(folder):
    """To paint hidden patches, drawn at random, and then to tell change: rare, and unknown under clouds."""
    rng, rows = np.random.default_rng(0), ["image,domain,sensor,date,quality,change"]
    for place in range(3):
        at, truth = (5e5 + 1e4 * place, 5e6, 30), np.zeros((1, 32, 32), np.uint16)
        truth[0, 4 * place : 4 * place + 12, 10:20] = 1
        for number, when in enumerate(("2021-07-05", "2022-09-25")):
            pixels = rng.integers(800, 1200, (6, 32, 32)) + 900 * number * truth
            write(folder / f"{place}/{when}.tif", pixels.astype(np.int16), sensor("hls-s30").band_names, at)
            clouds = (np.arange(32 * 32).reshape(1, 32, 32) < 64 * place).astype(np.uint8) << 1
            write(folder / f"{place}/quality_{when}.tif", clouds, ("quality",), at)
            told = f"{place}/change.tif" if number else ""
            rows.append(f"{place}/{when}.tif,{place},hls-s30,{when},{place}/quality_{when}.tif,{told}")
        write(folder / f"{place}/change.tif", truth.astype(np.uint8), ("event",), at)
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    index = str(folder / "index.csv")
    settings = {"images": index, "pairs": index, "network": PLANAURA, "patches": 7, "batch_size": 3, "workers": 0}
    settings |= {"pretrain": QUICK, "fit": {**QUICK, "best": "loss"}}
    (folder / "train.yaml").write_text(yaml.safe_dump(settings))
    return {"paint-tell": ("train", folder / "train.yaml")}


def forecast(folder):
    """Whole maps are dropped, covariates forgotten; Dice over the classes of a batch."""
    typed("forecast", "simulate", "-o", folder / "rivers", "--size", "48", "--scenes", "3", "--dates", "7")
    typed("forecast", "prepare", folder / "rivers", "-o", folder / "set", "--patch", "32")
    quick = ("--epochs", "2", "--batch-size", "3", "--patches", "7", "--device", "cpu", "--set", "best=loss")
    segment = ("train-segmentation", folder / "set", *quick, "--widths", "4,8")
    typed("forecast", *segment, "-o", folder / "runs" / "segmentation")
    head = ("train", folder / "set", *quick, "--hidden", "8", "--layers", "1")
    # From nothing, and with so few pixels, what is rounded grows a thousandfold in a few steps that are large.
    gently = ("--set", "rate=1e-5")
    built = (*head, "--segmentation", folder / "runs" / "segmentation")
    return {"segmentation": segment, "built": built, "joint": (*head, "--joint", *gently)}


def describe(folder):
    """A small language model, the adapter by itself, and LoRA with dropout; texts of uneven length."""
    share = np.random.default_rng(3).uniform(0, 1, (48, 48))
    for day, grown in {"2022-04-01": 0.2, "2022-05-20": 1.0, "2022-07-01": 0.5}.items():
        planes = [bare + (green - bare) * grown * share for bare, green in zip(BARE, GREEN, strict=True)]
        names = sensor("sentinel-2-l2a").band_names
        write(folder / "images" / f"valley_{day}.tif", np.stack(planes).astype(np.uint16), names)
    images = (*sorted((folder / "images").iterdir()), "--chip", "24", "--place", "valley")
    typed("describe", "indices", *images, "-o", folder / "table.parquet")
    typed("describe", "caption", folder / "table.parquet", "-o", folder / "captions.jsonl")
    eye = ("--encoder", "croma-tiny", "--random-init", "--device", "cpu")
    typed("describe", "embed", *images, "-o", folder / "seen", *eye)
    settings = {name: str(folder / path) for name, path in (("table", "table.parquet"), ("embeddings", "seen"))}
    settings |= {"captions": str(folder / "captions.jsonl"), "base": "small", "samples": 7, "batch_size": 3}
    sizes = {"width": 32, "layers": 1, "heads": 4, "hidden": 48, "vocabulary": 400}
    small = {"model": sizes, "texts": 9, "sights": 100, "batch_size": 4}
    settings |= {"small": small, "lora": {"rank": 4, "alpha": 8, "dropout": 0.3}, "fit": QUICK}
    (folder / "train.yaml").write_text(yaml.safe_dump(settings))
    return {"small": ("train", folder / "train.yaml")}


def classify(folder):
    """Dropout in both branches, forgotten words, absent modalities; a part of an encoder with batch norm."""
    captions, labels = ["image,caption"], ["name,labels"]
    (folder / "farm").mkdir()
    for number in range(20):
        patches = np.random.default_rng(number).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(patches).resize((30, 40), Image.Resampling.BICUBIC).save(folder / "farm" / f"p{number:02}.jpg")
        captions.append(f"p{number:02}.jpg,somewhere {'very ' * (number % 5)}far out in field {number}")
        labels.append(f"p{number:02}.jpg,{'dog;grass' if number % 2 else 'sea'}")
    (folder / "captions.csv").write_text("\n".join(captions))
    (folder / "labels.csv").write_text("\n".join(labels))
    files = ("--captions", folder / "captions.csv", "--labels", folder / "labels.csv")
    typed("classify", "prepare", folder / "farm", *files, "-o", folder / "set")
    quick = ("--pretrained", "random", "--side", "32", "--epochs", "2", "--device", "cpu", "--batch-size", "7")
    train = ("train", folder / "set", *quick, "--set", "best=loss")
    blocks = ("--unfreeze", "1", "--set", "unfreeze_epochs=2")
    return {
        "words": (*train, "--branch", "text"),
        "lstm": (*train, "--branch", "text", "--set", "text_encoder=lstm", "--set", "embedding=8"),
        "image": (*train, "--branch", "image", "--image-encoder", "resnet18"),
        "blocks": (*train, "--branch", "image", "--image-encoder", "resnet18", *blocks),
        "late": (*train, "--branch", "fusion", "--fusion", "late"),
        "gated": (*train, "--branch", "fusion", "--fusion", "gated"),
    }


ROOMS = {make.__name__: make for make in (landcover, change, forecast, describe, classify)}
QUICK_CASES = (
    ("landcover", "plain"),
    ("change", "paint-tell"),
    ("forecast", "segmentation"),
    ("forecast", "built"),
    ("describe", "small"),
    ("classify", "lstm"),
    ("classify", "blocks"),
    ("classify", "gated"),
)
RARE_CASES = (
    ("landcover", "dice"),
    ("forecast", "joint"),
    ("classify", "words"),
    ("classify", "image"),
    ("classify", "late"),
)


@pytest.fixture(scope="module")
def ended(request, launch, tmp_path_factory):
    """How one process ended, and two of them, in each case that is asked for; and the folder of their runs."""
    top = tmp_path_factory.mktemp("each")
    here = [item for item in request.session.items if item.path == request.path]
    asked = {(own["room"], own["name"]) for own in (item.callspec.params for item in here if hasattr(item, "callspec"))}
    cases = []
    for room in sorted({room for room, _ in asked}):
        (top / room).mkdir()
        for name, said in ROOMS[room](top / room).items():
            if (room, name) not in asked:
                continue
            for world in (1, 2):
                words = (room, *said, "-o", top / f"{room}-{name}-{world}")
                cases.append({"name": f"{room}-{name}-{world}", "words": [*map(str, words)], "world": world})
    assert len(cases) == 2 * len(asked)
    return top, launch(top, cases)


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def curves(folder):
    """The epochs of a run, by their lesson and number."""
    files = sorted(folder.rglob("history*.jsonl"))
    return {(file.stem, each["number"]): each for file in files for each in lines(file)}


@pytest.mark.parametrize(
    ("room", "name"), [*QUICK_CASES, *(pytest.param(*case, marks=pytest.mark.faults) for case in RARE_CASES)]
)
def test_two_processes_learn_what_one_learns(ended, room, name):
    top, answers = ended
    alone, pair = (answers[f"{room}-{name}-{world}"] for world in (1, 2))
    assert (alone.codes, pair.codes) == ([0], [0, 0]), alone.err + pair.err
    first, second = (curves(top / f"{room}-{name}-{world}") for world in (1, 2))
    assert first
    assert first.keys() == second.keys()
    for epoch, one in first.items():
        other = second[epoch]
        found = [(each["train_loss"], each["validation"]["loss"], each["rate"]) for each in (one, other)]
        assert found[0] == pytest.approx(found[1], rel=2e-5), epoch
    verify(open_run(top / f"{room}-{name}-2"))


def test_every_training_is_among_them():
    """Fine-tuning of land cover is in ``test_together.py``; of forecasts both trainings are in their room."""
    assert {room for room, _ in QUICK_CASES} == {room for room, _ in TRAININGS}
