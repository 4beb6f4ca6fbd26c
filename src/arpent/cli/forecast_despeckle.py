"""``arpent forecast despeckle``: images without their speckle, and what the filter did to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, place
from arpent.errors import PartialFailure
from arpent.language import number, say
from arpent.tasks.forecast import DespeckleSettings

__all__ = ["app"]

app = typer.Typer()

_COLUMNS = ("looks_before", "looks_after", "edges", "mean_ratio", "ratio_mean", "ratio_looks")


@app.command()
@with_settings
def despeckle(
    images: Annotated[
        list[str],
        typer.Argument(help="Radar images, or folders of them; for quegan_yu the dates of a place.", metavar="IMAGE"),
    ],
    settings: DespeckleSettings,
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Takes the speckle away from radar images of any size, and reports looks, edges and means before and after."""
    from arpent.tasks.forecast.despeckling import despeckle as run_despeckle

    made = run_despeckle(images, place(output, name, force=force), settings, progress=progress())
    language = settings.language
    preview = made.run.path / "preview.png"
    document = {
        "run": made.run.path,
        "images": made.images,
        "preview": preview,
        "warnings": made.run.manifest.warnings,
    }
    rows = [
        [one.name, band, *(number(getattr(card, column), language, 3) for column in _COLUMNS)]
        for one in made.images
        for band, card in one.cards.items()
    ]
    heads = [say(f"despeckle.{word}", language) for word in ("image", "band", *_COLUMNS)]
    places: list[tuple[str, Path]] = [(say("word.run", language), made.run.path)]
    if len(made.images) == 1:
        places.append((say("word.image", language), made.images[0].path))
    show(document, table(heads, rows), *where_to_find(places))
    failures = made.run.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} of {len(failures) + len(made.images)} images could not be done; "
            f"first: {failures[0].message.rstrip('.')}",
            cure=f"Correct them and repeat the command with --force; {made.run.path / 'manifest.json'} names them.",
        )
