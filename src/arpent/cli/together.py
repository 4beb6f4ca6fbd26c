"""Several processes started together: which commands that is for, and whose words standard output holds."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from arpent.errors import InvalidSetting

__all__ = ["TRAININGS", "keep_output_ours", "require_training"]

TRAININGS = (
    ("change", "train"),
    ("classify", "train"),
    ("describe", "train"),
    ("forecast", "train"),
    ("forecast", "train-segmentation"),
    ("landcover", "finetune"),
    ("landcover", "train"),
)
"""Commands whose work several processes share."""


def require_training(words: Sequence[str]) -> None:
    """Refuses a launcher that starts several processes of a command which each would do the whole of.

    Raises:
        InvalidSetting: the command is none that trains.
    """
    world = os.environ.get("WORLD_SIZE", "1")
    if not _together():
        return
    command = tuple(word for word in words if not word.startswith("-"))[:2]
    if command not in TRAININGS:
        raise InvalidSetting(
            f"'{' '.join(('arpent', *command))}' is the work of one process",
            found=f"{world} that were started together",
            expected=", ".join(" ".join(one) for one in TRAININGS),
            cure="Start it without the launcher; 'arpent plan --shards' shares maps out, and --engine ray.",
        )


def keep_output_ours() -> None:
    """Of several processes, sends to standard error what libraries write past Python's own standard output.

    Gloo, up to PyTorch 2.9, writes there whom it is connected to, into the JSON that a program is about to read.
    """
    said = sys.__stdout__
    if not _together() or said is None or sys.stdout is not said:
        return
    said.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(ours, "w", encoding=said.encoding, errors=said.errors, buffering=1)


def _together() -> bool:
    world = os.environ.get("WORLD_SIZE", "1")
    return "LOCAL_RANK" in os.environ and world.isdecimal() and int(world) > 1
