"""What the map remembers beside its database, and that several processes remember it together."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from arpent.web.index.known import forget, known_runs
from arpent.web.site.environment import Environment

WRITER = """
import sys
from pathlib import Path
from arpent.web.index.known import remember
for number in range(12):
    remember(Path(sys.argv[1]), Path(f"/runs/{sys.argv[2]}-{number}"))
"""


def test_no_process_forgets_what_another_remembers(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, name]) for name in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(known_runs(tmp_path)) == 24
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: forget(tmp_path, path), known_runs(tmp_path)[:14]))
    assert len(known_runs(tmp_path)) == 10
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_key_is_made_once_and_again_where_its_maker_was_killed(tmp_path: Path) -> None:
    def asked(_: int) -> str:
        return Environment(data=tmp_path).secret_key()

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(asked, range(8)))
    assert len(keys) == 1 and len(keys.pop()) > 50
    (tmp_path / "secret.key").write_text("")
    assert len(asked(0)) > 50


@pytest.fixture
def registry(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data of its own beside the one of all tests."""
    from django.conf import settings

    monkeypatch.setattr(settings, "DATA_PATH", tmp_path / "data")
    return tmp_path / "data"


def test_what_a_killed_process_has_put_on_the_map_is_not_lost(
    registry: Path, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    """Between the database and the list there is a moment."""
    from arpent.web.index.gathering import everything_known
    from arpent.web.index.registering import register, remove

    done = register(new_run(tmp_path, "classify", "sudden"))
    (registry / "runs.json").unlink()
    assert done.path in everything_known(registry)
    assert not register(done.path).is_new
    assert known_runs(registry) == [done.path]
    remove(done.number)
    assert known_runs(registry) == []


def test_an_import_that_was_taken_off_the_map_stays_off_it(
    registry: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from arpent.web.index.gathering import everything_known
    from arpent.web.index.importing import load_predictions
    from arpent.web.index.registering import remove

    file = tmp_path / "preds.csv"
    file.write_text("lat,lon,class\n45,3,water\n")
    done: Any = load_predictions(file).registration
    assert done.path in everything_known(registry)
    remove(done.number)
    assert done.path not in everything_known(registry)
    (registry / "runs.json").unlink()
    assert done.path in everything_known(registry), "without a list, all that is there comes back"
    again = load_predictions(file)
    assert again.is_new and again.registration.layers == 1, "whoever imports it again has it again"
    remove(again.registration.number)


def test_nothing_is_swept_away_that_somebody_is_making(
    registry: Path, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    from arpent.web.alone import beside_others
    from arpent.web.index.registering import register, remove, sweep

    done = register(new_run(tmp_path, "forecast", "swept"))
    displays = registry / "display"
    orphan = displays / "made.tif"
    orphan.write_bytes(b"by a process that has not finished")
    with beside_others(displays):
        sweep()
        assert orphan.exists()
    remove(done.number)
    assert not orphan.exists()


def test_who_writes_waits_for_others_longer_than_the_database_does(
    registry: Path, new_run: Callable[..., Path], tmp_path: Path
) -> None:
    from django.db import connection

    from arpent.web.alone import alone
    from arpent.web.index.registering import register, remove

    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL waits by itself")
    path, begun = new_run(tmp_path, "classify", "patient"), threading.Event()

    def write() -> None:
        with alone(registry), closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun.set()
            time.sleep(1)
            other.execute("ROLLBACK")

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    try:
        with ThreadPoolExecutor(1) as pool:
            ended = pool.submit(write)
            assert begun.wait(10)
            done = register(path)
            ended.result()
    finally:
        connection.close()
    assert done.is_new
    remove(done.number)
