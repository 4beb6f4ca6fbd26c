"""What goes wrong on real machines: full disks, closed folders, Ctrl-C, images that are hardly images.

One line, the cure, the documented exit code, and nothing that looks finished and is not.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec
from arpent.testing.toys import toy_bundle

BANDS = ("red", "green", "blue", "nir")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("model") / "model.safetensors")


def write(path, height=300, width=300, *, crs=2154, bands=BANDS, dtype="uint8", nodata=None, values=None):
    grid = Grid.north_up(650_000, 6_860_000, 0.2, height, width, crs) if crs else Grid(height, width)
    if values is None:
        values = np.random.default_rng(1).integers(1, 255, (len(bands), height, width)).astype(dtype)
    with CogWriter(path, RasterSpec(grid, bands, dtype, nodata=nodata, compression="zstd")) as writer:
        writer.write(Strip(0, values))
    return path


def predict(image, model, out, *more):
    return ["landcover", "predict", str(image), "--model", str(model), "-o", str(out), "--runtime", "torch", *more]


def one_line(said, code, *words):
    assert said.code == code, said.err
    assert len(said.err.strip().splitlines()) == 1, said.err
    for word in words:
        assert word in said.err, said.err


def products(folder):
    return [path for path in Path(folder).rglob("*.tif") if not any(part.startswith(".") for part in path.parts)]


def test_an_image_without_a_place_is_mapped(arpent, model, tmp_path):
    assert arpent(*predict(write(tmp_path / "a.tif", crs=None), model, tmp_path / "map")).code == 0


def test_a_single_pixel_is_mapped(arpent, model, tmp_path):
    assert arpent(*predict(write(tmp_path / "a.tif", 1, 1), model, tmp_path / "map")).code == 0


def test_wrong_bands_are_named_with_what_there_is(arpent, model, tmp_path):
    image = write(tmp_path / "a.tif", bands=("red", "green", "blue"))
    one_line(arpent(*predict(image, model, tmp_path / "map")), 3, "nir", "red, green, blue")
    assert not products(tmp_path / "map")


def test_an_image_of_no_data_alone(arpent, model, tmp_path):
    image = write(tmp_path / "a.tif", nodata=0, values=np.zeros((4, 300, 300), np.uint8))
    one_line(arpent(*predict(image, model, tmp_path / "map")), 3, "no pixel with data")
    assert not products(tmp_path / "map")


def test_not_a_number_counts_as_no_data(arpent, model, tmp_path):
    import rasterio

    values = np.random.default_rng(1).random((4, 90, 90)).astype(np.float32)
    values[0, :30] = np.nan
    values[1, 40, 40] = np.inf
    image = write(tmp_path / "a.tif", 90, 90, dtype="float32", values=values)
    assert arpent(*predict(image, model, tmp_path / "map")).code == 0
    with rasterio.open(tmp_path / "map" / "classes.tif") as made:
        classes = made.read(1)
    assert (classes[:30] == 0).all()
    assert classes[40, 40] == 0
    assert (classes == 0).sum() == 30 * 90 + 1


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_image_is_found_wherever_it_ends(arpent, model, tmp_path, share):
    image = write(tmp_path / "a.tif", 1500, 1500)
    content = image.read_bytes()
    image.write_bytes(content[: int(share * len(content))])
    one_line(arpent(*predict(image, model, tmp_path / "map")), 3, "a.tif")
    assert not products(tmp_path / "map")


def in_small_world(mount, words, env=None):
    """Runs Arpent where `mount` has changed what is mounted, which takes the right to do so; None without it."""
    trial = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    if trial.returncode:
        return None
    command = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$0" -m arpent "$@"', sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)


def limited(words, size):
    """Runs Arpent where no file may grow beyond `size` bytes."""
    import resource

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    command = [sys.executable, "-m", "arpent", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, preexec_fn=limit)


def test_a_full_disk_is_one_line_and_leaves_no_product(model, tmp_path):
    rng = np.random.default_rng(1)
    image = write(tmp_path / "a.tif", 1200, 1200, values=rng.integers(1, 255, (4, 1200, 1200), dtype=np.uint8))
    disk = tmp_path / "disk"
    disk.mkdir()
    words = predict(image, model, disk / "map", "--probabilities")
    done = in_small_world(f"mount -t tmpfs -o size=300k tmpfs {disk}", words) or limited(words, 100_000)
    assert done.returncode == 7, done.stderr
    assert "space" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not products(disk)


def test_a_folder_that_may_not_be_written_is_one_line(model, tmp_path, arpent):
    image = write(tmp_path / "a.tif")
    closed = tmp_path / "closed"
    closed.mkdir()
    words = predict(image, model, closed / "map")
    if os.geteuid() == 0:  # root may write anywhere but on a disk that is read-only
        done = in_small_world(f"mount -t tmpfs -o ro tmpfs {closed}", words)
        if done is None:
            pytest.skip("root without the right to mount a read-only disk cannot be refused")
        code, text = done.returncode, done.stderr
    else:
        closed.chmod(0o500)
        said = arpent(*words)
        code, text = said.code, said.err
    assert code == 7, text
    assert len(text.strip().splitlines()) == 1
    assert "folder" in text


def test_ctrl_c_keeps_finished_rows_and_resume_goes_on(model, tmp_path, arpent):
    image = write(tmp_path / "a.tif", 4000, 600)
    words = predict(image, model, tmp_path / "map", "--tile", "128")
    child = subprocess.Popen([sys.executable, "-m", "arpent", *words], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while not list((tmp_path / "map").rglob("ledger.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    assert len(said.strip().splitlines()) == 1
    assert "--resume" in said
    assert not products(tmp_path / "map")
    assert arpent(*words).code == 7
    assert arpent(*words, "--resume").code == 0
    fresh = predict(image, model, tmp_path / "fresh", "--tile", "128")
    assert arpent(*fresh).code == 0
    assert (tmp_path / "map" / "classes.tif").read_bytes() == (tmp_path / "fresh" / "classes.tif").read_bytes()


def test_force_never_replaces_the_image_that_it_reads(arpent, model, tmp_path):
    image, home = write(tmp_path / "a.tif"), tmp_path / "map"
    assert arpent(*predict(image, model, home)).code == 0
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    before["a.tif"] = image.read_bytes()
    one_line(arpent(*predict(image.rename(home / "a.tif"), model, home, "--force")), 2, "cannot be replaced", "-o")
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


def test_a_folder_of_the_system_is_refused_in_a_line(arpent, model, tmp_path):
    one_line(arpent(*predict(write(tmp_path / "a.tif"), model, "/proc/x")), 7, "/proc/x", "Choose a folder")
