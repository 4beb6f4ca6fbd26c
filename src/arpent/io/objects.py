"""Whole files in object stores: ``s3://bucket/key`` and ``gs://bucket/key``. Rasters are read by GDAL, in ranges."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from arpent.core import object_address, publish_file, shown_address, writing
from arpent.errors import (
    ArpentError,
    FileMissing,
    Interrupted,
    InvalidSetting,
    NetworkMissing,
    NotWritable,
    UnreadableFile,
)
from arpent.io.access import Access, gs_access, s3_access
from arpent.io.retry import persistently

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

__all__ = [
    "StoredFile",
    "fetch_object",
    "folders_under",
    "object_sha256",
    "object_start",
    "objects_under",
    "put_object",
    "put_text",
    "remove_object",
    "stored_file",
]

Result = TypeVar("Result")

_PIECE = 8 << 20
_PATIENCE = timedelta(seconds=10)
"""How long Google's own client tries again by itself."""

_SIGNS = {
    "missing": re.compile(r"NO_SUCH_(BUCKET|KEY|UPLOAD)|RESOURCE_NOT_FOUND|HTTP status 404|NOT_FOUND", re.I),
    "refused": re.compile(
        r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN|EXPIRED_TOKEN|"
        r"HTTP status (401|403)|PERMISSION_DENIED|UNAUTHENTICATED",
        re.I,
    ),
}
_ASIDE = re.compile(r"\s*\(Request ID:[^)]*\)")


@dataclass(frozen=True)
class StoredFile:
    """A file in an object store.

    Attributes:
        address: of the file.
        bytes: its size.
        version: changes when it is written anew.
    """

    address: str
    bytes: int
    version: str


def stored_file(address: str) -> StoredFile | None:
    """The file at an address; None where there is none.

    Raises:
        NetworkMissing: the store cannot be reached, or refuses.
    """
    store, key = _store(address)
    info = _asked(address, lambda: store.get_file_info(key))
    return StoredFile(address, info.size, str(info.mtime_ns)) if info.is_file else None


def objects_under(address: str) -> list[StoredFile]:
    """The files below the address of a folder, by their addresses; of the folders in between no word."""
    from pyarrow.fs import FileSelector

    store, key = _store(address)
    chosen = FileSelector(key, allow_not_found=True, recursive=True)
    scheme = address.partition("://")[0]
    found = [
        StoredFile(f"{scheme}://{info.path}", info.size, str(info.mtime_ns))
        for info in _asked(address, lambda: store.get_file_info(chosen))
        if info.is_file
    ]
    return sorted(found, key=lambda file: file.address)


def folders_under(address: str) -> list[str]:
    """The addresses of the folders directly below an address."""
    if address.startswith("gs:"):  # of which pyarrow shows only those folders that somebody has made as such
        deeper = [file.address.removeprefix(f"{address}/") for file in objects_under(address)]
        return sorted({f"{address}/{name.partition('/')[0]}" for name in deeper if "/" in name})
    from pyarrow.fs import FileSelector, FileType

    store, key = _store(address)
    chosen = FileSelector(key, allow_not_found=True)
    scheme = address.partition("://")[0]
    infos = _asked(address, lambda: store.get_file_info(chosen))
    return sorted(f"{scheme}://{info.path}" for info in infos if info.type == FileType.Directory)


def object_start(address: str, most: int) -> bytes:
    """The first bytes of a file, at most `most`: all of it, if it is small.

    Raises:
        FileMissing: there is none.
        NetworkMissing: the store cannot be reached, or refuses.
    """

    def read() -> bytes:
        store, key = _store(address)
        with store.open_input_stream(key) as stream:
            return bytes(stream.read(most))

    return _asked(address, read)


def fetch_object(address: str, path: Path) -> Path:
    """Copies a file from its store to `path`, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _asked(address, lambda: _fetch(address, beside))
        return publish_file(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _fetch(address: str, beside: Path) -> None:
    with _written(beside):
        stream = beside.open("wb", buffering=0)
    with stream:
        for piece in _pieces(address):
            with _written(beside):
                rest = memoryview(piece)
                while rest:
                    rest = rest[stream.write(rest) :]


def object_sha256(address: str) -> str:
    """SHA-256 of a file's bytes, as its store gives them now."""

    def read() -> str:
        digest = hashlib.sha256()
        for piece in _pieces(address):
            digest.update(piece)
        return digest.hexdigest()

    return _asked(address, read)


def _pieces(address: str) -> Iterator[bytes]:
    store, key = _store(address)
    with store.open_input_stream(key) as stream:
        while piece := stream.read(_PIECE):
            yield piece


def put_object(path: Path, address: str, stopped: Event | None = None) -> None:
    """Copies a file to its store, in parts where it is large. It appears there when all of it has arrived.

    Args:
        path: of the file.
        address: where it goes.
        stopped: set by another thread when this is to be given up; nothing of the file stays in the store then.

    Raises:
        FileMissing: there is no such file, or no such bucket.
        Interrupted: it was given up.
        NetworkMissing: the store cannot be reached, or refuses.
        UnreadableFile: the file cannot be read to its end.
    """
    _asked(address, lambda: _put(_pieces_of(path, stopped), address))


