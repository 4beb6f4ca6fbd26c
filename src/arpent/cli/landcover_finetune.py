"""``arpent landcover finetune``: a trained model made to fit other images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from arpent.cli.console import progress, show
from arpent.cli.options import assemble
from arpent.cli.places import Assignments, Force, Name, Output, Resume, place
from arpent.cli.trainings import training_document, training_lines
from arpent.tasks.landcover import FinetuneSettings
from arpent.tasks.landcover.settings import StrategyName

__all__ = ["app"]

app = typer.Typer()

_STRATEGIES = get_args(StrategyName)


@app.command()
def finetune(
    config: Annotated[Path, typer.Argument(help="Settings of the fine-tuning.", metavar="CONFIG.yaml")],
    start: Annotated[
        str | None, typer.Option("--from", metavar="BUNDLE", help="Model to start from, or the run that trained it.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="|".join(_STRATEGIES), help="What of the network is trained, and how.")
    ] = None,
    normalise: Annotated[
        str | None, typer.Option(metavar="norma-01|norma-source|norma-target", help="How pixels are normalised.")
    ] = None,
    stem: Annotated[
        str | None, typer.Option(metavar="zero|copy|mean|spectral", help="How bands begin that the model has not seen.")
    ] = None,
    assignments: Assignments = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Makes a trained model fit the images of another place or sensor.

    Everything can stand in CONFIG.yaml; what is given here wins.
    """
    from arpent.tasks.landcover.finetuning import finetune as run_finetuning

    given = {"start": start, "strategy": strategy, "normalise": normalise, "stem": stem}
    options = {key: value for key, value in given.items() if value is not None}
    settings = assemble(FinetuneSettings, config, assignments or (), options)
    where = place(output, name, force=force, resume=resume)
    run = run_finetuning(settings, where, progress=progress())
    show(training_document(run), *training_lines(run, settings.language))
