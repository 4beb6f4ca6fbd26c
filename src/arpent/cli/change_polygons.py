"""``arpent change polygons``: the patches of change in a run, as polygons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, place
from arpent.core import Language
from arpent.language import say
from arpent.store import open_run
from arpent.tasks.change.polygons import Decision, OutlineSettings

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
    from arpent.tasks.change.polygons import decisions_of, outline_run

    compared = open_run(run)
    made = outline_run(compared, place(output, name, force=force), settings)
    products = [product for product in made.manifest.products if product.kind == "vector"]
    counts = {p.name: int(made.manifest.metrics[p.name.replace("change", "changes", 1)] or 0) for p in products}
    decisions = {f"change{label}": one for label, one in decisions_of(compared, settings).items()}
    document = {"run": made.path, "changes": counts, "files": [made.path / product.file for product in products]}
    document["thresholds"] = decisions
    language = settings.language
    rows = [(product.file, counts[product.name], *_told(decisions[product.name], language)) for product in products]
    heads = [say(f"told.{word}", language) for word in ("changes", "counts_as_change", "why")]
    heads.insert(0, say("word.file", language))
    show(document, table(heads, rows), *where_to_find([(say("word.run", language), made.path)]))


def _told(decision: Decision, language: Language) -> tuple[str, str]:
    """What counts as change, and why."""
    key = "cosine_below" if decision.layer == "cosine_map" else "probability_from"
    return say(f"told.{key}", language, threshold=decision.threshold), say(f"told.why_{decision.why}", language)
