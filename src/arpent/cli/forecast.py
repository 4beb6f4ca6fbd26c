"""``arpent forecast``: radar series from speckle to forecast. Each command has a file of its own beside this one."""

from __future__ import annotations

from arpent.cli import (
    forecast_despeckle,
    forecast_evaluate,
    forecast_features,
    forecast_predict,
    forecast_prepare,
    forecast_simulate,
    forecast_train,
    forecast_train_segmentation,
)
from arpent.cli.groups import grouped

__all__ = ["app"]

app = grouped(
    "Forecast: radar images segmented today, and the next steps.",
    forecast_despeckle,
    forecast_evaluate,
    forecast_features,
    forecast_predict,
    forecast_prepare,
    forecast_simulate,
    forecast_train,
    forecast_train_segmentation,
)
