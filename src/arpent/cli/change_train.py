"""``arpent change train``: from images and masks of change to a model bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import progress
from arpent.cli.options import assemble
from arpent.cli.places import Assignments, Force, Name, Output, Resume, place
from arpent.cli.trainings import show_training
from arpent.tasks.change.train_settings import ChangeTrainSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Settings of the training.", metavar="CONFIG.yaml")],
    assignments: Assignments = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Trains a model of change: to paint hidden patches of images, then to tell change from masks of it."""
    from arpent.tasks.change.training import train as run_training

    settings = assemble(ChangeTrainSettings, config, assignments or (), {})
    where = place(output, name, force=force, resume=resume)
    run = run_training(settings, where, progress=progress())
    show_training(run, settings.language)
