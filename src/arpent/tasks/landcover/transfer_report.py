"""The page of a transfer study: one table, and what stands behind it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from arpent.core import Language, write_file
from arpent.language import number, say
from arpent.report import Course, Picture, Section, Table, Text, Tile, class_bars, confusion, courses, tiles, write_page
from arpent.report.page import made_by
from arpent.tasks.landcover.outcomes import Outcome, Study

__all__ = ["title_of", "write_report"]

_COUNTED = 0.01
"""Share of the truth from which a class is shown in the bars; rarer ones are in the table."""


def title_of(one: Outcome, language: Language, *, short: bool = False) -> str:
    """What a way is called in tables and charts."""
    if one.kind == "source":
        return say("transfer.source_row" if one.side == "test" else "transfer.source_row_validation", language)
    if one.kind == "direct":
        return say("transfer.direct" if short else "transfer.direct_row", language, normalise=one.normalise)
    strategy = one.strategy or ""
    return strategy if short else f"{strategy}, {one.normalise}"


def write_report(study: Study, folder: Path, examples: Sequence[Tile] = (), language: Language = "en") -> Path:
    """Writes ``report.json`` and ``report.html``, which stands alone; the page's path.

    Args:
        study: what was found.
        folder: where both go.
        examples: places, with a map for each of the study's `drawn` outcomes.
        language: of the page.
    """
    text = json.dumps(study.document(), indent=1, ensure_ascii=False, allow_nan=False)
    write_file(folder / "report.json", f"{text}\n")
    with tempfile.TemporaryDirectory() as scratch:
        sections = _sections(study, Path(scratch), examples, language)
    best, base = study.best, study.outcome(study.baseline)
    lead = say(
        "transfer.lead",
        language,
        best=title_of(best, language),
        miou=best.figures.miou,
        baseline=title_of(base, language),
        before=base.figures.miou,
    )
    title = say("transfer.title", language, name=study.name)
    return write_page(folder / "report.html", title, sections, language=language, lead=lead, footer=made_by(language))


def _sections(study: Study, scratch: Path, examples: Sequence[Tile], language: Language) -> list[Section]:
    found = [
        Section(say("transfer.table", language), [_table(study, language), Text(say("transfer.policies", language))]),
        Section(say("report.quality_by_class", language), _by_class(study, scratch, language)),
    ]
    curves = _courses(study, scratch, language)
    if curves:
        found.append(Section(say("report.learning_curves", language), curves))
    if examples:
        image = say("word.image", language).capitalize()
        path = tiles(examples, study.classes, scratch / "tiles.png", image=image, language=language)
        caption = say("transfer.examples", language)
        found.append(Section(say("report.examples", language), [Picture.of(path, caption, caption)]))
    found.append(Section(say("transfer.confusions", language), _confusions(study, scratch, language)))
    if study.facts:
        facts: list[list[str | int | float | None]] = [list(fact) for fact in study.facts]
        heads = (say("word.setting", language).capitalize(), say("word.value", language).capitalize())
        found.append(Section(say("transfer.how", language), [Table(heads, facts)]))
    return found


def _table(study: Study, language: Language) -> Table:
    heads = [
        say("transfer.trial", language).capitalize(),
        say("transfer.epochs", language),
        "OA",
        "mIoU",
        say("transfer.miou_zero", language),
        "F",
        "P",
        "R",
        say("transfer.gain", language),
    ]
    rows: list[list[str | int | float | None]] = []
    for one in study.outcomes:
        line = one.figures
        means = (line.accuracy, line.miou, line.miou_zero, line.f_score, line.precision, line.recall)
        rows.append([title_of(one, language), one.epochs, *means, study.gain(one)])
    marked = [one.name for one in study.outcomes].index(study.best.name)
    caption = say("transfer.table_caption", language, baseline=title_of(study.outcome(study.baseline), language))
    return Table(heads, rows, caption=caption, decimals=2, marked=marked, signed=(len(heads) - 1,))


def _by_class(study: Study, scratch: Path, language: Language) -> list[Picture | Table | Text]:
    shares, drawn = study.shares, study.drawn
    order = [int(place) for place in np.argsort(-shares, kind="stable") if shares[place] > 0]
    common = [place for place in order if shares[place] >= _COUNTED] or order
    values = {title_of(one, language, short=True): list(one.iou) for one in drawn}
    caption = say("transfer.bars", language)
    bars = class_bars(
        values,
        study.classes,
        scratch / "bars.png",
        x=f"{say('metric.iou', language)}, %",
        shown=common,
        language=language,
    )
    labels = study.classes.labels(language)
    heads = [
        say("word.class", language).capitalize(),
        say("transfer.share", language),
        *(title_of(one, language, short=True) for one in drawn),
    ]
    rows: list[list[str | int | float | None]] = [
        [labels[place], 100 * float(shares[place]), *(100 * float(one.iou[place]) for one in drawn)] for place in order
    ]
    table = Table(heads, rows, caption=say("transfer.iou_table", language), decimals=1)
    return [Picture.of(bars, caption, caption), table]


def _courses(study: Study, scratch: Path, language: Language) -> list[Picture]:
    series: dict[str, Course] = {}
    for one in study.drawn:
        if one.history:
            steps = [int(epoch["number"]) for epoch in one.history]
            values = [float(epoch["validation"].get("miou", np.nan)) for epoch in one.history]
            series[title_of(one, language, short=True)] = Course(steps, values, one.epochs)
    if not series:
        return []
    caption = say("transfer.courses", language)
    path = courses(
        series,
        scratch / "courses.png",
        x=say("word.epoch", language),
        y="mIoU, %",
        language=language,
        first=1,
    )
    return [Picture.of(path, caption, caption)]


def _confusions(study: Study, scratch: Path, language: Language) -> list[Picture]:
    found = []
    for place, one in enumerate(study.drawn):
        path = confusion(one.counts, study.classes, scratch / f"confusion{place}.png", language=language)
        title = title_of(one, language)
        found.append(Picture.of(path, title, f"{title} (mIoU {number(one.figures.miou, language, 2)})"))
    return found
