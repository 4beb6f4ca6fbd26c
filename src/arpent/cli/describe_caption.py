"""``arpent describe caption``: a table of measurements in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arpent.cli.console import show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.core import Language
from arpent.language import number, percent, say, templates
from arpent.tasks.describe.caption_settings import CaptionSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def caption(
    measurements: Annotated[
        Path, typer.Argument(help="Table of 'describe indices', or the run that holds it.", metavar="TABLE")
    ],
    settings: CaptionSettings,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE.jsonl", help="File of the texts; in the xvision profile a folder."
        ),
    ],
) -> None:
    """Puts measurements into words, in French and English, each sentence bound to the numbers that it states.

    Where a parcel is under cloud, or hardly seen, the text says so instead of describing it.
    """
    from arpent.tasks.describe.captioning import caption_table

    made = caption_table(measurements, output, settings)
    language: Language = settings.language
    rows = [
        [
            one,
            number(known.texts, language, 0),
            number(templates(one), language, 0),
            number(known.wordings, language, 0),
            number(known.distinct_2, language, 3),
            percent(known.duplicates, language),
        ]
        for one, known in made.variety.items()
    ]
    heads = [
        say(f"caption.{word}", language) for word in ("language", "texts", "templates", "wordings", "pairs", "same")
    ]
    document = {
        "file": made.file,
        "rows": made.rows,
        "texts": made.texts,
        "abstained": made.abstained,
        "templates": {one: templates(one) for one in made.variety},
        "variety": made.variety,
    }
    first = [words for known in made.first.values() for words in known[:1]]
    told = say("caption.counts", language, texts=made.texts, rows=made.rows, abstained=made.abstained)
    show(document, *first, table(heads, rows), told, *where_to_find([(say("word.file", language), made.file)]))
