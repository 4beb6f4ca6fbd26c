"""Run folders as others left them: open, list, verify. Nothing in them is trusted before it is checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from arpent.core import Progress, Silent, file_sha256, no_folder, object_address
from arpent.errors import ArpentError, FileMissing, RunDamaged
from arpent.models.published import refuse_published
from arpent.models.shipped import shipped_bundle
from arpent.store.lock import RunLock
from arpent.store.manifest import MANIFEST, FileRecord, Manifest, read_manifest
from arpent.store.remote import bring, difference, mirror, runs_at

__all__ = [
    "LOCK",
    "SCRATCH",
    "START",
    "Run",
    "RunEntry",
    "Verification",
    "bundle_in",
    "open_run",
    "runs_under",
    "verify",
]

SCRATCH = ".scratch"
"""Folder of a run for files that are not finished; it goes when the run is finished."""

START = "start.json"
"""File in the scratch folder that says what the run was begun as."""

LOCK = ".lock"
"""Lock file of a run folder."""

_LISTED = 5
"""Damaged files that are named in an error."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run.

    Attributes:
        path: its folder; of a run in an object store, one on this machine for those of its files that are looked at.
        manifest: what it says about itself.
        address: of a run in an object store.
    """

    path: Path
    manifest: Manifest
    address: str | None = None

    @property
    def place(self) -> str:
        """Where it lies, for people."""
        return self.address or str(self.path)

    def file(self, product: str) -> Path:
        """Path of the product of that name; the file is there and lies inside the folder."""
        return self.locate(self.manifest.product(product))

    def locate(self, record: FileRecord) -> Path:
        """Path of a file of the manifest.

        Raises:
            RunDamaged: it is missing, or a link leads out of the run folder.
        """
        path = self.path / record.file
        if self.address is not None:
            bring(self.address, self.path, record)
        fault = _fault(self.path, path)
        if fault:
            raise _damage(self, [f"{record.file} {fault}"])
        return path


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A folder among others, whatever state it is in.

    Attributes:
        path: the folder.
        state: "complete" and "partial" runs have a manifest; "unfinished" ones can be resumed; "running" ones have
            a living writer; "damaged" ones cannot be read.
        run: the run, if it is finished.
        problem: one line, if it is damaged.
        address: of a run in an object store.
    """

    path: Path
    state: Literal["complete", "partial", "unfinished", "running", "damaged"]
    run: Run | None = None
    problem: str = ""
    address: str | None = None

    @property
    def place(self) -> str:
        """Where it lies, for people."""
        return self.address or str(self.path)

    @property
    def title(self) -> str:
        """What it is called among others."""
        return PurePosixPath(self.place).name


@dataclass(frozen=True, slots=True)
class Verification:
    """What was compared without finding a difference.

    Attributes:
        files: how many.
        bytes: their size together.
    """

    files: int
    bytes: int


def open_run(path: str | Path) -> Run:
    """The finished run in a folder, or at an address in an object store.

    Raises:
        FileMissing: there is no run, or only an unfinished one, with what to do about it.
        RunDamaged: its manifest cannot be used.
        NetworkMissing: it lies in an object store that cannot be reached, or refuses.
    """
    address = object_address(path)
    folder = Path(path) if address is None else mirror(address)
    if (folder / MANIFEST).exists():
        return Run(folder, read_manifest(folder / MANIFEST), address)
    if RunLock.held(folder / LOCK):
        raise FileMissing(f"the run {folder} is still under way", cure="Wait until it is finished.")
    if (folder / SCRATCH / START).exists():
        raise FileMissing(
            f"the run {folder} was not finished",
            cure="Repeat its command with --resume to go on, or with --force to start over.",
        )
    raise FileMissing(f"there is no run in {folder}", cure="Give a folder that holds a manifest.json.")


