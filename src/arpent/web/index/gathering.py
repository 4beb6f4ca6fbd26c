"""Which runs are meant, and what came of registering them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from arpent.core import Progress
from arpent.errors import ArpentError, PartialFailure
from arpent.store import runs_under
from arpent.store.manifest import MANIFEST
from arpent.web.index.importing import IMPORTS
from arpent.web.index.known import has_list, known_runs
from arpent.web.index.models import Run
from arpent.web.index.registering import Registration, register

__all__ = ["Gathered", "everything_known", "gather"]


@dataclass
class Gathered:
    """What came of registering some runs.

    Attributes:
        done: runs that are on the map now.
        failed: a line for each of the others.
    """

    done: list[Registration] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raises PartialFailure where a run could not be registered."""
        if self.failed:
            raise PartialFailure(
                f"{len(self.failed)} of {len(self.done) + len(self.failed)} runs are not on the map",
                cure="See the lines above; 'arpent runs list' tells the state of each.",
            )


def gather(places: Iterable[Path], progress: Progress | None = None) -> Gathered:
    """Registers run folders, and the finished runs in folders of runs; those under way are passed over.

    Raises:
        FileMissing: there is no such folder.
    """
    found = Gathered()
    for place in places:
        for entry in runs_under(place):
            if entry.state == "damaged":
                found.failed.append(f"{entry.path}: {entry.problem}")
            elif entry.run is not None:
                try:
                    found.done.append(register(entry.path, progress))
                except ArpentError as problem:
                    found.failed.append(f"{entry.path}: {problem}")
    return found


def everything_known(data: Path) -> list[Path]:
    """The runs that were registered, as the list beside the database, the database and the imports tell.

    An import that was taken off the map stays off it, as long as there is a list to say so.
    """
    listed = known_runs(data)
    names = {path.name for path in listed}  # alone: the folder of imports may have been moved
    imports = sorted(path.parent for path in (data / IMPORTS).glob(f"*/{MANIFEST}"))
    kept = [path for path in imports if path.name in names or not has_list(data)]
    indexed = [Path(path) for path in Run.objects.values_list("path", flat=True)]
    return list(dict.fromkeys(path.resolve() for path in (*listed, *indexed, *kept)))
