"""Every command that predicts, as it is typed, here and through the workers of a Ray cluster: the same bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from arpent.cli.app import main
from arpent.engine import hired, on_cluster
from arpent.engine.crew import working_with

pytest.importorskip("ray", reason="Ray is not installed: pip install 'arpent[cluster]'")
pytestmark = pytest.mark.slow

CPU = "--device cpu --runtime torch"
COMMANDS = {
    f"landcover predict land.tif -m land.safetensors --tile 32 --halo 4 --ring 2 --probabilities {CPU}": "land model",
    f"change pair a_2020001.tif b_2024001.tif -m change.safetensors --features {CPU}": "pair changes",
    f"change embed a_2020001.tif -m change.safetensors {CPU}": "pair changes",
    f"change series a_2020001.tif a_2021001.tif b_2024001.tif -m change.safetensors"
    f" --dates 2020001,2021001,2024001 {CPU}": "reference",
    "change run reference.yaml --runtime torch": "reference",
    "change mosaic cosines": "cosines",
    f"forecast predict series -m forecaster.safetensors --tile 32 --halo 4 --ring 2 {CPU}": "series forecaster",
    f"describe embed fields_2022-06-01.tif --chip 10 --encoder croma-tiny --random-init {CPU}": "fields",
    f"classify predict pictures -m labeller --batch-size 2 {CPU}": "labeller",
    "describe generate fields_2022-06-01.tif --chip 20 --model describer --mode blind --longest 12 --batch-size 2"
    " --device cpu": "describer",
}

LESSONS = """
table: measured
captions: lessons.jsonl
embeddings: tokens
base: small
small: {model: {width: 32, layers: 1, heads: 4, hidden: 48, vocabulary: 400}, texts: 64, sights: 640, batch_size: 16}
lora: {rank: 4, alpha: 8}
samples: 24
held_out: {dates: [2022-08-01]}
fit: {epochs: 1, device: cpu}
"""


def taught(stock) -> None:
    """A describer that has learnt nothing, from two dates; a third one is held out."""
    if (stock.home / "describer").exists():
        return
    days = [stock.fields.name.replace("-06-", f"-{month}-") for month in ("06", "07", "08")]
    for day in days[1:]:
        shutil.copy2(stock.fields, stock.home / day)
    (stock.home / "lessons.yaml").write_text(LESSONS)
    stock.made("describe", "indices", *days, "--chip", 20, "-o", "measured")
    stock.made("describe", "caption", "measured", "-o", "lessons.jsonl")
    tiny = ("--encoder", "croma-tiny", "--random-init", "--device", "cpu")
    stock.made("describe", "embed", *days, "--chip", 20, *tiny, "-o", "tokens")
    stock.made("describe", "train", "lessons.yaml", "-o", "describer")


@pytest.fixture(scope="module")
def team():
    """Two workers, as --engine ray without an address starts them."""
    with ExitStack() as hiring:
        hiring.enter_context(on_cluster(workers=2))
        crew = hired()
        with working_with(None):
            yield crew


PLACES = ("shared", "before", "after")
"""Folders that commands write; `change run` has one for each date besides its own."""


def contents(home: Path) -> Mapping[str, bytes]:
    """What a command has made, but for pages, which say when; of manifests what says neither times nor paces."""
    made = {}
    for file in (file for place in PLACES for file in (home / place).rglob("*") if file.is_file()):
        if file.name == "manifest.json":
            manifest = json.loads(file.read_text())
            told = {name: manifest.get(name) for name in ("settings", "failures", "warnings", "inputs", "bundle")}
            made[file.relative_to(home).as_posix()] = json.dumps(told).encode()
        elif file.suffix != ".html" and not file.name.startswith("."):
            made[file.relative_to(home).as_posix()] = file.read_bytes()
    return made


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.split()[:2]))
def test_a_command_makes_the_same_bytes_through_a_cluster(command, team, stock, monkeypatch) -> None:
    for name in COMMANDS[command].split():
        taught(stock) if name == "describer" else getattr(stock, name)
    monkeypatch.chdir(stock.home)
    made, before = [], team.brief
    for crew in (None, team):
        with working_with(crew):
            assert main([*command.split(), "-o", "shared", "--quiet"]) == 0
        made.append(contents(stock.home))
        for place in PLACES:
            shutil.rmtree(stock.home / place, ignore_errors=True)
    alone, shared = made
    assert team.brief is not before, "the workers have not been asked"
    assert {name for name in alone.keys() | shared.keys() if alone.get(name) != shared.get(name)} == set()
    assert len(alone) > 1
