"""Killed without warning at any moment and started again: the same bytes, nothing half done, no finished row lost.

Half of the moments are events of the file system, drawn by a seed and met exactly; the others are times. With ``make
faults`` each task is killed twenty times, with ``make test`` those twice that no other test kills;
ARPENT_KILLS says how often, ARPENT_FAULTS_SEED draws other moments.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

KILLS = int(os.environ.get("ARPENT_KILLS", "20"))


@dataclass(frozen=True)
class Work:
    """A command that can be killed and gone on with.

    Attributes:
        command: its words, before ``-o out``.
        made: attributes of the stock that make its inputs.
        needs: what of the stock it reads.
        places: folders of products besides `out`.
        resumes: whether it takes ``--resume``; one that does not goes on by itself.
        few: whether ``make test`` kills it too.
    """

    command: str
    made: tuple[str, ...]
    needs: tuple[str, ...]
    places: tuple[str, ...] = ()
    resumes: bool = True
    few: bool = False

    @property
    def name(self) -> str:
        return " ".join(self.command.split()[:2])


CPU = "--device cpu --runtime torch"
WORKS = (
    Work(
        "landcover train train.yaml",
        ("training",),
        ("train.yaml", "index.csv", "a.tif", "b.tif", "a_mask.tif", "b_mask.tif"),
        few=True,
    ),
    Work(
        f"landcover predict land.tif -m land.safetensors --tile 32 --halo 4 --ring 2 --probabilities --vector {CPU}",
        ("land", "model"),
        ("land.tif", "land.safetensors"),
    ),
    Work(
        "landcover transfer study.yaml",
        ("study",),
        (
            "study.yaml",
            "sides.csv",
            "land.safetensors",
            *(f"{name}{mask}.tif" for name in "abc" for mask in ("", "_mask")),
        ),
    ),
    Work(
        f"change pair a_2020001.tif b_2024001.tif -m change.safetensors --features --table geoparquet {CPU}",
        ("pair", "changes"),
        ("a_2020001.tif", "b_2024001.tif", "change.safetensors"),
    ),
    Work(
        "change run reference.yaml --runtime torch",
        ("reference",),
        ("reference.yaml", "pairs.csv", "a_2020001.tif", "a_2021001.tif", "b_2024001.tif", "change.safetensors"),
        places=("before", "after"),
    ),
    Work("change mosaic cosines", ("cosines",), ("cosines",)),
    Work(
        f"forecast predict series -m forecaster.safetensors --tile 32 --halo 4 --ring 2 {CPU}",
        ("series", "forecaster"),
        ("series", "forecaster.safetensors"),
    ),
    Work(
        "forecast prepare dates --window 5 --patch 16",
        ("dates",),
        ("dates",),
        resumes=False,
    ),
    Work(
        f"describe embed fields_2022-06-01.tif --chip 10 --encoder croma-tiny --random-init {CPU}",
        ("fields",),
        ("fields_2022-06-01.tif",),
        few=True,
    ),
    Work(
        "describe generate fields_2022-06-01.tif -m describer --chip 20 --mode blind --longest 8 --batch-size 1 "
        "--device cpu",
        ("describer",),
        ("fields_2022-06-01.tif", "describer"),
    ),
    Work(
        "classify train dataset --pretrained random --text-encoder words --epochs 2 --side 32 --device cpu",
        ("dataset",),
        ("dataset", "pictures"),
        places=("dataset",),
    ),
    Work(
        f"classify predict pictures -m labeller --batch-size 2 {CPU}",
        ("pictures", "labeller"),
        ("pictures", "labeller"),
        few=True,
    ),
)

PASSING = ("created", "finished", "attempts", "timings", "updated")
PACE = ("pictures_per_second", "tokens_per_second", "network_share")
"""Measures of the process and not of its products."""

JOURNAL = "events.out.tfevents"
"""What TensorBoard reads: every attempt has its own, named by its moment and its process."""

MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-9.:+Z-]*")


def contents(folder: Path, places: tuple[str, ...] = ()) -> Mapping[str, bytes]:
    """What a run shows to others: every file's bytes, but for moments and durations in text."""
    found = {}
    for place in (folder, *(folder.parent / name for name in places)):
        for file in sorted(place.rglob("*")):
            inside = file.relative_to(place).parts
            if file.is_dir() or any(part.startswith((".", JOURNAL)) for part in inside):
                continue
            found["/".join((place.name, *inside))] = said(file)
    return found


def said(file: Path) -> bytes:
    """The bytes of a file, without the times at which it was made."""
    content = file.read_bytes()
    if file.name == "manifest.json":
        document = json.loads(content)
        content = json.dumps({key: _timeless(document[key]) for key in sorted(document) if key not in PASSING}).encode()
    if file.suffix in (".json", ".jsonl", ".html"):
        content = re.sub(rb'"seconds": ?[0-9.e-]+', b'"seconds": 0', MOMENT.sub(b"then", content))
    return content


