"""Land cover on real Sentinel-2 scenes: a small U-Net beside a random forest of single pixels, in the same run.

Three scenes on three continents, 12 bands at 10 m. *Leave one scene out*: learn from two, be judged on all of the
third. *East from west*: learn from the west of all scenes, be judged on the east. Both learners get the same pixels;
the network's best epoch is picked on a strip of the scenes it learns from, which the forest learns from as well.
Settings were written down before the first score was seen, and nothing was tuned after it.

Usage: python bench/landcover_real.py [--seeds 3] [--epochs 30] [--patches 128] [--trees 200] [--folds NAME …]

The scenes lie in `$ARPENT_DATA/landcover/terramind`, or in the folder of --data.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from arpent.core import Window, nomenclature, sensor
from arpent.data import Augment, SampleIndex, Split
from arpent.engine import FitSettings, OptimiserSettings
from arpent.io import open_image
from arpent.metrics import ConfusionMatrix
from arpent.models import load_bundle
from arpent.store import Place
from arpent.tasks.landcover import LandcoverSettings, TrainSettings, score, train

SENSOR = "sentinel-2-l2a"
CLASSES = nomenclature("terramind-lulc")
SCENES = {"282D_485L_3_3": "coast", "433D_629L_3_1": "town", "609U_541L_3_0": "snow"}
SIDE = 224
STRIP = 48
"""Rows of each scene learnt from that pick the epoch."""
EAST = 112
EPOCHS, PATCHES, TREES = 30, 128, 200


@dataclass(frozen=True)
class Part:
    """A rectangle of a scene and the side it is on."""

    scene: str
    window: Window
    split: Split


def parts(fold: str) -> list[Part]:
    """Who learns what in a fold: the name of the scene left out, or "east"."""
    found = []
    for scene, name in SCENES.items():
        if fold == name:
            found.append(Part(scene, Window(0, 0, SIDE, SIDE), "test"))
            continue
        width = EAST if fold == "east" else SIDE
        found.append(Part(scene, Window(0, 0, SIDE - STRIP, width), "train"))
        found.append(Part(scene, Window(SIDE - STRIP, 0, STRIP, width), "val"))
        if fold == "east":
            found.append(Part(scene, Window(0, EAST, SIDE, SIDE - EAST), "test"))
    return found


def index_of(fold: str, data: Path, folder: Path) -> Path:
    """The fold as an index."""
    path = folder / f"{fold}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", "mask", "name", "domain", "sensor", "split", "row", "col", "height", "width"])
        for one in parts(fold):
            image, mask = (str(data / kind / f"{one.scene}.tif") for kind in ("S2L2A", "LULC"))
            box = one.window
            name = f"{SCENES[one.scene]}-{one.split}"
            place = (box.row, box.col, box.height, box.width)
            table.writerow([image, mask, name, SCENES[one.scene], SENSOR, one.split, *place])
    return path


def pixels(index: SampleIndex) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Bands ``(N, 12)`` and class indices ``(N,)`` of each sample's pixels that have a class."""
    for sample in index:
        assert sample.mask is not None
        with open_image(sample.image, sensor=SENSOR) as image, open_image(sample.mask) as mask:
            window = sample.window or image.grid.window
            bands, truth = image.read(window), mask.read(window)
        target = CLASSES.index_of_id[truth.pixels[0]]
        known = bands.valid & (target >= 0)
        yield bands.pixels[:, known].T.astype(np.float32), target[known]


def forest(index: SampleIndex, trees: int, seed: int) -> ConfusionMatrix:
    """What a forest of single pixels makes of the test side; it learns from all the rest."""
    told = [*pixels(index.of_split("train")), *pixels(index.of_split("val"))]
    model = RandomForestClassifier(trees, min_samples_leaf=4, random_state=seed, n_jobs=1)
    model.fit(np.concatenate([bands for bands, _ in told]), np.concatenate([target for _, target in told]))
    matrix = ConfusionMatrix(CLASSES)
    for bands, target in pixels(index.of_split("test")):
        matrix.update(target, model.predict(bands))
    return matrix


