"""``arpent forecast train``: from series with masks to a model that foretells the coming dates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.comparisons import where_to_find
from arpent.cli.console import progress, show
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.cli.trainings import figure_lines
from arpent.language import say
from arpent.tasks.forecast.train_settings import ForecastSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def train(
    dataset: Annotated[Path, typer.Argument(help="Data set of 'arpent forecast prepare'.", metavar="DATASET")],
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
    figures = {name: value for name, value in run.manifest.metrics.items() if value is not None}
    found = where_to_find([(say("word.model", settings.language), run.file("model"))])
    document = {"run": run.path, "model": run.file("model"), "metrics": figures}
    show(document, *figure_lines(figures, settings.language), *found)
