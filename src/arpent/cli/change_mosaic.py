"""``arpent change mosaic``: many pairs become one map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import note, progress, show, where_to_find
from arpent.cli.options import with_engine, with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.errors import PartialFailure
from arpent.language import say
from arpent.tasks.change.mosaic_settings import MosaicSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_engine
@with_settings
def mosaic(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of pairs, or folders of products.", metavar="RUN")],
    settings: MosaicSettings,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Fuses many pairs into one map of the most persistent change, on a grid of your choice."""
    from arpent.tasks.change.mosaic import make_mosaic

    made = make_mosaic(runs, place(output, name, force=force, resume=resume), settings, progress=progress())
    for line in made.fused.notes:
        note(line)
    if made.removed:
        note(say("told.removed", settings.language, count=made.removed))
    figures = made.fused.metrics
    language = settings.language
    told = [say("told.mosaic", language, pairs=figures["pairs"], share=figures["valid_share"])]
    judgement = made.fused.judgement
    if judgement is not None:
        key = "told.cosine_below" if judgement.layer == "cosine_map" else "told.probability_from"
        by = say(key, language, threshold=judgement.threshold)
        share = say("told.area", language, share=figures["changed_share"], ground=figures["changed_m2"], by=by)
        told.append(f"{say('told.changed', language)} {share}")
    lines = [*where_to_find(made.fused.files.items()), *told]
    show({"run": made.run.path, "files": made.fused.files, "metrics": figures, "notes": made.fused.notes}, *lines)
    failures = made.run.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} of the files could not be used",
            found=failures[0].message,
            cure=f"See the failures in {made.run.path / 'manifest.json'}.",
        )