def _timeless(told: object) -> object:
    """What a manifest says, without paces, and without the hashes of texts that hold the moment of their writing."""
    if isinstance(told, list):
        return [_timeless(one) for one in told if not (isinstance(one, dict) and JOURNAL in str(one.get("file", "")))]
    if not isinstance(told, dict):
        return told
    is_text = str(told.get("file", "")).endswith((".json", ".jsonl", ".html"))
    left_out = (*PACE, *(("sha256", "bytes") if is_text else ()))
    return {key: _timeless(value) for key, value in told.items() if key not in left_out}


def rows_done(folder: Path) -> dict[str, int]:
    """What every ledger of an unfinished run says is finished."""
    return {
        str(ledger.relative_to(folder)): json.loads(ledger.read_text())["next_row"]
        for ledger in folder.glob(".scratch/**/ledger.json")
    }


def finished(ended) -> bool:
    """Whether a run is whole: now, or since before a kill that came after its manifest."""
    return ended.status == 0 or "is there already" in ended.said


class Killer:
    """Runs one task in folders of its own and kills it."""

    def __init__(self, work: Work, forks, stock, home: Path, seed: int) -> None:
        self.work, self.forks, self.stock, self.home = work, forks, stock, home
        self.chance = random.Random(f"{work.name} {seed}")
        for attribute in work.made:
            getattr(stock, attribute)

    def folder(self) -> Path:
        """The place of all runs, whose manifests name it, with fresh copies of all inputs."""
        place = self.home / "place"
        shutil.rmtree(place, ignore_errors=True)
        for name in self.work.needs:
            source = self.stock.home / name
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place / name)
            else:
                shutil.copy2(source, place / name)
        return place

    def run(self, place: Path, **more):
        resume = ("--resume",) if self.work.resumes else ()
        return self.forks.run([*self.work.command.split(), "-o", "out", *resume, "--quiet"], place, **more)

    def whole(self) -> Mapping[str, bytes]:
        """What an undisturbed run gives."""
        place = self.folder()
        self.undisturbed = self.run(place)
        assert self.undisturbed.status == 0, self.undisturbed.said
        return contents(place / "out", self.work.places)

    def moment(self) -> dict[str, object]:
        """When to kill: before an event of the file system, or at a time."""
        if self.chance.random() < 0.5:
            return {"die_at": self.chance.randint(1, self.undisturbed.events)}
        return {"kill": (lambda: True, self.undisturbed.seconds * self.chance.random())}

    def killed(self, kills: int) -> None:
        """Kills so often, in chains of up to four, and holds every end against the undisturbed run."""
        whole, done, tries = self.whole(), 0, 0
        while done < kills:
            place, before = self.folder(), {}
            for _ in range(self.chance.randint(1, 4)):
                tries += 1
                assert tries < 10 * kills + 20, f"only {done} of {tries} runs were killed"
                ended = self.run(place, **self.moment())
                if ended.status != -signal.SIGKILL:
                    assert finished(ended), ended.said
                    break
                done += 1
                self.forks.part.kills += 1
                before = self.unharmed(place, whole, before)
                if done == kills:
                    break
            ended = self.run(place)
            assert finished(ended), ended.said
            differing = {name for name, _ in whole.items() ^ contents(place / "out", self.work.places).items()}
            self.forks.part.corrupt += len(differing)
            assert not differing, f"{sorted(differing)} are not those of an undisturbed run"
            assert ended.status != 0 or not (place / "out" / ".scratch").exists()
            if (place / "out" / "manifest.json").exists():  # a data set is no run
                verified = self.forks.run(["runs", "verify", "out"], place)
                assert verified.status == 0, verified.said

    def unharmed(self, place: Path, whole: Mapping[str, bytes], before: Mapping[str, int]) -> Mapping[str, int]:
        """Nothing that can be seen of a killed run is other than in the end; no ledger has gone back."""
        found = contents(place / "out", self.work.places)
        corrupt = sorted(name for name, _ in found.items() - whole.items())
        self.forks.part.corrupt += len(corrupt)
        assert not corrupt, f"{corrupt} of a killed run are not those of an undisturbed run"
        after = rows_done(place / "out")
        lost = sum(max(0, rows - after.get(name, rows)) for name, rows in before.items())
        self.forks.part.lost += lost
        assert not lost, (before, after)
        return after


@pytest.mark.faults
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_killed_twenty_times_each_run_ends_as_if_nothing_had_been(work, forks, stock, tmp_path) -> None:
    Killer(work, forks, stock, tmp_path, int(os.environ.get("ARPENT_FAULTS_SEED", "0"))).killed(KILLS)


@pytest.mark.parametrize("work", [work for work in WORKS if work.few], ids=lambda work: work.name)
def test_killed_twice_each_run_ends_as_if_nothing_had_been(work, forks, stock, tmp_path) -> None:
    Killer(work, forks, stock, tmp_path, 1).killed(2)
