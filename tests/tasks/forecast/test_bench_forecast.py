"""The benchmark of forecasts runs: it simulates, trains and judges, and prints what docs/benchmarks.md holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "bench" / "forecast.py"


@pytest.mark.slow
def test_the_benchmark_prints_gains_by_horizon_and_regime(tmp_path):
    small = "--scenes 4 --size 32 --dates 6 --steps 2 2 --hidden 8 --seeds 0 --threads 1 --judging 3 --judges 3 4"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *small.split(), "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    titles = [line.split(";")[0] for line in done.stdout.splitlines() if "today's water" in line]
    assert titles == [f"learnt on plain, judged on plain{ground}, seed 0" for ground in (" 3", " 4", ", all of it")]
    for figure in ("gain", "95 %", "rising", "falling", "steady", "said to stay", "model", "climatology"):
        assert done.stdout.count(f"  {figure} ") == 3, figure
    assert "LSTM zeroed, on plain 4" in done.stdout
    assert "beliefs" in done.stdout
