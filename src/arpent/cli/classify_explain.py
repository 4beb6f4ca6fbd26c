"""``arpent classify explain``: what a label rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.classify_predict import Labeller
from arpent.cli.console import show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, place
from arpent.language import number, percent, say
from arpent.tasks.classify.explain_settings import ExplainSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.tasks.classify.explaining import Explained

__all__ = ["app"]

app = typer.Typer()

_DECIMALS = 2


@app.command()
@with_settings
def explain(
    settings: ExplainSettings,
    model: Labeller,
    picture: Annotated[str | None, typer.Argument(help="A picture of any kind and size.", metavar="[PICTURE]")] = None,
    caption: Annotated[str | None, typer.Option("--caption", help="What is said of the picture.")] = None,
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Shows which places of a picture (Grad-CAM) and which words of its caption each label rests on."""
    from arpent.tasks.classify.explaining import explain_labels

    done = explain_labels(picture, caption, model, place(output, name, force=force), settings)
    language = settings.language
    places = [
        (say("word.run", language), done.run.path),
        *((done.titles[label], file) for label, file in done.figures.items()),
    ]
    show(_document(done), _words(done, language), *where_to_find(places))


def _words(done: Explained, language: Language) -> Table:
    """Labels with their chances and the three words that count most."""
    rows = []
    for label, chance in done.chances.items():
        ranked = sorted(done.words[label], key=lambda one: -one[1])[:3]
        counting = [one for one in ranked if round(one[1], _DECIMALS) > 0]
        told = ", ".join(f"{word} {number(weight, language, _DECIMALS)}" for word, weight in counting)
        rows.append([done.titles[label], percent(chance, language, 0), told or "–"])
    return table([say(f"classify_report.{head}", language) for head in ("label", "chance", "words_count")], rows)


def _document(done: Explained) -> dict[str, object]:
    return {
        "run": done.run.path,
        "labels": {
            label: {
                "chance": chance,
                "figure": done.figures[label],
                "words": [{"word": word, "weight": weight} for word, weight in done.words[label]],
            }
            for label, chance in done.chances.items()
        },
        "warnings": done.run.manifest.warnings,
    }
