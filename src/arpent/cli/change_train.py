"""``arpent change train``: from images and masks of change to a model bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.comparisons import where_to_find
from arpent.cli.console import progress, show
from arpent.cli.options import assemble
from arpent.cli.places import Assignments, Force, Name, Output, Resume, place
from arpent.language import number, say
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
    model = run.file("model")
    figures = {name: value for name, value in run.manifest.metrics.items() if value is not None}
    lines = [f"{name}  {number(value, settings.language, 4)}" for name, value in figures.items()]
    place_of = where_to_find([(say("word.model", settings.language), model)])
    show({"run": run.path, "model": model, "metrics": figures}, *lines, *place_of)
