"""Runs a command where it cannot reach the network: ``python scripts/offline.py COMMAND...``.

Where the system permits it the command gets a network namespace of its own with nothing in it but loopback. Elsewhere
(most containers, macOS) GDAL, curl and Chromium get a proxy at which nothing listens; Python's own sockets are blocked
by tests/conftest.py in both cases.
"""

from __future__ import annotations

import array
import os
import shutil
import signal
import socket
import subprocess
import sys

PROXY = "http://127.0.0.1:9"  # the discard port: nothing listens there
INSIDE = "--loopback-up"


def main(command: list[str]) -> None:
    """Replaces this process by the command, offline."""
    # A shell's background jobs ignore Ctrl-C, and their children inherit that; tests of interruption could not pass.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if command[:1] == [INSIDE]:
        raise_loopback()
        os.execvp(command[1], command[1:])
    for flags in (["-n"], ["-rn"]):
        if permitted(flags):
            inside = [sys.executable, __file__, INSIDE]
            os.execvp("unshare", ["unshare", *flags, *inside, *command])
    print("no network namespace here: GDAL, curl and Chromium get a dead proxy instead", flush=True)
    for name in ("http_proxy", "https_proxy", "all_proxy", "GDAL_HTTP_PROXY", "GDAL_HTTPS_PROXY"):
        os.environ[name] = os.environ[name.upper()] = PROXY
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"
    os.execvp(command[0], command)


def permitted(flags: list[str]) -> bool:
    """Whether a namespace can be made with these flags and its loopback raised."""
    if shutil.which("unshare") is None:
        return False
    trial = ["unshare", *flags, sys.executable, __file__, INSIDE, "true"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


def raise_loopback() -> None:
    """Brings the interface ``lo`` up: a new namespace has it, but down."""
    import fcntl  # Linux only, as is this function

    set_flags, up_and_running = 0x8914, 0x1 | 0x40
    request = array.array("B", b"lo".ljust(16, b"\0") + up_and_running.to_bytes(2, sys.byteorder) + bytes(14))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        fcntl.ioctl(channel, set_flags, request)


if __name__ == "__main__":
    main(sys.argv[1:])
