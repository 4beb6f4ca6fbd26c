"""Work shared through Ray: the same bytes as in one process, whatever happens to workers, nodes and the driver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from arpent.cli.app import main
from arpent.core import Band, Contract, Grid, Normalisation, Silent, Strip, file_sha256
from arpent.engine import ItemJob, ItemOptions, Product, Reading, Rows, hired, made_ahead, on_cluster, run_items
from arpent.engine import cluster as cluster_room
from arpent.engine.crew import working_with
from arpent.errors import ExtraMissing, FileMissing, InvalidSetting, UnreadableFile
from arpent.io import CogWriter, RasterSpec
from arpent.models import build, save_bundle
from arpent.store import Place
from arpent.tasks.change import ChangeSettings, Frame, Pair
from arpent.tasks.change.comparing import compare
from arpent.tasks.change.weights import load_model
from arpent.tasks.landcover import MapSettings, map_image
from arpent.testing.machines import Machines
from arpent.testing.toys import toy_bundle

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'arpent[cluster]'")

COLOURS = ("red", "green", "blue", "nir")
ROWS = pa.schema([("item", pa.int64()), ("total", pa.int64()), ("batch", pa.int64())])
PASSING = ("created", "finished", "attempts", "timings")
SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20, "node_ip_address": "127.0.0.1"}

TOKEN = {**os.environ, "RAY_AUTH_TOKEN": "of-this-test-" + "0" * 51, "RAY_AUTH_MODE": "token"}
"""Whoever lacks it is not let in."""


@pytest.fixture(scope="module")
def nodes():
    """Three simulated nodes with a core each; all but the first may be taken away."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    both = Cluster(initialize_head=True, head_node_args={**SMALL, "include_dashboard": False})
    try:
        others = [both.add_node(**SMALL) for _ in range(2)]
        ray.init(address=both.address, _node_ip_address="127.0.0.1", log_to_driver=False, logging_level="ERROR")
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield both, others
    finally:
        ray.shutdown()
        both.shutdown()


@pytest.fixture(scope="module")
def machines():
    """A cluster of two nodes, each started as users do it."""
    with Machines(TOKEN) as started:
        started.start("--head", "--port", started.port, "--disable-usage-stats")
        started.start("--address", started.address, "--disable-usage-stats")
        yield started


@pytest.fixture(scope="module")
def team(nodes):
    """Three workers, for all tests."""
    with ExitStack() as hiring:
        hiring.enter_context(on_cluster(workers=3))
        crew = hired()
        with working_with(None):
            yield crew


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    values = np.random.default_rng(1).integers(1, 255, (4, 400, 330)).astype("uint8")
    values[:, :130, :140] = 0  # a tile that no network sees
    grid = Grid.north_up(650_000, 6_860_000, 0.2, 400, 330, 2154)
    path = tmp_path_factory.mktemp("image") / "scene.tif"
    with CogWriter(path, RasterSpec(grid, COLOURS, "uint8", nodata=0)) as writer:
        writer.write(Strip(0, values))
    return path


SETTINGS = MapSettings(tile=128, batch_size=2, runtime="torch", device="cpu", probabilities=True)


def mapped(image, model, folder, *, resume=False, progress=None):
    map_image(str(image), model, Place(exact=folder, resume=resume), SETTINGS, progress=progress)
    return contents(folder)


def contents(folder):
    """The bytes of all files of a run, and what its manifest says besides times."""
    files = {path.name: path.read_bytes() for path in Path(folder).glob("[!.]*") if path.suffix in (".tif", ".parquet")}
    manifest = json.loads((Path(folder) / "manifest.json").read_text())
    return files, {key: manifest[key] for key in ("settings", "metrics", "failures", "warnings") if key in manifest}


@pytest.fixture(scope="module")
def plain(image, model, tmp_path_factory):
    """The map as one process makes it."""
    return mapped(image, model, tmp_path_factory.mktemp("plain") / "run")


