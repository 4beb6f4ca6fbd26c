"""The transfer study on a simulated pair of cameras: a model of an ortho camera, brought to Pléiades Neo.

Prints the study's table, means over the seeds, with the published one beside, and whether its order holds: direct
inference best with the target's statistics; ft-initialisation first, in every class that makes 1 % of the truth or
more, with intervals over the seeds that do not touch, and in fewer epochs than from scratch; the head alone and the
frozen encoder in between. Then the same on variants that the design has not seen.

The target's images become bytes first, as in the published study; its 48 places to learn from and 24 to choose the
epoch by are 38 m wide and taken so that the classes still rarest come first, 96 to judge by are taken as they come.
Epochs and rates were fixed on landscape 12 and seed 0, by the mIoU on its validation places, before landscape 22 was
looked at. Seeds change what training draws (order, squares, first weights); source model and places stay, so that
intervals over seeds tell of training alone, and not of other places or other labels.

Usage: python bench/transfer.py [--seeds 3] [--variants] [--dev] [--workers 2] [--folder FOLDER] [--fast]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from arpent import __version__
from arpent.core import Strip, nomenclature, sensor
from arpent.data import Augment, SampleIndex, Split, byte_scale_of
from arpent.engine import FitSettings, OptimiserSettings
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.store import Place, open_run
from arpent.tasks.landcover import LandcoverSettings, TrainSettings, train
from arpent.tasks.landcover.outcomes import Study
from arpent.tasks.landcover.survey import measured
from arpent.tasks.landcover.transfer import transfer
from arpent.tasks.landcover.transfer_settings import TransferSettings
from arpent.testing.simulation import Simulation, simulate
from transfer_study.shift import print_known, print_shift
from transfer_study.tables import checks, print_classes, print_curves, print_table

# Development saw landscape 12 and seed 0 alone; everything below was fixed on them before a test seed was run.
NETWORK = {"widths": [8, 16, 32, 64, 128]}
NETWORK_NAME = "slim U-Net of five levels"
SOURCE_LANDSCAPE, DEVELOPMENT_LANDSCAPE, TEST_LANDSCAPE = 11, 12, 22
SOURCE, TARGET = "bd-ortho", "pleiades-neo"
VARIANTS: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "noise doubled": {"variant": "noisy"},
    "spectra permuted": {"variant": "permuted"},
    "another family": {"family": "openfield"},
}
PERMUTED = "spectra permuted"
"""A country of its own, with a source model of its own: no model can carry over spectra that mean something else."""
CUT = 0.5
"""Percent of the target's pixels that are cut off at each end when they become bytes."""


@dataclass(frozen=True)
class Scale:
    """How much is simulated, learnt from and judged."""

    source_places: int = 96
    source_side: int = 256
    source_patches: int = 480
    source_epochs: int = 16
    side: int = 128
    test: int = 96
    learnt: int = 48
    validation: int = 24
    spare: int = 72
    patch: int = 128
    epochs: tuple[tuple[str, int, float], ...] = (
        ("app-scratch", 24, 4e-3),
        ("ft-initialisation", 16, 1e-3),
        ("ft-freeze-encoder", 16, 3e-3),
        ("ft-finetune-head", 8, 4e-3),
    )
    """Strategy, epochs, peak of the one-cycle learning rate."""


FAST = Scale(
    source_places=3,
    source_side=64,
    source_patches=8,
    source_epochs=1,
    side=64,
    test=1,
    learnt=2,
    validation=1,
    spare=0,
    patch=32,
    epochs=(("app-scratch", 2, 4e-3), ("ft-initialisation", 1, 2e-3)),
)


def fit(epochs: int, rate: float, seed: int) -> FitSettings:
    """One cycle, in the arithmetic of the processor's matrix unit, keeping the epoch with the best mIoU."""
    optimiser = OptimiserSettings(rate=rate)
    return FitSettings(epochs=epochs, best="miou", device="cpu", precision="bf16", seed=seed, optimiser=optimiser)


