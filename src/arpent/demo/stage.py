"""Where the demo plays: its folder, how much it does, in which language, and who is told."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arpent.core import Language, Progress, Silent, write_file, writing
from arpent.demo.scale import FULL, Scale
from arpent.errors import RunExists
from arpent.store import Place
from arpent.testing import Commune
from arpent.testing.simulation import Simulated, Simulation, simulate
from arpent.version import __version__

__all__ = ["COMMUNE", "FAMILY", "LEARNT", "Stage", "days"]

LEARNT = 2
"""Seed of the commune that land cover is learnt from."""
COMMUNE = 1
"""Seed of the commune that all the rest is about."""
FAMILY = "openfield"
"""Its kind of landscape, which no model that comes with Arpent has learnt from."""

_MARK = "demo.json"
_INVENTED = "the invented commune"


def _silent(line: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Stage:
    """All that the steps share.

    Attributes:
        folder: for images and runs.
        scale: how much is done.
        language: of names, titles and texts.
        progress: shows how far each piece of work is.
        tell: is told lines for people.
    """

    folder: Path
    scale: Scale = FULL
    language: Language = "en"
    progress: Progress = field(default_factory=Silent)
    tell: Callable[[str], None] = _silent

    def open(self, data: Path | None = None) -> None:
        """Makes the folder, and marks it as a demo's.

        A demo that is there already, finished or not, is replaced part by part; it is the same every time. One of
        other ground is not: both would lie on one map.

        Args:
            data: folder of the user's own images; None stands for the invented commune.

        Raises:
            RunExists: the folder holds something else.
        """
        mark, ground = self.folder / _MARK, _INVENTED if data is None else str(data.resolve())
        if not mark.exists() and self.folder.exists() and (self.folder.is_file() or any(self.folder.iterdir())):
            raise RunExists(
                f"{self.folder} is there, and no demo made it",
                cure="Choose another folder with -o, or remove this one.",
            )
        held = _ground(mark) if mark.exists() else ground
        if held != ground:
            raise RunExists(
                f"{self.folder} holds the demo of {held}, and that of {ground} would be mixed with it",
                cure="Choose another folder with -o, or remove this one.",
            )
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_file(mark, json.dumps({"demo": f"arpent {__version__}", "of": ground}) + "\n")

    def place(self, name: str) -> Place:
        """Where a run of that name goes; one that is there is replaced.

        Nothing is said there of models that come with Arpent: the commune is the land that they were made for.
        """
        return Place(exact=self.folder / name, name=name, force=True, tell=self.tell, cautious=False)

    def images(self, name: str) -> Path:
        """Folder of simulated images."""
        return self.folder / "images" / name

    def simulated(self, name: str, **settings: Any) -> list[Simulated]:  # noqa: ANN401 - checked by the settings
        """Images of the commune, or of another one where the settings say so."""
        asked = Simulation(**{"seed": COMMUNE, "family": FAMILY, **settings})
        return simulate(self.images(name), asked, force=True, progress=self.progress)

    def commune(self, **attributes: Any) -> Commune:  # noqa: ANN401 - checked by the commune
        """The commune that is seen by all sensors."""
        return Commune(seed=COMMUNE, family=FAMILY, **attributes)


def _ground(mark: Path) -> str:
    """What a demo is of, as its mark says; one that does not say it is of the commune."""
    try:
        told = json.loads(mark.read_text("utf-8"))
    except (OSError, ValueError):
        return "something that its mark does not tell"
    return str(told.get("of", _INVENTED)) if isinstance(told, dict) else _INVENTED


def days(*texts: str) -> tuple[dt.date, ...]:
    """Days as they are written."""
    return tuple(map(dt.date.fromisoformat, texts))