def test_a_map_has_the_bytes_of_one_process(team, image, model, plain, tmp_path):
    with working_with(team):
        shared = mapped(image, model, tmp_path / "run")
    assert shared == plain and len(shared[0]) == 2


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two dates of a place, and a model of change beside them."""
    folder = tmp_path_factory.mktemp("pair")
    bands = ("B02", "B03", "B04", "B8A", "B11", "B12")
    shape = {"width": 32, "depth": 2, "heads": 4, "decoder_width": 32, "decoder_depth": 1, "decoder_heads": 4}
    shape |= {"frames": 2, "image_size": 64, "patch": 16, "channels": 6}
    rule = Normalisation(origin="test", mean=(1000.0,) * 6, std=(500.0,) * 6)
    facts = {"task": "change", "architecture": "planaura", "settings": shape, "nodata": -9999, "arpent": "1"}
    torch.manual_seed(1)
    contract = Contract(bands=tuple(Band(name=name) for name in bands), normalisation=rule, **facts)
    save_bundle(folder / "m.safetensors", build("planaura", shape).eval(), contract)
    for day in (2020100, 2021100):
        values = np.random.default_rng(day).integers(200, 3000, (6, 150, 170)).astype("int16")
        grid = Grid.north_up(500_000, 5_000_000, 30.0, 150, 170, 32618)
        with CogWriter(folder / f"{day}.tif", RasterSpec(grid, bands, "int16", nodata=-9999)) as writer:
            writer.write(Strip(0, values))
    return folder


def test_a_comparison_has_the_bytes_of_one_process(team, pair, tmp_path):
    bundle = load_model(pair / "m.safetensors")
    frames = tuple(Frame(str(pair / f"{day}.tif"), day) for day in (2020100, 2021100))
    settings = ChangeSettings(runtime="torch", device="cpu", features=True, table="geoparquet")

    def made(name):
        with Place(exact=tmp_path / name).begin("change", name, {}) as run:
            run.use_bundle(pair / "m.safetensors", file_sha256(pair / "m.safetensors"))
            compare(run, Pair(frames, "pair"), bundle, settings)
            run.finish()
        return contents(tmp_path / name)[0]

    alone = made("alone")
    with working_with(team):
        assert made("shared") == alone
    assert len(alone) > 3


@pytest.mark.faults
def test_a_cluster_that_ray_start_makes_maps_the_same_bytes(machines, image, model, plain, tmp_path):
    shared = ("--engine", "ray", "--address", machines.address, "--workers", 2)
    ended = machines.run([*command(image, model, tmp_path / "run"), *shared])
    assert ended.status == 0, ended.said
    assert ended.worked == {0, 1}, "a worker on each node has done a part"
    assert contents(tmp_path / "run")[0] == plain[0]


@pytest.mark.faults
def test_a_cluster_that_ray_start_makes_compares_to_the_same_bytes(machines, pair, tmp_path):
    words = ["change", "pair", pair / "2020100.tif", pair / "2021100.tif", "--model", pair / "m.safetensors"]
    words += ["--date0", 2020100, "--date1", 2021100, "--features", "--table", "geoparquet"]
    words += ["--runtime", "torch", "--device", "cpu", "--batch-size", 2, "-o"]
    assert main([*map(str, words), str(tmp_path / "alone"), "--quiet"]) == 0
    shared = ("--engine", "ray", "--address", machines.address, "--workers", 2)
    ended = machines.run([sys.executable, "-m", "arpent", *words, tmp_path / "shared", *shared])
    assert ended.status == 0, ended.said
    assert ended.worked == {0, 1}, "a worker on each node has done a part"
    alone = contents(tmp_path / "alone")[0]
    assert contents(tmp_path / "shared")[0] == alone and len(alone) > 3


def command(image, model, run):
    words = [sys.executable, "-m", "arpent", "landcover", "predict", image, "--model", model, "-o", run]
    return [*words, "--runtime", "torch", "--device", "cpu", "--tile", 128, "--batch-size", 2, "--probabilities"]


@dataclass
class Sums:
    """Adds up numbers from batch to batch; some are faulty, and at some a worker ends, or has too little memory."""

    faulty: tuple[int, ...] = ()
    ends: tuple[int, Path] | None = None
    most: int = 99
    total: int = 0

    def products(self):
        return (Product("totals", "totals", kind="table"),)

    def name(self, item):
        return f"group {item // 5}"

    def prepare(self, item):
        if item in self.faulty:
            raise UnreadableFile(f"item {item} is cut short", found="half", cure="Take a fresh copy.")
        return np.full((1 + item % 7 // 5, 40_000), item)  # large enough to lie in the object store

    def alike(self, ready):
        return ready.shape

    def answer(self, batch):
        items = [int(ready[0, 0]) for ready in batch]
        if len(items) > self.most:
            raise MemoryError
        if self.ends is not None and self.ends[0] in items and not self.ends[1].exists():
            self.ends[1].touch()
            os._exit(1)
        return tuple((item, len(items)) for item in items)

    def take(self, told):
        rows = []
        for item, size in told:
            self.total += item
            rows.append({"item": item, "total": self.total, "batch": size})
        return {"totals": Rows(pa.Table.from_pylist(rows, ROWS))}

    def state(self):
        return {"total": np.array(self.total)}

    def restore(self, arrays):
        self.total = int(arrays["total"])


def opened_sums(faulty, ends, most, opened):
    return Sums(faulty, ends, most)


def summed(folder, faulty=(), ends=None, most=99, count=40, progress=None):
    work = Sums(faulty, ends, most)
    told = {"opener": partial(opened_sums, faulty, ends, most), "progress": progress or Silent()}
    options = ItemOptions(3, unit="numbers", every=0.0, **told)
    with Place(exact=folder).begin("describe", "numbers", {}) as run:
        job = ItemJob(work, range(count), run, options, {"totals": ROWS}, memory=work)
        done = run_items(job)
        run.finish()
    told = [(failed.number, failed.name, str(failed.error)) for failed in done.failures]
    return pq.read_table(folder / "totals.parquet").to_pydict(), told, contents(folder)[1]


def test_a_list_has_the_rows_and_the_faults_of_one_process(team, tmp_path):
    alone = summed(tmp_path / "alone", (7, 8, 22))
    with working_with(team):
        shared = summed(tmp_path / "shared", (7, 8, 22))
    assert shared == alone and len(alone[1]) == 2 and "cut short (found half)" in alone[1][0][2]


def test_a_worker_that_ends_costs_nothing(team, tmp_path):
    alone = summed(tmp_path / "alone")
    with working_with(team):
        assert summed(tmp_path / "shared", ends=(17, tmp_path / "ended")) == alone
    assert (tmp_path / "ended").exists()


def test_a_batch_too_large_for_a_worker_goes_in_parts_and_that_is_said(team, tmp_path):
    whole = summed(tmp_path / "whole")
    with working_with(team):
        rows, _, manifest = summed(tmp_path / "parts", most=2)
    assert rows["total"] == whole[0]["total"]
    assert max(rows["batch"]) == 2 and "memory was too short" in json.dumps(manifest)


def opened_square(opened):
    return lambda number: (os.getpid(), number**2)


def test_little_is_under_way_and_all_of_it_comes_in_order(team):
    taken = []

    def numbers():
        for number in range(60):
            taken.append(number)
            yield number

    found, workers = [], set()
    with working_with(team):
        for pid, square in made_ahead(opened_square, numbers(), Reading(1, 1)):
            workers.add(pid)
            found.append(square)
            assert len(taken) - len(found) <= 3 * 3
    assert found == [number**2 for number in range(60)] and len(workers) == 3


def opened_nowhere(opened):
    raise FileMissing("there is no /mnt/images/a.tif", cure="Give another.")


def test_a_node_that_sees_no_files_is_named_in_one_line(team):
    with working_with(team), pytest.raises(FileMissing, match=r"the node .* cannot work: there is no /mnt.*storage"):
        list(made_ahead(opened_nowhere, [1, 2, 3], Reading(1, 1)))


def test_work_that_cannot_be_shared_says_so(team, tmp_path):
    work = Sums()
    with (
        working_with(team),
        pytest.raises(InvalidSetting, match="Leave out --engine ray"),
        Place(exact=tmp_path / "run").begin("describe", "numbers", {}) as run,
    ):
        run_items(ItemJob(work, range(4), run, ItemOptions(), {"totals": ROWS}, memory=work))


def test_a_driver_that_is_killed_goes_on_to_the_same_bytes(nodes, team, image, model, plain, tmp_path):
    both, _ = nodes
    run = tmp_path / "run"
    words = [*command(image, model, run), "--engine", "ray", "--address", both.address, "--workers", 1]
    driver = subprocess.Popen([str(word) for word in words], stderr=subprocess.PIPE)
    ledger = run / ".scratch" / "ledger.json"
    until = time.monotonic() + 120
    while driver.poll() is None and not ledger.exists() and time.monotonic() < until:
        time.sleep(0.005)
    driver.send_signal(signal.SIGKILL)
    _, said = driver.communicate()
    assert ledger.exists(), said.decode()
    assert driver.returncode == -signal.SIGKILL
    assert not (run / "manifest.json").exists()
    with working_with(team):
        assert mapped(image, model, run, resume=True) == plain


class Losing:
    """Progress that takes a node away when some tiles are done."""

    def __init__(self, take):
        self.take, self.seen = take, 0

    def bar(self, title, total, unit):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def advance(self, count=1):
        self.seen += count
        if self.seen >= 4 and self.take is not None:
            take, self.take = self.take, None
            take()


def opened_place(opened):
    return lambda number: ray.get_runtime_context().get_node_id()


def taking(nodes, team):
    """Progress that takes one of the nodes away, on which there is a worker.

    On a machine that is busy Ray may have given up a node by itself: there is a new one, and workers are placed anew.
    """
    both, others = nodes
    others.append(both.add_node(**SMALL))
    team.dismiss()
    with working_with(team):
        places = set(made_ahead(opened_place, range(18), Reading(1, 1)))
    lost = next(node for node in others if node.node_id in places)
    others.remove(lost)
    return Losing(partial(both.remove_node, lost, allow_graceful=False))


@pytest.mark.faults
def test_a_node_that_is_lost_costs_nothing(nodes, team, image, model, plain, tmp_path):
    progress = taking(nodes, team)
    with working_with(team):
        assert mapped(image, model, tmp_path / "run", progress=progress) == plain
    assert progress.take is None


@pytest.mark.faults
def test_what_was_read_on_a_node_that_is_lost_is_read_again(nodes, team, tmp_path):
    alone = summed(tmp_path / "alone", (7, 22))
    progress = taking(nodes, team)
    with working_with(team):
        assert summed(tmp_path / "shared", (7, 22), progress=progress) == alone
    assert progress.take is None


def test_what_is_no_cluster_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(cluster_room.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"arpent\[cluster\]"), on_cluster():
        pass
