"""``arpent change polygons``: the patches of change in a run, as polygons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.comparisons import where_to_find
from arpent.cli.console import show, table
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, place
from arpent.language import say
from arpent.store import open_run
from arpent.tasks.change.polygons import OutlineSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def polygons(
    run: Annotated[Path, typer.Argument(help="Run folder of pairs, or of a mosaic.", metavar="RUN")],
    settings: OutlineSettings,
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Outlines what has changed: polygons with area, cosine, dates and quality, as GeoParquet or GeoPackage."""
    from arpent.tasks.change.polygons import outline_run

    made = outline_run(open_run(run), place(output, name, force=force), settings)
    products = [product for product in made.manifest.products if product.kind == "vector"]
    counts = {p.name: int(made.manifest.metrics[p.name.replace("change", "changes", 1)] or 0) for p in products}
    document = {"run": made.path, "changes": counts, "files": [made.path / product.file for product in products]}
    rows = [(product.file, counts[product.name]) for product in products]
    language = settings.language
    heads = [say("word.file", language), say("told.changes", language)]
    show(document, table(heads, rows), *where_to_find([(say("word.run", language), made.path)]))