def put_text(content: str, address: str) -> None:
    """Writes a small file to its store, whole or not at all."""
    _asked(address, lambda: _put((content.encode(),), address))


def _put(pieces: Iterable[bytes], address: str) -> None:
    store, key = _store(address)
    pieces = iter(pieces)
    first = next(pieces, b"")  # what cannot be read at all touches nothing in the store
    stream = store.open_output_stream(key)
    try:
        stream.write(first)
        for piece in pieces:
            stream.write(piece)
    except BaseException:
        # pyarrow has no way to give an upload up: it is closed, appears with what has arrived, and is removed.
        with suppress(OSError):
            stream.close()
        with suppress(OSError):
            store.delete_file(key)
        raise
    stream.close()


def _pieces_of(path: Path, stopped: Event | None) -> Iterator[bytes]:
    """What a file on this machine holds; what its disk says is not taken for a word of the store."""
    try:
        with path.open("rb") as source:
            while piece := source.read(_PIECE):
                if stopped is not None and stopped.is_set():
                    raise Interrupted(f"the sending of {path.name} was stopped", cure="Repeat it with --resume.")
                yield piece
    except FileNotFoundError as error:
        raise FileMissing(f"there is no {path}", cure="Make it anew.") from error
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read",
            found=error.strerror or str(error),
            cure="Check its disk, then repeat the command.",
        ) from error


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Whatever this machine's disk says while a file is written: no word of the store either."""
    try:
        with writing(path):
            yield
    except OSError as error:
        raise NotWritable(
            f"{path} cannot be written", found=error.strerror or str(error), cure="Check its disk, or choose another."
        ) from error


def remove_object(address: str) -> None:
    """Removes a file from its store; harmless where there is none.

    At S3, pyarrow leaves an empty object in the name of the folder, which other tools show as one.
    """
    store, key = _store(address)

    def remove() -> None:
        if store.get_file_info(key).is_file:
            store.delete_file(key)

    _asked(address, remove)


def _asked(address: str, action: Callable[[], Result]) -> Result:
    """What the store answers; asked again, later and later, where another try may help."""
    with _translated(address):
        return persistently(action, (OSError,), _may_pass)


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, FileNotFoundError) and _kind(error) == "network" and _is_of_store(error)


def _is_of_store(error: Exception) -> bool:
    """Whether the store has said it, and not this machine's disk, which names the file."""
    return getattr(error, "filename", None) is None


def _kind(error: Exception) -> str:
    return next((kind for kind, pattern in _SIGNS.items() if pattern.search(str(error))), "network")


@contextmanager
def _translated(address: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise _missing(address) from error
    except OSError as error:
        if not _is_of_store(error):
            raise
        raise _in_our_words(error, address) from error


def _missing(address: str) -> FileMissing:
    return FileMissing(f"there is nothing at {address}", cure="Check the bucket and the key.")


def _in_our_words(error: OSError, address: str) -> ArpentError:
    kind = _kind(error)
    if kind == "missing":
        return _missing(address)
    told = shown_address(_ASIDE.sub("", str(error)))[-200:]
    if kind == "refused":
        cure = "Give credentials that may do it (AWS_ACCESS_KEY_ID …, GOOGLE_APPLICATION_CREDENTIALS)."
        return NetworkMissing(f"the store refuses access to {address}", found=told, cure=cure)
    return NetworkMissing(
        f"the store of {address} cannot be reached",
        found=told,
        cure="Check the network, and AWS_ENDPOINT_URL where the store is your own; then repeat the command.",
    )


def _store(address: str) -> tuple[FileSystem, str]:
    """The store of an address, and what the file is called there."""
    scheme, _, key = (object_address(address) or "").partition("://")
    if scheme == "s3":
        return _s3(s3_access(os.environ), _said("AWS_")), key
    if scheme == "gs":
        return _gs(gs_access(os.environ), _said("GOOGLE_")), key
    raise InvalidSetting(f"'{address}' is no address in an object store", cure="Give s3://BUCKET/KEY or gs://….")


def _said(prefix: str) -> frozenset[tuple[str, str]]:
    """What the environment says of credentials: a store is asked by the same client as long as it says the same."""
    return frozenset((name, value) for name, value in os.environ.items() if name.startswith(prefix))


@lru_cache(maxsize=4)
def _s3(access: Access, _credentials: frozenset[tuple[str, str]]) -> FileSystem:
    from pyarrow import fs

    # One try here: the waiting in between is done in one place, `persistently`.
    return fs.S3FileSystem(
        anonymous=access.anonymous,
        scheme=access.scheme or "https",
        endpoint_override=access.host,
        force_virtual_addressing=bool(access.virtual),
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )


@lru_cache(maxsize=4)
def _gs(access: Access, _credentials: frozenset[tuple[str, str]]) -> FileSystem:
    from pyarrow import fs

    return fs.GcsFileSystem(
        anonymous=access.anonymous,
        scheme=access.scheme or "https",
        endpoint_override=access.host,
        retry_time_limit=_PATIENCE,
    )
