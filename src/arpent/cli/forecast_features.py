"""``arpent forecast features``: what a segmentation network makes of every date, as images."""

from __future__ import annotations

import typer

from arpent.cli.console import progress, show
from arpent.cli.options import with_settings
from arpent.cli.places import Force, ForecastData, Name, Output, Resume, Trained, place
from arpent.tasks.forecast.train_settings import FeatureSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def features(
    dataset: ForecastData,
    model: Trained,
    settings: FeatureSettings,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Embeds every date of a data set: an image with one pixel per cell and one band per dimension."""
    from arpent.tasks.forecast.embedding import embed_dataset

    where = place(output, name, force=force, resume=resume)
    run = embed_dataset(dataset, model, where, settings, progress=progress())
    files = {product.name: run.locate(product) for product in run.manifest.products}
    show({"run": run.path, "files": files}, *(str(path) for path in files.values()))
