"""The guide on several machines, line by line; the second machine is a second node on this one."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.shutil import copy as copied_as

from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec
from arpent.store import open_run
from arpent.testing.toys import toy_bundle

SMALL = ["--device", "cpu", "--runtime", "torch", "--tile", "128", "--workers", "1"]


def a_country() -> None:
    """A sheet, as a VRT names it, and a model."""
    toy_bundle(Path("model.safetensors"))
    values = np.random.default_rng(0).integers(1, 255, (4, 200, 260)).astype("uint8")
    grid = Grid.north_up(549_000, 6_701_500, 0.2, 200, 260, "EPSG:2154")
    with CogWriter(Path("sheet.tif"), RasterSpec(grid, ("red", "green", "blue", "nir"), "uint8", nodata=0)) as writer:
        writer.write(Strip(0, values))
    copied_as("sheet.tif", "country.vrt", driver="VRT")


def products() -> dict[str, str]:
    """The hashes of what the run holds."""
    made = open_run("runs/country").manifest.products
    return {one.file: one.sha256 for one in made if one.kind == "raster"}


class Machines:
    """What Ray's own command starts, until the guide is at its end."""

    def __init__(self, folder: str, ending: ExitStack) -> None:
        self._folder, self._ending = folder, ending
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    def here(self, line: str) -> list[str]:
        """The words of a line, with this machine in the place of the one that the page names."""
        port = self.address.partition(":")[2]
        return shlex.split(line.replace("10.0.0.1:6379", self.address).replace("--port 6379", f"--port {port}"))

    def start(self, line: str) -> None:
        """A node, which stays until it is ended; the first is waited for."""
        program, *words = self.here(line)
        words += ["--block", "--num-cpus", "1", "--object-store-memory", str(80 << 20)]
        words += ["--node-ip-address", "127.0.0.1"]
        if "--head" in words:
            words += ["--temp-dir", self._folder, "--include-dashboard", "false"]
        node = subprocess.Popen(
            [Path(sys.executable).with_name(program), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._ending.callback(node.wait, 60)
        self._ending.callback(node.terminate)
        host, _, port = self.address.partition(":")
        until = time.monotonic() + 240
        while "--head" in words:
            with socket.socket() as asking:
                if asking.connect_ex((host, int(port))) == 0:
                    break
            assert time.monotonic() < until and node.poll() is None, line
            time.sleep(0.2)


@pytest.mark.faults
def test_several_machines_from_the_first_line_to_the_last(
    typist: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute, most of it Ray's own start."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'arpent[cluster]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    a_country()
    made = []

    def exported(line: str) -> None:
        for word in shlex.split(line)[1:]:
            monkeypatch.setenv(*word.split("=", 1))

    with ExitStack() as ending:
        folder = ending.enter_context(tempfile.TemporaryDirectory(prefix="ray", dir="/tmp"))  # sockets want short paths
        machines = Machines(folder, ending)

        def predicted(line: str) -> None:
            words = [sys.executable, "-m", *machines.here(line), *SMALL, "--force"]
            done = subprocess.run(words, capture_output=True, text=True, timeout=400, env=os.environ)
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            made.append(products())

        guide = typist("cluster.md")
        guide.left = {"pip install": "installs from the network, which tests may not reach"}
        guide.hands = {"export": exported, "ray start": machines.start, "arpent landcover predict": predicted}
        guide.type_all()
    assert len(made) == 2 and made[0] and made[0] == made[1], "whoever works, the bytes are the same"
