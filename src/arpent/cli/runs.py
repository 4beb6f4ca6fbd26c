"""``arpent runs``: which runs there are, what they hold, whether they are whole, and how others find them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli import runs_publish
from arpent.cli.console import facts, note, progress, show, table
from arpent.cli.groups import grouped
from arpent.cli.places import Spoken, as_said
from arpent.cli.run_facts import product_rows, run_facts, warning_lines
from arpent.language import language_named, say

__all__ = ["app"]

app = grouped("Run folders: list, show, verify, catalog, publish.", runs_publish)

Folder = Annotated[Path, typer.Argument(help="The run folder, or its address.", metavar="RUN", callback=as_said)]


@app.command("list")
def list_runs(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder that holds the runs, or a run; runs/ if not given.", metavar="FOLDER", callback=as_said
        ),
    ] = None,
    language: Spoken = "en",
) -> None:
    """The runs in a folder, with the state that each is in."""
    from arpent.store import runs_under

    spoken, root = language_named(language), folder or Path("runs")
    # The default folder comes with the first run: before it, there are none, which is no fault.
    entries = runs_under(root) if folder or root.exists() else []
    document = [
        {
            "path": entry.place,
            "state": entry.state,
            "task": entry.run and entry.run.manifest.task,
            "created": entry.run and entry.run.manifest.created,
            "products": [p.name for p in entry.run.manifest.products] if entry.run else [],
            "problem": entry.problem or None,
        }
        for entry in entries
    ]
    rows = [
        (
            entry.title,
            say(f"runs.{entry.state}", spoken),
            entry.run.manifest.task if entry.run else "",
            ", ".join(p.name for p in entry.run.manifest.products) if entry.run else "",
        )
        for entry in entries
    ]
    if not entries:
        note(say("runs.here_none", spoken, folder=root))
        show(document)
        return
    show(document, table([say(key, spoken) for key in ("word.run", "runs.state", "word.task", "runs.products")], rows))
    for entry in entries:
        if entry.state == "unfinished":
            note(say("runs.resumable", spoken, run=entry.title))
        elif entry.state == "damaged":
            note(f"{entry.title}: {entry.problem}")


@app.command("show")
def show_run(run: Folder, language: Spoken = "en") -> None:
    """What a run was made from, how, and what came out."""
    from arpent.store import open_run

    spoken, opened = language_named(language), open_run(run)
    manifest = opened.manifest
    heads = [say(key, spoken) for key in ("word.product", "runs.kind", "word.size", "word.file")]
    show(
        {"path": opened.place} | manifest.model_dump(mode="json"),
        *warning_lines(manifest),
        facts(run_facts(manifest, spoken)),
        table(heads, product_rows(manifest, spoken)),
    )


@app.command("verify")
def verify_run(run: Folder, language: Spoken = "en") -> None:
    """Reads every product again and compares it with the manifest's hashes."""
    from arpent.store import open_run, verify

    spoken, opened = language_named(language), open_run(run)
    checked = verify(opened, progress())
    show(
        {"path": opened.place, "whole": True, "files": checked.files, "bytes": checked.bytes},
        say("runs.whole", spoken, run=opened.place, files=checked.files, bytes=checked.bytes),
    )
