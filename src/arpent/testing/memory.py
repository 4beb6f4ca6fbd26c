"""How much memory a process has needed."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

__all__ = ["peak_memory"]

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """Largest resident memory of this program so far, in bytes.

    On Linux from the kernel's high-water mark, which begins anew with each program: the figure that Unix gives
    otherwise also remembers the process that started this one.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
