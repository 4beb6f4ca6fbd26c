"""Land cover: an image in, one class per pixel out.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand
from arpent.tasks.landcover.settings import FinetuneSettings, LandcoverSettings, MapSettings, Stage, TrainSettings

if TYPE_CHECKING:
    from arpent.tasks.landcover.evaluating import Evaluated, score
    from arpent.tasks.landcover.finetuning import finetune
    from arpent.tasks.landcover.losses import ClassLoss
    from arpent.tasks.landcover.mapping import LandcoverMap, map_image
    from arpent.tasks.landcover.scoring import ClassArea, adjusted_areas, areas_of, score_map
    from arpent.tasks.landcover.task import LandcoverTask
    from arpent.tasks.landcover.training import train

__all__ = [
    "ClassArea",
    "ClassLoss",
    "Evaluated",
    "FinetuneSettings",
    "LandcoverMap",
    "LandcoverSettings",
    "LandcoverTask",
    "MapSettings",
    "Stage",
    "TrainSettings",
    "adjusted_areas",
    "areas_of",
    "finetune",
    "map_image",
    "score",
    "score_map",
    "train",
]

__getattr__ = on_demand(
    __name__,
    {
        "evaluating": ("Evaluated", "score"),
        "finetuning": ("finetune",),
        "losses": ("ClassLoss",),
        "mapping": ("LandcoverMap", "map_image"),
        "scoring": ("ClassArea", "adjusted_areas", "areas_of", "score_map"),
        "task": ("LandcoverTask",),
        "training": ("train",),
    },
)
