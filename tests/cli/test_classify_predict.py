"""Labels on the command line, by the small labeller that comes with Arpent."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from arpent.demo.recipes.scenes import FRENCH, LABELS
from arpent.language import say

Command = Callable[..., Any]
HOW = ("--model", "classify-nano", "--device", "cpu", "--runtime", "torch", "--caption", "a vineyard and a road")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 64), (120, 140, 80)).save(tmp_path / "a.jpg")
    return tmp_path / "a.jpg"


def test_the_small_model_says_once_that_it_misleads_and_its_run_says_so_too(
    arpent: Command, picture: Path, tmp_path: Path
) -> None:
    line = say("runs.shipped", "en", model="classify-nano")
    said = arpent("classify", "predict", picture, *HOW, "-o", tmp_path / "run")
    assert (said.code, said.err.count(line)) == (0, 1)
    document = arpent("classify", "predict", picture, *HOW, "-o", tmp_path / "again", "--json").document
    assert document["warnings"] == [line]
    assert json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))["warnings"] == [line]
    assert arpent("runs", "show", tmp_path / "run").out.startswith(f"{line}\n")


def test_labels_are_french_in_front_of_french_people_and_keep_their_names_in_files(
    arpent: Command, picture: Path, tmp_path: Path
) -> None:
    french = (*HOW, "--language", "fr")
    said = arpent("classify", "predict", picture, *french, "-o", tmp_path / "run")
    assert "vigne " in said.out and "route " in said.out
    assert "vineyard" not in said.out and "road" not in said.out
    with (tmp_path / "run" / "labels.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert {"vineyard", "road"} <= set(row["labels"].split("; "))
    assert [name for name in row if name.startswith("chance_")] == [f"chance_{name}" for name in LABELS]
    document = arpent("classify", "predict", picture, *french, "-o", tmp_path / "again", "--json").document
    assert document["labels"] == list(LABELS) and set(document["pictures"][0]["labels"]) <= set(LABELS)
    told = arpent("classify", "explain", picture, *HOW[:2], *HOW[-2:], "--language", "fr", "-o", tmp_path / "why").out
    assert "vigne " in told and "vineyard  " not in told


def test_every_label_of_the_small_model_has_a_french_name(arpent: Command) -> None:
    recipe = arpent("models", "show", "classify-nano", "--json").document["recipe"]
    assert recipe["titles"] == {"fr": FRENCH}
    assert list(FRENCH) == recipe["labels"]
    assert len({*FRENCH.values()} - {*FRENCH}) == len(LABELS)
