"""``arpent forecast train``: from series with masks to a model that foretells the coming dates."""

from __future__ import annotations

import typer

from arpent.cli.console import progress
from arpent.cli.options import with_settings
from arpent.cli.places import Force, ForecastData, Name, Output, Resume, place
from arpent.cli.trainings import show_training
from arpent.tasks.forecast.train_settings import ForecastSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def train(
    dataset: ForecastData,
    settings: ForecastSettings,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Trains a network to carry radar series on: masks of the coming dates from the last ones.

    It is built on a model of 'arpent forecast train-segmentation', or learns to segment along with --joint.
    """
    from arpent.tasks.forecast.training import train_forecast

    asked = settings.model_copy(update={"dataset": str(dataset)})
    run = train_forecast(asked, place(output, name, force=force, resume=resume), progress=progress())
    show_training(run, settings.language)
