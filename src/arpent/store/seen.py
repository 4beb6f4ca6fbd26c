"""What a model has learnt from, as the run that trained it tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from arpent.core.bundle import read_contract
from arpent.core.hashing import file_sha256
from arpent.errors import FileMissing
from arpent.models.shipped import shipped_name
from arpent.store.manifest import MANIFEST, InputRecord, read_manifest

__all__ = ["seen_in_training"]


def seen_in_training(model: Path, files: Iterable[str]) -> list[str] | None:
    """Those of some files that a model has been trained with, under this name or another.

    Args:
        model: a bundle.
        files: paths.

    Returns:
        The files, in order; None where no run beside the bundle tells what it has seen. A bundle that comes with Arpent
        has seen simulated places of its recipe's seed alone, which bear that in their names.
    """
    if shipped_name(model) is not None:
        place = re.compile(rf"[a-z]+-{read_contract(model).recipe['seed']}-\d{{3,}}")
        return [file for file in files if any(map(place.fullmatch, Path(file).parts))]
    try:
        known = read_manifest(model.parent / MANIFEST).inputs
    except FileMissing:
        return None
    return [file for file in files if _is_among(Path(file).absolute(), known)]


def _is_among(file: Path, known: Sequence[InputRecord]) -> bool:
    """Compares contents only where the sizes are equal."""
    if any(record.source == str(file) for record in known):
        return True
    if not file.is_file():
        return False
    size = file.stat().st_size
    alike = {record.sha256 for record in known if record.bytes == size and record.sha256}
    return bool(alike) and file_sha256(file) in alike
