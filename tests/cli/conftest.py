"""The command line as a stranger meets it: in this process for speed, in another one for the truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from arpent.cli.app import main


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
