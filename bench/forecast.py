"""Forecasts of simulated floods: a network beside staying as it is, extrapolating, and climatology, in the same run.

Rivers that rise with storms, flood their plain and fall again, seen by a radar every six days (`arpent forecast
simulate`), prepared by the same commands that people use: water and dry land, and no filter, so that the network is its
own. A segmentation network learns single dates, an LSTM on its features learns what comes next; both are judged on
rivers of other landscapes. The gain is the IoU of water minus that of the stronger of two persistences: of the mask
that the network predicts for today, and of the true one.

Also printed: how good the mask of today is, 95 % intervals from river to river, the same forecasts by regime (of steady
scenes also what is lost to the model's own mask of today, and what that loses to the true one; and of those that the
model itself says will stay), how far the changes are believed, and the forecasts of the network of the first seed with
its LSTM set to zero, which gains nothing if it is the LSTM that knows. `--variants` adds rivers that no network
has learnt from: with twice the noise, with the echoes of the classes dealt out anew, and of another family of
landscapes; with `--learn-variants` each of them is then learnt, too, and judged on other rivers of its own kind.

With `--folder`, simulated rivers are kept there and used again; `--validation` judges on the rivers that pick the epoch
instead of those of the other landscapes, which is how a recipe is to be looked for.

Usage: python bench/forecast.py [--seeds 0 1 2] [--judges 202 303] [--variants noisy permuted family] [--threads 2]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from arpent.metrics import REGIMES
from arpent.store import Place
from arpent.tasks.forecast.answering import ForecastModel, open_forecaster
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.judging import METHODS, Issue, Judged, Method, issues_of, judge
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.preparing import prepare
from arpent.tasks.forecast.segmentation import train_segmentation
from arpent.tasks.forecast.sides import divided
from arpent.tasks.forecast.train_settings import ForecastSettings, SegmentationSettings
from arpent.tasks.forecast.training import train_forecast
from arpent.tasks.forecast.verdict import regime_gains, said_to_stay, verdicts
from arpent.testing.simulation import RadarSimulation, simulate

VARIANTS = {
    "plain": {},
    "noisy": {"variant": "noisy"},
    "permuted": {"variant": "permuted"},
    "family": {"family": "openfield"},
}
COMPARED: Sequence[tuple[str, Method, Method]] = (
    ("  - own mask", "model", "predicted"),
    ("  own - true", "predicted", "persistence"),
)
"""Which method is held against which on steady scenes."""
LEARN, JUDGES = 7, (202, 303)
"""Seeds of the landscape that is learnt from, and of those that judge."""


@dataclass(frozen=True)
class Asked:
    """What is to be run.

    Attributes:
        scenes: rivers to learn from.
        judging: rivers of each landscape that judge.
        size: pixels on a side of a scene.
        dates: of a series.
        hidden: numbers of the LSTM's state.
        steps: of the optimiser: of the segmentation network and of the LSTM.
        covariates: whether rain and level are told.
        filter: against speckle.
        classes: nomenclature that is learnt.
        validation: whether the rivers that pick the epoch judge.
        judges: seeds of the landscapes that do otherwise.
    """

    scenes: int
    judging: int
    size: int
    dates: int
    hidden: int
    steps: tuple[int, int]
    covariates: bool
    filter: str
    classes: str
    validation: bool
    judges: tuple[int, ...] = JUDGES


def dataset(folder: Path, asked: Asked, variant: str, seed: int, scenes: int) -> Path:
    """A data set of simulated rivers."""
    rivers = f"{variant}-{seed}-{scenes}-{asked.size}-{asked.dates}"
    raw, ready = folder / f"raw-{rivers}", folder / f"{rivers}-{asked.filter}-{asked.classes}"
    if not (raw / "index.csv").exists():
        settings = RadarSimulation(size=asked.size, dates=asked.dates, scenes=scenes, seed=seed, **VARIANTS[variant])
        simulate(raw, settings)
    if not (ready / "dataset.json").exists():
        prepare(str(raw), ready, PrepareSettings(patch=128, filter=asked.filter, classes=asked.classes))
    return ready


def trained(data: Path, folder: Path, asked: Asked, seed: int) -> Path:
    """A forecasting bundle."""
    common = {"dataset": str(data), "patch": 128, "device": "cpu", "precision": "bf16", "seed": seed, "workers": 1}
    epochs = 2
    first, second = (max(1, steps // epochs) for steps in asked.steps)
    segmentation = SegmentationSettings(epochs=epochs, batch_size=8, patches=8 * first, average=0.9, **common)
    segmented = train_segmentation(segmentation, Place(exact=folder / f"segmentation-{seed}", force=True))
    settings = ForecastSettings(
        segmentation=str(segmented.path),
        epochs=epochs,
        batch_size=8,
        patches=8 * second,
        hidden=asked.hidden,
        cell=32,
        rate=4e-3,
        average=0.95,
        forget=0.0,
        covariates=None if asked.covariates else (),
        **common,
    )
    return train_forecast(settings, Place(exact=folder / f"forecast-{seed}", force=True)).file("model")


def zero(model: ForecastModel) -> None:
    """Lets the LSTM of a network answer zero from now on."""
    with torch.no_grad():
        for tensor in model.bundle.model.get_submodule("head.core").parameters():
            tensor.zero_()


def report(title: str, judged: Judged) -> None:
    """Prints what each method reaches, and what the model gains."""
    water = judged.tallies["model"].watched
    print(f"\n{title}; IoU of today's water {judged.today.scores().iou_by_class[water]:.3f}")
    for method in METHODS:
        tally = judged.tallies[method]
        figures = "  ".join(f"{one.iou:.3f}" for one in tally.scores())
        errors = "  ".join(f"{one.fraction_rmse[0]:.3f}" for one in tally.scores())
        print(f"  {method:12}  IoU {figures}   RMSE of the share of water {errors}")
    found = verdicts(judged)
    print(f"  {'gain':12}      {'  '.join(f'{one.gain:+.3f}' for one in found)}")
    ends = [(one.interval.low, one.interval.high) if one.interval else (float("nan"),) * 2 for one in found]
    print(f"  {'95 %':12}      {'  '.join(f'{low:+.3f} to {high:+.3f}' for low, high in ends)}")
    for regime in REGIMES:
        row = regime_gains(judged)[regime]
        print(f"  {regime:12}      {'  '.join('     –' if one is None else f'{one.gain:+.3f}' for one in row)}")
    steady = {method: judged.tallies[method].by_regime()["steady"] for method in METHODS}
    for title, ours, theirs in COMPARED:
        pairs = zip(steady[ours], steady[theirs], strict=True)
        told = ["     –" if one is None or other is None else f"{one.iou - other.iou:+.3f}" for one, other in pairs]
        print(f"  {title:12}      {'  '.join(told)}")
    stays = said_to_stay(judged)
    print(f"  {'said to stay':12}      {'  '.join('     –' if one is None else f'{one.gain:+.3f}' for one in stays)}")


def gains(judged: Judged) -> list[float]:
    """By horizon."""
    return [one.gain for one in verdicts(judged)]


def cpu_seconds() -> float:
    """Of all threads of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def issues_on(data: Path, model: ForecastModel, side: str) -> Sequence[Issue]:
    """The forecasts of one side of a data set; of all of it for "all"."""
    found = Dataset.read(data)
    return issues_of((found if side == "all" else divided(found)).places, model.settings, side)


