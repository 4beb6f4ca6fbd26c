"""``arpent plan`` for commands that work on lists: pictures, and images with their parcels."""

from __future__ import annotations

import csv
import shlex

import cv2
import numpy as np
import pytest
import torch

from arpent.cli import planned_list
from arpent.cli.plan import _short
from arpent.core import Contract, Grid, Normalisation, Strip, sensor
from arpent.io import CogWriter, RasterSpec
from arpent.language.words import Vocabulary
from arpent.models import LabellerSettings, save_bundle
from arpent.models.labelling import build_labeller
from arpent.models.labelling_settings import ImageBranchSettings

CPU = ("--runtime", "torch", "--device", "cpu")
FIGURES = ("seconds", "cpu_seconds", "kept", "disk")


@pytest.fixture(scope="module")
def labeller(tmp_path_factory):
    """A labeller that looks at pictures and has learnt nothing."""
    rule = Normalisation(origin="test", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3)
    image = ImageBranchSettings(encoder="mobilenetv2_035", side=32, hidden=16)
    settings = LabellerSettings(labels=2, image=image, dropout=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = build_labeller(settings).eval()
    words = Vocabulary.of(["a red place"])
    recipe = {"labels": ["red", "striped"], "vocabulary": words.document(), "masked": False, "caption_language": "en"}
    contract = Contract(
        task="classify",
        architecture="labeller",
        settings=settings.model_dump(mode="json"),
        bands=sensor("bd-ortho").select(("red", "green", "blue")),
        normalisation=rule,
        recipe=recipe | {"leaks": False, "cautions": {"en": [], "fr": []}},
        arpent="0",
    )
    return save_bundle(tmp_path_factory.mktemp("labeller") / "labeller.safetensors", model, contract)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of twenty pictures, in which others lie."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    (tmp_path / "photos" / "of july").mkdir(parents=True)
    for number in range(20):
        folder = tmp_path / "photos" / ("of july" if number % 4 == 3 else "")
        cv2.imwrite(str(folder / f"{number:02}.jpg"), rng.integers(0, 255, (40, 50, 3)).astype(np.uint8))
    return tmp_path / "photos"


def test_a_plan_of_pictures_says_what_they_take_and_its_shards_do_them(arpent, labeller, photos, tmp_path):
    words = ("classify", "predict", "photos", "--model", labeller, *CPU, "--name", "photos", "-o", "done/labels")
    said = arpent("plan", "--shards", 3, "--shard-list", "shards.csv", "--seconds", 1, *words, "--json")
    assert said.code == 0, said.err
    plan = said.document
    assert (plan["unit"], plan["units"], plan["grid"]) == ("items", 20, None)
    assert plan["calibration"]["apart"] and plan["calibration"]["source"] == "photos"
    for name in FIGURES:
        assert 0 < plan["figures"][name]["low"] <= plan["figures"][name]["typical"] <= plan["figures"][name]["high"]
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "shards.csv"}, "calibration leaves nothing"
    rows = list(csv.DictReader((tmp_path / "shards.csv").read_text().splitlines()))
    assert [(row["units"], row["extent"]) for row in rows] == [("6", "1–6"), ("7", "7–13"), ("7", "14–20")]
    seen = []
    for row in rows:
        assert arpent(*shlex.split(row["command"])[1:], "--quiet").code == 0
        labels = tmp_path / "done" / f"labels-00{row['shard']}" / "labels.csv"
        seen += [line["picture"] for line in csv.DictReader(labels.read_text("utf-8-sig").splitlines())]
    assert len(set(seen)) == len(seen) == 20


def test_many_more_of_which_those_named_are_a_sample(arpent, labeller, photos):
    words = ("classify", "predict", "photos", "--model", labeller, *CPU, "--count", 2_000_000, "--seconds", 1)
    plan = arpent("plan", *words, "--shards", 40, "--json").document
    assert plan["units"] == 2_000_000
    assert len(plan["shards"]) == 40 and not any(shard["command"] for shard in plan["shards"])
    told = arpent("plan", *words, "--language", "fr")
    assert told.code == 0, told.err
    assert "2\N{NARROW NO-BREAK SPACE}000\N{NARROW NO-BREAK SPACE}000" in told.out
    assert "Mesuré sur" in told.out and "photos" in told.out
    assert "Aucune tuile" not in arpent("plan", *words, "--shards", 2, "--language", "fr").out


