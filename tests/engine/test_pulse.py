"""Who works for long is waited for; who gives no sign of life is given up, with one line, by those who are left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest
from torch.distributed import HashStore  # type: ignore[attr-defined] # it is there, and not among its exports

from arpent.engine import pulse

PROGRAM = Path(__file__).with_name("silent.py")


def started(odd: int, what: str) -> list[subprocess.Popen[str]]:
    """Two processes, as a launcher starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    both |= {"LOCAL_WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, str(PROGRAM), str(odd), what]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return [subprocess.Popen(words, env=both | {"RANK": str(r), "LOCAL_RANK": str(r)}, **pipes) for r in (0, 1)]


def killed(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("odd", [0, 1])
def test_a_process_that_falls_silent_ends_the_other_one_with_a_line(odd: int) -> None:
    processes = started(odd, "stop")
    try:
        _, said = processes[1 - odd].communicate(timeout=300)
        assert processes[odd].poll() is None  # and holds its connections
        lines = [line for line in said.splitlines() if not line.startswith("[")]  # libraries log between brackets
        (line,) = lines
        assert f"process {odd} of this training has given no sign of life" in line and "--resume" in line
        assert processes[1 - odd].returncode == 6
    finally:
        killed(processes)


@pytest.mark.slow
@pytest.mark.parametrize("odd", [0, 1])
def test_a_process_that_works_for_long_is_waited_for(odd: int) -> None:
    processes = started(odd, "work")
    try:
        for process in processes:
            told, said = process.communicate(timeout=300)
            assert (process.returncode, told) == (0, "done"), said
    finally:
        killed(processes)


def test_an_exchange_has_ended_before_its_answer_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the end of one cannot be taken for that of the next one, which begins as soon as the answer is there."""
    signs = pulse.Pulse(HashStore(), 0, 2)
    under_way: list[bool] = []

    class Watched(Future[object]):
        def set_result(self, result: object) -> None:
            under_way.append(signs.exchanging)
            super().set_result(result)

        def set_exception(self, exception: BaseException | None) -> None:
            under_way.append(signs.exchanging)
            super().set_exception(exception)

    def failing() -> None:
        under_way.append(signs.exchanging)
        raise ValueError("refused")

    monkeypatch.setattr(pulse, "Future", Watched)
    assert signs.awaited(lambda: signs.exchanging) is True
    with pytest.raises(ValueError, match="refused"):
        signs.awaited(failing)
    assert under_way == [False, True, False]
    assert not signs.exchanging
