"""The transfer study on a simulated pair of cameras: a model of an ortho camera, brought to Pléiades Neo.

Prints the study's table, means over the seeds, with the published one beside, and whether its order holds: direct
inference best with the target's statistics; ft-initialisation first, in every class that makes 1 % of the truth or
more, with intervals over the seeds that do not touch, and in fewer epochs than from scratch; the head alone and the
frozen encoder in between. With --variants the same on three targets that the recipe has not seen.

The target's images become bytes first, as in the published study; its 48 places to learn from and 24 to choose the
epoch by are 38 m wide and taken so that the classes still rarest come first, 140 to judge by are taken as they come.
Network, sizes, epochs and rates were fixed on landscape 12 and seed 0, the rates by the mIoU on its validation places,
before landscape 32 was looked at. Seeds change what training draws (order, turns, light, first weights); source model
and places stay, so that intervals over seeds tell of training alone, and not of other places or other labels.

Thousands of small files are written: on a disk that is slow to confirm a write, a folder in memory (TMPDIR=/dev/shm)
saves minutes.

Usage: python bench/transfer.py [--seeds 3] [--variants] [--dev] [--workers 2] [--folder FOLDER] [--fast]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from arpent import __version__
from arpent.core import sensor
from arpent.data import Augment
from arpent.engine import FitSettings, OptimiserSettings
from arpent.store import Place, open_run
from arpent.tasks.landcover import LandcoverSettings, TrainSettings, train
from arpent.tasks.landcover.outcomes import Study
from arpent.tasks.landcover.settings import StrategyName
from arpent.tasks.landcover.transfer import transfer
from arpent.tasks.landcover.transfer_report import write_report
from arpent.tasks.landcover.transfer_settings import TransferSettings
from transfer_study.places import Sides, places
from transfer_study.shift import print_known, print_shift
from transfer_study.tables import checks, print_classes, print_curves, print_table, print_verdicts

# Development saw landscape 12 and seed 0 alone; everything below was fixed on them before a test seed was run.
NETWORK_NAME = "slim ResNet U-Net (the residual encoder of timm's test_resnet)"
ARCHITECTURE = "smp-unet"
NETWORK = {"encoder": "tu-test_resnet", "decoder_widths": [48, 32, 24, 16, 16]}
CUT = 0.5
"""Percent of the target's pixels that are cut off at each end when they become bytes."""
WEIGHTS = {"building": 3.0, "swimming pool": 3.0}
"""Of classes in the loss on the target: those that are small and rare count more."""
SOURCE_LANDSCAPE, DEVELOPMENT_LANDSCAPE, TEST_LANDSCAPE = 11, 12, 32
SOURCE, TARGET = "bd-ortho", "pleiades-neo"
PLAIN = "plain"
VARIANTS: Mapping[str, Mapping[str, str]] = {
    "noise doubled": {"variant": "noisy"},
    "spectra permuted": {"variant": "permuted"},
    "another family": {"family": "openfield"},
}
"""Harder than what the recipe was fixed on, and not seen before."""
PERMUTED = "spectra permuted"
"""A country of its own, with a source model of its own: no model can carry over spectra that mean something else."""


SOURCE_SIDES = Sides(width=256, pool=290, test=36, learnt=120, validation=28)
TARGET_SIDES = Sides(width=128, pool=290, test=140, learnt=48, validation=24)


@dataclass(frozen=True)
class Recipe:
    """How one strategy trains: a number of epochs, and the peak of a one-cycle learning rate."""

    epochs: int
    rate: float


@dataclass(frozen=True)
class Scale:
    """How much is simulated, learnt from and judged."""

    source: Sides = SOURCE_SIDES
    target: Sides = TARGET_SIDES
    patch: int = 128
    source_patches: int = 576
    source_recipe: Recipe = Recipe(14, 6e-3)
    strategies: tuple[tuple[StrategyName, Recipe], ...] = (
        ("app-scratch", Recipe(50, 6e-3)),
        ("ft-initialisation", Recipe(30, 6e-3)),
        ("ft-freeze-encoder", Recipe(30, 8e-3)),
        ("ft-finetune-head", Recipe(8, 1e-2)),
    )


