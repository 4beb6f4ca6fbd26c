"""``arpent embed``: embeddings put to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import note, progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, place
from arpent.language import percent, say
from arpent.tasks.change.embedding_settings import ClusterSettings, ProbeSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.metrics import Interval
    from arpent.tasks.change.probe_scores import ProbeResult

__all__ = ["app"]

app = typer.Typer(help="Embeddings put to use: clusters of them, and probes of what they know.", no_args_is_help=True)


@app.command()
@with_settings
def cluster(
    sources: Annotated[
        list[Path], typer.Argument(help="Runs with embeddings, GeoParquet tables, or images of them.", metavar="RUN")
    ],
    settings: ClusterSettings,
    count: Annotated[
        int | None, typer.Option("-k", min=1, max=254, help="How many clusters to look for; short for --clusters.")
    ] = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Finds groups of patches that look alike to the model, and maps them; several dates and places at once.

    Group 1 is the largest. The groups have no names: look at the map, or label some points and use 'arpent embed
    probe'.
    """
    from arpent.tasks.change.clusters import cluster_embeddings

    if count is not None:
        settings = settings.model_copy(update={"clusters": count})
    made = cluster_embeddings(sources, place(output, name, force=force), settings, progress=progress())
    found, language = made.found, settings.language
    shares = found.sizes / found.sizes.sum()
    rows = [
        [say("embed.cluster", language, number=number), percent(float(share), language)]
        for number, share in enumerate(shares, 1)
    ]
    told = {"passes": len(found.inertia), "count": int(found.sizes.sum()), "silhouette": found.silhouette}
    note(say("told.embeddings", language, **told))
    document = {"run": made.run.path, "maps": made.maps, "metrics": made.run.manifest.metrics}
    heads = [say("word.class", language), say("word.share", language)]
    show(document, table(heads, rows), *where_to_find((say("word.map", language), path) for path in made.maps))


@app.command()
@with_settings
def probe(
    source: Annotated[
        Path, typer.Argument(help="Run with embeddings, GeoParquet table, or image of them.", metavar="RUN")
    ],
    labels: Annotated[
        Path, typer.Option("--labels", "-l", help="Points with a class each (.gpkg, .geojson …), or a mask (.tif).")
    ],
    settings: ProbeSettings,
    held_out: Annotated[
        Path | None,
        typer.Option("--held-out", help="Other labels to judge by; otherwise blocks of ground are held out in turn."),
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", help="The image that was embedded; that of the run if not given.")
    ] = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Asks how much a linear probe reads off embeddings, on ground it has not learnt from, and maps what it sees.

    Beside it stand the same probe on means and deviations of the image's bands, and the most frequent class.
    """
    from arpent.tasks.change.probing import probe_embeddings

    where = place(output, name, force=force)
    made = probe_embeddings(source, labels, where, settings, held_out=held_out, image=image, progress=progress())
    result, language = made.result, settings.language
    if result.raw is None:
        note(say("told.no_raw", language))
    note(say("told.labelled", language, cells=result.cells, blocks=result.blocks))
    document = {"run": made.run.path, "map": made.map, "metrics": made.run.manifest.metrics}
    show(document, _table(result, language), *where_to_find([(say("word.map", language), made.map)]))


def _table(result: ProbeResult, language: Language) -> Table:
    def told(interval: Interval) -> str:
        ends = (percent(end, language) for end in (interval.low, interval.high))
        return f"{percent(interval.value, language)} ({' … '.join(ends)})"

    rows = []
    for name, score in (("embeddings", result.embeddings), ("raw", result.raw), ("majority", result.majority)):
        if score is not None:
            rows.append([say(f"embed.{name}", language), told(score.accuracy), told(score.f_score)])
    if result.difference is not None:
        rows.append([say("embed.difference", language), told(result.difference), ""])
    heads = ["", f"{say('word.accuracy', language)} ({say('word.interval', language)})"]
    return table([*heads, say("metric.mean_f_score", language)], rows)
