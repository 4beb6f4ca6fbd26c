"""DuckDB, as this house uses it: nothing is downloaded, and readers can neither write nor reach any other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["is_fault", "open_database", "write_database"]

_OFFLINE: dict[str, Any] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def write_database(path: Path, scratch: Path) -> Any:  # noqa: ANN401 - duckdb publishes no types
    """A connection that makes a new database; what does not fit in memory goes to `scratch`."""
    import duckdb

    return duckdb.connect(str(path), config=_OFFLINE | {"temp_directory": str(scratch)})


def open_database(path: Path, threads: int | None = None) -> Any:  # noqa: ANN401 - duckdb publishes no types
    """A connection that reads one database and nothing else, whatever SQL may say."""
    import duckdb

    closed = {"enable_external_access": "false", "lock_configuration": "true"}
    limits: dict[str, Any] = {} if threads is None else {"threads": str(threads)}
    return duckdb.connect(str(path), read_only=True, config=_OFFLINE | closed | limits)


def is_fault(problem: Exception) -> bool:
    """Whether it is DuckDB that complains."""
    import duckdb

    return isinstance(problem, duckdb.Error)
