"""Forecasts of images of any height in the same memory, and runs that are killed at any moment."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from arpent.core import Grid, Strip, nomenclature
from arpent.data import Sample, SampleIndex
from arpent.io import CogWriter, RasterSpec
from arpent.store import Place, open_run, verify
from arpent.tasks.forecast.dataset import Dataset, DatasetFacts
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.predicting import foretell

FIRST = dt.date(2023, 3, 1)
WIDTH = 2_000


def write_tall(folder, height):
    """A DATASET of three dates that are `height` rows high; ground is seen at both ends and in the middle alone."""
    grid = Grid.north_up(500_000, 4_800_000, 10, height, WIDTH, 32631)
    rng = np.random.default_rng(1)
    seen = rng.gamma(4.4, 0.1 / 4.4, (2, 200, WIDTH)).astype(np.float32)
    samples = []
    for at in range(3):
        date = FIRST + dt.timedelta(days=6 * at)
        path = folder / "tall" / f"image_{date}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        spec = RasterSpec(grid, ("VV", "VH"), "float32", np.nan, compression="zstd")
        with CogWriter(path, spec) as writer:
            for window in grid.window.strips(200):
                ground = window.row in (0, height // 2, height - 200)
                writer.write(Strip(window.row, seen if ground else np.full_like(seen, np.nan)))
        samples.append(Sample(str(path), domain="tall", sensor="sentinel-1", date=date))
    facts = DatasetFacts(bands=("vv", "vh"), step_days=6, classes=nomenclature("sar"), filter="none")
    Dataset.write(folder, SampleIndex(samples), facts)
    return folder


PEAKS = """
import sys
from pathlib import Path
from arpent.store import Place
from arpent.tasks.forecast.predict_settings import ForetellSettings
from arpent.tasks.forecast.predicting import foretell
from arpent.testing.memory import peak_memory
model, *series = map(Path, sys.argv[1:])
settings = ForetellSettings(tile=256, halo=16, horizons=1, device="cpu", vector=False)
for dataset in series:
    foretell(dataset, model, Place(exact=dataset.with_name(f"{dataset.name}_run")), settings)
    print(peak_memory())
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_height(small_forecaster, tmp_path):
    """Twelve million pixels more: the forecast's input of three dates alone would take 288 MB.

    One process does both; its heap and GDAL's cache grow until they are full.
    """
    series = [write_tall(tmp_path / f"series{height}", height) for height in (1_000, 7_000)]
    done = subprocess.run(
        [sys.executable, "-c", PEAKS, small_forecaster(), *series],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    short, tall = map(int, done.stdout.split())
    assert tall - short < 192 * 2**20, (short, tall)
    for dataset in series:
        verify(open_run(dataset.with_name(f"{dataset.name}_run")))


LAUNCHER = """
import os, sys
sys.path.insert(0, sys.argv[1])
import test_predict_large
print("ready", flush=True)
for folder in map(str.strip, sys.stdin):
    child = os.fork()
    if child == 0:
        test_predict_large.predict_into(folder, *sys.argv[2:])
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def predict_into(folder, series, model):
    settings = ForetellSettings(tile=64, ring=4, halo=8, device="cpu")
    foretell(Path(series), Path(model), Place(exact=Path(folder), resume=True), settings)


def contents(folder):
    """Every file's bytes but those of the manifest; of it all but the times."""
    found = {path.name: path.read_bytes() for path in Path(folder).glob("[!.]*") if path.is_file()}
    manifest = json.loads(found.pop("manifest.json", b"{}"))
    told = {key: manifest[key] for key in manifest if key not in ("created", "finished", "attempts", "timings")}
    return found | {"manifest": told}


MOMENTS = {
    "while the first date is mapped": ".scratch/classes_2023-03-07/ledger.json",
    "once a date is mapped": "classes_2023-03-13.tif",
    "while the coming dates are foretold": ".scratch/forecast/ledger.json",
    "once they are foretold": "classes_2023-03-31_t2.tif",
    "once they are outlined": "polygons_2023-03-25_t1.parquet",
    "before the end": "timeline.json",
}


@pytest.mark.slow
def test_killed_at_several_moments_and_resumed_every_product_is_the_same(write_series, small_forecaster, tmp_path):
    series = write_series(tmp_path / "series", {"a": [40, 44, 48, 52]}, size=192)
    command = [sys.executable, "-c", LAUNCHER, Path(__file__).parent, series, small_forecaster()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def start(folder):
            process.stdin.write(f"{folder}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        assert process.stdout.readline() == "ready\n"
        start(tmp_path / "whole")
        assert int(process.stdout.readline()) == 0
        run, killed = tmp_path / "run", []
        for moment, mark in MOMENTS.items():
            child = start(run)
            until = time.monotonic() + 60
            while not (run / mark).exists() and time.monotonic() < until:
                time.sleep(0.001)
            os.kill(child, signal.SIGKILL)
            if int(process.stdout.readline()) == signal.SIGKILL and not (run / "manifest.json").exists():
                killed.append(moment)
        assert len(killed) >= 4, killed
        start(run)
        assert int(process.stdout.readline()) == 0
        process.stdin.close()
    assert contents(run) == contents(tmp_path / "whole")
    verify(open_run(run))
    assert not (run / ".scratch").exists()
