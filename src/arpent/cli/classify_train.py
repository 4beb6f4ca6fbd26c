"""``arpent classify train``: from a DATASET to a model that gives labels."""

from __future__ import annotations

from typing import Annotated

import typer

from arpent.cli.classify_evaluate import DatasetFolder
from arpent.cli.console import progress
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.cli.trainings import show_training
from arpent.tasks.classify.train_settings import ClassifyTrainSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def train(
    dataset: DatasetFolder,
    settings: ClassifyTrainSettings,
    start: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="BUNDLE", help="Branch that a fusion is built on, or its run; may be repeated."),
    ] = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Teaches a model to give pictures their labels: by what they show, by their captions, or by both.

    The image encoder stays as it is, and its features are made once; with --unfreeze its last blocks learn too. A
    fusion is built on two branches, which are trained first if --from does not name them.
    """
    from arpent.tasks.classify.training import train_labeller

    asked = settings.model_copy(update={"dataset": str(dataset)})
    where = place(output, name, force=force, resume=resume)
    run = train_labeller(asked, where, start=start or (), progress=progress())
    show_training(run, settings.language)
