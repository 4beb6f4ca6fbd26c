"""``arpent describe train``: adapter and LoRA, from measurements, captions and visual tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import progress, show, where_to_find
from arpent.cli.options import assemble
from arpent.cli.places import Assignments, Force, Name, Output, Resume, place
from arpent.cli.trainings import figure_lines, training_document
from arpent.language import say
from arpent.tasks.describe.train_settings import DescribeTrainSettings

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
    """Teaches a language model to describe what it sees: an adapter and LoRA are trained, the model stays as it is.

    With 'base: small' a small language model is made first, and nothing has to be downloaded.
    """
    from arpent.tasks.describe.training import train_describer

    settings = assemble(DescribeTrainSettings, config, assignments or (), {})
    where = place(output, name, force=force, resume=resume)
    run = train_describer(settings, where, progress=progress())
    figures = {name: value for name, value in run.manifest.metrics.items() if value is not None}
    found = where_to_find([(say("word.model", settings.language), run.file("model").parent)])
    show(training_document(run), *figure_lines(figures, settings.language), *found)
