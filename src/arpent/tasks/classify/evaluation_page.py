"""The page of an evaluation of a labeller, in French or English: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arpent.core import Language
from arpent.language import say, signed
from arpent.metrics import LabelFigures, LabelScores, label_curve, label_reliability
from arpent.report import (
    DetectionLine,
    Picture,
    ReliabilityLine,
    Section,
    Table,
    Text,
    detection,
    reliabilities,
    write_page,
)
from arpent.report.label_counts import LabelCount, label_counts
from arpent.tasks.classify.judging import Answers, Condition, Judge, Reached

__all__ = ["FIGURES", "About", "draw_evaluation", "how", "plain_words", "write_evaluation_page"]

FIGURES = ("map", "micro_f1", "macro_f1", "sample_f1", "precision", "recall", "roc_auc", "ece", "accuracy")
"""Figures of the table of conditions."""


@dataclass(frozen=True)
class About:
    """What a page is about.

    Attributes:
        words: the verdict, sentence by sentence.
        cautions: what every report on the DATASET says.
        draws: of the intervals.
        footer: small print.
    """

    words: Sequence[str]
    cautions: Sequence[str] = ()
    draws: int = 1000
    footer: str = ""


def plain_words(reached: Mapping[Condition, Reached], unseen: Reached | None, language: Language) -> list[str]:
    """What the figures say, sentence by sentence."""
    whole = _whole(reached)
    scores = whole.scores[0]
    told = [
        say(
            "classify_report.complete_is",
            language,
            pictures=scores.images,
            map=whole.mean_average_precision.told(language),
            f1=whole.micro_f1.told(language),
        )
    ]
    for condition in ("text_absent", "image_absent"):
        own = reached.get(condition)
        if own is not None and len(reached) > 1:
            away = own.mean_average_precision.value - whole.mean_average_precision.value
            value = own.mean_average_precision.told(language)
            told.append(say(f"classify_report.{condition}_is", language, map=value, away=signed(away, language, 3)))
    told.append(say("classify_report.base_rate", language, own=whole.mean("accuracy"), no=whole.mean("always_no")))
    told.append(say("classify_report.calibrated", language, ece=whole.mean("ece")))
    if unseen is not None:
        own_map = unseen.mean_average_precision.told(language)
        told.append(say("classify_report.unseen_is", language, pictures=unseen.scores[0].images, map=own_map))
    if scores.left_out:
        names = ", ".join(scores.left_out)
        told.append(say("classify_report.left_out", language, count=len(scores.left_out), names=names))
    return told


def _whole(reached: Mapping[Condition, Reached]) -> Reached:
    """With all that the model reads."""
    return next(iter(reached.values()))


def draw_evaluation(
    answers: Answers, judge: Judge, reached: Mapping[Condition, Reached], folder: Path, language: Language
) -> dict[str, Path]:
    """The pictures of an evaluation, by what they show: curves, reliability, and the confusion of each label."""
    lines, trusted = [], {}
    for condition in reached:
        chances, name = answers.chances[condition], say(f"classify_report.{condition}", language)
        curve = label_curve(chances, judge.truth)
        counted = reached[condition].scores[0].micro
        chosen = (counted.recall, counted.precision)
        lines.append(DetectionLine(name, curve.recall, curve.precision, curve.false_alarms, chosen))
        own = label_reliability(chances, judge.truth, bins=10)
        trusted[name] = ReliabilityLine(own.pixels, own.said, own.seen)
    said, seen = (say(f"classify_report.{word}", language) for word in ("chance_said", "chance_seen"))
    heads = tuple(say(f"classify_report.{word}", language) for word in ("hits", "misses", "alarms"))
    rows = [
        LabelCount(one.name, one.counted.hits, one.counted.misses, one.counted.alarms)
        for one in _commonest(_whole(reached).scores[0])
    ]
    return {
        "curves": detection(lines, folder / "curves.png", language=language),
        "reliability": reliabilities(trusted, folder / "reliability.png", x=said, y=seen, language=language),
        "labels": label_counts(
            rows, folder / "labels.png", heads=(heads[0], heads[1], heads[2]),
            x=say("classify_report.in_pictures", language), language=language,
        ),
    }  # fmt: skip


def write_evaluation_page(
    path: Path,
    reached: Mapping[Condition, Reached],
    unseen: Reached | None,
    pictures: Mapping[str, Path],
    *,
    about: About,
    language: Language,
) -> Path:
    """Writes the page, whole or not at all."""

    def title(word: str) -> str:
        return say(f"classify_report.{word}", language)

    def picture(name: str) -> Picture:
        return Picture.of(pictures[name], title(f"{name}_title"), title(f"{name}_note"))

    sections = [
        Section(title("verdict"), [Text(line) for line in about.words]),
        Section(title("conditions_title"), [_conditions(reached, unseen, language)]),
        Section(title("curves_title"), [picture("curves")]),
        Section(title("reliability_title"), [picture("reliability")]),
        Section(title("labels_title"), [picture("labels"), _by_label(_whole(reached).scores[0], language)]),
        Section(title("how"), how(about.draws, language)),
    ]
    if about.cautions:
        sections.insert(1, Section(title("cautions"), [Text(line) for line in about.cautions]))
    return write_page(path, title("evaluation_title"), sections, language=language, footer=about.footer)


def how(draws: int, language: Language) -> list[Text]:
    """How the figures of a page came about."""
    words = ("map", "f1", "ece", "interval", "absent")
    return [Text(say(f"classify_report.how_{word}", language, draws=draws)) for word in words]


def _conditions(reached: Mapping[Condition, Reached], unseen: Reached | None, language: Language) -> Table:
    rows: list[list[str | float | None]] = []
    named = {say(f"classify_report.{condition}", language): own for condition, own in reached.items()}
    if unseen is not None:
        named[say("classify_report.unseen", language)] = unseen
    for name, own in named.items():
        figures = own.summary()
        ranges = {"map": own.mean_average_precision, "micro_f1": own.micro_f1}
        rows.append([name, *(ranges[one].told(language) if one in ranges else figures[one] for one in FIGURES)])
    always = [None] * (len(FIGURES) - 1)
    rows.append([say("classify_report.always_no", language), *always, next(iter(reached.values())).mean("always_no")])
    heads = [say("classify_report.condition", language), *(say(f"classify_report.{one}", language) for one in FIGURES)]
    return Table(heads, rows, decimals=3)


def _by_label(scores: LabelScores, language: Language) -> Table:
    words = ("label", "positives", "threshold", "f1", "precision", "recall", "map", "roc_auc")
    rows: list[list[str | float | None]] = []
    for one in _commonest(scores):
        counted = one.counted
        known = bool(one.positives)
        figures = (counted.f1, counted.precision, counted.recall, one.average_precision, one.roc_auc)
        rows.append([one.name, one.positives, counted.threshold, *(value if known else None for value in figures)])
    return Table([say(f"classify_report.{word}", language) for word in words], rows, decimals=3)


def _commonest(scores: LabelScores) -> list[LabelFigures]:
    return sorted(scores.labels, key=lambda one: (-one.positives, one.name))
