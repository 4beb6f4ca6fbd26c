"""``arpent forecast train-segmentation``: from a data set of radar series to a model that segments single dates."""

from __future__ import annotations

import typer

from arpent.cli.console import progress
from arpent.cli.options import with_settings
from arpent.cli.places import Force, ForecastData, Name, Output, Resume, place
from arpent.cli.trainings import show_training
from arpent.tasks.forecast.train_settings import SegmentationSettings

__all__ = ["app"]

app = typer.Typer()


@app.command("train-segmentation")
@with_settings
def train_segmentation(
    dataset: ForecastData,
    settings: SegmentationSettings,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Trains a network to tell the classes of each pixel of a radar image, and keeps it as a bundle in a run folder."""
    from arpent.tasks.forecast.segmentation import train_segmentation as run_training

    asked = settings.model_copy(update={"dataset": str(dataset)})
    run = run_training(asked, place(output, name, force=force, resume=resume), progress=progress())
    show_training(run, settings.language)
