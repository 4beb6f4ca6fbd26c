"""Forecast: radar series, segmented today and predicted a few steps ahead.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from arpent.core.lazy import on_demand
from arpent.tasks.forecast.despeckle_settings import DespeckleSettings

__all__ = ["DespeckleSettings"]

__getattr__ = on_demand(__name__, {})
