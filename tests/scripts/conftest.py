"""A script of another program's name, typed as its users type it, and the command that it stands for."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from arpent.cli.app import main


@dataclass(frozen=True)
class Said:
    """What a script or a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def typed(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """``python scripts/NAME WORDS…``, in this process."""
    monkeypatch.syspath_prepend(str(root / "scripts"))

    def run(name: str, *words: object) -> Said:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", [str(root / "scripts" / name), *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(sys.argv[0], run_name="__main__")
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def arpent(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """``arpent WORDS…``, in this process."""

    def run(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run
