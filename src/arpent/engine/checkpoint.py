"""The state of a training run on disk: enough to go on to the very same weights."""

from __future__ import annotations

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from arpent.core.writing import write_file
from arpent.errors import RunDamaged
from arpent.models.importers import DAMAGE

__all__ = ["CHECKPOINT", "read_checkpoint", "write_checkpoint"]

CHECKPOINT = "checkpoint.pt"
"""Name of the file that a training goes on from."""

_FORMAT = 1
_UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, pickle.UnpicklingError)


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes the state atomically: a run killed meanwhile finds the one before."""
    # Through memory, since torch hides a full disk behind a RuntimeError of its own.
    packed = BytesIO()
    torch.save({"format": _FORMAT, **state}, packed)
    write_file(path, packed.getvalue())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The state in a file; only tensors and plain values are loaded, never code.

    Raises:
        RunDamaged: not a checkpoint, or one of another version of Arpent.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise RunDamaged(
            f"{path} is not a readable training checkpoint", cure="Delete it and start the training again."
        ) from error
    if not isinstance(state, dict) or state.pop("format", None) != _FORMAT:
        raise RunDamaged(
            f"{path} is not a checkpoint of this version of Arpent",
            cure="Delete it and start the training again, or use the version that wrote it.",
        )
    return state
