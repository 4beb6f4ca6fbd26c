"""``arpent classify predict``: pictures and captions get labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import progress, show, table, where_to_find
from arpent.cli.options import with_engine, with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.errors import PartialFailure
from arpent.language import percent, say
from arpent.tasks.classify.predict_settings import LabelSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.tasks.classify.predicting import LabelRun

__all__ = ["Labeller", "app"]

app = typer.Typer()

Labeller = Annotated[
    str, typer.Option("--model", "-m", metavar="BUNDLE", help="Labeller: a bundle, or the run that trained it.")
]

_LISTED = 20


@app.command()
@with_engine
@with_settings
def predict(
    settings: LabelSettings,
    model: Labeller,
    pictures: Annotated[
        list[str] | None,
        typer.Argument(help="Pictures of any kind and size, or folders of them.", metavar="[PICTURE]..."),
    ] = None,
    caption: Annotated[
        str | None, typer.Option("--caption", help="What is said of the picture; alone, it gets labels by itself.")
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option("--captions", metavar="FILE", help="Captions of many pictures, in any form that prepare reads."),
    ] = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Gives labels to pictures, with their captions or without.

    Each of the first pictures becomes a figure with its labels as title and their chances as bars; all of them stand
    in labels.csv and labels.jsonl, and those with a place on earth in places.parquet. A picture that cannot be read is
    named, and the others go on.
    """
    from arpent.tasks.classify.caption_files import read_captions
    from arpent.tasks.classify.predicting import label_pictures

    made = label_pictures(
        pictures or [],
        model,
        place(output, name, force=force, resume=resume),
        settings,
        caption=caption,
        captions=None if captions is None else read_captions(captions).captions,
        progress=progress(),
    )
    language = settings.language
    places = [
        (say("word.run", language), made.run.path),
        (say("classify_report.table", language), made.run.path / "labels.csv"),
    ]
    places += [(say("classify_report.figure", language), file) for file in list(made.figures.values())[:1]]
    show(_document(made), *_lines(made, language), *where_to_find(places))
    failures = made.run.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} of {len(failures) + made.count} pictures got no labels; first: "
            f"{failures[0].message.rstrip('.')}",
            cure=f"Correct them and repeat the command with --force; {made.run.path / 'manifest.json'} names them.",
        )


def _lines(made: LabelRun, language: Language) -> list[Table | str]:
    rows = [
        [
            one.picture,
            ", ".join(f"{made.titles[name]} {percent(one.chances[name], language, 0)}" for name in one.labels) or "–",
            one.notes,
        ]
        for one in made.first[:_LISTED]
    ]
    heads = [say(f"classify_report.{word}", language) for word in ("picture", "labels", "notes")]
    told: list[Table | str] = [table(heads, rows)]
    if made.count > _LISTED:
        told.append(say("classify_report.more", language, count=made.count - _LISTED))
    if made.placed:
        told.append(say("classify_report.placed", language, count=made.placed))
    return told


def _document(made: LabelRun) -> dict[str, object]:
    manifest = made.run.manifest
    return {
        "run": made.run.path,
        "count": made.count,
        "labels": made.names,
        "pictures": made.first,
        "figures": made.figures,
        "placed": made.placed,
        "warnings": manifest.warnings,
        "failed": {failure.item: failure.message for failure in manifest.failures},
    }
