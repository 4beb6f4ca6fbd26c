"""``arpent describe search``: parcels found by words, by likeness, by conditions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arpent.cli.console import note, progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.errors import InvalidSetting
from arpent.language import number, percent, say
from arpent.tasks.describe.search_settings import SearchSettings

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.core import Language
    from arpent.store.search import Hit, Reason
    from arpent.tasks.describe.answering import CitedAnswer

__all__ = ["app"]

app = typer.Typer()

_LONGEST = 160
"""Characters of a text that are shown."""


@app.command()
@with_settings
def search(
    settings: SearchSettings,
    words: Annotated[
        str, typer.Argument(help="What the land is like, in French or English: 'végétation dense, sèche'.")
    ] = "",
    places: Annotated[
        list[Path] | None,
        typer.Option(
            "--in", metavar="PATH", help="Table, run, or folder that holds them; may be repeated. [default: runs]"
        ),
    ] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="Folder of the index; .search in the first place if not given.")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the index anew.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also write what is found: .geojson, .json, .jsonl, .csv, .gpkg, .parquet.",
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="Describer that writes the answer; the grammar if not given.")
    ] = None,
) -> None:
    """Finds parcels among what 'arpent describe' has measured, embedded and told, and says why.

    Words mean classes of vigour, moisture, biomass, soil and growth; others are looked for in the texts.
    """
    from arpent.store.search import Query, SearchIndex
    from arpent.store.search_files import check_target, write_hits

    if model is not None and not settings.answer:
        raise InvalidSetting("a model is given, but no answer is asked for", cure="Add --answer.")
    if output is not None:
        check_target(output)
    language = settings.language
    query = Query(words, settings.like or "", settings.where or "", settings.count, settings.each_date)
    with SearchIndex.over(places or [Path("runs")], index, rebuild=rebuild, progress=progress()) as found:
        for line in found.index.warnings if settings.like else ():
            note(line)
        if found.index.apart:
            note(say("search.apart", language, names=", ".join(found.index.apart)))
        hits = found.find(query)
        note(say("search.searched", language, rows=found.index.rows))
    if hits and hits[0].partly:
        note(say("search.partly", language))
    told = _answer(words or query.like or query.where, hits, settings, model) if settings.answer and hits else None
    people: list[str | Table] = [_results(hits, language)] if hits else [say("search.nothing", language)]
    if told is not None:
        people += ["", told.text]
        for one in told.removed:
            note(say(f"search.removed_{one.why}", language, text=one.text, number=one.number or 0))
    if output is not None:
        people += where_to_find([(say("search.written", language), write_hits(output, hits))])
    show({"results": [_document(hit) for hit in hits], "answer": told, "file": output}, *people)


def _answer(question: str, hits: Sequence[Hit], settings: SearchSettings, model: Path | None) -> CitedAnswer:
    from arpent.language.wishes import understand
    from arpent.tasks.describe.answering import answer
    from arpent.tasks.describe.table import measured_of

    write = None
    if model is not None:
        from arpent.tasks.describe.describer import Describer

        describer = Describer.open(model)

        def write(prompt: str) -> str:
            return str(describer.answer([prompt], settings.language)[0])

    best = [hit for hit in hits[: settings.cite] if hit.partly == hits[0].partly]  # their places are their numbers
    parcels = [measured_of({**hit.row, "valid": 1.0} if hit.row["valid"] is None else hit.row) for hit in best]
    axes = [one.axis for one in understand(question).wanted]
    return answer(question, parcels, settings.language, axes=axes, write=write)


def _results(hits: Sequence[Hit], language: Language) -> Table:
    heads = ("number", "parcel", "place", "date", "score", "why", "others", "text")
    rows = []
    for place, hit in enumerate(hits, start=1):
        text = hit.row[f"text_{language}"] or hit.row["text_en"] or hit.row["text_fr"] or ""
        rows.append(
            [
                f"[{place}]",
                hit.parcel,
                hit.row["place"],
                "–" if hit.taken is None else hit.taken.isoformat(),
                "–" if hit.score is None else number(hit.score, language, 2),
                "; ".join(_why(reason, language) for reason in hit.reasons),
                say("search.more_dates", language, count=len(hit.dates)) if hit.dates else "",
                text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…",
            ]
        )
    shown = [column for column in range(len(heads)) if column < 5 or any(row[column] for row in rows)]
    return table(
        [say(f"search.{heads[column]}", language) for column in shown], [[row[c] for c in shown] for row in rows]
    )


def _why(reason: Reason, language: Language) -> str:
    if reason.kind == "likeness":
        return say("search.why_like", language, name=reason.named, share=number(reason.share, language, 2))
    if reason.kind == "text":
        return say("search.why_text", language, words=reason.named)
    words = say(f"search.class_{reason.axis}_{reason.named}", language)
    if reason.value is None:
        return words
    share = not reason.index.endswith("_mean")
    value = percent(reason.value, language, 0) if share else number(reason.value, language, 2)
    name = say(f"search.share_{reason.index}", language) if share else reason.index.removesuffix("_mean").upper()
    return f"{words} ({name} {value})"


def _document(hit: Hit) -> dict[str, object]:
    row = {name: value for name, value in hit.row.items() if name != "geometry"}
    return {"score": hit.score, "reasons": hit.reasons, "other_dates": hit.dates} | row
