"""``arpent forecast``: radar series from speckle to forecast. Each command has a file of its own beside this one."""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(help="Forecast: radar images segmented today, and the next steps.", no_args_is_help=True)


@app.callback()
def _forecast() -> None:
    """Forecast: radar images segmented today, and the next steps."""
