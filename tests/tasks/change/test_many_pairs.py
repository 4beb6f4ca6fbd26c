"""Long lists: one network, a memory that does not grow, and any number of sudden ends."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from arpent.models import save_bundle
from arpent.store import Place
from arpent.tasks.change import ChangeSettings, Frame, Pair, many_pairs
from arpent.tasks.change.finished_pairs import FinishedPairs
from arpent.tasks.change.many_pairs import ListNetworks, swept
from arpent.tasks.change.reference_config import read_reference
from arpent.tasks.change.reference_plan import plan_reference
from arpent.tasks.change.running import run_reference

CONFIG = """
csv_inference_file: pairs.csv
inference_save_folder_frame_0: before
inference_save_folder_frame_1: after
num_predictions: 2
change_map: { save_dates_layer: true, date_regex: '_(\\d{7})' }
feature_maps: { return: false }
mosaic_params: { target_crs: 'EPSG:32618' }
model_params: { load_params: { checkpoint_path: nano.safetensors }, img_size: 64 }
"""

RUN = """
import os, sys
from pathlib import Path
import matplotlib.backends.backend_agg, matplotlib.figure
from arpent.store import Place
from arpent.tasks.change import running
from arpent.tasks.change.reference_config import read_reference
from arpent.tasks.change.reference_plan import plan_reference
from arpent.testing.memory import peak_memory
plan = plan_reference(read_reference("list.yaml", sys.argv[1:]), {"runtime": "torch"})
"""

MEASURED = """
peaks, real = [], running.compare
def compare(*words, **options):
    made = real(*words, **options)
    peaks.append(peak_memory())
    return made
running.compare = compare
running.run_reference(plan, Place(exact=Path("run")))
print(peaks)
"""

KILLED = """
import random, signal, time, torch
torch.set_num_threads(1)
random.seed(5)
def files():
    return [found for place in ("run", "before", "after") for found in os.walk(place)]
