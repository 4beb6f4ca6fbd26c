"""The page of an evaluation of descriptions, in French or English: the verdict first, then what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arpent.core import Language
from arpent.language import number, say
from arpent.metrics import Faithfulness, FaithfulnessTally, Figure
from arpent.report import Picture, Section, Table, Text, write_page
from arpent.report.lines import lines
from arpent.report.page import Part
from arpent.report.scatter import Dot, scatter
from arpent.tasks.describe.counterfactual_pairs import Followed
from arpent.tasks.describe.judging import ROUNDS, Judged
from arpent.tasks.describe.table import SHARES
from arpent.tasks.describe.targets import reached

__all__ = ["SHOWN", "About", "draw_evaluation", "method_rows", "write_evaluation_page"]

SHOWN: tuple[Figure, ...] = (
    "coverage", "hit02", "hit05", "classes", "mae", "contradiction", "refused", "unsupported", "consistency",
)  # fmt: skip
"""Figures of the table of methods."""

_RARE: tuple[Figure, ...] = ("direction", "abstention", "needless")
_NEAR = 0.05


@dataclass(frozen=True)
class About:
    """What a page is about.

    Attributes:
        words: the verdict, sentence by sentence.
        followed: what came of scaled pixels; None where nothing was scaled.
        draws: of the intervals.
        seed: of everything.
        footer: small print.
    """

    words: Sequence[str]
    followed: Followed | None = None
    draws: int = 1000
    seed: int = 0
    footer: str = ""


def draw_evaluation(judged: Judged, folder: Path, about: About, language: Language) -> dict[str, Path]:
    """The pictures of an evaluation, by what they show: "scatter", and "slope" where pixels were scaled."""
    charts: dict[str, list[Dot]] = {}
    for point in judged.points:
        split = say(f"describe_report.split_{point.split}", language)
        charts.setdefault(_title(point.index, language), []).append(Dot(point.true, point.stated, split))
    drawn = {}
    if charts:
        true, said = (say(f"describe_report.{word}", language) for word in ("true", "said"))
        drawn["scatter"] = scatter(charts, folder / "scatter.png", x=true, y=said, language=language)
    if about.followed is not None:
        steps = [round(100 * scale) for scale in about.followed.scales]
        series = {
            say("describe_report.true", language): about.followed.true,
            say("describe_report.said", language): about.followed.stated,
        }
        x = f"{say('describe_report.factor', language)} … %"
        drawn["slope"] = lines(steps, series, folder / "slope.png", x=x, title="NDVI", language=language)
    return drawn


def write_evaluation_page(
    path: Path, judged: Judged, drawn: Mapping[str, Path], *, about: About, language: Language
) -> Path:
    """Writes the page.

    Args:
        path: of the page.
        judged: what was counted.
        drawn: its pictures, as `draw_evaluation` gives them.
        about: the verdict.
        language: of the page.
    """

    def title(key: str) -> str:
        return say(f"describe_report.{key}", language)

    sections = [
        Section(title("verdict"), [*(Text(sentence) for sentence in about.words), _methods(judged, language)]),
        Section(title("targets"), _targets(judged, language)),
        Section(title("by_split"), _splits(judged, about, language)),
    ]
    if "scatter" in drawn:
        picture = Picture.of(drawn["scatter"], title("scatter"), title("scatter_note"))
        sections.append(Section(title("scatter"), [picture, _by_number(judged, language)]))
    if about.followed is not None and "slope" in drawn:
        sections.append(Section(title("counterfactual"), _followed(about.followed, drawn["slope"], language)))
    sections.append(Section(title("likeness"), [_likeness(judged, language)]))
    sections.append(Section(title("how"), _how(about, language)))
    scores = judged.tallies["model"].scores(draws=1)
    mode = title(f"mode_{judged.mode}")
    lead = say("describe_report.lead", language, texts=scores.texts, parcels=scores.parcels, mode=mode)
    return write_page(path, title("title"), sections, language=language, lead=lead, footer=about.footer)


def method_rows(judged: Judged, language: Language, split: str | None = None) -> list[list[str | float | None]]:
    """A row for each method: its name, then the figures of `SHOWN`."""
    rows: list[list[str | float | None]] = []
    for method, tally in judged.tallies.items():
        scores = tally.scores(split, draws=1)
        rows.append([say(f"describe_report.{method}", language), *_figures(scores)])
    return rows


def _figures(scores: Faithfulness) -> list[float | None]:
    return [scores[figure] if math.isfinite(scores[figure]) else None for figure in SHOWN]


def _methods(judged: Judged, language: Language) -> Table:
    heads = [say(f"describe_report.{word}", language) for word in ("method", *SHOWN)]
    note = say("describe_report.baselines_note", language)
    return Table(heads, method_rows(judged, language), note, decimals=3, marked=0)


def _targets(judged: Judged, language: Language) -> Sequence[Part]:
    found = reached(judged)
    if not found:
        return [Text(say("describe_report.targets_none", language))]
    words = ("target", "split", "method", "figure", "asked", "reached")
    rows = [
        [
            say(f"describe_report.target_{one.target.name}", language),
            say(f"describe_report.split_{one.split}", language),
            say(f"describe_report.{one.target.method}", language),
            say(f"describe_report.{one.target.figure}", language),
            f"{one.target.sign} {number(one.target.bound, language, 2)}",
            f"{number(one.value, language, 3)} {'✓' if one.met else '✗'}",
        ]
        for one in found
    ]
    return [Table([say(f"describe_report.{word}", language) for word in words], rows)]


def _splits(judged: Judged, about: About, language: Language) -> Sequence[Part]:
    """The model's figures with their intervals, by split and language."""
    tally = judged.tallies["model"]
    figures = [*SHOWN, *(one for one in _RARE if math.isfinite(tally.scores(draws=1)[one]))]
    groups = [
        (split, spoken, scores)
        for split in tally.splits
        for spoken in tally.languages
        if (scores := _scores(tally, split, spoken, about)) is not None
    ]
    heads = [
        say("describe_report.figure", language),
        *(f"{say(f'describe_report.split_{split}', language)} · {spoken}" for split, spoken, _ in groups),
    ]
    rows = [
        [
            say(f"describe_report.{figure}", language),
            *(scores.figures[figure].told(language) for *_, scores in groups),
        ]
        for figure in figures
    ]
    return [Table(heads, rows)]


