"""What a prediction has finished, kept so that it can go on after any interruption.

The ledger is one small JSON file in the run's scratch folder, replaced atomically after every row of tiles, or every
few items of a list, when all that it speaks of is on the disk. Arrays that are needed to go on lie beside it, under a
name of their own, so that the ledger and its arrays always belong together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from arpent.core.writing import write_file
from arpent.errors import InvalidSetting, RunDamaged

__all__ = ["Ledger", "Progressed", "fingerprint"]

_FILE = "ledger.json"


def fingerprint(**facts: object) -> str:
    """A hash of all that decides a run's pixels: inputs, model, settings, plan."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Progressed:
    """How far a run has come.

    Attributes:
        fingerprint: of what decides its pixels.
        next_row: the row of tiles, or the item of a list, to go on with.
        sinks: what each sink needs to go on, by product.
        seen_valid: whether any pixel had data so far.
        arrays: name of the file of arrays, if there is one.
        items: of a list that are done.
        failures: items of a list that could not be done, as `engine.items` writes them.
    """

    fingerprint: str
    next_row: int = 0
    sinks: Mapping[str, Any] = field(default_factory=dict)
    seen_valid: bool = False
    arrays: str | None = None
    items: int = 0
    failures: Sequence[Mapping[str, Any]] = ()


class Ledger:
    """The ledger in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, fingerprint: str) -> Progressed:
        """How far the run with this fingerprint has come; the beginning, when there is no ledger.

        Raises:
            InvalidSetting: the ledger belongs to a run with other inputs, another model or other settings.
            RunDamaged: the ledger cannot be read.
        """
        path = self._folder / _FILE
        if not path.exists():
            return Progressed(fingerprint)
        try:
            progressed = Progressed(**json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError, RecursionError) as error:
            raise RunDamaged(f"{path} cannot be read", found=str(error), cure="Start again with --force.") from error
        if progressed.fingerprint != fingerprint:
            raise InvalidSetting(
                f"the unfinished run in {self._folder.parent} was made with other inputs, model or settings",
                cure="Give the same ones to go on with it, or --force to start again.",
            )
        return progressed

    def arrays(self, progressed: Progressed) -> dict[str, NDArray[Any]]:
        """The arrays kept with `progressed`.

        Raises:
            RunDamaged: they are gone, or cannot be read.
        """
        if progressed.arrays is None:
            return {}
        path = self._folder / progressed.arrays
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
                return {name: kept[name] for name in kept.files}
        except (OSError, ValueError, EOFError, BadZipFile) as error:
            raise RunDamaged(f"{path} cannot be read", found=str(error), cure="Start again with --force.") from error

    def write(self, progressed: Progressed, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Puts on the disk how far the run has come; after this it can be killed at any moment."""
        name = f"row-{progressed.next_row}.npz" if arrays else None
        if name is not None:
            packed = BytesIO()
            np.savez(packed, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the keyword for allow_pickle
            write_file(self._folder / name, packed.getvalue())
        write_file(self._folder / _FILE, json.dumps(asdict(progressed) | {"arrays": name}))
        for stale in self._folder.glob("row-*.npz"):
            if stale.name != name:
                stale.unlink()
