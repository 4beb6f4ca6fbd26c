"""``arpent classify prepare``: from pictures, captions and labels to a DATASET."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import note, progress, show, table
from arpent.cli.options import with_settings
from arpent.errors import PartialFailure
from arpent.language import say
from arpent.tasks.classify.prepare_settings import PrepareSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def prepare(
    source: Annotated[
        str, typer.Argument(help="Folder of pictures; ucm and flickr8k are known by name.", metavar="FOLDER")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the data set.", metavar="DATASET")],
    settings: PrepareSettings,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a data set that is there, and the features in it.")
    ] = False,
) -> None:
    """Makes a data set of pictures with captions and labels, divided by picture.

    Says how far the labels can be read in the captions, and refuses captions that tell them all. A picture that stands
    on two sides of the split is refused too. Pictures that do not open are named and left out, and count as a failure.
    """
    from arpent.data import SPLITS
    from arpent.tasks.classify.preparing import prepare as make

    made = make(source, output, settings, force=force, progress=progress())
    for line in made.notes:
        note(line)
    dataset, facts, language = made.dataset, made.dataset.facts, settings.language
    counts = {side: len(dataset.on_side(side)) for side in SPLITS}
    bearing = {side: dataset.truth(dataset.on_side(side)).sum(axis=0).tolist() for side in SPLITS}
    rows = [(name, *(bearing[side][place] for side in SPLITS)) for place, name in enumerate(dataset.labels)]
    heads = ("label", *SPLITS)
    document = {
        "dataset": output,
        "source": facts.source,
        "pictures": counts,
        "labels": {name: dict(zip(SPLITS, found, strict=True)) for name, *found in rows},
        "labels_from": facts.labels_from,
        "leaks": facts.leaks,
        "masked": facts.masked,
        "readable": {**facts.readable.model_dump(), "f1": facts.readable.f1},
        "repeated": facts.repeated,
        "vocabulary": len(dataset.vocabulary.words),
        "notes": made.notes,
        "failures": {one.name: str(one.error) for one in made.failures},
    }
    show(
        document,
        table([say(f"classify_prepare.head_{head}", language) for head in heads], rows),
        f"{say('prepare.told_dataset', language)}  {output}",
    )
    if made.failures:
        count, first = len(made.failures), made.failures[0]
        told = "1 picture cannot be opened and is" if count == 1 else f"{count} pictures cannot be opened and are"
        raise PartialFailure(
            f"{told} left out; first: {first.error.what}",
            found=", ".join(one.name for one in made.failures[:5]),
            cure="Mend or remove them and repeat the command with --force; the data set is complete without them.",
        )