def _scores(tally: FaithfulnessTally, split: str, language: Language, about: About) -> Faithfulness | None:
    if not tally.has(split, language):
        return None
    return tally.scores(split, language, draws=about.draws, seed=about.seed)


def _title(index: str, language: Language) -> str:
    """An index by its name, a share by its words."""
    name = say(f"parcels.share_{index}", language) if index in SHARES else index
    return name[:1].upper() + name[1:]


def _by_number(judged: Judged, language: Language) -> Table:
    """How well each number is told: where a text fails is seen here first."""
    words = ("number_due", "stated", "hit05", "mae", "bias")
    rows: list[list[str | float | None]] = []
    for index in dict.fromkeys(point.index for point in judged.points):
        own = [point for point in judged.points if point.index == index]
        errors = [point.stated - point.true for point in own if point.stated is not None]
        near = sum(abs(error) <= _NEAR + 1e-9 for error in errors) / len(own)
        told = [sum(map(abs, errors)) / len(errors), sum(errors) / len(errors)] if errors else [None, None]
        rows.append([_title(index, language), len(errors) / len(own), near, *told])
    return Table([say(f"describe_report.{word}", language) for word in words], rows, decimals=3, signed=[4])


def _followed(followed: Followed, picture: Path, language: Language) -> Sequence[Part]:
    one = followed.slope
    note = say("describe_report.counterfactual_note", language)
    return [
        Text(say("describe_report.slope_is", language, value=one.value, low=one.low, high=one.high)),
        Picture.of(picture, say("describe_report.counterfactual", language), note),
    ]


def _likeness(judged: Judged, language: Language) -> Table:
    heads = [say(f"describe_report.{word}", language) for word in ("method", "language", "bleu4", "rouge_l", "cider")]
    rows: list[list[str | float]] = [
        [say(f"describe_report.{method}", language), spoken, *scores.summary().values()]
        for (method, spoken), scores in judged.likeness.items()
    ]
    return Table(heads, rows, say("describe_report.likeness_note", language), decimals=3)


def _how(about: About, language: Language) -> Sequence[Part]:
    return [
        Text(say("describe_report.how_truth", language)),
        Text(say("describe_report.how_denominators", language)),
        Text(say("describe_report.how_permuted", language, rounds=ROUNDS)),
        Text(say("describe_report.how_bootstrap", language, draws=about.draws, seed=about.seed)),
    ]