def test_pictures_that_cannot_be_read_are_a_part_of_the_job(arpent, labeller, photos):
    for number in range(0, 20, 2):
        next(photos.rglob(f"{number:02}.jpg")).write_bytes(b"no picture")
    said = arpent("plan", "classify", "predict", "photos", "--model", labeller, *CPU, "--seconds", 1, "--json")
    assert said.code == 0, said.err
    assert said.document["units"] == 20


def test_images_with_their_parcels_are_planned_too(arpent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, rng = [], np.random.default_rng(3)
    for month in range(1, 10):
        names.append(f"field_2022-0{month}-01.tif")
        grid = Grid.north_up(500_000, 4_690_000, 10, 40, 40, 32631)
        bands = sensor("sentinel-2-l2a").band_names
        with CogWriter(tmp_path / names[-1], RasterSpec(grid, bands, "uint16")) as writer:
            writer.write(Strip(0, rng.integers(200, 3000, (12, 40, 40)).astype(np.uint16)))
    words = ("describe", "embed", *names, "--chip", 20, "--encoder", "croma-tiny", "--random-init", *CPU)
    said = arpent("plan", *words, "--shards", 2, "--seconds", 1)
    assert said.code == 0, said.err
    assert "There is too little" not in said.out, "nine images tell the start from the rest"
    assert "field_2022-01-01.tif, field_2022-02-01.tif, field_2022-03-01.tif, …" in said.out
    assert "--output runs/describe-embed-002" in " ".join(said.out.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("classify", "predict", "EMPTY", "--model", "MODEL"), "there is nothing to plan for (found empty)"),
        (("classify", "predict", "--model", "MODEL"), "there is nothing to plan for (found no pictures)"),
        (("classify", "predict", "gone.jpg", "--model", "MODEL"), "gone.jpg"),
        (("classify", "predict", "BROKEN", "--model", "MODEL"), "broken/0.jpg"),
        (("classify", "predict", "PHOTOS"), "--model"),
        (("classify", "predict", "PHOTOS", "--model", "PHOTOS"), "photos"),
        (("classify", "predict", "PHOTOS", "--model", "MODEL", "--shards", "21"), "each shard needs an item"),
        (("classify", "predict", "PHOTOS", "--model", "MODEL", "--count", "0"), "--count must be above nothing"),
        (("describe", "embed", "--stac", "catalog.json"), "a search cannot be planned"),
        (("describe", "embed", "gone.tif", "--encoder", "croma-tiny", "--random-init"), "gone.tif"),
    ],
)
def test_lists_that_cannot_be_planned_are_told_in_one_line(arpent, labeller, photos, tmp_path, words, told):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "0.jpg").write_bytes(b"no picture")
    known = {"EMPTY": "empty", "BROKEN": "broken", "PHOTOS": "photos", "MODEL": str(labeller)}
    said = arpent("plan", *(known.get(word, word) for word in words), "--seconds", "0.1", "-o", "not/there/run")
    assert said.code in (2, 3, 4), said.err
    assert told in said.err
    assert len(said.err.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "empty", "broken"}


def test_a_shard_that_no_command_line_can_hold_is_refused(arpent, labeller, photos, monkeypatch):
    monkeypatch.setattr(planned_list, "_LONGEST", 300)
    words = ("classify", "predict", "photos", "--model", labeller, *CPU, "--seconds", 0.1)
    said = arpent("plan", *words, "--shards", 2)
    assert (said.code, "a shard names more than a command line can hold" in said.err) == (2, True)
    assert arpent("plan", *words).code == 0, "the folder itself is short enough"


def test_a_long_command_is_shown_by_its_ends():
    long = f"arpent classify predict {' '.join(map(str, range(900)))} --output runs/labels-001"
    assert _short(long).startswith("arpent classify predict 0 1") and _short(long).endswith("--output runs/labels-001")
    assert len(_short(long)) == 240 and _short("arpent") == "arpent"
