"""How long a person waits before the first word."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 0.5
ROUNDS = 5


def _cpu_seconds(command: list[str]) -> float:
    """Processor time of a finished child: a loaded machine makes it wait, not work."""
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    before = os.times()
    answer = subprocess.run(command, capture_output=True, text=True, env=unmeasured)
    after = os.times()
    assert answer.returncode == 0, answer.stderr
    return (after.children_user - before.children_user) + (after.children_system - before.children_system)


@pytest.mark.alone
def test_help_comes_at_once() -> None:
    """`arpent --help` in under half a second: the median of five starts, after one to warm the disk."""
    arpent = [str(Path(sys.executable).parent / "arpent"), "--help"]
    _cpu_seconds(arpent)
    assert statistics.median(_cpu_seconds(arpent) for _ in range(ROUNDS)) < SECONDS


@pytest.mark.alone
def test_importing_arpent_costs_nothing() -> None:
    bare = statistics.median(_cpu_seconds([sys.executable, "-c", "pass"]) for _ in range(ROUNDS))
    ours = statistics.median(_cpu_seconds([sys.executable, "-c", "import arpent"]) for _ in range(ROUNDS))
    assert ours - bare < 0.05
