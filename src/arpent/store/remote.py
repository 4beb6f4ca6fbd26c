"""Finished runs in object stores: their manifests, and their files one by one when they are needed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from arpent.core import file_sha256, write_file, writing
from arpent.errors import FileMissing, InvalidSetting, RunDamaged
from arpent.store.manifest import MANIFEST, MOST_BYTES, FileRecord

__all__ = ["STAGES", "bring", "difference", "mirror", "runs_at", "stage_of"]

STAGES = "runs"
"""Folder of the cache for runs that are being made for an object store."""

_MIRRORS = "mirrors"
"""Folder of the cache for files of finished runs that have been looked at."""


def stage_of(address: str) -> Path:
    """Where on this machine a run is made before it is sent to its address; found again by the address."""
    from arpent.io.copies import place_for

    return place_for(STAGES, address)


def mirror(address: str) -> Path:
    """A folder on this machine with the manifest that the run has now; its other files come when they are asked for.

    Raises:
        FileMissing: there is no manifest at the address, and so no run.
        InvalidSetting: it is too large for one.
        NetworkMissing: the store cannot be reached, or refuses.
    """
    from arpent.io.copies import place_for
    from arpent.io.objects import object_start

    try:
        content = object_start(f"{address}/{MANIFEST}", MOST_BYTES + 1)
    except FileMissing as problem:
        raise FileMissing(
            f"there is no run at {address}",
            cure="Give the address of a folder that holds a manifest.json; a run whose upload failed has none until "
            "its command is repeated with --resume.",
        ) from problem
    if len(content) > MOST_BYTES:
        raise InvalidSetting(
            f"{address}/{MANIFEST} is too large for a manifest",
            found=f"more than {MOST_BYTES >> 20} MiB",
            cure="Check the address of the run.",
        )
    # A run that was made anew has another manifest: files of the old one are never taken for its own.
    home = place_for(_MIRRORS, address) / sha256(content).hexdigest()[:16]
    if not (home / MANIFEST).is_file():
        with writing(home):
            home.mkdir(parents=True, exist_ok=True)
        write_file(home / MANIFEST, content)
    return home


def bring(address: str, folder: Path, record: FileRecord) -> Path:
    """Copies one file of a run to its mirror, if it is not there yet, and makes sure of its content.

    Raises:
        RunDamaged: it is missing, or is not what the manifest says.
    """
    from arpent.io.objects import fetch_object

    path = folder / record.file
    if path.is_file() and path.stat().st_size == record.bytes:
        return path
    try:
        fetch_object(f"{address}/{record.file}", path)
    except FileMissing as problem:
        raise _damaged(address, f"{record.file} is missing") from problem
    if path.stat().st_size != record.bytes or file_sha256(path) != record.sha256:
        path.unlink()
        raise _damaged(address, f"{record.file} has another content")
    return path


def difference(address: str, record: FileRecord) -> str | None:
    """How a file of a run differs from what the manifest says, in words; None if it does not."""
    from arpent.io.objects import object_sha256, stored_file

    there = stored_file(f"{address}/{record.file}")
    if there is None:
        return "is missing"
    if there.bytes != record.bytes:
        return f"has {there.bytes:,} bytes instead of {record.bytes:,}"
    return None if object_sha256(there.address) == record.sha256 else "has another content"


def runs_at(address: str) -> list[str]:
    """The address itself, if it is that of a run; otherwise those of the runs directly below it, by name.

    Raises:
        FileMissing: nothing is there.
    """
    from arpent.io.objects import folders_under, objects_under, stored_file

    if stored_file(f"{address}/{MANIFEST}"):
        return [address]
    folders = folders_under(address)
    if not folders and not objects_under(address):
        raise FileMissing(f"there is nothing at {address}", cure="Give the address that holds the runs.")
    return [folder for folder in folders if stored_file(f"{folder}/{MANIFEST}")]


def _damaged(address: str, found: str) -> RunDamaged:
    return RunDamaged(
        f"the run {address} does not match its manifest",
        found=found,
        cure="Restore these files from a copy, or run again with --force.",
    )
