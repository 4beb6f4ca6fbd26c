"""Label-budget curves: how good a strategy gets with less and less annotated ground."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np

from arpent.core import Progress, write_file
from arpent.data import SampleIndex
from arpent.data.footprints import cut_blocks, footprints
from arpent.errors import InvalidSetting
from arpent.language import number, say
from arpent.report import Course, courses
from arpent.store import Place, Run, RunFolder, bundle_in
from arpent.tasks.landcover.outcomes import Outcome
from arpent.tasks.landcover.survey import note_inputs
from arpent.tasks.landcover.transfer_settings import BudgetSettings, in_one_language
from arpent.tasks.landcover.trials import Ground, Trials, publish_run

__all__ = ["Budgeted", "Point", "Subset", "budget", "subsets_of"]

Kind = Literal["area", "domains"]


@dataclass(frozen=True)
class Subset:
    """A part of the annotated ground.

    Attributes:
        kind: what it was chosen by.
        wanted: km², or a number of domains.
        samples: to learn from.
        area: their ground in km².
    """

    kind: Kind
    wanted: float
    samples: SampleIndex
    area: float

    @property
    def name(self) -> str:
        """For files."""
        return f"{self.kind}-{self.wanted:g}"


@dataclass(frozen=True)
class Point:
    """A row of the table; scores in per cent.

    Attributes:
        kind: what the subset was chosen by.
        wanted: km², or a number of domains.
        area_km2: ground that was learnt from.
        domains: number of domains that it lies in.
        strategy: how it was learnt from.
        epochs: the epoch that was kept.
        accuracy: overall accuracy on the test images.
        miou: classes absent from the truth are left out.
        miou_zero: they count as zero.
        f_score: mean F1.
    """

    kind: Kind
    wanted: float
    area_km2: float
    domains: int
    strategy: str
    epochs: int | None
    accuracy: float
    miou: float
    miou_zero: float
    f_score: float

    @classmethod
    def of(cls, subset: Subset, strategy: str, outcome: Outcome) -> Point:
        """The row of one training."""
        found, places = outcome.figures, len(subset.samples.domains)
        return cls(
            subset.kind,
            subset.wanted,
            round(subset.area, 6),
            places,
            strategy,
            outcome.epochs,
            found.accuracy,
            found.miou,
            found.miou_zero,
            found.f_score,
        )


@dataclass(frozen=True)
class Budgeted:
    """The finished curves: the run folder with ``budget.csv`` and its charts, and the rows of the table."""

    run: Run
    points: Sequence[Point]


def budget(settings: BudgetSettings, place: Place, *, progress: Progress | None = None) -> Budgeted:
    """Trains every strategy on every subset, or goes on with that: what is finished is kept.

    Raises:
        InvalidSetting: no subset is asked for, or one that is larger than what there is.
        EmptySplit, SplitLeak: the sides of the data.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    settings = in_one_language(settings)
    ground = Ground.of(settings.target)
    subsets = subsets_of(settings, ground.samples.train)
    kept = settings.model_dump(mode="json")
    with place.begin(
        "landcover-budget", settings.name, kept, [settings.target.index, settings.start], language=settings.language
    ) as run:
        start = bundle_in(Path(settings.start), "landcover")
        note_inputs(run, settings.target, replace(ground.samples, val=ground.judges), start=start)
        anew = place.force and not run.resumed
        trials = Trials.of(settings, run, ground, start, anew=anew, progress=progress)
        points = [point for subset in subsets for point in _tried(settings, trials, subset)]
        return Budgeted(_finished(run, settings, points, subsets), points)


def subsets_of(settings: BudgetSettings, train: SampleIndex) -> list[Subset]:
    """The subsets, largest first for each kind; the smaller ones lie inside the larger ones.

    Raises:
        InvalidSetting: none is asked for, or there is less than asked for.
    """
    if not settings.areas and not settings.domains:
        raise InvalidSetting("no budget is asked for", cure="Give --areas, in km², or --domains, or both.")
    rng = np.random.default_rng(settings.seed)
    places = [train.domains[int(n)] for n in rng.permutation(len(train.domains))]
    found = list(_by_area(settings, train, rng)) if settings.areas else []
    for count in sorted(set(settings.domains), reverse=True):
        if count > len(places):
            raise _too_much("domains", str(len(places)), str(count))
        chosen = set(places[:count])
        samples = SampleIndex([one for one in train if one.domain in chosen], train.origin)
        found.append(Subset("domains", count, samples, _area(samples)))
    return found


