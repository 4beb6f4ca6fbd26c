"""What every test may count on: what a skip must say, where the images are, and that nothing reaches the network.

A test that needs more than Python says so: ``@pytest.mark.requires("data")``. Where the thing is missing the test is
skipped with a reason that names it; where ``ARPENT_REQUIRE`` lists it (``ARPENT_REQUIRE=data,chromium``; CI names all
that it brings) the same lack is a failure. Every run ends with the skips, counted by reason.

A test that measures time by the clock is marked ``alone``: ``make test`` runs it by itself, after the others. Memory
and processor time are measured in a process of their own, and need no such care.
"""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from socketserver import BaseServer
from typing import Any

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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Imports everything without the garbage collector, and keeps it from what was imported, which stays to the end.

    Libraries and tests make nearly a million objects; each full collection would look at all of them again.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # libraries that count what is left of them at the end would call it leaked


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Files with slow tests first: at the end no process waits for another.
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
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


@contextmanager
def _running(server: BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def running() -> Callable[[BaseServer], AbstractContextManager[None]]:
    """Lets a server answer, in a thread, for as long as a block lasts."""
    return _running


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
def browser(chromium: str) -> Iterator[Any]:
    """Chromium, once for all tests of a process: Playwright runs no second time beside itself."""
    from playwright.sync_api import sync_playwright

    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's loop runs in this thread; Django's database does not
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class StoreOnLoopback:
    """A real S3 protocol on loopback, which can go away and come back with all that it keeps.

    Attributes:
        client: of boto3.
    """

    def __init__(self) -> None:
        import boto3

        self.port = 0
        self.begin()
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Answers from now on, under the same address as before."""
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        """Answers no more."""
        self._server.stop()

    @contextmanager
    def away(self, seconds: float | None = None) -> Iterator[None]:
        """Does not answer in the block; comes back by itself after so many seconds, if they are given."""
        self.stop()
        back = threading.Timer(seconds, self.begin) if seconds is not None else None
        if back is not None:
            back.start()
        try:
            yield
        finally:
            if back is not None:
                back.join()
            else:
                self.begin()

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The files in a bucket."""
        listed = self.client.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for entry in listed.get("Contents", ())]


@pytest.fixture(scope="session")
def store_on_loopback() -> Iterator[StoreOnLoopback]:
    """One S3 server for all tests of a process."""
    store = StoreOnLoopback()
    yield store
    store.stop()


@pytest.fixture
def straight_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run behind a proxy that answers nothing; loopback is reached without it."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    for name in ("GDAL_HTTP_PROXY", "GDAL_HTTPS_PROXY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def s3(
    store_on_loopback: StoreOnLoopback, straight_to_loopback: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> StoreOnLoopback:
    """An S3 server with an empty bucket "land", the environment that leads to it, and a cache of the test's own."""
    for name in ("AWS_PROFILE", "AWS_S3_ENDPOINT", "AWS_SESSION_TOKEN", "AWS_NO_SIGN_REQUEST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store_on_loopback.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("ARPENT_CACHE", str(tmp_path / "cache"))
    client = store_on_loopback.client
    if "land" in {entry["Name"] for entry in client.list_buckets()["Buckets"]}:
        for key in store_on_loopback.keys("land"):
            client.delete_object(Bucket="land", Key=key)
    else:
        client.create_bucket(Bucket="land")
    return store_on_loopback


class Elsewhere:
    """A crew in this process that knows no more than another process would: all that is told goes through pickle."""

    def __init__(self) -> None:
        self.calls = 0
        self._known: tuple[object, object] | None = None
        self._opened = ExitStack()

    def device_for(self, name: str) -> Any:
        """See `engine.crew.Crew`."""
        import torch

        return torch.device("cpu")

    def each(
        self, opener: Any, do: Any, asked: Any, *, ahead: int = 0, recovery: Any = None, kept: bool = False
    ) -> Any:
        """See `engine.crew.Crew`."""
        from arpent.engine.crew import working_with

        for one in asked:
            with working_with(None):
                if self._known is None or self._known[0] is not opener:
                    self.close()
                    self._known = opener, pickle.loads(pickle.dumps(opener))(self._opened)
                told = do(self._known[1], nullcontext(), *pickle.loads(pickle.dumps(tuple(one))))
            self.calls += 1
            yield pickle.loads(pickle.dumps(told))

    def close(self) -> None:
        """Closes what is open."""
        self._known = None
        self._opened.close()


@pytest.fixture
def elsewhere() -> Iterator[Callable[[], Any]]:
    """Lets predictions in a block be answered as in another process; whoever asks must have been answered."""
    from arpent.engine.crew import working_with

    others = Elsewhere()

    @contextmanager
    def block() -> Iterator[None]:
        with working_with(others):
            yield
        assert others.calls

    yield block
    others.close()
