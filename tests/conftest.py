"""What every test may count on: what a skip must say, where the images are, and that nothing reaches the network.

A test that needs more than Python says so: ``@pytest.mark.requires("data")``. Where the thing is missing the test is
skipped with a reason that names it; where ``ARPENT_REQUIRE`` lists it (``ARPENT_REQUIRE=data,chromium``; CI names all
that it brings) the same lack is a failure. Every run ends with the skips, counted by reason.

A test that measures time or memory is marked ``alone``: ``make test`` runs it by itself, after the others.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "::", ""}

# Two workers on two cores: libraries that start a thread per core would fight over them.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# One width of terminal for everybody: tables fold long paths where they must.
os.environ["COLUMNS"] = "200"

settings.register_profile("arpent", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("arpent"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "arpent")


class NetworkBlocked(ConnectionError):
    """A test tried to leave this machine. A ConnectionError, so that the code meets what it would meet offline."""


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: lets Python's sockets reach loopback and the file system, and nothing else."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if not isinstance(address, tuple):  # a Unix socket is a path
            return
        host = address[0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    if name not in LOOPBACK and not name.startswith("127."):
        raise NetworkBlocked(f"tests may not reach the network; this one asked for {name}")


def _data_folder() -> Path:
    return Path(os.environ.get("ARPENT_DATA") or ROOT.parent / "shared" / "data")


def _chromium() -> str | None:
    return os.environ.get("ARPENT_CHROMIUM") or shutil.which("chromium")


def _lacks_data() -> str | None:
    folder = _data_folder()
    if (folder / "README.md").is_file():
        return None
    return "the real images are not here: set ARPENT_DATA to their folder"


def _lacks_chromium() -> str | None:
    return None if _chromium() else "Chromium is not installed (Debian: apt-get install chromium)"


def _lacks_postgis() -> str | None:
    if os.environ.get("ARPENT_POSTGIS_URL"):
        return None
    return "no PostgreSQL with PostGIS: set ARPENT_POSTGIS_URL to an empty database, as .ci/run does"


def _lacks_gpu() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "this machine has no GPU that torch can use"


def _lacks_openvino() -> str | None:
    return None if find_spec("openvino") else "OpenVINO is not installed: pip install 'arpent[fast]'"


LACKS: Mapping[str, Callable[[], str | None]] = {
    "chromium": _lacks_chromium,
    "data": _lacks_data,
    "gpu": _lacks_gpu,
    "openvino": _lacks_openvino,
    "postgis": _lacks_postgis,
}


def _required() -> set[str]:
    return {name.strip() for name in os.environ.get("ARPENT_REQUIRE", "").split(",") if name.strip()}


def _need(name: str) -> None:
    """Skips the running test when `name` is missing, or fails it when CI promised that it is there."""
    reason = LACKS[name]()
    if reason is None:
        return
    if name in _required():
        pytest.fail(f"ARPENT_REQUIRE names '{name}', and {reason}", pytrace=False)
    pytest.skip(reason)


def pytest_configure(config: pytest.Config) -> None:
    unknown = _required() - set(LACKS)
    if unknown:
        raise pytest.UsageError(f"ARPENT_REQUIRE names {sorted(unknown)}; known: {sorted(LACKS)}")
    config.addinivalue_line("markers", f"requires(*names): skip where one of {', '.join(LACKS)} is missing")
    config.addinivalue_line("markers", "alone: measures time or memory; make test runs it by itself")
    sys.addaudithook(_guard)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("requires"):
            unknown = set(marker.args) - set(LACKS)
            if unknown or not marker.args:
                raise pytest.UsageError(f"{item.nodeid} requires {sorted(unknown)}; known: {sorted(LACKS)}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("requires"):
        for name in marker.args:
            _need(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if reasons:
        terminalreporter.section("skipped, by reason")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count:5}  {reason}")
    ledger = os.environ.get("ARPENT_SKIPS")
    if ledger:  # make test runs pytest twice and shows the skips of both at its end
        with Path(ledger).open("a", encoding="utf-8") as lines:
            lines.writelines(f"{reason}\n" for reason in reasons.elements())


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real images; the test that asks for it needs them."""
    _need("data")
    return _data_folder()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium."""
    _need("chromium")
    return str(_chromium())


@pytest.fixture(scope="session")
def postgis_url() -> str:
    """Address of an empty PostgreSQL database with PostGIS in it."""
    _need("postgis")
    return os.environ["ARPENT_POSTGIS_URL"]
