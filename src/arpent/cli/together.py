"""Which commands several processes may be started with: those that train."""

from __future__ import annotations

import os
from collections.abc import Sequence

from arpent.errors import InvalidSetting

__all__ = ["TRAININGS", "require_training"]

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
    if "LOCAL_RANK" not in os.environ or not world.isdecimal() or int(world) == 1:
        return
    command = tuple(word for word in words if not word.startswith("-"))[:2]
    if command not in TRAININGS:
        raise InvalidSetting(
            f"'{' '.join(('arpent', *command))}' is the work of one process",
            found=f"{world} that were started together",
            expected=", ".join(" ".join(one) for one in TRAININGS),
            cure="Start it without the launcher; 'arpent plan --shards' shares maps out, and --engine ray.",
        )