def chosen(index: SampleIndex, scale: Scale) -> list[Split | None]:
    """The sides: test places at random; to learn from and to choose by, places that hold the classes still rarest.

    So do those who choose places to annotate.
    """
    ids = nomenclature("commune").ids
    sides: list[Split | None] = ["test" if place < scale.test else None for place in range(len(index))]
    pool = {}
    for place in range(scale.test, len(index)):
        with open_image(index[place].mask or "") as reader:
            pixels = reader.read(reader.grid.window).pixels[0]
        pool[place] = np.bincount(pixels.ravel(), minlength=256)[ids].astype(np.int64)
    held: dict[Split, NDArray[np.int64]] = {side: np.zeros(len(ids), np.int64) for side in ("train", "val")}
    for side in _turns(scale):
        there = np.sum(list(pool.values()), axis=0) > 0
        rarest = int(np.argmin(np.where(there, held[side], np.iinfo(np.int64).max)))
        best = max(pool, key=lambda place: (int(pool[place][rarest]), -place))
        held[side] += pool.pop(best)
        sides[best] = side
    return sides


def source_model(folder: Path, variant: Mapping[str, str], scale: Scale) -> Path:
    """The run that trained the source model; a tenth of its places choose the epoch, another tenth judge it."""
    if not (folder / "model" / "manifest.json").exists():
        wish = Simulation(
            sensor=(SOURCE,), size=scale.source_side, scenes=scale.source_places, seed=SOURCE_LANDSCAPE, **variant
        )
        simulate(folder / "places", wish, force=True)
        index = SampleIndex.read(folder / "places" / "index.csv")
        tenth = max(1, len(index) // 10)
        sides = [_side(place, tenth) for place in range(len(index))]
        train(
            source_settings(index.with_splits(sides).write(folder / "sides.csv"), scale), Place(exact=folder / "model")
        )
    return folder / "model"


def _side(place: int, tenth: int) -> Split:
    return "test" if place < tenth else "val" if place < 2 * tenth else "train"


def source_settings(index: Path, scale: Scale) -> TrainSettings:
    """How the source model is trained."""
    return TrainSettings(
        index=str(index),
        name="source",
        task=LandcoverSettings(network=NETWORK),
        patch=scale.patch,
        patches=scale.source_patches,
        workers=0,
        augment=Augment(gain=0.15, bias=0.2, noise=0.1),
        fit=fit(scale.source_epochs, 6e-3, 0),
    )


def _turns(scale: Scale) -> list[Split]:
    """Which side takes the next place: both fill up together, so that neither takes all that is rare."""
    places: list[tuple[float, Split]] = [((n + 0.5) / scale.learnt, "train") for n in range(scale.learnt)]
    places += [((n + 0.5) / scale.validation, "val") for n in range(scale.validation)]
    return [side for _, side in sorted(places)]


def in_bytes(index: SampleIndex, folder: Path) -> SampleIndex:
    """The images as bytes, as the study had them before anything else: cut at percentiles of those to learn from."""
    bands = sensor(TARGET).band_names
    scale = byte_scale_of(measured(index.of_split("train"), bands), "percentile", cut=CUT)
    made = []
    for sample in index:
        with open_image(sample.image, bands=bands, sensor=TARGET) as reader:
            block, grid = reader.read(reader.grid.window), reader.grid
        path = folder / "bytes" / f"{sample.domain}.tif"
        with CogWriter(path, RasterSpec(grid, bands, "uint8")) as writer:
            writer.write(Strip(0, scale(block.pixels, block.valid)))
        made.append(replace(sample, image=str(path), name=path.stem))
    return SampleIndex(made, index.origin)


def target_places(folder: Path, variant: Mapping[str, str], landscape: int, scale: Scale) -> Path:
    """Index of the target's places with their sides."""
    path = folder / "sides.csv"
    if not path.exists():
        count = scale.test + scale.learnt + scale.validation + scale.spare
        wish = Simulation(sensor=(TARGET,), size=scale.side, scenes=count, seed=landscape, **variant)
        simulate(folder / "places", wish, force=True)
        index = SampleIndex.read(folder / "places" / "index.csv")
        in_bytes(index.with_splits(chosen(index, scale)), folder).write(path)
    return path


def target_settings(index: Path, scale: Scale) -> TrainSettings:
    """What every strategy learns from: all places once an epoch, whole."""
    return TrainSettings(
        index=str(index),
        name="target",
        task=LandcoverSettings(bands=sensor(TARGET).band_names, network=NETWORK),
        patch=scale.side,
        batch_size=4,
        workers=0,
        augment=Augment(gain=0.1, bias=0.1),
    )


@dataclass(frozen=True)
class Wish:
    """One study: a source model, target places, a seed, a folder."""

    variant: str
    seed: int
    source: Path
    index: Path
    folder: Path
    scale: Scale


def studied(wish: Wish) -> tuple[Wish, Study]:
    """One study, in a process of its own."""
    import torch

    torch.set_num_threads(1)
    scale = wish.scale
    settings = TransferSettings(
        target=target_settings(wish.index, scale),
        start=str(wish.source),
        source=source_settings(wish.source.parent / "sides.csv", scale),
        strategies=tuple(name for name, _, _ in scale.epochs),
        tuned=("norma-target",),
        fits={name: fit(epochs, rate, wish.seed) for name, epochs, rate in scale.epochs},
        judged_patch=scale.side,
        name=f"{wish.variant}, seed {wish.seed}",
    )
    return wish, transfer(settings, Place(exact=wish.folder, resume=True)).study


def wishes(folder: Path, names: Iterable[str], seeds: Sequence[int], landscape: int, scale: Scale) -> list[Wish]:
    """Everything that is to be studied; source models and images are made on the way."""
    found = []
    for name in names:
        variant, where = VARIANTS[name], folder / name.replace(" ", "-")
        country = variant if name == PERMUTED else {}
        source = source_model(folder / ("source-permuted" if country else "source"), country, scale)
        index = target_places(where, variant, landscape, scale)
        found += [Wish(name, seed, source, index, where / f"seed{seed}", scale) for seed in seeds]
    return found


def main() -> None:
    """Simulates, trains, judges and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", action="store_true", help="also the three variants that the design has not seen")
    parser.add_argument("--dev", action="store_true", help="the landscape and seed that the design was fixed on")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--folder", type=Path, help="where runs are kept and gone on with; temporary if not given")
    parser.add_argument("--fast", action="store_true", help="tiny sizes: whether it runs, not how good it is")
    args = parser.parse_args()
    scale = FAST if args.fast else Scale()
    seeds = [0] if args.dev else list(range(1, args.seeds + 1))
    landscape = DEVELOPMENT_LANDSCAPE if args.dev else TEST_LANDSCAPE
    names = list(VARIANTS) if args.variants else ["plain"]
    print(f"arpent {__version__}: {SOURCE} → {TARGET}, landscape {landscape}", flush=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        wanted = wishes(folder, names, seeds, landscape, scale)
        model = open_run(wanted[0].source).manifest
        weights, spent = model.metrics["parameters/total"], model.timings["fit"] / 60
        print(f"{NETWORK_NAME}, {weights:,.0f} weights; all images and the source model ready after {_since(start)}")
        print(
            f"source: validation mIoU {100 * model.metrics['validation/miou']:.1f}, trained in {spent:.1f} min",
            flush=True,
        )
        print_known(model.metrics)
        print_shift((SOURCE, wanted[0].source.parent / "sides.csv"), (TARGET, wanted[0].index))
        # Started anew: a process that has trained cannot be forked.
        with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
            done = list(pool.map(studied, wanted))
        report: dict[str, Any] = {}
        for name in names:
            studies = [study for wish, study in done if wish.variant == name]
            print_table(name, studies)
            print_classes(studies)
            print_curves(studies)
            found = checks(studies)
            print()
            for what, verdict in found.items():
                print(f"{'holds' if verdict.holds else 'FAILS'}  {what}: {verdict.numbers}")
            report[name] = {what: verdict.holds for what, verdict in found.items()}
    print(f"\n{_since(start)} in all")
    print(json.dumps(report))


def _since(start: float) -> str:
    return f"{(time.perf_counter() - start) / 60:.1f} min"


if __name__ == "__main__":
    main()
