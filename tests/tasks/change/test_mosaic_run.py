"""A mosaic as a run: killed and resumed, bounded, from the command line, and over the clouds of a commune."""

import datetime as dt
import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio

from arpent.cli.app import CommandEntry
from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec
from arpent.pixels import decode_quality, worst_quality
from arpent.store import Place, open_run
from arpent.tasks.change.mosaic import make_mosaic
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.testing import Commune, Sky

BANDS = ("B02", "B03", "B04", "B8A", "B11", "B12")
# Of HLS, published with Planaura's weights.
MEAN = np.array([643.9851, 845.6229, 788.6456, 2172.8008, 1489.5220, 883.1777])[:, None, None]
STD = np.array([1560.9802, 1540.3963, 1490.3253, 1327.4828, 906.7046, 672.1715])[:, None, None]


def product(path, pixels, grid, nodata):
    path.parent.mkdir(parents=True, exist_ok=True)
    spec = RasterSpec(grid, (path.name.split("!")[0],), str(pixels.dtype), nodata, overviews="nearest")
    with CogWriter(path, spec) as writer:
        writer.write(Strip(0, pixels[None]))


def noisy_pairs(folder, count, side=40, spread=1, dates=True):
    rng = np.random.default_rng(3)
    for number in range(count):
        grid = Grid.north_up(600_000 + 30 * spread * number, 5_000_000, 30, side, side, "EPSG:32618")
        cosine = rng.uniform(-1, 1, grid.shape).astype(np.float32)
        product(folder / f"cosine_map!{number:03}.tif", cosine, grid, -100)
        if not dates:
            continue
        product(folder / f"after_date!{number:03}.tif", np.full(grid.shape, 2020001 + number, np.int32), grid, -100)
    return folder


def run(folder, out, *, resume=False):
    return make_mosaic(
        [Path(folder)], Place(exact=Path(out), resume=resume), MosaicSettings(crs="EPSG:3979", resolution=11)
    )


def test_killed_without_warning_and_resumed_every_pixel_is_the_same(tmp_path):
    folder = noisy_pairs(tmp_path / "in", 1, side=500)
    whole = run(folder, tmp_path / "whole")
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_mosaic_run\n"
        f"test_mosaic_run.run({str(folder)!r}, {str(tmp_path / 'killed')!r}, resume=True)\n"
    )
    kills = 0
    for stage in ("mosaic-choice", "mosaic-after_date"):
        child = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
        ledger = tmp_path / "killed" / ".scratch" / stage / "ledger.json"
        while child.poll() is None and not ledger.exists():
            time.sleep(0.002)
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            kills += 1
        child.wait()
    assert kills == 2
    assert not (tmp_path / "killed" / "manifest.json").exists()
    resumed = run(folder, tmp_path / "killed", resume=True)
    assert resumed.run.manifest.attempts == 3
    for layer, path in whole.fused.files.items():
        assert path.read_bytes() == resumed.fused.files[layer].read_bytes(), layer


def test_another_process_makes_the_same_mosaic(tmp_path, elsewhere):
    folder = noisy_pairs(tmp_path / "in", 3, side=60, spread=9)
    whole = run(folder, tmp_path / "whole")
    with elsewhere():
        again = run(folder, tmp_path / "elsewhere")
    for layer, path in whole.fused.files.items():
        assert path.read_bytes() == again.fused.files[layer].read_bytes(), layer


class Watch:
    """A progress that looks how many files are open."""

    def __init__(self):
        self.most = 0

    @contextmanager
    def bar(self, title, total=None, unit=""):
        yield self

    def advance(self, amount=1):
        self.most = max(self.most, len(list(Path("/proc/self/fd").iterdir())))

    def note(self, text):
        """Says nothing."""


def test_two_hundred_pairs_never_hold_more_files_than_allowed(tmp_path):
    folder = noisy_pairs(tmp_path / "in", 200, dates=False)
    watch, before = Watch(), len(list(Path("/proc/self/fd").iterdir()))
    settings = MosaicSettings(open_files=8, crs="EPSG:32618", resolution=60)
    made = make_mosaic([folder], Place(exact=tmp_path / "out"), settings, progress=watch)
    assert watch.most - before <= 8 + 24  # and those of the writers, their logs and the winners
    assert made.fused.metrics["pairs"] == 200
    with rasterio.open(made.fused.files["persistence"]) as counts:
        assert counts.read().max() >= 38


