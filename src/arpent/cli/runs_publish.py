"""``arpent runs catalog`` and ``arpent runs publish``: runs for other programs and other people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from arpent.cli.console import note, progress, show
from arpent.cli.places import Spoken, as_said
from arpent.errors import InvalidSetting
from arpent.language import language_named, say

__all__ = ["app"]

app = typer.Typer()

_DATABASES = {"postgis", "postgres", "postgresql"}


@app.command()
def catalog(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder that holds the runs, or its address.", metavar="FOLDER", callback=as_said),
    ] = Path("runs"),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the catalog, or its address; FOLDER/catalog if not given.",
            callback=as_said,
        ),
    ] = None,
    language: Spoken = "en",
) -> None:
    """Writes a static STAC catalog of runs: one collection per run, one item per product, relative links."""
    from arpent.store.catalog import make_catalog

    spoken = language_named(language)
    made = make_catalog(folder, output)
    for line in made.damaged:
        note(line)
    show(
        {"catalog": made.place, "runs": made.runs, "items": made.items, "damaged": list(made.damaged)},
        say("runs.catalogued", spoken, place=made.place, runs=made.runs, items=made.items),
    )


@app.command()
def publish(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, or folders that hold them.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            envvar="DATABASE_URL",
            help="The map's database: postgresql://user:password@host/name.",
        ),
    ],
    language: Spoken = "en",
) -> None:
    """Puts runs into the PostGIS database of a map, and into pgstac where that is installed in it.

    A map that is served with the same DATABASE_URL shows them at once.
    """
    spoken = language_named(language)
    if urlsplit(to).scheme not in _DATABASES:
        raise InvalidSetting(
            "--to names no database that runs can be published to",
            found=urlsplit(to).scheme or "no scheme",
            expected="postgresql://user:password@host/name",
            cure="Correct it; a map of one person needs no publishing: arpent map serve RUN.",
        )
    os.environ["DATABASE_URL"] = to
    from arpent.web.site.serving import migrate, set_up

    set_up()
    from arpent.web.index.publishing import publish_runs

    migrate()
    done = publish_runs(runs, progress())
    registered = done.gathered.done
    for line in (*done.gathered.failed, *(line for one in registered for line in one.problems)):
        note(line)
    new = sum(one.is_new for one in registered)
    lines = [say("runs.on_the_map", spoken, count=len(registered), new=new)]
    if done.items is not None:
        lines.append(say("runs.pgstac", spoken, count=done.items))
    show({"runs": [one.path for one in registered], "new": new, "pgstac_items": done.items}, *lines)
    done.gathered.check()
