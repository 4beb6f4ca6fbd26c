"""``arpent landcover``: train a model, make a map."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from arpent.cli import landcover_budget, landcover_evaluate, landcover_finetune, landcover_moved, landcover_transfer
from arpent.cli.console import note, progress, show, where_to_find
from arpent.cli.groups import grouped
from arpent.cli.options import assemble, with_engine, with_settings
from arpent.cli.places import Assignments, Force, Name, Output, Resume, Trained, place
from arpent.cli.searches import with_search
from arpent.cli.tables import adjusted_document, class_table, notes_on_areas
from arpent.cli.trainings import training_document, training_lines
from arpent.language import say
from arpent.tasks.landcover import MapSettings, TrainSettings

__all__ = ["app"]

app = grouped(
    "Land-cover maps: train a model, make a map.",
    landcover_budget,
    landcover_evaluate,
    landcover_finetune,
    landcover_moved,
    landcover_transfer,
)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Settings of the training.", metavar="CONFIG.yaml")],
    assignments: Assignments = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Trains a model on images and masks, and keeps it as a bundle in a run folder."""
    from arpent.tasks.landcover import train as run_training

    settings = assemble(TrainSettings, config, assignments or (), {})
    where = place(output, name, force=force, resume=resume)
    run = run_training(settings, where, progress=progress())
    show(training_document(run), *training_lines(run, settings.language))


@app.command()
@with_engine
@with_search
@with_settings
def predict(
    image: Annotated[
        str,
        typer.Argument(
            help="Image, folder of bands or sheets, VRT, STAC item or collection, address.", metavar="IMAGE"
        ),
    ],
    model: Trained,
    settings: MapSettings,
    truth: Annotated[Path | None, typer.Option("--truth", help="Map of true classes to be scored against.")] = None,
    taken: Annotated[datetime | None, typer.Option("--date", help="When the image was taken.")] = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Maps an image of any size, as a COG with palette and names in a run folder."""
    from arpent.tasks.landcover import map_image

    where = place(output, name, force=force, resume=resume)
    made = map_image(image, model, where, settings, truth=truth, taken=taken, progress=progress())
    language = settings.language
    note(say("told.tiles_in", language, tiles=made.prediction.tiles, seconds=made.prediction.seconds))
    preview = made.run.path / "preview.png"
    document = {
        "run": made.run.path,
        "map": made.path,
        "preview": preview,
        "files": {one.name: made.run.locate(one) for one in made.run.manifest.products if one.kind != "picture"},
        "areas": {area.entry.en: area.square_metres for area in made.areas},
        "metrics": made.scores.summary() if made.scores else {},
        **adjusted_document(made),
    }
    for line in (*made.notes, *notes_on_areas(made, language)):
        note(line)
    places = [(say("word.map", language), made.path), (say("told.preview", language), preview)]
    show(
        document,
        class_table(made.areas, language, adjusted=made.adjusted),
        *where_to_find(places),
    )