def bundle_in(path: str | Path, task: str | None = None) -> Path:
    """The model bundle at a path, which may be the run that has trained it, or of a name that comes with Arpent.

    What lies at the path goes before a bundle of the same name.

    Args:
        path: what was given as the model.
        task: what it is wanted for; a published model for something else is told apart by it.

    Raises:
        WeightsMissing, BundleInvalid: the name of a published model, which is no bundle yet; with what to do.
        FileMissing, RunDamaged: a run that is not finished, or is not what it was.
    """
    address = object_address(path)
    if address is not None:
        return _bundle_at(address)
    folder = Path(path)
    if not folder.exists():
        if shipped := shipped_bundle(str(path)):
            return shipped
        refuse_published(str(path), task)
    if (folder / MANIFEST).exists() or (folder / SCRATCH / START).exists():
        run = open_run(folder)
        return run.file("model")
    return folder


def _bundle_at(address: str) -> Path:
    """A copy of the bundle at an address, which may be that of a run."""
    from arpent.io.copies import local_copy
    from arpent.io.objects import stored_file

    if stored_file(f"{address}/{MANIFEST}"):
        return open_run(address).file("model")
    return local_copy(address)


def runs_under(root: str | Path) -> list[RunEntry]:
    """The runs directly below a folder, by name; folders of other kinds are passed over. A run itself is one run.

    In an object store there are finished runs alone.

    Raises:
        FileMissing: there is no such folder.
        UnreadableFile: it is a file.
        NetworkMissing: the store cannot be reached, or refuses.
    """
    address = object_address(root)
    if address is not None:
        return [_entry_at(place) for place in runs_at(address)]
    folder = Path(root)
    if not folder.is_dir():
        raise no_folder(folder, "Give the folder that holds the runs.")
    return list(_entries([folder])) or list(_entries(sorted(folder.iterdir())))


def _entry_at(address: str) -> RunEntry:
    try:
        run = open_run(address)
    except ArpentError as problem:
        return RunEntry(Path(address), "damaged", problem=str(problem), address=address)
    return RunEntry(run.path, run.manifest.status, run, address=address)


def _entries(folders: Iterable[Path]) -> Iterator[RunEntry]:
    """Those of the folders that are runs."""
    for path in folders:
        if not path.is_dir():
            continue
        if (path / MANIFEST).exists():
            try:
                run = open_run(path)
            except ArpentError as problem:
                yield RunEntry(path, "damaged", problem=str(problem))
            else:
                yield RunEntry(path, run.manifest.status, run)
        elif RunLock.held(path / LOCK):
            yield RunEntry(path, "running")
        elif (path / SCRATCH / START).exists():
            yield RunEntry(path, "unfinished")


def verify(run: Run, progress: Progress | None = None) -> Verification:
    """Reads every file of the run again and compares it with the manifest.

    Raises:
        RunDamaged: some differ; the error lists them.
    """
    records = list(run.manifest.files())
    total = sum(record.bytes for record in records)
    wrong: list[str] = []
    with (progress or Silent()).bar(f"verify {PurePosixPath(run.place).name}", total, "B") as bar:
        for record in records:
            fault = _difference(run.path, record) if run.address is None else difference(run.address, record)
            if fault:
                wrong.append(f"{record.file} {fault}")
            bar.advance(record.bytes)
    if wrong:
        raise _damage(run, wrong)
    return Verification(len(records), total)


def _difference(folder: Path, record: FileRecord) -> str | None:
    path = folder / record.file
    fault = _fault(folder, path)
    if fault:
        return fault
    size = path.stat().st_size
    if size != record.bytes:
        return f"has {size:,} bytes instead of {record.bytes:,}"
    if file_sha256(path) != record.sha256:
        return "has another content"
    return None


def _fault(folder: Path, path: Path) -> str | None:
    """Why a path cannot be a file of the run; None if it can."""
    if not path.resolve().is_relative_to(folder.resolve()):
        return "leads out of the run folder"
    if not path.is_file():
        return "is missing"
    return None


def _damage(run: Run, wrong: list[str]) -> RunDamaged:
    more = f" and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
    return RunDamaged(
        f"the run {run.place} does not match its manifest",
        found=", ".join(wrong[:_LISTED]) + more,
        cure="Restore these files from a copy, or run again with --force.",
    )
