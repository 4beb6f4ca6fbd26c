"""``arpent forecast``: radar series from speckle to forecast. Each command has a file of its own beside this one."""

from __future__ import annotations

import typer

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

__all__ = ["app"]

app = typer.Typer(help="Forecast: radar images segmented today, and the next steps.", no_args_is_help=True)
for _part in (
    forecast_despeckle,
    forecast_evaluate,
    forecast_features,
    forecast_predict,
    forecast_prepare,
    forecast_simulate,
    forecast_train,
    forecast_train_segmentation,
):
    app.add_typer(_part.app)


@app.callback()
def _forecast() -> None:
    """Forecast: radar images segmented today, and the next steps."""
