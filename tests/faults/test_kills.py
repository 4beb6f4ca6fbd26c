"""Killed without warning at any moment and started again: the same bytes, nothing half done, no finished row lost.

Half of the moments are events of the file system, drawn by a seed and met exactly; the others are times. With ``make
faults`` each task is killed twenty times; with ``make test`` twice, or by the test that is named beside it as often at
least. ARPENT_KILLS says how often, ARPENT_FAULTS_SEED draws other moments.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from arpent.testing.machines import descendants

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
        elsewhere: the test of ``make test`` that kills it twice or more; without one, ``make test`` does it here.
    """

    command: str
    made: tuple[str, ...]
    needs: tuple[str, ...]
    places: tuple[str, ...] = ()
    resumes: bool = True
    elsewhere: str = ""

    @property
    def name(self) -> str:
        return " ".join(self.command.split()[:2])


CPU = "--device cpu --runtime torch"
WORKS = (
    Work(
        "landcover train train.yaml",
        ("training",),
        ("train.yaml", "index.csv", "a.tif", "b.tif", "a_mask.tif", "b_mask.tif"),
    ),
    Work(
        f"landcover predict land.tif -m land.safetensors --tile 32 --halo 4 --ring 2 --probabilities --vector {CPU}",
        ("land", "model"),
        ("land.tif", "land.safetensors"),
        elsewhere="engine/test_job.py::test_killed_at_five_moments_and_resumed_every_file_is_the_same_to_the_byte",
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
        elsewhere="tasks/change/test_comparing.py::test_killed_and_started_again_every_byte_is_the_same",
    ),
    Work(
        "change run reference.yaml --runtime torch",
        ("reference",),
        ("reference.yaml", "pairs.csv", "a_2020001.tif", "a_2021001.tif", "b_2024001.tif", "change.safetensors"),
        places=("before", "after"),
        elsewhere="tasks/change/test_many_pairs.py::test_killed_again_and_again_every_placed_file_is_the_same",
    ),
    Work(
        "change mosaic cosines",
        ("cosines",),
        ("cosines",),
        elsewhere="tasks/change/test_mosaic_run.py::test_killed_without_warning_and_resumed_every_pixel_is_the_same",
    ),
    Work(
        f"forecast predict series -m forecaster.safetensors --tile 32 --halo 4 --ring 2 {CPU}",
        ("series", "forecaster"),
        ("series", "forecaster.safetensors"),
        elsewhere="tasks/forecast/test_predict_large.py::test_killed_at_several_moments_and_resumed_every_product_is_the_same",
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


def rows_lost(folder: Path, before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """How many finished rows one attempt had and the next no longer; all of a ledger that is gone before its time."""
    return sum(max(0, rows - after.get(name, rows if needless(folder, name) else 0)) for name, rows in before.items())


def needless(folder: Path, ledger: str) -> bool:
    """Whether a ledger may go: the run is finished, or there is a note that the pair, or the mosaics, of a list are."""
    kind, _, number = Path(ledger).parts[1].partition("-")
    note = folder / ".scratch" / "kept" / f"{'mosaics' if kind == 'mosaic' else number}.json"
    return note.exists() or (folder / "manifest.json").exists()


def test_a_ledger_that_is_gone_is_lost_unless_what_it_was_for_is_finished(tmp_path: Path) -> None:
    kept = tmp_path / ".scratch" / "kept"
    kept.mkdir(parents=True)
    before = {".scratch/ledger.json": 3, ".scratch/pair-1f/ledger.json": 5, ".scratch/mosaic-mean/ledger.json": 7}
    assert rows_lost(tmp_path, before, before) == 0
    assert rows_lost(tmp_path, before, {**before, ".scratch/ledger.json": 1}) == 2
    assert rows_lost(tmp_path, before, {}) == 15
    (kept / "1f.json").touch()
    assert rows_lost(tmp_path, before, {}) == 10
    (kept / "mosaics.json").touch()
    assert rows_lost(tmp_path, before, {}) == 3
    (tmp_path / "manifest.json").touch()
    assert rows_lost(tmp_path, before, {}) == 0


def finished(ended) -> bool:
    """Whether a run is whole: now, or since before a kill that came after its manifest."""
    return ended.status == 0 or "is there already" in ended.said


class Killer:
    """Runs one task in folders of its own and kills it."""

    def __init__(self, work: Work, forks, stock, home: Path, seed: int) -> None:
        self.work, self.forks, self.stock, self.home = work, forks, stock, home
        self.chance = random.Random(f"{work.name} {seed}")
        self.engine: tuple[str, ...] = ()
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
        words = [*self.work.command.split(), *self.engine, "-o", "out", *resume, "--quiet"]
        return self.forks.run(words, place, **more)

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
        self.killed_from(self.whole(), kills)

    def killed_from(self, whole: Mapping[str, bytes], kills: int) -> None:
        """The same, where an undisturbed run is known."""
        done, tries = 0, 0
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
        lost = rows_lost(place / "out", before, after)
        self.forks.part.lost += lost
        assert not lost, (before, after)
        return after


@pytest.mark.faults
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_killed_twenty_times_each_run_ends_as_if_nothing_had_been(work, forks, stock, tmp_path) -> None:
    Killer(work, forks, stock, tmp_path, int(os.environ.get("ARPENT_FAULTS_SEED", "0"))).killed(KILLS)


@pytest.mark.parametrize("work", [work for work in WORKS if not work.elsewhere], ids=lambda work: work.name)
def test_killed_twice_each_run_ends_as_if_nothing_had_been(work, forks, stock, tmp_path) -> None:
    Killer(work, forks, stock, tmp_path, 1).killed(2)


@pytest.mark.parametrize("work", [work for work in WORKS if work.elsewhere], ids=lambda work: work.name)
def test_what_is_said_to_be_killed_elsewhere_is(work) -> None:
    file, _, name = work.elsewhere.partition("::")
    code = (Path(__file__).parents[1] / file).read_text("utf-8")
    before, _, test = code.partition(f"def {name}(")
    assert "kill" in test.partition("\ndef ")[0], f"{work.elsewhere} kills nothing"
    marks = before[before.rstrip().rfind("\n\n") :]
    assert not re.search(r"^@pytest\.mark\.faults", marks, re.MULTILINE), f"make test leaves {work.elsewhere} out"


@dataclass
class Nodes:
    """A Ray cluster of three nodes with a core each, of which two may be taken away."""

    cluster: Any
    others: list[Any] = field(default_factory=list)

    def complete(self) -> None:
        """Adds the nodes that are missing."""
        while len(self.others) < 2:
            self.others.append(self.cluster.add_node(**SMALL))

    def take_node(self, chance: random.Random) -> bool:
        """Takes a node away, as when its machine loses power."""
        self.cluster.remove_node(self.others.pop(chance.randrange(len(self.others))), allow_graceful=False)
        return True

    def take_worker(self, chance: random.Random) -> bool:
        """Ends one of the workers; whether there was any."""
        workers = sorted(pid for _, pid, words in descendants(os.getpid()) if words.startswith(b"ray::Worker"))
        if workers:
            os.kill(chance.choice(workers), signal.SIGKILL)
        return bool(workers)


SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20, "node_ip_address": "127.0.0.1"}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'arpent[cluster]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    made = Nodes(Cluster(initialize_head=True, head_node_args={**SMALL, "include_dashboard": False}))
    try:
        yield made
    finally:
        made.cluster.shutdown()


@dataclass
class Disturbance:
    """What is done to a cluster once in a run, some time after it has begun; see `Forks.run`."""

    begun: Callable[[], bool]
    after: float
    deed: Callable[[], bool]
    since: float | None = None
    done: bool = False

    def __call__(self) -> bool:
        """Looks whether it is time; never ends the run."""
        if self.since is None and self.begun():
            self.since = time.monotonic()
        if self.since is not None and not self.done and time.monotonic() - self.since >= self.after:
            self.done = self.deed()
        return False


class SharedKiller(Killer):
    """Runs one task here and through a cluster, of which it kills a part, or the driver."""

    def __init__(self, nodes: Nodes, *more) -> None:
        super().__init__(*more)
        self.nodes = nodes
        self.local = self.whole()
        self.engine = ("--engine", "ray", "--address", nodes.cluster.address, "--workers", "2")
        nodes.complete()
        assert self.whole() == self.local

    def disturbed(self, kind: str) -> bool:
        """Kills a worker or a node in a run, at any moment of it; whether it was still going on."""
        self.nodes.complete()
        place = self.folder()
        deed = partial({"worker": self.nodes.take_worker, "node": self.nodes.take_node}[kind], self.chance)
        after = self.undisturbed.seconds * self.chance.random()
        disturbance = Disturbance((place / "out" / ".scratch").exists, after, deed)
        ended = self.run(place, kill=(disturbance, 0.0))
        assert ended.status == 0, ended.said
        differing = {name for name, _ in self.local.items() ^ contents(place / "out", self.work.places).items()}
        self.forks.part.corrupt += len(differing)
        self.forks.part.kills += disturbance.done
        assert not differing, f"{sorted(differing)} are not those of one process"
        return disturbance.done


SHARED = [work for work in WORKS if work.name in ("landcover predict", "change pair")]
WAYS = {"worker": KILLS // 3, "node": KILLS // 6, "driver": KILLS // 3}
"""What is killed of a cluster, and how often."""


@pytest.mark.faults
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("work", SHARED, ids=lambda work: work.name)
def test_through_a_cluster_that_loses_parts_each_run_ends_as_in_one_process(work, way, nodes, forks, stock, tmp_path):
    seed = int(os.environ.get("ARPENT_FAULTS_SEED", "0"))
    killer = SharedKiller(nodes, work, forks, stock, tmp_path, seed)
    kills = max(1, WAYS[way])
    if way == "driver":
        killer.killed_from(killer.local, kills)
        return
    done = tries = 0
    while done < kills:
        tries += 1
        assert tries < 4 * kills + 4, f"only {done} of {tries} runs were disturbed"
        done += killer.disturbed(way)
