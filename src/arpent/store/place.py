"""Where a run goes, as users say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from arpent.core import Language
from arpent.store.manifest import InputRecord
from arpent.store.run import RunFolder

__all__ = ["Place", "content_of"]

_LISTED = 5
"""Kept files that are named."""


@dataclass(frozen=True)
class Place:
    """Where a run goes, and what to do when something is there.

    Attributes:
        exact: the run folder itself, or its address in an object store; if not given, a dated folder under `root`.
        root: folder that holds the runs.
        name: of the run; what the task suggests if not given.
        force: replace a run that is there.
        resume: go on with an unfinished one.
        tell: who is told, in a line, what a user should know of the folder.
        doubts: what makes the result doubtful before anything is read; noted as warnings of the run.
        cautious: whether the run warns of a model that comes with Arpent and has learnt on simulated land alone; not
            where `doubts` say so, nor on the very land that it was made for.
    """

    exact: Path | None = None
    root: Path = Path("runs")
    name: str | None = None
    force: bool = False
    resume: bool = False
    tell: Callable[[str], None] | None = None
    doubts: tuple[str, ...] = ()
    cautious: bool = True

    def begin(
        self,
        task: str,
        suggested: str,
        settings: Mapping[str, Any],
        inputs: Sequence[str | Path] = (),
        *,
        language: Language | None = None,
    ) -> RunFolder:
        """The run folder, locked and ready to be written; see `RunFolder.create`.

        Args:
            task: of the run.
            suggested: name of the run, where the place has none.
            settings: the resolved settings, as JSON has them.
            inputs: files and folders that the run will read, which it must not replace.
            language: that the run speaks; a run may be resumed in another. That of `settings`, if not given.
        """
        run = RunFolder.create(
            self.exact or self.root,
            task,
            self.name or suggested,
            settings=settings,
            exact=self.exact is not None,
            force=self.force,
            resume=self.resume,
            inputs=inputs,
        )
        run.cautious = self.cautious
        if language is not None:
            run.language = language
        if self.tell is not None:
            run.tell = self.tell
        if run.foreign and self.tell is not None:
            more = f" and {len(run.foreign) - _LISTED} more" if len(run.foreign) > _LISTED else ""
            self.tell(f"kept in {run.path}, since no run made it: {', '.join(run.foreign[:_LISTED])}{more}")
        for doubt in self.doubts:
            run.warn(doubt)
        return run


def content_of(record: InputRecord) -> str:
    """A hash that changes when an input does, so that a resumed run can tell.

    Of a file its bytes count, of a folder the names, sizes and times of its files; of an address only the address.
    """
    if record.sha256 is not None:
        return record.sha256
    facts = [record.source]
    folder = Path(record.source)
    if folder.is_dir():
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            known = file.stat()
            facts.append(f"{file.relative_to(folder)} {known.st_size} {known.st_mtime_ns}")
    return sha256("\n".join(facts).encode()).hexdigest()
