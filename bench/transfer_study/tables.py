"""The tables of the transfer study, means over the seeds, and whether what was published is found again."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arpent.tasks.landcover.outcomes import Outcome, Study

__all__ = ["Verdict", "checks", "print_classes", "print_curves", "print_table", "print_verdicts"]

BASELINE = "direct-norma-target"
FIRST, SCRATCH = "ft-initialisation", "app-scratch"
BETWEEN = ("ft-freeze-encoder", "ft-finetune-head")
PUBLISHED = {
    "source": ("", 57.50),
    "direct-norma-01": ("", 41.06),
    "direct-norma-source": ("", 40.01),
    BASELINE: ("", 46.38),
    "app-scratch": ("44", 49.64),
    "ft-initialisation": ("5", 60.58),
    "ft-freeze-encoder": ("68", 53.31),
    "ft-finetune-head": ("28", 44.86),
}
"""Epochs and mIoU of the study that is replayed, on images that are not public."""
LEAST = 0.01
"""Share of the truth from which a class counts."""
NEAR = 0.01
"""Of mIoU: so close to its best a training counts as done, since the last hundredth comes by chance."""
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""Factors of 95 % intervals of a mean of so many seeds."""


def label(one: Outcome) -> str:
    """What the tables call a row."""
    return one.strategy or one.name


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean over seeds, by Student's t; the values themselves where there is one."""
    if len(values) < 2:
        return min(values), max(values)
    half = STUDENT.get(len(values), 2.0) * statistics.stdev(values) / len(values) ** 0.5
    mean = statistics.mean(values)
    return mean - half, mean + half


def print_table(name: str, studies: Sequence[Study]) -> None:
    """The study's table, means over the seeds, with the published one beside."""
    print(f"\n{name}: {len(studies)} seed{'s' if len(studies) > 1 else ''}\n")
    print(f"{'run':22} epochs     OA   mIoU ± sd      F      P      R    gain   published: epochs   mIoU    gain")
    base = statistics.mean(study.outcome(BASELINE).figures.miou for study in studies)
    for number, first in enumerate(studies[0].outcomes):
        rows = [study.outcomes[number] for study in studies]
        mean = {key: statistics.mean(getattr(row.figures, key) for row in rows) for key in vars(first.figures)}
        spread = statistics.stdev(row.figures.miou for row in rows) if len(rows) > 1 else 0.0
        epochs = f"{statistics.mean(row.epochs or 0 for row in rows):.0f}" if first.kind == "tuned" else ""
        gain = f"{mean['miou'] - base:+.2f}" if first.kind == "tuned" else ""
        said, miou = PUBLISHED[label(first)]
        published = f"{miou - PUBLISHED[BASELINE][1]:+.2f}" if first.kind == "tuned" else ""
        print(
            f"{label(first):22} {epochs:>6} {mean['accuracy']:6.2f} {mean['miou']:6.2f} {spread:4.1f} "
            f"{mean['f_score']:6.2f} {mean['precision']:6.2f} {mean['recall']:6.2f} {gain:>7} "
            f"{'':11}{said:>6} {miou:6.2f} {published:>7}"
        )


def print_classes(studies: Sequence[Study]) -> None:
    """IoU of each class, means over the seeds."""
    study = studies[0]
    target = [one for one in study.outcomes if one.kind == "tuned" or one.name == BASELINE]
    print(f"\n{'class':24} share  " + "  ".join(f"{label(one):>19}" for one in target))
    for place, entry in enumerate(study.classes.classes):
        if study.shares[place] > 0:
            cells = [_cell([other.outcome(one.name) for other in studies], place) for one in target]
            print(f"{entry.en:24} {100 * study.shares[place]:4.1f} %  " + "  ".join(f"{cell:>19}" for cell in cells))


def _cell(rows: Sequence[Outcome], place: int) -> str:
    values = [100 * float(row.iou[place]) for row in rows]
    low, high = interval(values)
    return f"{statistics.mean(values):.1f} [{low:.0f}, {high:.0f}]"


@dataclass(frozen=True)
class Verdict:
    """Whether something that the published study found is found here, and the numbers it rests on.

    Attributes:
        holds: whether it is found.
        numbers: what that rests on.
        leads: of a class, whether the mean over the seeds is the highest; None for what is not of a class.
        clear: of a class, whether the worst seed is above the best of every other row.
    """

    holds: bool
    numbers: str
    leads: bool | None = None
    clear: bool | None = None


def checks(studies: Sequence[Study]) -> dict[str, Verdict]:
    """Whether the published order holds."""
    means = {
        label(one): statistics.mean(study.outcome(one.name).figures.miou for study in studies)
        for one in studies[0].outcomes
    }
    direct = {name: value for name, value in means.items() if name.startswith("direct")}
    found = {f"{BASELINE} is the best direct inference": Verdict(_first(direct) == BASELINE, _listed(direct))}
    if FIRST not in means or SCRATCH not in means:
        return found
    tuned = {name: value for name, value in means.items() if name in (FIRST, SCRATCH, *BETWEEN)}
    found[f"{FIRST} is first in mIoU"] = Verdict(_first(tuned) == FIRST, _listed(tuned))
    found |= _epochs(studies)
    for name in BETWEEN:
        if name in means:
            trio = {one: means[one] for one in (BASELINE, name, FIRST)}
            holds = means[BASELINE] < means[name] < means[FIRST]
            found[f"{name} between {BASELINE} and {FIRST}"] = Verdict(holds, _listed(trio))
    for place, entry in enumerate(studies[0].classes.classes):
        if studies[0].shares[place] >= LEAST:
            surely = "intervals apart" if len(studies) > 1 else "on one seed"
            found[f"{FIRST} first in {entry.en}, {surely}"] = _ahead(studies, place)
    return found


