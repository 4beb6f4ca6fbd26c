"""Disks that are full, files that are cut short while they are read, memory that is used up."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from arpent.testing.forks import Limits

CPU = "--device cpu --runtime torch"
WRITERS = {
    "landcover": (f"landcover predict land.tif -m land.safetensors {CPU} --probabilities", ("land", "model")),
    "training": ("landcover train train.yaml", ("training",)),
    "change": (f"change pair a_2020001.tif b_2024001.tif -m change.safetensors {CPU}", ("pair", "changes")),
    "mosaic": ("change mosaic cosines", ("cosines",)),
    "forecast": (f"forecast predict series -m forecaster.safetensors {CPU}", ("series", "forecaster")),
    "embed": (f"describe embed fields_2022-06-01.tif --encoder croma-tiny --random-init {CPU}", ("fields",)),
    "labels": (f"classify predict pictures -m labeller {CPU}", ("labeller",)),
}
"""By task, a command and what is made for it."""


@pytest.fixture
def place(stock, tmp_path):
    """Makes copies of the whole stock, with what is named in it."""

    def make(made):
        for attribute in made:
            getattr(stock, attribute)
        return shutil.copytree(stock.home, tmp_path / "place")

    return make


def seen(folder):
    """What a folder shows to others."""
    return sorted(path.name for path in folder.glob("[!.]*")) if folder.exists() else []


@pytest.mark.faults
@pytest.mark.parametrize("size", [512, 3000, 20_000])
@pytest.mark.parametrize("task", WRITERS)
def test_a_full_disk_is_one_line_and_what_is_resumed_ends_whole(forks, place, task, size) -> None:
    """A file that may not grow beyond a size is answered by the system as a full disk is."""
    command, made = WRITERS[task]
    home = place(made)
    words = [*command.split(), "-o", "out", "--quiet"]
    full = forks.run(words, home, limits=Limits(file_size=size))
    if full.status != 0:  # nothing of it is larger
        assert full.status == 7, full.said
        assert "space" in full.said
        assert len(full.said.strip().splitlines()) == 1, full.said
        assert "manifest.json" not in seen(home / "out")
        beside = [file for file in home.rglob("*.partial") if ".scratch" not in file.parts]
        assert not beside, "what was begun beside its place is gone"
        resumed = forks.run([*words, "--resume"], home)
        assert resumed.status == 0, resumed.said
    verified = forks.run(["runs", "verify", "out"], home)
    assert verified.status == 0, verified.said


@pytest.mark.faults
@pytest.mark.parametrize("rows", [24, 72, 120])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.95])
def test_an_image_cut_short_while_it_is_read_is_one_line(forks, place, share, rows) -> None:
    """The file loses its end once so many of 153 rows of tiles are finished; put back, it ends as if never cut."""
    home = place(("long", "model"))
    image, ledger = home / "long.tif", home / "out" / ".scratch" / "ledger.json"
    content = image.read_bytes()
    words = ["landcover", "predict", "long.tif", "-m", "land.safetensors", "--tile", "32", "--ring", "2", "--halo", "4"]
    words += [*CPU.split(), "--quiet"]
    assert forks.run([*words, "-o", "whole"], home).status == 0
    whole = (home / "whole" / "classes.tif").read_bytes()

    finished: list[int] = []

    def cut() -> bool:
        if (row := next_row(ledger)) < rows:
            return False
        os.truncate(image, int(share * len(content)))
        finished.append(row)
        return True

    ended = forks.run([*words, "-o", "out"], home, kill=(cut, 60.0))
    assert finished, f"it ended with {ended.status} before {rows} rows of tiles were seen: {ended.said}"
    assert image.stat().st_size < len(content)
    made = sorted((home / "out").glob("*.tif"))
    if ended.status != 0:  # what had been read before is enough for the end of an image
        assert ended.status == 3, ended.said
        assert "long.tif" in ended.said
        assert len(ended.said.strip().splitlines()) == 1, ended.said
        assert not made
        image.write_bytes(content)
        again = forks.run([*words, "-o", "out", "--resume"], home)
        assert again.status == 0, again.said
    is_other = (home / "out" / "classes.tif").read_bytes() != whole
    forks.part.corrupt += is_other
    assert not is_other, f"ended first with {ended.status}"


def next_row(ledger: Path) -> int:
    """The rows that a ledger says are finished; 0 of one that is not there, or is just being replaced."""
    try:
        return int(json.loads(ledger.read_text())["next_row"])
    except (FileNotFoundError, ValueError):
        return 0


@pytest.mark.parametrize("memory", [200 << 20, pytest.param(64 << 20, marks=pytest.mark.faults)])
def test_little_memory_is_enough_or_one_line(forks, place, memory) -> None:
    """Batches are halved down to one; where that is too large, it is said, and no process dies of it."""
    home = place(("land", "model"))
    words = f"landcover predict land.tif -m land.safetensors --tile 96 --batch-size 64 {CPU} -o out --quiet".split()
    ended = forks.run(words, home, limits=Limits(memory=memory, seconds=60))
    assert ended.status in (0, 8), ended.said
    assert "Traceback" not in ended.said
    assert ended.status == 0 or len(ended.said.strip().splitlines()) == 1, ended.said
