"""One of two processes of a training: it meets the other one, and one of them falls silent or works for long.

The words: which of them is to be the odd one, and what it does, "stop", "power" or "work".
"""

from __future__ import annotations

import os
import signal
import sys
import time

from arpent.engine import Processes, pulse
from arpent.errors import ArpentError

pulse.BEAT, pulse.PATIENCE = 0.2, 15
LONGER = 3 * pulse.BEAT * pulse.PATIENCE


def silent() -> None:
    """As seen from outside, power is gone: nothing is said any more, and no connection closed."""
    os.kill(os.getpid(), signal.SIGSTOP)


def main(odd: int, what: str) -> int:
    processes = Processes.joined("cpu")
    processes.gathered("here")

    def deed() -> str:
        if processes.rank == odd:
            time.sleep(LONGER) if what == "work" else silent()
        return "done"

    try:
        told = processes.told(deed) if odd == 0 else processes.gathered(deed())[0]
    except ArpentError as problem:
        sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
        return 6
    sys.stdout.write(told)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
