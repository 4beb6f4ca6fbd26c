"""``arpent runs``: which runs there are, what they hold, whether they are whole, and how others find them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli import runs_publish
from arpent.cli.console import facts, note, progress, show, table
from arpent.cli.groups import grouped
from arpent.cli.places import as_said

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
) -> None:
    """The runs in a folder, with the state that each is in."""
    from arpent.store import runs_under

    root = folder or Path("runs")
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
            entry.state,
            entry.run.manifest.task if entry.run else "",
            ", ".join(p.name for p in entry.run.manifest.products) if entry.run else "",
        )
        for entry in entries
    ]
    if not entries:
        note(f"No runs in {root} yet.")
        show(document)
        return
    show(document, table(["run", "state", "task", "products"], rows))
    for entry in entries:
        if entry.state == "unfinished":
            note(f"{entry.title} can be resumed: repeat its command with --resume.")
        elif entry.state == "damaged":
            note(f"{entry.title}: {entry.problem}")


@app.command("show")
def show_run(run: Folder) -> None:
    """What a run was made from, how, and what came out."""
    from arpent.store import open_run

    opened = open_run(run)
    manifest = opened.manifest
    told = [
        ("task", manifest.task),
        ("name", manifest.name),
        ("status", manifest.status),
        ("created", f"{manifest.created:%Y-%m-%d %H:%M} UTC"),
        ("model", f"{manifest.bundle.source} ({manifest.bundle.sha256[:12]}…)" if manifest.bundle else "none"),
        *((f"input {record.role}", record.source) for record in manifest.inputs),
        *((f"time {step}", f"{seconds:,.1f} s") for step, seconds in manifest.timings.items()),
        *((name, "not finite" if value is None else f"{value:.4g}") for name, value in manifest.metrics.items()),
        *((f"failed {failure.item}", failure.message) for failure in manifest.failures),
        ("versions", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())),
    ]
    products = [(p.name, p.kind, p.bytes, p.file) for p in manifest.products]
    show(
        {"path": opened.place} | manifest.model_dump(mode="json"),
        facts(told),
        table(["product", "kind", "bytes", "file"], products),
    )


@app.command("verify")
def verify_run(run: Folder) -> None:
    """Reads every product again and compares it with the manifest's hashes."""
    from arpent.store import open_run, verify

    opened = open_run(run)
    checked = verify(opened, progress())
    show(
        {"path": opened.place, "whole": True, "files": checked.files, "bytes": checked.bytes},
        f"{opened.place} is whole: {checked.files} files, {checked.bytes:,} bytes.",
    )