FAST = Scale(
    source=Sides(width=64, pool=3, test=1, learnt=1, validation=1),
    target=Sides(width=64, pool=4, test=1, learnt=2, validation=1),
    patch=32,
    source_patches=8,
    source_recipe=Recipe(1, 6e-3),
    strategies=(("app-scratch", Recipe(2, 4e-3)), ("ft-initialisation", Recipe(1, 2e-3))),
)


def fit(recipe: Recipe, seed: int) -> FitSettings:
    """One cycle, in the arithmetic of the processor's matrix unit, keeping the epoch with the best mIoU."""
    optimiser = OptimiserSettings(rate=recipe.rate)
    return FitSettings(
        epochs=recipe.epochs, best="miou", device="cpu", precision="bf16", seed=seed, optimiser=optimiser
    )


@dataclass(frozen=True)
class Country:
    """A source model and the target's places.

    Attributes:
        name: of the variant.
        folder: where its runs are kept.
        source: the source model's run.
    """

    name: str
    folder: Path
    source: Path
    scale: Scale
    landscape: int

    @property
    def target_index(self) -> Path:
        """The target's places with their sides."""
        return self.folder / "sides.csv"

    @property
    def source_index(self) -> Path:
        """The source's places with their sides."""
        return self.source.parent / "sides.csv"

    @property
    def variant(self) -> Mapping[str, str]:
        """What the simulation is told of it."""
        return VARIANTS.get(self.name, {})


def countries(folder: Path, names: Iterable[str], landscape: int, scale: Scale) -> list[Country]:
    """What is to be studied; all but the one with permuted spectra share a source model."""
    found = []
    for name in names:
        source = "source-permuted" if name == PERMUTED else "source"
        found.append(Country(name, folder / name.replace(" ", "-"), folder / source / "model", scale, landscape))
    return found


def source_places(country: Country) -> None:
    """The source's places and their sides."""
    path = country.source_index
    if not path.exists():
        variant = country.variant if country.name == PERMUTED else {}
        places(path.parent, SOURCE, SOURCE_LANDSCAPE, country.scale.source, variant).write(path)


def target_places(country: Country) -> None:
    """The target's places and their sides."""
    path = country.target_index
    if not path.exists():
        places(country.folder, TARGET, country.landscape, country.scale.target, country.variant).write(path)


def source_model(country: Country, threads: int) -> None:
    """Trains the source model, where there is none yet."""
    import torch

    if (country.source / "manifest.json").exists():
        return
    torch.set_num_threads(threads)
    train(source_settings(country), Place(exact=country.source, resume=True))


def source_settings(country: Country) -> TrainSettings:
    """How the source model is trained."""
    return TrainSettings(
        index=str(country.source_index),
        name="source",
        task=LandcoverSettings(architecture=ARCHITECTURE, network=NETWORK),
        patch=country.scale.patch,
        patches=country.scale.source_patches,
        workers=0,
        augment=Augment(gain=0.15, bias=0.2, noise=0.1),
        fit=fit(country.scale.source_recipe, 0),
    )


def target_settings(country: Country) -> TrainSettings:
    """What every strategy learns from: all places once an epoch, whole."""
    return TrainSettings(
        index=str(country.target_index),
        name="target",
        task=LandcoverSettings(
            architecture=ARCHITECTURE, bands=sensor(TARGET).band_names, network=NETWORK, weights=WEIGHTS
        ),
        patch=country.scale.target.width,
        batch_size=4,
        workers=0,
        to_bytes="percentile",
        byte_cut=CUT,
        augment=Augment(gain=0.1, bias=0.1),
    )


@dataclass(frozen=True)
class Wish:
    """A part of the study, for a process of its own: one strategy with one seed; without one, direct inference."""

    country: Country
    seed: int = 0
    strategy: StrategyName | None = None

    @property
    def weight(self) -> int:
        """Epochs: long parts come first, so that no process is left with one at the end."""
        return dict(self.country.scale.strategies)[self.strategy].epochs if self.strategy else 0


