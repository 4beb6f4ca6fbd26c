"""``arpent describe generate``: texts about parcels, held against the pixels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import progress, show, where_to_find
from arpent.cli.options import with_engine, with_settings
from arpent.cli.places import Force, Name, Output, Resume, place
from arpent.cli.searches import with_search
from arpent.core import Language
from arpent.errors import PartialFailure
from arpent.language import say
from arpent.tasks.describe.generate_settings import GenerateSettings

if TYPE_CHECKING:
    from arpent.tasks.describe.generating import Generated

__all__ = ["app"]

app = typer.Typer()

_SHOWN = 3
"""Texts that are shown in the terminal; the run holds all."""


_FILES = ("texts", "descriptions", "report")
"""Products that are pointed at."""


@app.command()
@with_engine
@with_search
@with_settings
def generate(
    images: Annotated[
        list[str],
        typer.Argument(help="Images, folders of bands, .SAFE folders, STAC items or addresses.", metavar="IMAGES"),
    ],
    model: Annotated[Path, typer.Option("--model", "-m", help="Describer, or the run that trained it.")],
    settings: GenerateSettings,
    parcels: Annotated[
        Path | None,
        typer.Option("--parcels", "-p", metavar="FILE", help="Parcels to describe; whole images if not given."),
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Show each text as it is written.")] = False,
    output: Output = None,
    name: Name = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Describes parcels in French or English. Each number and class is held against the pixels; what fails is mended.

    A run whose sentences had to be mended in more than one case of ten counts as failed.
    """
    from arpent.tasks.describe.generating import generate as generate_texts

    where = place(output, name, force=force, resume=resume)
    made = generate_texts(
        images,
        model,
        where,
        settings,
        parcels=parcels,
        progress=None if stream else progress(),
        stream=_tell if stream else None,
    )
    language = settings.language
    show(_document(made), *_texts(made, stream), *_counts(made, language), *_files(made, language))
    made.check()
    failures = made.run.manifest.failures
    if failures:
        raise PartialFailure(
            f"{len(failures)} images or texts failed; first: {failures[0].message.rstrip('.')}",
            cure="Correct them and repeat the command.",
        )


def _tell(piece: str) -> None:
    sys.stderr.write(piece)
    sys.stderr.flush()


def _texts(made: Generated, stream: bool) -> list[str]:
    if stream:
        return []
    return [f"{one.parcel} {one.taken or ''} ({one.language})\n{one.text}\n" for one in made.described[:_SHOWN]]


def _counts(made: Generated, language: Language) -> list[str]:
    figures = {name: value for name, value in made.run.manifest.metrics.items() if value is not None}
    lines = [
        say(
            "describe_run.texts",
            language,
            count=int(figures["texts"]),
            abstained=int(figures["abstained"]),
            run_on=int(figures["run_on"]),
        )
    ]
    if "tokens_per_second" in figures:
        rate = figures["tokens_per_second"]
        lines.append(say("describe_run.tokens", language, count=int(figures["tokens"]), rate=round(rate)))
    if "repair_rate" in figures:
        repaired, again = figures["repair_rate"], figures["asked_again"]
        lines.append(say("describe_run.repaired", language, repaired=repaired, again=again))
    return lines


def _files(made: Generated, language: Language) -> list[str]:
    found: list[tuple[str, object]] = [(say("word.run", language), made.run.path)]
    found += [(say(f"describe_run.file_{name}", language), made.run.file(name)) for name in _FILES]
    return list(where_to_find(found))


def _document(made: Generated) -> dict[str, object]:
    texts = [
        {"parcel": one.parcel, "image": one.image, "taken": one.taken, "language": one.language, "text": one.text}
        for one in made.described
    ]
    return {"run": made.run.path, "texts": texts, "metrics": made.run.manifest.metrics}
