"""Where a run goes, as users say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arpent.store.run import RunFolder

__all__ = ["Place"]


@dataclass(frozen=True)
class Place:
    """Where a run goes, and what to do when something is there.

    Attributes:
        exact: the run folder itself; if not given, a dated folder under `root`.
        root: folder that holds the runs.
        name: of the run; what the task suggests if not given.
        force: replace a run that is there.
        resume: go on with an unfinished one.
    """

    exact: Path | None = None
    root: Path = Path("runs")
    name: str | None = None
    force: bool = False
    resume: bool = False

    def begin(self, task: str, suggested: str, settings: Mapping[str, Any]) -> RunFolder:
        """The run folder, locked and ready to be written; see `RunFolder.create`."""
        return RunFolder.create(
            self.exact or self.root,
            task,
            self.name or suggested,
            settings=settings,
            exact=self.exact is not None,
            force=self.force,
            resume=self.resume,
        )