def studied(wish: Wish) -> Study:
    """Runs a part of the study, or goes on with it."""
    import torch

    torch.set_num_threads(1)
    country, scale = wish.country, wish.country.scale
    parts: dict[str, Any] = {"source": source_settings(country)}
    if wish.strategy:
        recipe = dict(scale.strategies)[wish.strategy]
        parts = {"normalisations": ("norma-target",), "fits": {wish.strategy: fit(recipe, wish.seed)}}
    name = f"{wish.strategy}, seed {wish.seed}" if wish.strategy else "direct"
    settings = TransferSettings(
        target=target_settings(country),
        start=str(country.source),
        strategies=(wish.strategy,) if wish.strategy else (),
        tuned=("norma-target",),
        judged_patch=scale.target.width,
        examples=0,
        name=name,
        **parts,
    )
    study = transfer(
        settings, Place(exact=country.folder / name.replace(", ", "-").replace(" ", ""), resume=True)
    ).study
    print(f"{country.name}: {name} done", flush=True)
    return study


def joined(wishes: Sequence[Wish], studies: Sequence[Study], country: Country, seed: int) -> Study:
    """The table of one seed, from its parts; its page goes to the country's folder."""
    own = {wish.strategy: study for wish, study in zip(wishes, studies, strict=True) if _belongs(wish, country, seed)}
    direct = own.pop(None)
    tuned = [own[name].outcomes[-1] for name, _ in country.scale.strategies]
    study = replace(direct, name=f"{country.name}, seed {seed}", outcomes=[*direct.outcomes, *tuned])
    page = country.folder / f"seed{seed}"
    page.mkdir(parents=True, exist_ok=True)
    write_report(study, page)
    return study


def _belongs(wish: Wish, country: Country, seed: int) -> bool:
    return wish.country == country and (wish.strategy is None or wish.seed == seed)


def main() -> None:
    """Simulates, trains, judges and prints."""
    args = arguments()
    scale = FAST if args.fast else Scale()
    seeds = [0] if args.dev else list(range(1, args.seeds + 1))
    landscape = DEVELOPMENT_LANDSCAPE if args.dev else TEST_LANDSCAPE
    names = list(VARIANTS) if args.variants else [PLAIN]
    print(f"arpent {__version__}: {SOURCE} → {TARGET}, landscape {landscape}", flush=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        wanted = countries(args.folder or Path(temporary), names, landscape, scale)
        # Started anew: a process that has trained cannot be forked.
        with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
            sources = list({country.source: country for country in wanted}.values())
            made = [pool.submit(source_places, country) for country in sources]
            made += [pool.submit(target_places, country) for country in wanted]
            for one in made:
                one.result()
            print(f"images ready after {_since(start)}", flush=True)
            for country in sources:
                pool.submit(source_model, country, args.workers).result()
                print_source(country)
            print(f"source ready after {_since(start)}", flush=True)
            wishes = [Wish(country) for country in wanted]
            for country in wanted:
                wishes += [Wish(country, seed, name) for seed in seeds for name, _ in scale.strategies]
            wishes.sort(key=lambda wish: -wish.weight)
            studies = list(pool.map(studied, wishes))
        report = {}
        for country in wanted:
            found = [joined(wishes, studies, country, seed) for seed in seeds]
            print_shift((SOURCE, country.source_index), (TARGET, country.target_index))
            print_table(country.name, found)
            print_classes(found)
            print_curves(found)
            verdicts = checks(found)
            print_verdicts(verdicts)
            report[country.name] = {what: verdict.holds for what, verdict in verdicts.items()}
    print(f"\n{_since(start)} of wall clock, {_computed():.1f} min of CPU time in all")
    print(json.dumps(report))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", action="store_true", help="the three variants that the recipe has not seen")
    parser.add_argument("--dev", action="store_true", help="the landscape and seed that the recipe was fixed on")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--folder", type=Path, help="where runs are kept and gone on with; temporary if not given")
    parser.add_argument("--fast", action="store_true", help="tiny sizes: whether it runs, not how good it is")
    return parser.parse_args()


def print_source(country: Country) -> None:
    """What the source model is, and what it knows."""
    model = open_run(country.source).manifest
    print(
        f"{NETWORK_NAME}, {model.metrics['parameters/total']:,.0f} weights; source: validation mIoU "
        f"{100 * (model.metrics['validation/miou'] or 0.0):.1f}, trained in {model.timings['fit'] / 60:.1f} min"
    )
    print_known(model.metrics)


def _since(start: float) -> str:
    return f"{(time.perf_counter() - start) / 60:.1f} min"


def _computed() -> float:
    """Minutes of processor time, by this process and by those it has started and seen end."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used) / 60


if __name__ == "__main__":
    main()