def grounds(folder: Path, asked: Asked, learnt: str, kind: str) -> dict[str, tuple[Path, str]]:
    """Data sets that judge, each with the side of it that does, by their names."""
    if asked.validation and kind == learnt:
        return {f"{kind} validation": (dataset(folder, asked, kind, LEARN, asked.scenes), "val")}
    return {f"{kind} {seed}": (dataset(folder, asked, kind, seed, asked.judging), "all") for seed in asked.judges}


def joined(parts: Sequence[Judged]) -> Judged:
    """Forecasts of several landscapes as those of one; the first part is used up."""
    first, *rest = parts
    for part in rest:
        first.today.merge(part.today)
        for method, tally in part.tallies.items():
            first.tallies[method].merge(tally)
    return replace(first, issues=tuple(issue for part in parts for issue in part.issues))


def run(learnt: str, judged_on: Sequence[str], seeds: Sequence[int], asked: Asked, folder: Path) -> None:
    """All seeds of a training on rivers of one kind, each judged on rivers of several."""
    learn = dataset(folder, asked, learnt, LEARN, asked.scenes)
    found: dict[str, list[list[float]]] = {}
    for seed in seeds:
        begun, spent = time.perf_counter(), cpu_seconds()
        model = open_forecaster(trained(learn, folder / learnt, asked, seed), precision="bf16")
        spent, begun = cpu_seconds() - spent, time.perf_counter() - begun
        print(f"\nlearnt on {learnt}, seed {seed}: {spent:.0f} s of CPU time, {begun:.0f} s of clock time")
        print("  beliefs", model.bundle.contract.recipe["beliefs"], flush=True)
        for kind in judged_on:
            parts = []
            for name, (data, side) in grounds(folder, asked, learnt, kind).items():
                issues = issues_on(data, model, side)
                parts.append(judge(model, issues))
                report(f"learnt on {learnt}, judged on {name}, seed {seed}", parts[-1])
                found.setdefault(name, []).append(gains(parts[-1]))
            if len(parts) > 1:
                report(f"learnt on {learnt}, judged on {kind}, all of it, seed {seed}", joined(parts))
        if seed == seeds[0]:
            zero(model)
            lost = gains(judge(model, issues))
            print(f"  LSTM zeroed, on {name}:", "  ".join(f"{one:+.3f}" for one in lost), flush=True)
    for kind, columns in found.items():
        means = [statistics.mean(column) for column in zip(*columns, strict=True)]
        worst = [min(column) for column in zip(*columns, strict=True)]
        print(
            f"\nlearnt on {learnt}, judged on {kind}: mean gain {'  '.join(f'{one:+.3f}' for one in means)}, ", end=""
        )
        print("of the worst seed", "  ".join(f"{one:+.3f}" for one in worst), flush=True)


