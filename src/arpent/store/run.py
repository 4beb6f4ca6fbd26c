"""Writing a run folder: products first, the manifest last, so that what can be opened is complete."""

from __future__ import annotations

import json
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from arpent.core import (
    file_sha256,
    object_address,
    publish_file,
    shown_address,
    shown_values,
    sync_folder,
    write_file,
    writing,
)
from arpent.core.bundle import bundle_sha256
from arpent.errors import FileMissing, Interrupted, InvalidSetting
from arpent.language import say
from arpent.models.shipped import shipped_name
from arpent.store.beginning import KEPT, Start, Wish, begin, file_name, folder_for, keep_open, make_folder, refuse
from arpent.store.belongings import clear, is_replacing, put_back, refuse_inputs, remember
from arpent.store.changed import changes_of
from arpent.store.lock import RunLock
from arpent.store.manifest import (
    MANIFEST,
    BundleRecord,
    Failure,
    FileRecord,
    InputRecord,
    Manifest,
    Product,
    ProductKind,
    language_set,
    versions,
)
from arpent.store.reading import LOCK, SCRATCH, Run, open_run
from arpent.store.sending import Goal

__all__ = ["RunFolder"]


class RunFolder:
    """A run that is being written, locked against every other writer.

    ::

        with RunFolder.create("runs", "landcover", "cahors", settings=settings.model_dump(mode="json")) as run:
            run.add_input("scene.tif")
            with run.timed("predict"):
                ...  # writes run.scratch / "classes.tif"
            run.publish(run.scratch / "classes.tif", kind="raster", stac=item)
            run.finish()

    Leaving the block without `finish` keeps the scratch folder, so that the run can be resumed. Only where the run was
    to replace a finished one, and an error ends it, the finished one comes back instead.

    Attributes:
        path: the run folder; of a run for an object store, the one on this machine where it is made.
        goal: where the run is sent when it is whole, if it is for an object store.
        task: what is being done.
        name: of the run.
        scratch: folder for unfinished files, on the same disk as the products.
        kept: folder in it, made by tasks that can go on with a run finished in part; it stays with such a run.
        language: that the run is made in, for the manifest; that of the settings, if not set.
        resumed: whether an earlier attempt left something to go on from.
        foreign: names of what lay in the folder of a run that was replaced, was not the run's, and has stayed.
        tell: who is told, in a line, what users should know while the run is being made; nobody, if not set.
        cautious: whether a model that comes with Arpent is warned about; True, if not set.
    """

    def __init__(
        self, path: Path, start: Start, lock: RunLock, foreign: tuple[str, ...] = (), goal: Goal | None = None
    ) -> None:
        self.path = path
        self.goal = goal
        self.foreign = foreign
        self.task, self.name, self.language = start.task, start.name, language_set(start.settings)
        self.scratch = path / SCRATCH
        self.kept = self.scratch / KEPT
        self.resumed = start.attempts > 1
        self._start = start
        self._lock = lock
        self._ended = False
        self._inputs: dict[str, InputRecord] = {}
        self._bundle: BundleRecord | None = None
        self._metrics: dict[str, float] = {}
        self._timings: dict[str, float] = {}
        self._products: dict[str, Product] = {}
        self._failures: list[Failure] = []
        self._warnings: list[str] = []
        self.tell: Callable[[str], object] = _nobody
        self.cautious = True

    @classmethod
    def create(
        cls,
        place: str | Path,
        task: str,
        name: str,
        *,
        settings: Mapping[str, Any] | None = None,
        exact: bool = False,
        force: bool = False,
        resume: bool = False,
        inputs: Sequence[str | Path] = (),
    ) -> RunFolder:
        """Begins a run, or goes on with an unfinished one.

        Args:
            place: folder that holds the runs; when `exact`, the run folder itself or its address in an object store.
            task: "landcover".
            name: in the user's words; made fit for a file name.
            settings: the resolved settings, as JSON has them; passwords of addresses in them are not kept.
            exact: see `place`.
            force: replaces a run that is there already, which stays aside until this one is finished; files that are
                not the run's stay.
            resume: goes on with the unfinished run of this task and name, if there is one; or with one that was
                finished in part by a task that has left something in `kept`.
            inputs: files and folders that will be read, which `force` must not replace.

        Raises:
            RunExists: there is one already, or the folder holds something else.
            RunLocked: another process is writing it.
            InvalidSetting: the run to resume was begun with other settings, or the one to replace holds an input.
            NotWritable: the folder cannot be made.
        """
        kept = shown_values(dict(settings or {}))
        start = Start(task=task, name=file_name(name), created=datetime.now(UTC), settings=kept)
        wish = Wish(force, resume)
        goal = Goal.of(place) if exact else None
        path = goal.stage if goal else Path(place) if exact else folder_for(Path(place), start, wish)
        if force:
            refuse_inputs(path, inputs)
        make_folder(path)
        with ExitStack() as undo:
            lock = RunLock(path / LOCK)
            if goal is None:
                refuse(path, wish)
            lock.acquire()
            undo.callback(lock.release)
            replaces = goal is not None and goal.prepare(wish)
            begun = begin(path, start, wish)
            if goal is not None and replaces:
                goal.note_replacing()
            undo.pop_all()
        return cls(path, begun.start, lock, begun.foreign, goal)

    @staticmethod
    def open(path: str | Path) -> Run:
        """The finished run in a folder; see `open_run`."""
        return open_run(path)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # Who stops a run means to go on with it; what else ends it would leave neither the old run nor the new.
            if problem is not None and not self._ended and not isinstance(problem, Interrupted | KeyboardInterrupt):
                put_back(self.path)
        finally:
            self._lock.release()

    def aside(self, folder: Path) -> RunFolder:
        """A part of this run in a folder of its scratch: its products stay out of sight, and go with that folder.

        What it notes of inputs, measurements, times and doubts is noted for the run.
        """
        part = RunFolder(folder, self._start, self._lock)
        with writing(folder):
            part.scratch.mkdir(parents=True, exist_ok=True)
        part._bundle, part.tell, part.cautious = self._bundle, self.tell, self.cautious
        part._inputs, part._metrics, part._timings = self._inputs, self._metrics, self._timings
        part._failures, part._warnings = self._failures, self._warnings
        return part

    def add_input(self, source: str | Path, role: str = "image") -> InputRecord:
        """Notes something that is read: where it lies, if it is on this machine, and the hash of a file.

        Of an address what lets people in is not kept, so that it may be another one when the run is resumed.
        """
        # As typed, a path would mean something else in another working folder.
        address = object_address(source)
        path = Path(source).absolute()
        named = address or (str(path) if path.exists() else str(source))
        if path.is_file():
            record = InputRecord(source=named, role=role, sha256=file_sha256(path), bytes=path.stat().st_size)
        else:
            record = InputRecord(source=shown_address(named), role=role)
        self._inputs[named] = record
        return record

    def undated(self) -> datetime:
        """The moment for what shows the ground on a day that nobody knows, in UTC and whole seconds.

        STAC wants one. That of the run would make two runs differ that are the same in all else, so it is the one at
        which the newest file was last changed of those that are read; that of the run where none lies on this machine.
        """
        changed = [moment for record in self._inputs.values() for moment in changes_of(Path(record.source))]
        moment = datetime.fromtimestamp(max(changed), UTC) if changed else self._start.created
        return moment.replace(microsecond=0)

    def use_bundle(self, source: str | Path, sha256: str | None = None, *, begins: bool = False) -> None:
        """Notes the model in use, and warns of one that comes with Arpent, which knows no real land.

        Args:
            source: its file or folder.
            sha256: its hash, where somebody has it already.
            begins: a training only begins with it: what it has learnt is not the last word.
        """
        known = bundle_sha256(Path(source)) if sha256 is None else sha256
        self._bundle = BundleRecord(source=shown_address(source), sha256=known)
        shipped = None if begins or not self.cautious else shipped_name(source)
        if shipped is not None:
            self.warn(say("runs.shipped", self.language, model=shipped))

    def add_metrics(self, metrics: Mapping[str, float]) -> None:
        """Notes what was measured."""
        self._metrics.update(metrics)

    def warn(self, warning: str) -> None:
        """Notes, and tells at once, what makes the result doubtful."""
        warning = shown_address(warning)
        if warning not in self._warnings:
            self._warnings.append(warning)
            self.tell(warning)

    def add_failure(self, item: str, error: Exception) -> None:
        """Notes an item that could not be done; the run will be partial."""
        kind, message = type(error).__name__, shown_address(str(error))
        self._failures.append(Failure(item=shown_address(item), error=kind, message=message))

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Adds the seconds that the block takes to the step's time."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._timings[step] = self._timings.get(step, 0.0) + time.perf_counter() - begun

    def publish(
        self, file: str | Path, *, kind: ProductKind, name: str | None = None, stac: Mapping[str, Any] | None = None
    ) -> Product:
        """Takes a finished file as a product of the run.

        Args:
            file: in the scratch folder (it is moved beside the manifest) or already in its place in the run folder.
            kind: what sort of file it is.
            name: of the product; the file's name without its suffix if not given.
            stac: the item that describes it, kept beside it as ``<file>.stac.json``.
        """
        path = self._settled(Path(file))
        sidecar = path.with_name(f"{path.name}.aux.xml")
        item = None
        if stac is not None:
            text = json.dumps(stac, indent=2, ensure_ascii=False, allow_nan=False)
            item = self._record(write_file(path.with_name(f"{path.name}.stac.json"), f"{text}\n"))
        product = Product(
            **self._record(path).model_dump(),
            name=name or path.name.split(".")[0],
            kind=kind,
            stac=item,
            sidecars=(self._record(sidecar),) if sidecar.is_file() else (),
        )
        self._products[product.name] = product
        return product

    @property
    def bundle(self) -> BundleRecord | None:
        """The model in use, once it is noted."""
        return self._bundle

    @property
    def replaces(self) -> bool:
        """Whether a finished run stands aside, which comes back if an error ends this one."""
        return is_replacing(self.path)

    @property
    def measured(self) -> Mapping[str, float]:
        """The metrics so far."""
        return dict(self._metrics)

    @property
    def published(self) -> Mapping[str, Product]:
        """The products so far, by name."""
        return dict(self._products)

    def keep(self, product: Product) -> bool:
        """Takes over a product that an earlier attempt has published; whether its files are there as they were."""
        records = (product, *filter(None, (product.stac,)), *product.sidecars)
        for record in records:
            file = self.path / record.file
            if not file.is_file() or file.stat().st_size != record.bytes or file_sha256(file) != record.sha256:
                return False
        self._products[product.name] = product
        return True

    def withdraw(self, name: str) -> None:
        """Takes a product back: the run will not know it, and its files go."""
        product = self._products.pop(name)
        with writing(self.path):
            for record in (product, *filter(None, (product.stac,)), *product.sidecars):
                (self.path / record.file).unlink(missing_ok=True)

    def finish(self) -> Run:
        """Writes the manifest, removes the scratch folder, gives back the lock: from now on the run exists.

        Raises:
            NetworkMissing: the run is for an object store, which has not taken all of it; it can be resumed.
        """
        manifest = Manifest(
            task=self.task,
            name=self.name,
            status="partial" if self._failures else "complete",
            created=self._start.created,
            finished=datetime.now(UTC),
            attempts=self._start.attempts,
            settings=self._start.settings,
            inputs=tuple(self._inputs.values()),
            bundle=self._bundle,
            versions=versions(),
            platform=platform.platform(),
            timings={step: round(seconds, 3) for step, seconds in self._timings.items()},
            metrics=self._metrics,
            products=tuple(self._products.values()),
            failures=tuple(self._failures),
            warnings=tuple(self._warnings),
            language=self.language,
        )
        with writing(self.path):
            sync_folder(self.path)
        if self.goal is not None:
            self._ended = True  # what is whole here stays, to be sent again should the store not take it now
            self.goal.send(manifest, self.tell)
            self.goal.leave()
        write_file(self.path / MANIFEST, manifest.to_json())
        self._ended = True
        if self._failures and self.kept.is_dir():
            keep_open(self.path)
        else:
            shutil.rmtree(self.scratch, ignore_errors=True)  # the run is complete whether or not this succeeds
        self._lock.release()
        return Run(self.path, manifest, self.goal.address if self.goal else None)

    def abandon(self) -> None:
        """Gives the run up: nothing of it is kept, the run that it was to replace is, and an empty folder goes."""
        if not put_back(self.path):
            clear(self.path)
        self._ended = True
        self._lock.release()
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def _settled(self, file: Path) -> Path:
        """Where the product lies in the run folder, after moving it there from the scratch folder."""
        if file.is_symlink() or not file.is_file():
            raise FileMissing(f"the product {file} is not a file", cure="Close its writer before publishing it.")
        home = file.resolve().parent
        if home.is_relative_to(self.scratch.resolve()):
            self._claim(file.name)
            sidecar = file.with_name(f"{file.name}.aux.xml")
            if sidecar.is_file():
                publish_file(sidecar, self.path / sidecar.name)
            return publish_file(file, self.path / file.name)
        if home.is_relative_to(self.path.resolve()):
            self._claim((home / file.name).relative_to(self.path.resolve()).as_posix())
            return file
        raise InvalidSetting(
            f"the product {file} lies outside its run",
            expected=f"a file in {self.path}",
            cure="Write it to the run's scratch folder.",
        )

    def _claim(self, name: str) -> None:
        """Notes that a file and what belongs to it are the run's."""
        remember(self.path, (name, f"{name}.aux.xml", f"{name}.stac.json"))

    def _record(self, path: Path) -> FileRecord:
        inside = path.resolve().relative_to(self.path.resolve()).as_posix()
        return FileRecord(file=inside, sha256=file_sha256(path), bytes=path.stat().st_size)


def _nobody(line: str) -> None:
    """Listens to nothing."""
