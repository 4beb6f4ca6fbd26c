"""The page of an ablation, in French or English: whether fusing pays, and every way under every condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from arpent.core import Language
from arpent.language import say, signed
from arpent.report import Picture, Section, Table, Text, write_page
from arpent.report.ranges import Range, ranges
from arpent.tasks.classify.comparison import WAYS, Comparison, View
from arpent.tasks.classify.evaluation_page import About, how
from arpent.tasks.classify.judging import CONDITIONS, Condition, Reached
from arpent.tasks.classify.train_settings import Way

__all__ = ["TABLE", "ablation_rows", "ablation_words", "draw_ablation", "write_ablation_page"]

TABLE = ("map", "micro_f1", "macro_f1", "roc_auc", "ece")
"""Figures of the one table."""


def ablation_words(views: Mapping[View, Comparison], language: Language) -> list[str]:
    """What the figures say, sentence by sentence."""
    told = []
    for view, one in views.items():
        gain, best = one.gains[one.chosen], one.best_single
        values = {
            "view": say(f"classify_report.view_{view}", language),
            "fusion": one.chosen,
            "branch": say(f"classify_report.way_{best}", language),
            "own": one.reached[one.chosen, "complete"].mean_average_precision.value,
            "other": one.reached[best, "complete"].mean_average_precision.value,
            "gain": signed(gain.value, language, 3),
            "low": signed(gain.low, language, 3),
            "high": signed(gain.high, language, 3),
        }
        key = "pays" if one.pays else "worse" if gain.high < 0 else "no_gain"
        told.append(say(f"classify_report.{key}", language, **values))
        for condition in CONDITIONS[1:]:
            cost = one.costs[one.chosen, condition]
            branch = say(f"classify_report.way_{'image' if condition == 'text_absent' else 'text'}", language)
            lost = signed(cost.value, language, 3)
            told.append(say(f"classify_report.cost_{condition}", language, branch=branch, cost=lost))
        if one.unseen:
            own, other = one.unseen[one.chosen], one.unseen[best]
            told.append(
                say(
                    "classify_report.unseen_gain",
                    language,
                    pictures=own.scores[0].images,
                    own=own.mean_average_precision.value,
                    other=other.mean_average_precision.value,
                )
            )
    return told


def ablation_rows(views: Mapping[View, Comparison], language: Language) -> list[list[str | float | None]]:
    """A row for each view, way and condition: their names, the gain, `TABLE` with intervals of mAP and micro-F1."""
    rows: list[list[str | float | None]] = []
    for view, one in views.items():
        captions = say(f"classify_report.short_{view}", language)
        rows += [[captions, *row] for row in _rows(one, language)]
    return rows


def _rows(one: Comparison, language: Language) -> list[list[str | float | None]]:
    """The same of one view, without its name."""
    return [
        [*_named(way, condition, language), _gain(one, way, condition, language), *_figures(own, language)]
        for (way, condition), own in _ordered(one)
    ]


def _ordered(one: Comparison) -> list[tuple[tuple[Way, Condition], Reached]]:
    order = [(way, condition) for way in WAYS for condition in CONDITIONS]
    return [(key, one.reached[key]) for key in order if key in one.reached]


def _named(way: Way, condition: Condition, language: Language) -> list[str]:
    return [say(f"classify_report.{kind}", language) for kind in (f"way_{way}", condition)]


def _gain(one: Comparison, way: Way, condition: Condition, language: Language) -> str | None:
    if way not in one.gains:
        return None
    found = one.gains[way] if condition == "complete" else one.costs[way, condition]
    return found.told(language)


def _beside(views: Mapping[View, Comparison], language: Language) -> Table:
    """The mAP and gain of every way under every condition, captions as written and masked side by side."""
    heads = [say("classify_report.way", language), say("classify_report.condition", language)]
    for figure in ("map", "gain_short"):
        name = say(f"classify_report.{figure}", language)
        heads += [f"{name}, {say(f'classify_report.short_{view}', language)}" for view in views]
    rows: list[list[str | float | None]] = []
    for (way, condition), _ in _ordered(next(iter(views.values()))):
        own = [one.reached[way, condition] for one in views.values()]
        rows.append(
            [
                *_named(way, condition, language),
                *(one.mean_average_precision.told(language) for one in own),
                *(_gain(one, way, condition, language) for one in views.values()),
            ]
        )
    return Table(heads, rows, say("classify_report.gain_note", language), decimals=3)


def _figures(own: Reached, language: Language) -> list[str | float | None]:
    intervals = {"map": own.mean_average_precision, "micro_f1": own.micro_f1}
    return [intervals[one].told(language) if one in intervals else own.mean(one) for one in TABLE]


def draw_ablation(views: Mapping[View, Comparison], folder: Path, language: Language) -> dict[str, Path]:
    """A picture for each view: mAP of every way under every condition, with its interval."""
    drawn: dict[str, Path] = {}
    for view, one in views.items():
        groups = {}
        for condition in CONDITIONS:
            rows = [
                Range(say(f"classify_report.way_{way}", language), own.value, own.low, own.high)
                for way in WAYS
                if (way, condition) in one.reached
                for own in [one.reached[way, condition].mean_average_precision]
            ]
            groups[say(f"classify_report.{condition}", language)] = rows
        drawn[view] = ranges(groups, folder / f"{view}.png", x="mAP", language=language)
    return drawn


def write_ablation_page(
    path: Path, views: Mapping[View, Comparison], pictures: Mapping[str, Path], *, about: About, language: Language
) -> Path:
    """Writes the page, whole or not at all."""

    def title(word: str) -> str:
        return say(f"classify_report.{word}", language)

    heads = [title("way"), title("condition"), title("gain"), *(title(one) for one in TABLE)]
    sections = [
        Section(title("verdict"), [Text(line) for line in about.words]),
        Section(title("table_title"), [_beside(views, language)]),
    ]
    if about.cautions:
        sections.insert(1, Section(title("cautions"), [Text(line) for line in about.cautions]))
    for view, one in views.items():
        parts: list[Picture | Table] = [Picture.of(pictures[view], title(f"view_{view}"), title("ranges_note"))]
        parts.append(Table(heads, _rows(one, language), decimals=3))
        if one.unseen:
            parts.append(_unseen(one, language))
        parts.append(_seeds(one, language))
        sections.append(Section(title(f"view_{view}"), parts))
    sections.append(Section(title("how"), [*how(about.draws, language), Text(title("how_chosen"))]))
    return write_page(path, title("ablation_title"), sections, language=language, footer=about.footer)


def _unseen(one: Comparison, language: Language) -> Table:
    rows: list[list[str | float | None]] = [
        [say(f"classify_report.way_{way}", language), *_figures(own, language)] for way, own in one.unseen.items()
    ]
    heads = [say("classify_report.way", language), *(say(f"classify_report.{name}", language) for name in TABLE)]
    pictures = next(iter(one.unseen.values())).scores[0].images
    return Table(heads, rows, say("classify_report.unseen_table", language, pictures=pictures), decimals=3)


def _seeds(one: Comparison, language: Language) -> Table:
    """The mAP of every seed, so that nobody takes luck for a method."""
    count = max(len(own) for own in one.answers.values())
    rows: list[list[str | float | None]] = []
    for way in WAYS:
        if (way, "complete") in one.reached:
            own = one.reached[way, "complete"]
            every: Sequence[float] = [scores.mean_average_precision for scores in own.scores]
            rows.append([say(f"classify_report.way_{way}", language), *every, own.spread("map")])
    seed = say("word.seed", language)
    heads = [say("classify_report.way", language), *(f"{seed} {n}" for n in range(1, count + 1)), "±"]
    return Table(heads, rows, say("classify_report.seeds_table", language), decimals=3)