def main() -> None:
    """Reads the command line and runs what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=[kind for kind in VARIANTS if kind != "plain"], default=[])
    parser.add_argument("--learn-variants", action="store_true")
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--scenes", type=int, default=40, help="rivers to learn from")
    parser.add_argument("--judging", type=int, default=10, help="rivers of each landscape that judges")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--dates", type=int, default=12)
    parser.add_argument("--steps", type=int, nargs=2, default=(200, 240), metavar=("SEGMENT", "FORECAST"))
    parser.add_argument("--filter", default="none")
    parser.add_argument("--classes", choices=["water", "sar"], default="water")
    parser.add_argument("--no-covariates", action="store_true")
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--judges", type=int, nargs="+", default=JUDGES, help="seeds of the landscapes that judge")
    parser.add_argument("--folder", type=Path, help="where rivers and runs are kept")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    asked = Asked(
        given.scenes,
        given.judging,
        given.size,
        given.dates,
        given.hidden,
        tuple(given.steps),
        covariates=not given.no_covariates,
        filter=given.filter,
        classes=given.classes,
        validation=given.validation,
        judges=tuple(given.judges),
    )
    with tempfile.TemporaryDirectory() as folder:
        where = given.folder or Path(folder)
        run("plain", [*given.variants, "plain"], given.seeds, asked, where)
        for kind in given.variants if given.learn_variants else ():
            run(kind, [kind], given.seeds, asked, where)


if __name__ == "__main__":
    main()
