"""Killed while it writes, the map holds whole runs or none; begun again, it ends as if nothing had been.

SQLite and PostgreSQL write where Python sees nothing of it: beside moments counted in events and drawn from the whole
time, some lie inside the transaction. ARPENT_KILLS and ARPENT_FAULTS_SEED as in `test_kills.py`.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from arpent.testing.forks import COMMAND, Ended

KILLS = int(os.environ.get("ARPENT_KILLS", "20"))
MANAGE = "arpent.web.site.managing:main"
RUNS = ("mapped", "embedded")
OF_RUNS = {
    "index_layer": "run_id IN (SELECT id FROM index_run WHERE path = {path})",
    "index_frame": "layer_id IN (SELECT id FROM index_layer WHERE {of_layer})",
    "index_feature": "layer_id IN (SELECT id FROM index_layer WHERE {of_layer})",
    "index_matrix": "layer_id IN (SELECT id FROM index_layer WHERE {of_layer})",
}
"""Tables whose rows belong to a run, and how they are found."""
MADE = ("id", "shape", "wanted")
"""Columns of features and matrices that the database makes: numbers, and what follows from other columns."""
NUMBERS = ("id", "run_id", "layer_id", "frame_id")
"""Columns that say which import it was: it is known by its manifest, and that by the moment of its making."""


@dataclass(frozen=True)
class Step:
    """What fills the map.

    Attributes:
        words: of the command line.
        call: what is given them.
        before: steps whose work it finds done.
        anew: whether what is killed and begun again has other numbers.
    """

    words: tuple[str, ...]
    call: str = MANAGE
    before: tuple[str, ...] = ()
    anew: bool = False


STEPS = {
    "migrate": Step(("manage.py", "migrate", "--verbosity", "0")),
    "register": Step(("manage.py", "register", *RUNS), before=("migrate",)),
    "load_predictions": Step(
        ("manage.py", "load_predictions", "--file", "predictions.csv"), before=("migrate",), anew=True
    ),
}
PUBLISH = Step(("runs", "publish", *RUNS, "--quiet"), COMMAND)


@pytest.fixture
def place(stock: Any, tmp_path: Path) -> Callable[[], Path]:
    """Makes the folder of two runs and a file of predictions anew, always in the same place."""

    def make() -> Path:
        assert stock.mapped and stock.embedded
        home = tmp_path / "place"
        shutil.rmtree(home, ignore_errors=True)
        for name in RUNS:
            shutil.copytree(stock.home / name, home / name)
        rng = np.random.default_rng(0)
        lines = [f"{44 + a:.5f},{1 + b:.5f},{p:.3f},water" for a, b, p in rng.random((1500, 3))]
        (home / "predictions.csv").write_text("\n".join(("lat,lon,prob,class", *lines)) + "\n")
        return home

    return make


def held(database: Any, *, anew: bool = False) -> Mapping[str, Mapping[str, object]]:
    """By run on the map, every row that belongs to it, whatever numbers the database has given them."""
    found = {path: belonging(database, path, anew=anew) for (path,) in rows(database, "SELECT path FROM index_run")}
    for table in (*OF_RUNS, "index_vector"):
        ((count,),) = rows(database, f"SELECT count(*) FROM {table}")
        told = sum(len(one[table]) for one in found.values())
        assert count == told, f"{count - told} rows of {table} belong to no run"
    return found


def belonging(database: Any, path: str, *, anew: bool) -> Mapping[str, Sequence[object]]:
    """The rows of a run, by table."""
    quoted = "'" + path.replace("'", "''") + "'"
    of_layer = OF_RUNS["index_layer"].format(path=quoted)
    found: dict[str, Sequence[object]] = {}
    for table, condition in OF_RUNS.items():
        cursor = database.cursor()
        wanted = condition.format(path=quoted, of_layer=of_layer)
        cursor.execute(f"SELECT * FROM {table} WHERE {wanted}")
        left_out = (*(MADE if table in ("index_feature", "index_matrix") else ()), *(NUMBERS if anew else ()))
        kept = [at for at, column in enumerate(cursor.description) if column[0] not in left_out]
        found[table] = sorted(repr([_plain(row[at]) for at in kept]) for row in cursor.fetchall())
    features = f"SELECT id FROM index_feature WHERE {OF_RUNS['index_feature'].format(of_layer=of_layer)}"
    vectors = f"SELECT row FROM index_vector WHERE feature_id IN ({features})"
    return found | {"index_vector": sorted(rows(database, vectors))}


def rows(database: Any, question: str) -> list[tuple[Any, ...]]:
    """What a database answers."""
    cursor = database.cursor()
    cursor.execute(question)
    return list(cursor.fetchall())


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def files(home: Path) -> Mapping[str, bytes]:
    """What the map has made beside its database: images for the screen, vectors, imports, the list of runs."""
    found = {}
    for folder in ("displays", "vectors", "imports"):
        for file in (home / "data" / folder).rglob("*"):
            inside = file.relative_to(home).parts
            if file.is_file() and not any(part.startswith(".") for part in inside) and file.name != "manifest.json":
                found["/".join(inside)] = file.read_bytes()
    return found


class MapKiller:
    """Fills a map in folders of its own, and kills who fills it."""

    def __init__(self, forks: Any, place: Callable[[], Path], step: Step, env: Mapping[str, str]) -> None:
        self.forks, self.place, self.step = forks, place, step
        self.env = {"DATA_PATH": "data", "DATABASE_URL": "", "DJANGO_SECRET_KEY": "", "DEBUG": "", **env}
        self.chance = random.Random(f"{step.words} {os.environ.get('ARPENT_FAULTS_SEED', '0')}")

    def connect(self) -> Any:
        """The database; None where there is none yet."""
        file = self.home / "data" / "map.sqlite"
        return sqlite3.connect(file) if file.exists() else None

    def held(self) -> Mapping[str, Mapping[str, object]]:
        """What is on the map; nothing where its tables are not made yet."""
        database = self.connect()
        if database is None:
            return {}
        with closing(database):
            tables = "sqlite_master" if isinstance(database, sqlite3.Connection) else "pg_class"
            name = "name" if tables == "sqlite_master" else "relname"
            is_made = rows(database, f"SELECT 1 FROM {tables} WHERE {name} = 'index_matrix'")
            return held(database, anew=self.step.anew) if is_made else {}

    def begin(self) -> Path:
        """A folder with an empty map, brought to where the step begins."""
        self.home = self.place()
        for name in self.step.before:
            assert self.run(STEPS[name]).status == 0
        return self.home

    def run(self, step: Step, **more: Any) -> Ended:
        """Does a step."""
        return self.forks.run(step.words, self.home, call=step.call, env=self.env, **more)

    def whole(self) -> tuple[Mapping[str, Any], Mapping[str, bytes]]:
        """What an undisturbed step leaves."""
        self.begin()
        self.undisturbed = self.run(self.step)
        assert self.undisturbed.status == 0, self.undisturbed.said
        return self.held(), files(self.home)

    def moment(self) -> dict[str, Any]:
        """When to kill: before an event of the file system, at any time, or once the database is being written."""
        kind = self.chance.choice(("event", "time", "write"))
        if kind == "event" and self.undisturbed.events:
            return {"die_at": self.chance.randint(1, self.undisturbed.events)}
        if kind == "write":
            return {"kill": (self.is_writing, 0.3 * self.undisturbed.seconds * self.chance.random())}
        return {"kill": (lambda: True, self.undisturbed.seconds * self.chance.random())}

    def is_writing(self) -> bool:
        """Whether a transaction of SQLite is under way; of another database, nobody here can see it."""
        journals = (self.home / "data" / f"map.sqlite-{kind}" for kind in ("wal", "journal"))
        return any(file.exists() and file.stat().st_size for file in journals)

    def killed(self, kills: int) -> None:
        """Kills so often, in chains of up to three, and holds every end against the undisturbed one."""
        (runs, made), done, tries = self.whole(), 0, 0
        while done < kills:
            self.begin()
            for _ in range(self.chance.randint(1, 3)):
                tries += 1
                assert tries < 10 * kills + 20, f"only {done} of {tries} were killed"
                ended = self.run(self.step, **self.moment())
                if ended.status != -signal.SIGKILL:
                    assert ended.status == 0, ended.said
                    break
                done += 1
                self.forks.part.kills += 1
                self.compare(runs, made, is_whole=False)
                if done == kills:
                    break
            ended = self.run(self.step)
            assert ended.status == 0, ended.said
            self.compare(runs, made, is_whole=True)
            listed = json.loads((self.home / "data" / "runs.json").read_text()) if runs else []
            assert sorted(listed) == sorted(runs), "the map remembers other runs than it shows"

    def compare(self, runs: Mapping[str, Any], made: Mapping[str, bytes], *, is_whole: bool) -> None:
        """Every run on the map is whole, every file that can be seen is the right one; in the end all are there."""
        now, lying = self.held(), files(self.home)
        halves = [path for path, belongings in now.items() if belongings != runs.get(path)]
        others = [name for name, content in lying.items() if made.get(name) != content]
        missing = [*(runs.keys() - now.keys()), *(made.keys() - lying.keys())] if is_whole else []
        self.forks.part.corrupt += len(halves) + len(others) + len(missing)
        assert not (halves or others or missing), (halves, others, missing)


@pytest.mark.faults
@pytest.mark.parametrize("name", STEPS)
def test_a_map_holds_whole_runs_or_none(forks, place, name) -> None:
    killer = MapKiller(forks, place, STEPS[name], {})
    killer.killed(KILLS)
    with closing(killer.connect()) as database:
        assert rows(database, "PRAGMA integrity_check") == [("ok",)]
        ((features,),), ((boxes,),) = (
            rows(database, f"SELECT count(*) FROM {table}") for table in ("index_feature", "feature_box")
        )
        assert features == boxes


@contextmanager
def database_of(server: str, name: str, template: str | None = None) -> Iterator[str]:
    """A database of its own on a server, for as long as the block lasts; its address."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as asked:
        asked.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()  # the socket's folder may stand in its query
    finally:
        with psycopg.connect(server, autocommit=True) as asked:
            asked.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.faults
@pytest.mark.requires("postgis")
@pytest.mark.parametrize("step", [STEPS["migrate"], PUBLISH], ids=["migrate", "publish"])
def test_what_is_published_is_whole_or_is_not_there(forks, place, step) -> None:
    """Each begins with an empty database, whose tables are made first."""
    import psycopg

    server, own = os.environ["ARPENT_POSTGIS_URL"], f"arpent_killed_{os.getpid()}"

    class Publishing(MapKiller):
        """Every beginning has a database of its own."""

        current: Any = None

        def begin(self) -> Path:
            self.end()
            self.current = database_of(server, own, f"{own}_empty")
            address = self.current.__enter__()
            self.env["DATABASE_URL"] = address
            self.address = address
            return super().begin()

        def connect(self) -> Any:
            return psycopg.connect(self.address)

        def end(self) -> None:
            if self.current is not None:
                self.current.__exit__(None, None, None)

    with database_of(server, f"{own}_empty") as empty:
        with psycopg.connect(empty, autocommit=True) as database:
            database.execute("CREATE EXTENSION postgis")
        killer = Publishing(forks, place, step, {})
        try:
            killer.killed(KILLS)
        finally:
            killer.end()