PEAK = """
import sys
from pathlib import Path
from arpent.store import Place
from arpent.tasks.change.mosaic import make_mosaic
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.testing.memory import peak_memory
make_mosaic([Path(sys.argv[1])], Place(exact=Path(sys.argv[2])), MosaicSettings(open_files=4))
print(peak_memory())
"""


def test_memory_does_not_grow_with_the_number_of_pairs(tmp_path):
    peaks = []
    for count in (4, 64):
        folder = noisy_pairs(tmp_path / f"in{count}", count, side=500, spread=0, dates=False)
        command = [sys.executable, "-c", PEAK, str(folder), str(tmp_path / f"out{count}")]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    stacked = 60 * 500 * 500 * 4
    assert peaks[1] - peaks[0] < stacked / 2


@pytest.fixture(scope="module")
def cloudy_commune(tmp_path_factory):
    """Four pairs of one place around the events of 2022, a third of the sky covered at each date, and the truth."""
    folder, commune = tmp_path_factory.mktemp("commune"), Commune(seed=5)
    grid = commune.grid("hls-s30", size=96)
    for number in range(4):
        seen = []
        for day in (dt.date(2021, 6, 10 + 5 * number), dt.date(2023, 6, 8 + 5 * number)):
            sky = Sky(clouds=0.3)
            image = commune.view("hls-s30", grid, date=day, sky=sky, bands=BANDS).pixels
            quality = decode_quality(commune.quality("hls-s30", grid, date=day, sky=sky), "fmask")
            seen.append(((image - MEAN) / STD, quality))
        (one, first), (two, second) = seen
        cosine = (one * two).sum(0) / np.sqrt((one**2).sum(0) * (two**2).sum(0))
        product(folder / f"cosine_map!{number}.tif", cosine.astype(np.float32), grid, -100)
        product(folder / f"quality_fmask!{number}.tif", worst_quality(first, second), grid, 255)
    return folder, commune.changes(grid, dt.date(2021, 6, 10), dt.date(2023, 6, 30)) > 0


def false_share(path, truth):
    """Share of unchanged ground with data that the map calls changed."""
    with rasterio.open(path) as file:
        cosine = file.read(1)
    known = cosine != -100
    return ((cosine < 0.75) & ~truth & known).sum() / (~truth & known).sum()


def test_a_mosaic_removes_clouds_that_single_pairs_show_as_change(cloudy_commune, tmp_path):
    folder, truth = cloudy_commune
    single = [false_share(path, truth) for path in sorted(folder.glob("cosine_map*"))]
    plain = make_mosaic([folder], Place(exact=tmp_path / "plain"), MosaicSettings())
    dropped = make_mosaic([folder], Place(exact=tmp_path / "dropped"), MosaicSettings(exclude=("cloud", "shadow")))
    fused = false_share(plain.fused.files["cosine_map"], truth)
    clear = false_share(dropped.fused.files["cosine_map"], truth)
    assert fused < 0.5 * min(single)
    assert clear < 0.5 * fused
    assert dropped.fused.metrics["valid_share"] > 0.5


@pytest.fixture
def with_command(monkeypatch):
    """The command line with ``arpent change-mosaic``, whatever gathers the commands of change."""
    from arpent.cli import app

    monkeypatch.setitem(app.COMMANDS, "change-mosaic", CommandEntry("arpent.cli.change_mosaic", "Mosaics."))
    return app.main


def test_from_the_command_line(with_command, tmp_path, capsys):
    folder = noisy_pairs(tmp_path / "in", 2, side=9)
    (folder / "cosine_map!bad.tif").write_bytes(b"no image")
    words = ["change-mosaic", str(folder), "-o", str(tmp_path / "out"), "--crs", "EPSG:3979", "--resolution", "30"]
    assert with_command([*words, "--json", "--postfix", "été"]) == 9
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["class"] == "PartialFailure"
    assert document["result"]["files"]["cosine_map"].endswith("mosaic_cosine_map_été_c.tif")
    (folder / "cosine_map!bad.tif").unlink()
    assert with_command([*words, "--force", "--language", "fr"]) == 0
    assert open_run(tmp_path / "out").manifest.language == "fr"
    assert with_command([*words, "--force"]) == 0
    assert "2 pairs" in capsys.readouterr().out
    assert with_command([*words, "--force", "--exclude", "clouds"]) == 2
    assert with_command([*words[:2], "--postfix", "../up"]) == 2