kills = 0
while True:
    number = os.fork()
    if number == 0:
        running.run_reference(plan, Place(exact=Path("run"), resume=Path("run/.scratch/start.json").exists()))
        os._exit(0)
    seen, changes = files(), random.randint(1, 30) if kills < 5 else 1_000_000
    while changes:
        ended, status = os.waitpid(number, os.WNOHANG)
        if ended:
            print(kills, status)
            sys.exit()
        time.sleep(0.002)
        changes, seen = changes - (files() != seen), files()
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    kills += 1
"""


@pytest.fixture
def listed(nano, land, tmp_path, monkeypatch):
    """Makes a working folder with so many pairs of one place."""

    def make(count, height=64, width=64):
        bundle = nano()
        save_bundle(tmp_path / "nano.safetensors", bundle.model, bundle.contract)
        for number in range(count):
            land(tmp_path / f"a_{2020001 + number}.tif", height, width, seed=number)
        land(tmp_path / "b_2024001.tif", height, width, seed=count)
        rows = [f"a_{2020001 + number}.tif,b_2024001.tif\n" for number in range(count)]
        (tmp_path / "pairs.csv").write_text("input_file_0,input_file_1\n" + "".join(rows))
        (tmp_path / "list.yaml").write_text(CONFIG)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return make


def done_by(script, *assignments):
    """What a process of its own prints."""
    command = [sys.executable, "-W", "ignore", "-c", RUN + script, *assignments]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1]


def test_memory_does_not_grow_with_the_number_of_pairs(listed):
    listed(30)
    peaks = json.loads(done_by(MEASURED, "num_predictions=1", "task_list=[infer]"))
    assert len(peaks) == 30
    # Pictures that are dead and not yet found would add 40 MB.
    assert peaks[-1] < peaks[-11] + 16 * 2**20, [peak >> 20 for peak in peaks]


def test_killed_again_and_again_every_placed_file_is_the_same(listed):
    folder = listed(2, 70, 80)
    plan = plan_reference(read_reference("list.yaml"), {"runtime": "torch"})
    run_reference(plan, Place(exact=Path("whole")))
    wanted = contents(folder)
    for place in ("before", "after"):
        for file in (folder / place).iterdir():
            file.unlink()
    kills, status = map(int, done_by(KILLED).split())
    assert (kills, status) == (5, 0)
    assert contents(folder) == wanted
    assert {path.name for path in Path("run").iterdir()} == {path.name for path in Path("whole").iterdir()}


def test_stopped_when_the_mosaics_are_there_a_run_makes_them_again(listed, monkeypatch):
    folder = listed(2, 70, 80)
    plan = plan_reference(read_reference("list.yaml"), {"runtime": "torch"})
    real = FinishedPairs.remember_mosaics

    def stopped(*told):
        real(*told)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(FinishedPairs, "remember_mosaics", stopped)
        run_reference(plan, Place(exact=Path("run")))
    pairs = contents(folder)
    done = run_reference(plan, Place(exact=Path("run"), resume=True))
    assert [one.state for one in done.outcomes] == ["kept", "kept"]
    assert pairs.items() < contents(folder).items()
    assert (folder / "run" / "mosaic_cosine_map_dummy_c.tif").exists()


def contents(folder):
    files = [path for place in ("before", "after") for path in sorted((folder / place).iterdir())]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_list_starts_one_network_for_each_thing_that_it_asks(listed, monkeypatch):
    folder, started, real = listed(2, 70, 80), [], many_pairs.start_pair_network

    def counting(bundle, asked, *rest, **options):
        started.append(asked.outputs)
        return real(bundle, asked, *rest, **options)

    monkeypatch.setattr(many_pairs, "start_pair_network", counting)
    tables = ("task_list=[infer]", "feature_maps.return=true", "feature_maps.write_as_df=true")
    made = run_reference(plan_reference(read_reference("list.yaml", tables), {}), Place(exact=folder / "run"))
    assert [one.state for one in made.outcomes] == ["done", "done"]
    # Tables are those of the first prediction alone.
    assert started == [("cosine", "which", "features"), ("cosine", "which")]


def test_predictions_that_would_begin_beyond_the_image_are_left_out(listed):
    folder = listed(1, 64, 90)
    config = read_reference("list.yaml", ("task_list=[infer]", "num_predictions=3"))
    made = run_reference(plan_reference(config, {"runtime": "torch"}), Place(exact=folder / "run"))
    assert [one.state for one in made.outcomes] == ["done"]
    assert len(made.placed) == 3


@pytest.mark.parametrize("length, runtime", [(2, "torch"), (10_000_000, "openvino")])
def test_the_whole_list_tells_which_runtime_pays(nano, land, tmp_path, length, runtime):
    pytest.importorskip("openvino")
    pair = Pair((Frame(land(tmp_path / "a.tif")), Frame(land(tmp_path / "b.tif", seed=1))), "pair")
    settings = ChangeSettings(device="cpu")
    networks = ListNetworks(nano(), Repeated(pair, length))
    assert networks.of(pair, settings).name == runtime
    assert networks.of(pair, settings) is networks.of(pair, settings)


class Repeated(list):
    """A list of one pair over and over."""

    def __init__(self, pair, length):
        super().__init__([pair] * 20)
        self._length = length

    def __len__(self):
        return self._length


def test_pairs_that_cannot_be_opened_are_no_work(nano):
    lost = Pair((Frame("gone.tif"), Frame("gone too.tif")), "lost")
    assert ListNetworks(nano(), [lost]).of(lost, ChangeSettings(device="cpu")).name == "torch"


class Ring:
    """Something that only a search through memory finds."""

    def __init__(self):
        self.self = self


def test_what_is_dead_goes_while_a_list_is_done():
    rings = []
    for number in swept(range(20)):
        rings.append(weakref.ref(Ring()))
        assert number < 16 or sum(ring() is not None for ring in rings) < 10