def network(path: Path, folder: Path, epochs: int, patches: int, seed: int) -> ConfusionMatrix:
    """What a small U-Net, trained as users train it, makes of the test side."""
    settings = TrainSettings(
        index=str(path),
        name=path.stem,
        task=LandcoverSettings(
            classes=CLASSES.name,
            bands=tuple(band.name for band in sensor(SENSOR).bands),
            network={"widths": [16, 32, 64]},
        ),
        patch=48,
        patches=patches,
        batch_size=8,
        augment=Augment(geometry="d4", gain=0.1),
        fit=FitSettings(epochs=epochs, best="miou", seed=seed, device="cpu", optimiser=OptimiserSettings(rate=4e-3)),
    )
    run = train(settings, Place(exact=folder / f"{path.stem}-{seed}"))
    bundle = load_bundle(run.file("model"))
    rule = bundle.contract.normalisation
    assert rule is not None  # every training measures
    return score(bundle, rule, SampleIndex.read(path).of_split("test"), patch=SIDE).matrix


def seen_share(index: SampleIndex) -> float:
    """Share of the test pixels whose class the learners have met; the others can be hit by chance alone."""
    met = {int(k) for side in ("train", "val") for _, target in pixels(index.of_split(side)) for k in np.unique(target)}
    truth = np.concatenate([target for _, target in pixels(index.of_split("test"))])
    return float(np.isin(truth, sorted(met)).mean())


def row(name: str, matrices: Sequence[ConfusionMatrix], seconds: float) -> tuple[float, float]:
    """Prints OA and mIoU, means over the seeds with their ends; gives the means."""
    shown = []
    for key in ("accuracy", "miou"):
        values = [100 * one.scores().summary()[key] for one in matrices]
        shown.append((statistics.fmean(values), min(values), max(values)))
    cells = "  ".join(f"{mean:5.1f} ({low:.1f} to {high:.1f})".rjust(22) for mean, low, high in shown)
    print(f"  {name:<16}{cells}   {seconds / len(matrices):6.1f} s of processor each")
    return shown[0][0], shown[1][0]


def main() -> None:
    """Prints a table for each fold, and the means over the scenes left out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--patches", type=int, default=PATCHES)
    parser.add_argument("--trees", type=int, default=TREES)
    parser.add_argument("--folds", nargs="+", default=[*SCENES.values(), "east"])
    root = os.environ.get("ARPENT_DATA")
    default = None if root is None else Path(root) / "landcover" / "terramind"
    parser.add_argument("--data", type=Path, default=default, help="the scenes: folders S2L2A and LULC")
    wanted = parser.parse_args()
    if wanted.data is None or not wanted.data.is_dir():
        raise SystemExit("the real images are not here: --data is their folder, or $ARPENT_DATA/landcover/terramind")
    means: dict[str, list[tuple[float, float]]] = {"random forest": [], "small U-Net": []}
    with tempfile.TemporaryDirectory() as place:
        for fold in wanted.folds:
            path = index_of(fold, wanted.data, Path(place))
            index = SampleIndex.read(path)
            told = "east from west" if fold == "east" else f"{fold} left out"
            print(f"{told}: {100 * seen_share(index):.1f} % of the truth is of classes that were learnt")
            print(f"  {'':<16}{'OA %':>22}  {'mIoU %':>22}   over {wanted.seeds} seeds (lowest to highest)")
            for name, scores in means.items():
                began = time.process_time()
                found = []
                for seed in range(wanted.seeds):
                    if name == "small U-Net":
                        found.append(network(path, Path(place), wanted.epochs, wanted.patches, seed))
                    else:
                        found.append(forest(index, wanted.trees, seed))
                both = row(name, found, time.process_time() - began)
                if fold != "east":
                    scores.append(both)
    for name, scores in means.items():
        if scores:
            accuracy, miou = (statistics.fmean(one[k] for one in scores) for k in (0, 1))
            print(f"mean over the scenes left out, {name}: OA {accuracy:.1f} %, mIoU {miou:.1f} %")


if __name__ == "__main__":
    main()
