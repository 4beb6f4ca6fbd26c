"""A training as a run folder: begin it, prepare, fit, publish; in one process or in several, with the same lines."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from arpent.core import Settings
from arpent.engine.checkpoint import CHECKPOINT
from arpent.engine.processes import Processes
from arpent.engine.training import Fit
from arpent.errors import ArpentError, Interrupted
from arpent.store import Place, Run, RunFolder

__all__ = ["train_run"]

_READ = ("dataset", "index", "images", "pairs", "pretrained", "segmentation", "start", "statistics")
"""Settings of trainings that name files."""

Prepared = TypeVar("Prepared")


@dataclass(frozen=True)
class _Begun(Generic[Prepared]):
    """What the first process tells the others before they all train."""

    prepared: Prepared
    folder: Path


def train_run(
    processes: Processes,
    place: Place,
    task: str,
    name: str,
    settings: Settings,
    *,
    prepare: Callable[[RunFolder], Prepared],
    fit: Callable[[Prepared, Path], Fit],
    publish: Callable[[RunFolder, Prepared, Fit], None],
) -> Run:
    """Trains in a run folder that the first process opens, writes and finishes; the others take part in `fit` alone.

    Args:
        processes: that train together; see `Processes.joined`.
        place: where the run goes.
        task: of the run ("landcover-train").
        name: of the run, where the place has none.
        settings: all of them, for the manifest.
        prepare: notes the inputs and measures what the training needs to know of them, in the first process. What it
            gives travels to the others by pickle.
        fit: trains, in every process, with what `prepare` gave and a folder for checkpoints.
        publish: hands the products and metrics to the run, in the first process.

    Returns:
        The finished run, in every process. On other machines its folder need not exist.

    Raises:
        ProcessLost: another process has failed; its own error says why.
        RunExists, RunLocked, NotWritable: see `RunFolder.create`.
    """
    document = settings.model_dump(mode="json")
    read = [document[key] for key in _READ if document.get(key)]
    with ExitStack() as held:
        run = processes.alone(lambda: held.enter_context(place.begin(task, name, document, read)))

        def own() -> RunFolder:
            assert run is not None  # only the first process asks
            return run

        def begin() -> _Begun[Prepared]:
            try:
                return _Begun(prepare(own()), own().scratch / "fit")
            except ArpentError as problem:
                # Nothing is learnt yet: once the cause is mended, the same command is to begin anew.
                if not (place.resume or isinstance(problem, Interrupted)):
                    own().abandon()
                raise

        begun = processes.told(begin)
        try:
            with own().timed("fit") if processes.leads else nullcontext():
                fitted = fit(begun.prepared, begun.folder)
        except ArpentError as problem:
            # Before its first epoch is kept a training has nothing to go on from, and is not to be in its own way.
            if run is not None and not (place.resume or isinstance(problem, Interrupted) or _kept(begun.folder)):
                run.abandon()
            raise
        processes.alone(lambda: publish(own(), begun.prepared, fitted))
        return processes.told(lambda: own().finish())


def _kept(folder: Path) -> bool:
    """Whether an epoch of any stage is on the disk."""
    return any(folder.rglob(CHECKPOINT))
