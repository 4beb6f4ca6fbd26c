"""``arpent change train``: from images and masks of change to a model bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import progress, show
from arpent.cli.options import assemble
from arpent.store import Place
from arpent.tasks.change.train_settings import ChangeTrainSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Settings of the training.", metavar="CONFIG.yaml")],
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; a dated one under runs/ if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is there.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
) -> None:
    """Trains a model of change: to paint hidden patches of images, then to tell change from masks of it."""
    from arpent.tasks.change.training import train as run_training

    settings = assemble(ChangeTrainSettings, config, assignments or (), {})
    place = Place(exact=output, force=force, resume=resume)
    run = run_training(settings, place, progress=progress())
    model = run.file("model")
    figures = {name: value for name, value in run.manifest.metrics.items() if value is not None}
    lines = [f"{name}  {value:.4f}" for name, value in figures.items()]
    show({"run": run.path, "model": model, "metrics": figures}, *lines, f"model    {model}")
