"""The guide on several machines, line by line; the second machine is a second node on this one."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.shutil import copy as copied_as

from arpent.cli.app import main
from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec
from arpent.store import open_run
from arpent.testing.machines import Machines
from arpent.testing.toys import toy_bundle

SMALL = ["--device", "cpu", "--runtime", "torch", "--tile", "128"]


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


@pytest.mark.faults
def test_several_machines_from_the_first_line_to_the_last(
    typist: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute, most of it Ray's own start."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'arpent[cluster]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    a_country()
    assert main(["landcover", "predict", "country.vrt", "-m", "model.safetensors", "-o", "runs/country", *SMALL]) == 0
    made, worked = [products()], []

    def exported(line: str) -> None:
        for word in shlex.split(line)[1:]:
            monkeypatch.setenv(*word.split("=", 1))

    with Machines(os.environ) as machines:

        def here(line: str) -> list[str]:
            """The words of a line, with this machine in the place of the one that the page names."""
            line = line.replace("10.0.0.1:6379", machines.address)
            return shlex.split(line.replace("--port 6379", f"--port {machines.port}"))

        def predicted(line: str) -> None:
            ended = machines.run([sys.executable, "-m", *here(line), *SMALL, "--workers", "2", "--force"])
            assert ended.status == 0, f"{line}\n{ended.said}"
            made.append(products())
            worked.append(ended.worked)

        guide = typist("cluster.md")
        guide.left = {"pip install": "installs from the network, which tests may not reach"}
        guide.hands = {
            "export": exported,
            "ray start": lambda line: machines.start(*here(line)[2:]),
            "arpent landcover predict": predicted,
        }
        guide.type_all()
    assert worked == [set(), {0, 1}], "first Ray on this machine alone, then the two nodes that the page has started"
    assert len(made) == 3 and made[0] and made[0] == made[1] == made[2], "whoever works, the bytes are the same"
