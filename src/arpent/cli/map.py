"""``arpent map``: every result on one page in the browser."""

from __future__ import annotations

import typer

from arpent.cli import map_serve

__all__ = ["app"]

app = typer.Typer(help="The map: every result on one page in the browser.", no_args_is_help=True)
app.add_typer(map_serve.app)


@app.callback()
def _map() -> None:
    """The map: every result on one page in the browser."""
