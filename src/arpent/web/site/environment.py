"""What the surroundings say about the map: environment variables, and a ``.env`` file beside them.

========================  ==============================================================================
``DJANGO_SECRET_KEY``     signs sessions; made and kept beside the data where the map is for local use
``DATA_PATH``             folder of the database, the display rasters and the imports
``DATABASE_URL``          ``postgis://user:word@host:5432/name``; SQLite in `DATA_PATH` if not given
``ALLOWED_HOSTS``         names under which the map may be reached, with commas; this machine if not given
``DEBUG``                 ``0``: production, which asks for a key; ``1``: Django's own pages for programmers
========================  ==============================================================================
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from arpent.core import writing
from arpent.core.small_files import read_small
from arpent.errors import InvalidSetting
from arpent.web.alone import alone

__all__ = ["LOCAL_HOSTS", "VARIABLES", "Environment", "read_dotenv"]

VARIABLES = ("DJANGO_SECRET_KEY", "DATA_PATH", "DATABASE_URL", "ALLOWED_HOSTS", "DEBUG")
"""What is read; a ``.env`` file may hold nothing else."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
"""Names of this machine, under which alone the map can be reached if nothing else is said."""

_SERVERS = {"postgis", "postgres", "postgresql"}
_LOCKED_SECONDS = 5
_KEY_FILE = "secret.key"
_SHORTEST_KEY = 32


@dataclass(frozen=True, slots=True)
class Environment:
    """The surroundings of the map, checked.

    Attributes:
        data: folder of the database, the display rasters and the imports.
        database: its address; empty for SQLite in `data`.
        key: the secret key; empty where none is given.
        hosts: names under which the map may be reached.
        hosts_given: whether somebody has said so.
        production: whether others than its maker use it.
        debug: whether Django shows its pages for programmers.
    """

    data: Path
    database: str = ""
    key: str = ""
    hosts: tuple[str, ...] = LOCAL_HOSTS
    hosts_given: bool = False
    production: bool = False
    debug: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str], dotenv: Path | None = None) -> Self:
        """The surroundings as variables and a ``.env`` file say; variables win.

        Raises:
            InvalidSetting: a variable says what cannot be, or production lacks a key.
        """
        given = {**(read_dotenv(dotenv) if dotenv is not None and dotenv.is_file() else {}), **environ}
        debug = given.get("DEBUG", "").strip()
        if debug not in ("", "0", "1"):
            raise InvalidSetting("DEBUG is neither on nor off", found=debug, expected="0 or 1", cure="Set DEBUG=0.")
        hosts = tuple(name.strip() for name in given.get("ALLOWED_HOSTS", "").split(",") if name.strip())
        key = given.get("DJANGO_SECRET_KEY", "").strip()
        if (debug == "0" or key) and len(key) < _SHORTEST_KEY:
            raise InvalidSetting(
                "in production the map needs a secret key"
                if not key
                else "DJANGO_SECRET_KEY is too short to be secret",
                found=f"DJANGO_SECRET_KEY of {len(key)} characters",
                expected=f"{_SHORTEST_KEY} characters or more that nobody can guess",
                cure="Set DJANGO_SECRET_KEY to what this prints: "
                "python -c 'import secrets; print(secrets.token_urlsafe(50))'.",
            )
        return cls(
            data=Path(given.get("DATA_PATH") or _default_folder(given)).expanduser().absolute(),
            database=given.get("DATABASE_URL", "").strip(),
            key=key,
            hosts=hosts or LOCAL_HOSTS,
            hosts_given=bool(hosts),
            production=debug == "0",
            debug=debug == "1",
        )

    def secret_key(self) -> str:
        """The secret key; one is made and kept for local use."""
        return self.key or _kept_key(self.data / _KEY_FILE)

    def databases(self) -> dict[str, dict[str, Any]]:
        """What Django wants to know of the database."""
        address = urlsplit(self.database)
        if address.scheme in ("", "sqlite"):
            return {"default": _sqlite(Path(unquote(address.path)) if address.path else self.data / "map.sqlite")}
        if address.scheme in _SERVERS:
            return {"default": _postgresql(address)}
        raise InvalidSetting(
            "DATABASE_URL names no database that the map can use",
            found=address.scheme,
            expected="postgis://…, or nothing for SQLite",
            cure="Correct it, or leave it out.",
        )


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a ``.env`` file: ``NAME=value`` lines, remarks behind ``#``, quotes if one likes.

    Raises:
        InvalidSetting: a line is none of these, or names something else.
    """
    values = {}
    text = read_small(path, "file of variables").decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        name, equals, value = bare.removeprefix("export ").partition("=")
        if not equals or name.strip() not in VARIABLES:
            raise InvalidSetting(
                f"line {number} of {path} sets nothing that the map knows",
                found=name.strip()[:40],
                expected=", ".join(VARIABLES),
                cure="Correct the line, or remove it.",
            )
        value = value.strip()
        is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        values[name.strip()] = value[1:-1] if is_quoted else value.partition(" #")[0].rstrip()
    return values


def _default_folder(given: Mapping[str, str]) -> Path:
    home = given.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "arpent" / "map"


def _kept_key(path: Path) -> str:
    """The key in that file, which is made by the first of all processes that ask."""
    kept = _key_in(path)
    if kept:
        return kept
    with alone(path.parent), writing(path):
        kept = _key_in(path)  # of a process that came first
        if not kept:
            kept = secrets.token_urlsafe(50)
            path.touch(mode=0o600)
            path.write_text(kept, "ascii")
    return kept


def _key_in(path: Path) -> str:
    """The key; nothing where there is none, or part of one: its maker was killed."""
    with writing(path):
        key = path.read_text("ascii").strip() if path.exists() else ""
    return key if len(key) >= _SHORTEST_KEY else ""


def _sqlite(path: Path) -> dict[str, Any]:
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,  # the threads of the server stay, and so may their connections
        "OPTIONS": {
            "timeout": _LOCKED_SECONDS,
            # Who means to write waits for the lock at once; who begins by reading would fail on the way to writing.
            "transaction_mode": "IMMEDIATE",
            # A log beside the database: readers go on while somebody writes.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000;",
        },
    }


def _postgresql(address: SplitResult) -> dict[str, Any]:
    more = {name: values[-1] for name, values in parse_qs(address.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(address.path.lstrip("/")),
        "USER": unquote(address.username or ""),
        "PASSWORD": unquote(address.password or ""),
        "HOST": more.pop("host", address.hostname or ""),
        "PORT": str(address.port or ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": _LOCKED_SECONDS, **more},
    }
