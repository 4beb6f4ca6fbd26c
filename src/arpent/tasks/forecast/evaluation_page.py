"""The page of an evaluation of forecasts, in French or English: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arpent.core import Language
from arpent.language import number, say, signed
from arpent.metrics import HorizonScores
from arpent.report import Picture, Section, Table, Text, write_page
from arpent.report.page import Part
from arpent.tasks.forecast.evaluation_pictures import Drawn, ece_of
from arpent.tasks.forecast.judging import METHODS, Judged
from arpent.tasks.forecast.telling import clauses
from arpent.tasks.forecast.verdict import Verdict, regime_gains, said_to_stay, skill_of, step_of, verdicts

__all__ = ["About", "summary_heads", "summary_rows", "told_rows", "write_evaluation_page"]

_MEASURES = {
    "iou": "forecast_report.figure_of",
    "miou": "metric.mean_iou",
    "f1": "metric.mean_f_score",
    "accuracy": "metric.overall_accuracy",
    "changed_accuracy": "forecast_report.changed_accuracy",
    "brier": "forecast_report.brier",
    "fraction_rmse": "forecast_report.fraction_rmse",
}


@dataclass(frozen=True)
class About:
    """What a page is about.

    Attributes:
        model: what was judged.
        data: what it was judged by.
        side: of the split of that.
        words: the verdict, sentence by sentence.
    """

    model: str
    data: str
    side: str
    words: Sequence[str]


def write_evaluation_page(
    path: Path,
    judged: Judged,
    drawn: Drawn,
    *,
    about: About,
    language: Language,
    footer: str,
) -> Path:
    """Writes the page.

    Args:
        path: of the page.
        judged: what was counted.
        drawn: its pictures.
        about: what was judged, and the verdict.
        language: of the page.
        footer: small print.
    """
    dates = sorted(issue.date for issue in judged.issues)
    sections = [
        Section(say("report.summary", language), _summary(judged, drawn, about.words, language)),
        Section(say("forecast_report.by_regime", language), _regimes(judged, drawn, language)),
        Section(say("forecast_report.calibration", language), _calibration(judged, drawn, language)),
        Section(say("forecast_report.measures", language), _measures(judged, language)),
        Section(say("forecast_report.how", language), _how(judged, about.side, language)),
    ]
    if drawn.examples:
        shown = [Picture.of(one, caption, caption) for one, caption in drawn.examples.items()]
        sections.insert(2, Section(say("forecast_report.examples", language), shown))
    lead = say(
        "forecast_report.lead",
        language,
        model=about.model,
        data=about.data,
        count=len(dates),
        first=dates[0],
        last=dates[-1],
    )
    return write_page(
        path, say("forecast_report.title", language), sections, language=language, lead=lead, footer=footer
    )


def summary_heads(judged: Judged, language: Language) -> list[str]:
    """What stands above `summary_rows`."""
    methods = [say(f"forecast_report.{method}", language) for method in METHODS]
    return [say("forecast_report.horizon", language), *methods, say("forecast_report.gain", language)]


def summary_rows(judged: Judged, language: Language) -> list[list[str | float]]:
    """IoU of the watched class in per cent, by horizon and method, and the model's gain in points."""
    scores = {method: tally.scores() for method, tally in judged.tallies.items()}
    return [
        [
            step_of(verdict.horizon, judged.ahead, language),
            *(100 * skill_of(scores[method][step]) for method in METHODS),
            100 * verdict.gain,
        ]
        for step, verdict in enumerate(verdicts(judged))
    ]


def told_rows(judged: Judged, language: Language) -> list[list[str]]:
    """`summary_rows` as text."""
    return [
        [
            str(step),
            *(number(float(figure), language, 1) for figure in figures),
            signed(float(gain), language, 1),
        ]
        for step, *figures, gain in summary_rows(judged, language)
    ]


def _figure(judged: Judged, language: Language) -> str:
    return say("forecast_report.figure_of", language, name=judged.watched.label(language))


def _summary(judged: Judged, drawn: Drawn, words: Sequence[str], language: Language) -> Sequence[Part]:
    title, heads = f"{_figure(judged, language)}, %", summary_heads(judged, language)
    note = say("forecast_report.gain_note", language)
    return [
        *(Text(sentence) for sentence in words),
        Table(
            heads, summary_rows(judged, language), clauses([title, note], language), decimals=1, signed=[len(heads) - 1]
        ),
        Picture.of(drawn.skill, title, title),
    ]


