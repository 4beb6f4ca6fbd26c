"""Copies on this machine of what lies in object stores: tables, outlines, settings, models, files of finished runs."""

from __future__ import annotations

import copyreg
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any

from arpent.core import object_address, write_file, writing
from arpent.errors import FileMissing, UnreadableFile
from arpent.io.objects import StoredFile, fetch_object, objects_under, stored_file

__all__ = ["cache_folder", "copies_by_address", "local_copy", "place_for", "searches_folder"]

_RASTERS = frozenset({".tif", ".tiff", ".jp2", ".vrt", ".img"})
"""Read in ranges where they lie: an orthophoto of a county is not copied for a window of it."""

_RECORD = ".copied.json"
_NOTED = 64  # copies that a kill may cost
_LAST = "manifest.json"

_MADE: dict[Path, str] = {}
"""The addresses of the copies that this process has asked for, by their paths."""


def cache_folder() -> Path:
    """Where copies and unfinished work lie: ``$ARPENT_CACHE``, else ``arpent`` in the user's cache folder."""
    if chosen := os.environ.get("ARPENT_CACHE"):
        return Path(chosen).absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "arpent"


def searches_folder() -> Path:
    """Where what searches have found is written down."""
    return cache_folder() / "searches"


def place_for(kind: str, address: str) -> Path:
    """The folder for an address on this machine, always the same one."""
    name = PurePosixPath(address.partition("://")[2]).name
    return cache_folder() / kind / f"{sha256(address.encode()).hexdigest()[:16]}-{name}"


def local_copy(path: str | PathLike[str]) -> Path:
    """The path under which a file or folder can be opened on this machine.

    What an address in an object store names is copied, again where it has changed. Rasters are not: GDAL reads the
    parts that are needed where they lie. Any other path is given back as it is.

    Raises:
        FileMissing: nothing is at the address.
        NetworkMissing: its store cannot be reached, or refuses.
    """
    address = object_address(path)
    if address is None or PurePosixPath(address).suffix.lower() in _RASTERS:
        return Path(path)
    own = stored_file(address)
    files = [own] if own else objects_under(address)
    if not files:
        raise FileMissing(f"there is nothing at {address}", cure="Check the bucket and the key.")
    home = place_for("copies", address)
    with writing(home):
        home.mkdir(parents=True, exist_ok=True)
    names = {_name(file, address): file for file in files}
    known = _recorded(home)
    # The manifest of a run goes first and comes last, as in its store: a copy that was broken off is no run.
    wanted = sorted(names, key=_is_last)
    stale = [name for name in wanted if known.get(name) != _facts(names[name]) or not (home / name).is_file()]
    for name in sorted({*filter(_is_last, stale), *(known.keys() - names.keys())}, key=_is_last, reverse=True):
        (home / _inside(name, address)).unlink(missing_ok=True)
    _fetch(stale, names, known, home)
    copy = home / PurePosixPath(address).name if own else home
    _MADE[copy] = address
    return copy


def _fetch(stale: list[str], names: dict[str, StoredFile], known: dict[str, list[str]], home: Path) -> None:
    """Copies files, and notes now and then, and at the end whatever ends it, which have come."""
    for start in range(0, len(stale), _NOTED):
        try:
            for name in stale[start : start + _NOTED]:
                fetch_object(names[name].address, home / name)
                known[name] = _facts(names[name])
        finally:
            write_file(home / _RECORD, json.dumps({name: known[name] for name in known.keys() & names.keys()}))


@contextmanager
def copies_by_address() -> Iterator[None]:
    """In the block, pickled paths of copies say of what: another machine that reads them makes copies of its own."""
    kind = type(Path())
    before = copyreg.dispatch_table.get(kind)
    copyreg.pickle(kind, _told)
    try:
        yield
    finally:
        if before is None:
            del copyreg.dispatch_table[kind]
        else:
            copyreg.dispatch_table[kind] = before


def _told(path: Path) -> tuple[Callable[..., Path], tuple[Any, ...]]:
    """How a path is pickled."""
    for folder in (path, *path.parents):
        if address := _MADE.get(folder):
            inside = "".join(f"/{part}" for part in path.relative_to(folder).parts)
            return _copied_there, (f"{address.rstrip('/')}{inside}", str(path), socket.gethostname())
    return Path, (str(path),)


def _copied_there(address: str, path: str, host: str) -> Path:
    """The copy that another process has told of; this machine's own, where that lies on another one."""
    told = Path(path)
    return told if host == socket.gethostname() and told.exists() else local_copy(address)


def _is_last(name: str) -> bool:
    return PurePosixPath(name).name == _LAST


def _name(file: StoredFile, address: str) -> str:
    """What a file is called in the copy."""
    if file.address == address:
        return PurePosixPath(address).name
    return _inside(file.address.removeprefix(f"{address}/"), address)


def _inside(name: str, address: str) -> str:
    """Refuses what would be written outside the copy: any text can be a key in a store."""
    if ".." in PurePosixPath(name).parts or name.startswith("/") or "\0" in name:
        raise UnreadableFile(
            f"{address} holds a file that cannot be copied", found=name, cure="Name the files that are needed."
        )
    return name


def _facts(file: StoredFile) -> list[str]:
    return [str(file.bytes), file.version]


def _recorded(home: Path) -> dict[str, list[str]]:
    try:
        content = json.loads((home / _RECORD).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
