"""``arpent change mosaic``: many pairs become one map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import note, progress, show
from arpent.cli.options import with_settings
from arpent.errors import PartialFailure
from arpent.store import Place
from arpent.tasks.change.mosaic_settings import MosaicSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def mosaic(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of pairs, or folders of products.", metavar="RUN")],
    settings: MosaicSettings,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Run folder; a dated one under runs/ if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is there.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
) -> None:
    """Fuses many pairs into one map of the most persistent change, on a grid of your choice."""
    from arpent.tasks.change.mosaic import make_mosaic

    made = make_mosaic(runs, Place(exact=output, force=force, resume=resume), settings, progress=progress())
    for line in made.fused.notes:
        note(line)
    if made.removed:
        note(f"{made.removed} files of the pairs removed")
    figures = made.fused.metrics
    lines = [f"{name:17} {path}" for name, path in made.fused.files.items()]
    lines.append(f"{figures['pairs']:.0f} pairs, {figures['valid_share']:.1%} of the mosaic has data")
    if "changed_m2" in figures:
        lines.append(f"changed {figures['changed_m2'] / 1e6:.3f} km², {figures['changed_share']:.1%} of that")
    show({"run": made.run.path, "files": made.fused.files, "metrics": figures, "notes": made.fused.notes}, *lines)
    failures = made.run.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} of the files could not be used",
            found=failures[0].message,
            cure=f"See the failures in {made.run.path / 'manifest.json'}.",
        )