def _by_area(settings: BudgetSettings, train: SampleIndex, rng: np.random.Generator) -> Iterator[Subset]:
    blocks = cut_blocks(train, settings.block)
    order = rng.permutation(len(blocks))
    areas = np.array([one.area for one in footprints(blocks)])[order] / 1e6
    sums = np.cumsum(areas)
    for wanted in sorted(set(settings.areas), reverse=True):
        if wanted > sums[-1] * 1.001:
            raise _too_much("km²", number(float(sums[-1]), "en"), f"{wanted:g}")
        # The number of blocks that comes nearest, one at least.
        count = 1 + int(np.abs(sums - wanted).argmin())
        chosen = [blocks[int(n)] for n in sorted(order[:count])]
        yield Subset("area", wanted, SampleIndex(chosen, train.origin), float(sums[count - 1]))


def _area(samples: SampleIndex) -> float:
    return sum(one.area for one in footprints(samples)) / 1e6


def _too_much(unit: str, found: str, wanted: str) -> InvalidSetting:
    return InvalidSetting(
        "there is less to learn from than the budget asks for",
        found=f"{found} {unit}",
        expected=f"at least {wanted} {unit}",
        cure="Ask for less, or give more samples on the side 'train'.",
    )


def _tried(settings: BudgetSettings, trials: Trials, subset: Subset) -> Iterator[Point]:
    """Every strategy on one subset, which is kept as an index of its own."""
    whole = SampleIndex((*subset.samples, *trials.ground.samples.val), subset.name)
    index = whole.write(trials.run.path / f"{subset.name}.csv")
    trials.run.publish(index, kind="table", name=f"samples-{subset.name}")
    target = settings.target.model_copy(update={"index": str(index)})
    for strategy in settings.strategies:
        name = f"{strategy}-{subset.name}"
        yield Point.of(subset, strategy, trials.tuned(target, strategy, settings.normalise, name))


def _finished(run: RunFolder, settings: BudgetSettings, points: Sequence[Point], subsets: Sequence[Subset]) -> Run:
    for subset in subsets:
        for strategy in settings.strategies:
            publish_run(run, f"{strategy}-{subset.name}")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([field.name for field in fields(Point)])
    rows.writerows(["" if cell is None else cell for cell in astuple(point)] for point in points)
    write_file(run.scratch / "budget.csv", text.getvalue())
    run.publish(run.scratch / "budget.csv", kind="table", name="budget")
    kinds: tuple[Kind, ...] = ("area", "domains")
    for kind in kinds:
        chosen = [point for point in points if point.kind == kind]
        if chosen:
            run.publish(_chart(run, settings, kind, chosen), kind="picture")
    for point in points:
        run.add_metrics({f"{point.strategy}/{point.kind}-{point.wanted:g}/miou": point.miou / 100})
    return run.finish()


def _chart(run: RunFolder, settings: BudgetSettings, kind: Kind, points: Sequence[Point]) -> Path:
    """MIoU and OA of every strategy against what was learnt from."""
    series: dict[str, Course] = {}
    for strategy in settings.strategies:
        own = sorted((point for point in points if point.strategy == strategy), key=lambda point: point.wanted)
        steps = [point.area_km2 if kind == "area" else point.domains for point in own]
        series[f"{strategy}, mIoU"] = Course(steps, [point.miou / 100 for point in own])
        series[f"{strategy}, OA"] = Course(steps, [point.accuracy / 100 for point in own])
    return courses(
        series,
        run.scratch / f"{kind}.png",
        x=say(f"transfer.{kind}", settings.language),
        y="%",
        language=settings.language,
        whole=kind == "domains",
    )