def _regimes(judged: Judged, drawn: Drawn, language: Language) -> Sequence[Part]:
    rows: list[list[str | int | float | None]] = []
    counted = judged.tallies["model"].by_regime()
    for regime, row in regime_gains(judged).items():
        for one, scores in zip(row, counted[regime], strict=True):
            if one is not None and scores is not None:
                rows.append(_regime_row(regime, replace(one, forecasts=scores.windows), judged, language))
    stays = (one for one in said_to_stay(judged) if one is not None)
    rows += [_regime_row("said_to_stay", one, judged, language) for one in stays]
    heads = [
        say("forecast_report.regime", language),
        say("forecast_report.horizon", language),
        say("forecast_report.windows", language),
        say("forecast_report.model", language),
        say("forecast_report.best_still", language),
        say("forecast_report.gain", language),
    ]
    name = judged.watched.label(language)
    course = say("forecast_report.course", language, name=name, place=drawn.place)
    table = Table(heads, rows, f"{_figure(judged, language)}, %", decimals=1, signed=[len(heads) - 1])
    return [table, Picture.of(drawn.course, course, course)]


def _regime_row(regime: str, one: Verdict, judged: Judged, language: Language) -> list[str | int | float | None]:
    """What is gained in the forecasts of one kind at one horizon."""
    step, figures = step_of(one.horizon, judged.ahead, language), (one.skill, one.still, one.gain)
    return [say(f"forecast_report.{regime}", language), step, one.forecasts, *(100 * figure for figure in figures)]


def _calibration(judged: Judged, drawn: Drawn, language: Language) -> Sequence[Part]:
    found = {horizon: number(ece_of(judged, horizon).expected_error, language, 3) for horizon in sorted(judged.ahead)}
    errors = clauses((f"{step_of(one, judged.ahead, language)} {error}" for one, error in found.items()), language)
    title = say("forecast_report.calibration", language)
    name = judged.watched.label(language)
    return [
        Picture.of(drawn.reliability, title, say("forecast_report.calibration_of", language, name=name)),
        Text(say("forecast_report.calibration_note", language, errors=errors)),
    ]


def _measures(judged: Judged, language: Language) -> Sequence[Part]:
    """A table for each horizon with all measures of all methods, and one of the classes."""
    name, watched = judged.watched.label(language), judged.classes.index_of(judged.watched.id)
    heads = [
        say("forecast_report.method", language),
        *(
            say(key, language, name=name) if key.endswith(("_of", "_rmse")) else say(key, language)
            for key in _MEASURES.values()
        ),
    ]
    parts: list[Part] = []
    for step in range(judged.horizons):
        rows: list[list[str | int | float | None]] = []
        for method in METHODS:
            figures = judged.tallies[method].scores()[step].summary(watched)
            rows.append([say(f"forecast_report.{method}", language), *(figures[measure] for measure in _MEASURES)])
        parts.append(Table(heads, rows, step_of(step + 1, judged.ahead, language), decimals=3, marked=0))
    return [*parts, _by_class(judged, language)]


def _by_class(judged: Judged, language: Language) -> Table:
    ours: Sequence[HorizonScores] = judged.tallies["model"].scores()
    rows: list[list[str | int | float | None]] = [
        [one.label(language), *(float(scores.scores.iou_by_class[index]) for scores in ours)]
        for index, one in enumerate(judged.classes.classes)
    ]
    steps = [step_of(scores.horizon, judged.ahead, language) for scores in ours]
    title = f"{say('forecast_report.by_class', language)}, {say('forecast_report.model', language)}"
    return Table([say("word.class", language), *steps], rows, title, decimals=3)


def _how(judged: Judged, side: str, language: Language) -> Sequence[Part]:
    places = len({issue.place.name for issue in judged.issues})
    told = say(f"forecast_report.side_{side}", language)
    return [
        Text(say("forecast_report.judged", language, count=len(judged.issues), places=places, side=told) + "."),
        Text(say("forecast_report.definitions", language, name=judged.watched.label(language))),
    ]
