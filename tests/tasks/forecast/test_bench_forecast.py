"""The benchmark of forecasts runs: it simulates, trains and judges, and prints what docs/benchmarks.md holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "bench" / "forecast.py"


@pytest.mark.slow
def test_the_benchmark_prints_gains_by_horizon_and_regime(tmp_path):
    small = "--scenes 4 --size 32 --dates 7 --steps 2 2 --hidden 8 --seeds 0 --threads 1 --variants noisy"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *small.split(), "--learn-variants", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    titles = [line for line in done.stdout.splitlines() if "today's water" in line]
    assert [title.split(";")[0] for title in titles] == [
        "learnt on plain, judged on noisy, seed 0",
        "learnt on plain, judged on plain, seed 0",
        "learnt on noisy, judged on noisy, seed 0",
    ]
    for figure in ("gain", "95 %", "rising", "falling", "steady", "said to stay", "LSTM zeroed", "beliefs", "model"):
        assert done.stdout.count(f"  {figure}") >= 2, figure
