"""Forecast: radar series, segmented today and predicted a few steps ahead.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand
from arpent.tasks.forecast.despeckle_settings import DespeckleSettings
from arpent.tasks.forecast.prepare_settings import PrepareSettings

if TYPE_CHECKING:
    from arpent.tasks.forecast.dataset import Dataset, DatasetFacts, Frame, Place
    from arpent.tasks.forecast.preparing import Prepared, prepare

__all__ = [
    "Dataset",
    "DatasetFacts",
    "DespeckleSettings",
    "Frame",
    "Place",
    "PrepareSettings",
    "Prepared",
    "prepare",
]

__getattr__ = on_demand(
    __name__,
    {
        "dataset": ("Dataset", "DatasetFacts", "Frame", "Place"),
        "preparing": ("Prepared", "prepare"),
    },
)
