"""A run on its way to an object store: made on this machine, sent when it is whole, its manifest last."""

from __future__ import annotations

import atexit
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from arpent.core import object_address, write_file, writing
from arpent.errors import ArpentError, NetworkMissing, RunDamaged, RunExists
from arpent.store.beginning import Wish
from arpent.store.lock import RunLock
from arpent.store.manifest import MANIFEST, FileRecord, Manifest, read_manifest
from arpent.store.reading import LOCK, SCRATCH
from arpent.store.remote import mirror, stage_of

__all__ = ["Goal"]

_SENT = "sent.json"
"""File in the scratch folder: what has arrived, whether a run there may be replaced, and the names of its files."""

_AT_ONCE = 4
"""Files that are sent at the same time; large ones go in several parts besides."""


@dataclass(frozen=True)
class Goal:
    """Where a run goes when it is whole.

    Attributes:
        address: of the run in its store.
        stage: the folder on this machine where it is made.
    """

    address: str
    stage: Path

    @classmethod
    def of(cls, place: str | Path) -> Goal | None:
        """The goal that an address names; None for a folder on this machine."""
        address = object_address(place)
        return None if address is None else cls(address, stage_of(address))

    def prepare(self, wish: Wish) -> bool:
        """Makes the stage fit for a beginning, under its lock; whether a run at the address is to be replaced.

        Raises:
            RunExists: a run is at the address, and is neither to be replaced nor gone on with.
            NetworkMissing: the store cannot be reached, or refuses.
        """
        from arpent.io.objects import remove_object, stored_file

        manifest = f"{self.address}/{MANIFEST}"
        there = stored_file(manifest) is not None
        replaces = there and (wish.force or (wish.resume and bool(self._state()["replaces"])))
        if there and wish.reopens(self.stage):
            remove_object(manifest)
        elif there and not replaces:
            raise RunExists(
                f"the run {self.address} is there already",
                cure="Choose another address with -o, or replace it with --force.",
            )
        elif not there and (self.stage / MANIFEST).exists() and not (self.stage / SCRATCH).exists():
            # What was sent has been removed there since: the copy of it that was left behind is no run of its own.
            _empty(self.stage)
        return replaces

    def note_replacing(self) -> None:
        """Notes, in a stage that is begun, that the run at the address may go: so it may when this one is resumed."""
        state = self._state()
        state["replaces"] = {MANIFEST: ""}
        self._note(state)

    def send(self, manifest: Manifest, tell: Callable[[str], object]) -> None:
        """Sends every file of a run that has not arrived yet, and then its manifest.

        From the first file on until the manifest is there, the address holds no run: not a half one, and not the one
        that is replaced.

        Raises:
            NetworkMissing: the store cannot be reached, or refuses; what has arrived need not be sent again.
        """
        from arpent.io.objects import put_text

        records = list(manifest.files())
        size = sum(record.bytes for record in records) / 1e6
        tell(f"sending {len(records)} files, {size:,.1f} MB, to {self.address}")
        try:
            stale = self._withdrawn()
            self._send_files(records)
            put_text(manifest.to_json(), f"{self.address}/{MANIFEST}")
            self._remove(stale - {record.file for record in records})
        except NetworkMissing as problem:
            raise NetworkMissing(
                f"the run is made, and not all of it has reached {self.address}",
                found=problem.found,
                cure="Repeat the command with --resume: nothing is computed again, and only what is missing is sent.",
            ) from problem

    def leave(self) -> None:
        """Removes the stage when this process ends: until then, whoever has made the run may look at its files."""
        atexit.register(_left, self.stage)

    def _withdrawn(self) -> set[str]:
        """The names of files of a run that is replaced, whose manifest goes first."""
        from arpent.io.objects import remove_object, stored_file

        address = f"{self.address}/{MANIFEST}"
        state = self._state()
        if stored_file(address):
            # One that cannot be understood cannot say what is its own: its files stay.
            with suppress(RunDamaged):
                old = read_manifest(mirror(self.address) / MANIFEST)
                # Where the sending was stopped just before its end, the manifest there is the new one, and what it has
                # replaced is known from the first attempt alone.
                state["stale"] |= {record.file: "" for record in old.files()}
                self._note(state)
            remove_object(address)
        return set(state["stale"])

    def _send_files(self, records: list[FileRecord]) -> None:
        """Several at once; what has arrived is noted as it arrives, also of those that are under way at the end."""
        state = self._state()
        stopped = Event()
        pool = ThreadPoolExecutor(_AT_ONCE)
        waiting = {pool.submit(self._send_one, record, dict(state["sent"]), stopped): record for record in records}
        try:
            for done in as_completed(waiting):
                done.result()
                self._note_sent(state, waiting.pop(done))
        except BaseException as problem:
            # Who stops the command is not kept waiting; after an error what is under way may still arrive.
            if not isinstance(problem, Exception):
                stopped.set()
            pool.shutdown(cancel_futures=True)
            for done, record in waiting.items():
                if not done.cancelled() and done.exception() is None:
                    self._note_sent(state, record)
            raise
        pool.shutdown()

    def _note_sent(self, state: dict[str, dict[str, str]], record: FileRecord) -> None:
        state["sent"][record.file] = record.sha256
        self._note(state)

    def _send_one(self, record: FileRecord, sent: dict[str, str], stopped: Event) -> None:
        from arpent.io.objects import put_object, stored_file

        address = f"{self.address}/{record.file}"
        if sent.get(record.file) == record.sha256:
            there = stored_file(address)
            if there is not None and there.bytes == record.bytes:
                return
        put_object(self.stage / record.file, address, stopped)

    def _remove(self, names: set[str]) -> None:
        from arpent.io.objects import remove_object

        for name in sorted(names):
            remove_object(f"{self.address}/{name}")

    def _state(self) -> dict[str, dict[str, str]]:
        try:
            kept = json.loads((self.stage / SCRATCH / _SENT).read_bytes())
        except (FileNotFoundError, ValueError):
            kept = {}
        return {key: dict(kept.get(key, {})) for key in ("sent", "stale", "replaces")}

    def _note(self, state: dict[str, dict[str, str]]) -> None:
        write_file(self.stage / SCRATCH / _SENT, json.dumps(state))


def _empty(stage: Path) -> None:
    """Removes all but the lock from a stage that is locked."""
    with writing(stage):
        for child in stage.iterdir():
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            elif child.name != LOCK:
                child.unlink()


def _left(stage: Path) -> None:
    """Removes the stage of a run that has been sent, unless somebody has begun another one there."""
    lock = RunLock(stage / LOCK)
    with suppress(ArpentError, OSError):
        if not (stage / MANIFEST).is_file() or (stage / SCRATCH).exists():
            return
        lock.acquire()
        _empty(stage)
        lock.release()
        stage.rmdir()
