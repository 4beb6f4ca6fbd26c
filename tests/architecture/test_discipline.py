"""The rules of tests/conftest.py: no network, and skips that say what is missing."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.mark.requires("postgis")
def test_with_a_database():
    pass

def test_without():
    pass
"""


@pytest.fixture
def run(root: Path, tmp_path: Path):
    """Runs two small tests, under the rules of this project, in an environment without a database."""
    shutil.copy(root / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_two.py").write_text(TESTS, "utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ARPENT_", "COV", "PYTEST_"))}

    def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, str(tmp_path)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={**clean, **environment})

    return start


def test_the_network_is_blocked_and_loopback_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5):
        pass
    with pytest.raises(ConnectionError, match="may not reach the network"):
        socket.create_connection(("203.0.113.1", 80), timeout=1)  # an address reserved for documents
    with pytest.raises(ConnectionError, match="may not reach the network"):
        socket.getaddrinfo("example.org", 443)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        pytest.raises(ConnectionError, match="may not reach the network"),
    ):
        datagrams.sendto(b"?", ("203.0.113.1", 53))
    with pytest.raises(OSError, match="may not reach the network"):
        urllib.request.urlopen("http://example.org", timeout=1)


def test_what_is_missing_is_said_and_counted(run) -> None:
    answer = run()
    assert answer.returncode == 0, answer.stdout
    assert "1 passed, 1 skipped" in answer.stdout
    assert "    1  no PostgreSQL with PostGIS: set ARPENT_POSTGIS_URL" in answer.stdout.partition("by reason")[2]


def test_what_was_promised_and_is_missing_is_a_failure(run) -> None:
    answer = run(ARPENT_REQUIRE="postgis")
    assert answer.returncode == 1
    assert "ARPENT_REQUIRE names 'postgis', and no PostgreSQL" in answer.stdout


def test_what_is_there_is_used(run) -> None:
    answer = run(ARPENT_REQUIRE="postgis", ARPENT_POSTGIS_URL="postgresql://somewhere")
    assert "2 passed" in answer.stdout


def test_a_misspelt_requirement_is_an_error(run) -> None:
    answer = run(ARPENT_REQUIRE="postgres")
    assert answer.returncode == 4
    assert "known: ['chromium', 'data', 'gpu', 'openvino', 'postgis']" in answer.stderr + answer.stdout


def test_skips_of_several_runs_can_be_collected(run, tmp_path: Path) -> None:
    ledger = tmp_path / "skips"
    run(ARPENT_SKIPS=str(ledger))
    run(ARPENT_SKIPS=str(ledger))
    assert len(ledger.read_text("utf-8").splitlines()) == 2


def test_offline_keeps_loopback_and_loses_the_rest(root: Path) -> None:
    """Through a namespace or through proxies: a program that is not Python reaches this machine only."""
    program = (
        "import os, socket;"
        "server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname(), 5);"
        "names = [name for _, name in socket.if_nameindex()];"
        "print('alone' if names == ['lo'] or os.environ.get('GDAL_HTTP_PROXY') else names)"
    )
    answer = subprocess.run(
        [sys.executable, root / "scripts" / "offline.py", sys.executable, "-c", program], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "alone"
