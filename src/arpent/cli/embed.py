"""``arpent embed``: embeddings put to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import note, progress, show, table
from arpent.cli.options import with_settings
from arpent.language import percent, say
from arpent.store import Place
from arpent.tasks.change.embedding_settings import ClusterSettings, ProbeSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.metrics import Interval
    from arpent.tasks.change.probe_scores import ProbeResult

__all__ = ["app"]

app = typer.Typer(help="Embeddings put to use: clusters of them, and probes of what they know.", no_args_is_help=True)

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Run folder; a dated one under runs/ if not given.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace a run that is there.")]


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
    force: Force = False,
) -> None:
    """Finds groups of patches that look alike to the model, and maps them; several dates and places at once.

    Group 1 is the largest. The groups have no names: look at the map, or label some points and use 'arpent embed
    probe'.
    """
    from arpent.tasks.change.clusters import cluster_embeddings

    if count is not None:
        settings = settings.model_copy(update={"clusters": count})
    made = cluster_embeddings(sources, Place(exact=output, force=force), settings, progress=progress())
    found, language = made.found, settings.language
    shares = found.sizes / found.sizes.sum()
    rows = [
        [say("embed.cluster", language, number=number), percent(float(share), language)]
        for number, share in enumerate(shares, 1)
    ]
    note(f"{len(found.inertia)} passes over {found.sizes.sum():,} embeddings; silhouette {found.silhouette:.3f}")
    document = {"run": made.run.path, "maps": made.maps, "metrics": made.run.manifest.metrics}
    heads = [say("word.class", language), say("word.share", language)]
    show(document, table(heads, rows), *(f"map      {path}" for path in made.maps))


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
    force: Force = False,
) -> None:
    """Asks how much a linear probe reads off embeddings, on ground it has not learnt from, and maps what it sees.

    Beside it stand the same probe on means and deviations of the image's bands, and the most frequent class.
    """
    from arpent.tasks.change.probing import probe_embeddings

    place = Place(exact=output, force=force)
    made = probe_embeddings(source, labels, place, settings, held_out=held_out, image=image, progress=progress())
    result = made.result
    if result.raw is None:
        note("no probe on raw bands: the image is not known; --image names it")
    note(f"{result.cells:,} labelled cells in {result.blocks} blocks of held-out ground")
    document = {"run": made.run.path, "map": made.map, "metrics": made.run.manifest.metrics}
    show(document, _table(result, settings.language), f"map      {made.map}")


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