def _first(values: Mapping[str, float]) -> str:
    return max(values, key=lambda name: values[name])


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f}" for name, value in values.items())


def _epochs(studies: Sequence[Study]) -> dict[str, Verdict]:
    """Epochs to the best that training from scratch reaches, seed by seed, and the epochs that were kept."""
    own = {label(one): one.name for one in studies[0].outcomes}
    kept = {
        name: statistics.mean(study.outcome(own[name]).epochs or 0 for study in studies) for name in (FIRST, SCRATCH)
    }
    passed = [
        (reached(study, own[FIRST], own[SCRATCH]), reached(study, own[SCRATCH], own[SCRATCH])) for study in studies
    ]
    numbers = "; ".join(f"epoch {mine or 'none'} against {theirs}" for mine, theirs in passed)
    return {
        f"{FIRST} takes fewer epochs than {SCRATCH}": Verdict(
            all(mine and theirs and mine < theirs for mine, theirs in passed), numbers
        ),
        "and the epoch kept is an earlier one": Verdict(kept[FIRST] < kept[SCRATCH], _listed(kept)),
    }


def reached(study: Study, name: str, goal: str) -> int | None:
    """The epoch in which a training first comes to within a point of another's best validation mIoU; None if never."""
    least = max(_course(study.outcome(goal))) - NEAR
    course = _course(study.outcome(name))
    return next((place for place, value in enumerate(course, start=1) if value >= least), None)


def _ahead(studies: Sequence[Study], place: int) -> Verdict:
    """Whether ft-initialisation is first in a class, its interval apart from all others."""
    cells = {
        label(one): [100 * float(study.outcome(one.name).iou[place]) for study in studies]
        for one in studies[0].outcomes
        if one.kind != "source"
    }
    best = cells.pop(FIRST)
    rival = max(cells, key=lambda name: interval(cells[name])[1])
    nearest = max(cells, key=lambda name: statistics.mean(cells[name]))
    margin = statistics.mean(best) - statistics.mean(cells[nearest])
    clear = min(best) > max(max(values) for values in cells.values())
    told = "every seed above all others" if clear else "seeds overlap" if margin > 0 else "not first"
    return Verdict(
        interval(best)[0] > interval(cells[rival])[1],
        f"{_spread(best)} against {_spread(cells[rival])} of {rival}; {margin:+.1f} on {nearest}, {told}",
        margin > 0,
        clear,
    )


def _spread(values: Sequence[float]) -> str:
    low, high = interval(values)
    return f"{statistics.mean(values):.1f} [{low:.1f}, {high:.1f}]"


def _course(one: Outcome) -> list[float]:
    return [float(epoch["validation"]["miou"]) for epoch in one.history]


def print_curves(studies: Sequence[Study]) -> None:
    """Validation mIoU, epoch by epoch, means over the seeds; and how soon each training is done."""
    own = {label(one): one.name for one in studies[0].outcomes}
    print("\nvalidation mIoU by epoch")
    for first in studies[0].outcomes:
        if first.kind == "tuned":
            courses = zip(*(_course(study.outcome(first.name)) for study in studies), strict=False)
            seconds = statistics.mean(study.outcome(first.name).seconds or 0 for study in studies)
            print(
                f"{label(first):19} "
                + " ".join(f"{100 * statistics.mean(one):.0f}" for one in courses)
                + f"  ({seconds:.0f} s of wall clock)"
            )
    print(f"\nepochs to within a point of one's own best validation mIoU, and of that of {SCRATCH}; by seed")
    for first in studies[0].outcomes:
        if first.kind == "tuned":
            soon = [[reached(study, first.name, goal) for study in studies] for goal in (first.name, own[SCRATCH])]
            print(f"{label(first):19} " + "; ".join(", ".join(str(one or "never") for one in row) for row in soon))


def print_verdicts(found: Mapping[str, Verdict]) -> None:
    """What holds and what does not, with the numbers."""
    print()
    for what, verdict in found.items():
        print(f"{'holds' if verdict.holds else 'FAILS'}  {what}: {verdict.numbers}")
    classes = [one for one in found.values() if one.leads is not None]
    if classes:
        leads, clear = sum(bool(one.leads) for one in classes), sum(bool(one.clear) for one in classes)
        apart = sum(one.holds for one in classes)
        print(
            f"\nof {len(classes)} classes {FIRST} is first in {leads} by the mean, in {clear} with every seed above "
            f"all others, in {apart} with 95 % intervals apart"
        )
