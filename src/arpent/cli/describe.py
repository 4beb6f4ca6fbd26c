"""``arpent describe``: land in words and numbers. Each command has a file of its own beside this one."""

from __future__ import annotations

import typer

from arpent.cli import (
    describe_caption,
    describe_embed,
    describe_evaluate,
    describe_generate,
    describe_indices,
    describe_search,
    describe_series,
    describe_train,
)

__all__ = ["app"]

app = typer.Typer(help="Describe: what a parcel is like, measured and told.", no_args_is_help=True)
for _part in (
    describe_caption,
    describe_embed,
    describe_evaluate,
    describe_generate,
    describe_indices,
    describe_search,
    describe_series,
    describe_train,
):
    app.add_typer(_part.app)


@app.callback()
def _describe() -> None:
    """Describe: what a parcel is like, measured and told."""
