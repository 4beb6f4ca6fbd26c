"""Land cover: an image in, one class per pixel out.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from arpent.tasks.landcover.settings import LandcoverSettings, MapSettings, TrainSettings

if TYPE_CHECKING:
    from arpent.tasks.landcover.mapping import LandcoverMap, map_image
    from arpent.tasks.landcover.scoring import ClassArea, areas_of, score_map
    from arpent.tasks.landcover.task import LandcoverTask, dice_loss
    from arpent.tasks.landcover.training import train

__all__ = [
    "ClassArea",
    "LandcoverMap",
    "LandcoverSettings",
    "LandcoverTask",
    "MapSettings",
    "TrainSettings",
    "areas_of",
    "dice_loss",
    "map_image",
    "score_map",
    "train",
]

_HOMES = {
    "ClassArea": "scoring",
    "LandcoverMap": "mapping",
    "LandcoverTask": "task",
    "areas_of": "scoring",
    "dice_loss": "task",
    "map_image": "mapping",
    "score_map": "scoring",
    "train": "training",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
