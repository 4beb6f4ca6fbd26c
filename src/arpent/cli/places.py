"""The options of every command that makes a run: where it goes, what it is called, what if something is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import note
from arpent.store import Place

__all__ = ["Assignments", "Force", "Name", "Output", "Resume", "place"]

Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Run folder; a dated one under runs/ if not given.")
]
Name = Annotated[str | None, typer.Option("--name", help="Name of the run; one that fits what it does if not given.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a run that is there.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")]


def place(output: Path | None, name: str | None = None, *, force: bool = False, resume: bool = False) -> Place:
    """The place that these options name; what users should know of its folder is told on standard error."""
    return Place(exact=output, name=name, force=force, resume=resume, tell=note)
