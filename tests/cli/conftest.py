"""The command line as a stranger meets it: in this process for speed, in another one for the truth."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arpent.cli.app import main
from arpent.core import Band, Contract, Grid, Normalisation, Strip
from arpent.io import CogWriter, RasterSpec


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


@pytest.fixture
def arpent(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs ``arpent WORDS…`` in this process."""

    def run(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def guide(root: Path, request: pytest.FixtureRequest) -> str:
    """The text of the guide that a module is about: its GUIDE."""
    return (root / "docs" / "howto" / request.module.GUIDE).read_text("utf-8")


@pytest.fixture(scope="module")
def written(guide: str) -> list[list[str]]:
    """The commands of that guide under "Try it", in their order."""
    block = re.search(r"## Try it.*?```console\n(.*?)```", guide, re.DOTALL)
    assert block is not None
    return [shlex.split(line.removeprefix("$ arpent ")) for line in block[1].splitlines()]


@pytest.fixture
def arpent_process() -> Callable[..., Said]:
    """Runs ``arpent WORDS…`` in a process of its own; `env` adds to its environment."""

    def run(*words: object, env: dict[str, str] | None = None, timeout: float = 60) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "arpent", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=os.environ | (env or {}),
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle for red, green and blue."""
    import torch

    from arpent import __version__
    from arpent.models import PlanauraSettings, build, save_bundle

    settings = PlanauraSettings(
        channels=3,
        frames=2,
        image_size=32,
        patch=4,
        width=16,
        depth=1,
        heads=1,
        decoder_width=16,
        decoder_depth=1,
        decoder_heads=1,
    )
    contract = Contract(
        task="change",
        architecture="planaura",
        settings=settings.model_dump(mode="json"),
        bands=tuple(Band(name=name) for name in ("red", "green", "blue")),
        normalisation=Normalisation(origin="test", mean=(100.0,) * 3, std=(50.0,) * 3),
        nodata=0,
        arpent=__version__,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build("planaura", settings)
    return save_bundle(tmp_path_factory.mktemp("colours") / "rgb.safetensors", network, contract)


@pytest.fixture
def coloured() -> Callable[[Path, bool], Path]:
    """Writes an image of 48 × 40 pixels, with a patch of change or without."""

    def write(path: Path, changed: bool) -> Path:
        rng = np.random.default_rng(0)
        pixels = rng.integers(90, 110, (3, 48, 40)).astype(np.uint8)
        if changed:
            pixels[:, 8:24, 8:32] = rng.integers(1, 255, (3, 16, 24))
        grid = Grid.north_up(500_000, 5_000_000, 10, 48, 40, "EPSG:32631")
        with CogWriter(path, RasterSpec(grid, ("red", "green", "blue"), "uint8", 0)) as writer:
            writer.write(Strip(0, pixels))
        return path

    return write


@pytest.fixture
def dated(tmp_path: Path, coloured: Callable[[Path, bool], Path]) -> list[Path]:
    """Five dates of a place; from May on it has changed."""
    return [coloured(tmp_path / f"S2_2024{month:02d}01_x.tif", month > 4) for month in range(2, 7)]


@dataclass(frozen=True)
class Ended:
    """How a command ended that several processes did together, process by process."""

    codes: list[int]
    seconds: float
    out: list[str]
    err: list[str]

    @property
    def lines(self) -> list[str]:
        """What users read on standard error, but for the classes that small images lack, and gloo's of PyTorch 2.9."""
        told = [line for text in self.err for line in text.splitlines()]
        return [line for line in told if not line.startswith(("warning: no training", "[Gloo]"))]


@pytest.fixture(scope="session")
def launch() -> Callable[..., dict[str, Ended]]:
    """Runs cases, one after the other, each in processes as a launcher starts them; see ``pairs.py``."""

    def run(folder: Path, cases: list[dict[str, Any]]) -> dict[str, Ended]:
        program = [sys.executable, str(Path(__file__).with_name("pairs.py")), str(folder), json.dumps(cases)]
        done = subprocess.run(program, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, done.stderr
        return {name: Ended(**answer) for name, answer in json.loads(done.stdout).items()}

    return run
