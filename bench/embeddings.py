"""What embeddings of a small encoder know of land cover, beside the plain bands of the same images.

An encoder learns to paint hidden patches of images without any label. Linear probes and clusters of its embeddings are
then judged on images of another family of landscapes (simulated), or of other places (real): the same held-out blocks
of ground for embeddings, raw bands and the most frequent class. An encoder with random weights is judged too.

Usage: python bench/embeddings.py [--data FOLDER] [--only simulated|real] [--fast] [--folder FOLDER]

FOLDER, or $ARPENT_DATA, holds the real images: `s2/boadella` and `landcover/terramind`. Without it they are left out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import rasterio
import torch

from arpent import __version__
from arpent.core import Strip, Window, sensor
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.metrics import Interval
from arpent.models import build, load_bundle, save_bundle
from arpent.store import Place
from arpent.tasks.change.clusters import cluster_embeddings
from arpent.tasks.change.embedding import embed_image
from arpent.tasks.change.embedding_settings import ClusterSettings, EmbedSettings, ProbeSettings
from arpent.tasks.change.embedding_sources import open_embeddings
from arpent.tasks.change.kmeans import fit_kmeans
from arpent.tasks.change.probe_labels import CellLabels, LabelFile, read_labels
from arpent.tasks.change.probing import probe_embeddings
from arpent.tasks.change.raw_bands import raw_bands
from arpent.tasks.change.train_settings import ChangeTrainSettings
from arpent.tasks.change.training import train
from arpent.testing.simulation import Simulation, simulate

# Fixed before the first result was seen.
NETWORK = {
    "image_size": 64,
    "patch": 4,
    "width": 96,
    "depth": 4,
    "heads": 4,
    "decoder_width": 48,
    "decoder_depth": 1,
    "decoder_heads": 4,
}
CLUSTERS = 12
SPECTRAL = ("blue", "green", "red", "nir08", "swir16", "swir22")


@dataclass(frozen=True)
class Scale:
    """How much is learnt and judged."""

    places: int = 6
    side: int = 256
    judged: int = 384
    epochs: int = 20
    patches: int = 128


FAST = Scale(places=2, side=96, judged=128, epochs=2, patches=16)


@dataclass(frozen=True)
class Scene:
    """An image that nothing was learnt from, and its true classes."""

    name: str
    image: Path
    truth: Path
    sensor: str | None = None


def trained(images: Path, folder: Path, scale: Scale) -> Path:
    """A bundle whose encoder has learnt to paint hidden patches of single images."""
    settings = ChangeTrainSettings(
        name="bench",
        images=str(images),
        dates=1,
        bands=SPECTRAL,
        network=NETWORK,
        pretrain={"epochs": scale.epochs, "optimiser": {"rate": 1e-3, "schedule": "one-cycle"}},  # type: ignore[arg-type]  # parsed
        patches=scale.patches,
        batch_size=8,
        workers=1,
    )
    return train(settings, Place(exact=folder)).file("model")


def untrained(bundle: Path, path: Path) -> Path:
    """The same network with random weights."""
    known = load_bundle(bundle)
    torch.manual_seed(0)
    return save_bundle(path, build(known.contract.architecture, known.contract.settings), known.contract)


def simulated(folder: Path, scale: Scale) -> tuple[Path, list[Scene]]:
    """Images to learn from, of one family; scenes to judge, of two others."""
    days = (date(2021, 6, 20), date(2021, 9, 5))
    learnt = folder / "learnt"
    simulate(learnt, Simulation(sensor=("hls-s30",), size=scale.side, scenes=scale.places, seed=11, dates=days))
    scenes = []
    for family in ("openfield", "coteaux"):
        place = folder / family
        wish = Simulation(sensor=("hls-s30",), size=scale.judged, scenes=1, seed=5, family=family, dates=days[:1])
        simulate(place, wish)
        with (place / "index.csv").open() as lines:
            head, row = (line.strip().split(",") for line in list(lines)[:2])
        entry = dict(zip(head, row, strict=True))
        scenes.append(Scene(family, place / entry["image"], place / entry["mask"], "hls-s30"))
    return learnt, scenes


def real(data: Path, folder: Path) -> tuple[Path, list[Scene]]:
    """Sentinel-2: ten dates of one place to learn from, two labelled scenes of other continents to judge."""
    names = [band.common or band.name for band in sensor("sentinel-2-l2a").bands]
    for path in sorted((data / "s2" / "boadella").glob("*.tif")):
        if path.stem.split("_")[1] in {"2021-07-21", "2022-06-01"}:
            continue  # held out for others
        for side in range(2):  # two places: one to learn from, one to choose the epoch by
            named(path, folder / "boadella" / ("west", "east")[side] / path.name, names, part=(side, 2))
    scenes = []
    for stem, title in (("433D_629L_3_1", "Chile"), ("282D_485L_3_3", "Brazil")):
        image = named(data / "landcover/terramind/S2L2A" / f"{stem}.tif", folder / f"{stem}.tif", names)
        scenes.append(Scene(title, image, data / "landcover/terramind/LULC" / f"{stem}.tif"))
    return folder / "boadella", scenes


def named(path: Path, target: Path, names: Iterable[str], part: tuple[int, int] = (0, 1)) -> Path:
    """A copy whose bands carry their names: of `part` (number, count) that of equal parts from west to east."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_image(path) as image:
        number, count = part
        width = image.grid.width // count
        window = Window(0, number * width, image.grid.height, width)
        raster = image.read(window)
    spec = RasterSpec(image.grid.crop(window), tuple(names), str(image.dtype), 0)
    with CogWriter(target, spec) as out:
        out.write(Strip(0, raster.pixels))
    return target


def purity(labels: np.ndarray, truth: CellLabels) -> float:
    """Share of labelled cells that are of the most frequent class of their cluster."""
    found = labels[truth.rows, truth.cols]
    counts = np.zeros((int(found.max()) + 1, len(truth.names)))
    np.add.at(counts, (found, truth.classes), 1)
    return float(counts.max(axis=1).sum() / counts.sum())


def judge(scene: Scene, models: Mapping[str, Path], folder: Path, scale: Scale) -> None:
    """Prints a table for one scene."""
    probing = ProbeSettings(folds=3 if scale is FAST else 5)
    print(f"\n{scene.name}: {scene.image.name}")
    print(f"{'':22}{'probe, accuracy':>26}{'mean F1':>10}{'clusters, purity':>18}")
    raw = None
    for name, model in models.items():
        run = folder / f"{scene.name}-{name}"
        wish = EmbedSettings(sensor=scene.sensor, runtime="torch", image=False, table_type="float32")
        done = embed_image(str(scene.image), model, Place(exact=run, force=True), wish)
        begun = time.perf_counter()
        probe = probe_embeddings(run, scene.truth, Place(exact=folder / "probe", force=True), probing)
        wishes = ClusterSettings(clusters=CLUSTERS, curve=False, table=False)
        made = cluster_embeddings([run], Place(exact=folder / "clusters", force=True), wishes)
        source = open_embeddings(run)[0]
        truth = read_labels(LabelFile(scene.truth), source.grid)
        with rasterio.open(made.maps[0]) as file:
            pure = purity(file.read(1), truth)
        found = probe.result.embeddings
        show(f"embeddings, {name}", found.accuracy, found.f_score, pure)
        print(f"{'':22}embedded {done.prediction.seconds:.1f} s, used {time.perf_counter() - begun:.1f} s")
        raw = probe.result
    assert raw is not None and raw.raw is not None and raw.difference is not None
    rows, cols = (part.ravel() for part in np.indices(source.grid.shape))
    bands = raw_bands(str(scene.image), source, rows, cols)
    fit = fit_kmeans(lambda: [bands], CLUSTERS, scaling="standard")
    labels = fit.centres.nearest(bands).labels.reshape(source.grid.shape)
    show("raw bands", raw.raw.accuracy, raw.raw.f_score, purity(labels, truth))
    show("most frequent class", raw.majority.accuracy, raw.majority.f_score, raw.majority.accuracy.value)
    gain = raw.difference
    print(f"{'trained - raw bands':22}{100 * gain.value:+11.1f} ({100 * gain.low:+.1f} … {100 * gain.high:+.1f})")
    print(f"{raw.cells} labelled cells in {raw.blocks} blocks, {len(raw.names)} classes")


def show(name: str, accuracy: Interval, f_score: Interval, pure: float) -> None:
    """A line of the table; all in per cent."""
    told = [f"{100 * end:.1f}" for end in (accuracy.value, accuracy.low, accuracy.high)]
    print(
        f"{name:22}{told[0]:>10} ({told[1]} … {told[2]}){100 * f_score.value:10.1f}{100 * pure:14.1f}",
        flush=True,
    )


def main() -> None:
    """Judges simulated scenes and, where they are, real ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("ARPENT_DATA"), help="the real images")
    parser.add_argument("--only", choices=("simulated", "real"), help="one of the two sets")
    parser.add_argument("--fast", action="store_true", help="tiny sizes, to see that it works")
    parser.add_argument("--folder", type=Path, help="keeps everything there")
    wish = parser.parse_args()
    if wish.data is not None and not (wish.data / "s2" / "boadella").is_dir():
        parser.error(f"{wish.data} holds no s2/boadella: name the folder of the real images by --data or $ARPENT_DATA")
    if wish.only == "real" and wish.data is None:
        parser.error("the folder of the real images, s2/boadella and landcover/terramind, is --data or $ARPENT_DATA")
    scale = FAST if wish.fast else Scale()
    print(f"arpent {__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads, {scale}")
    with tempfile.TemporaryDirectory() as aside:
        folder = wish.folder or Path(aside)
        sets = {}
        if wish.only != "real":
            sets["simulated"] = simulated(folder / "simulated", scale)
        if wish.only != "simulated" and wish.data is not None:
            sets["real"] = real(wish.data, folder / "real")
        for name, (images, scenes) in sets.items():
            begun = time.perf_counter()
            model = trained(images, folder / f"model-{name}", scale)
            print(f"\n{name}: learnt to paint in {time.perf_counter() - begun:.0f} s")
            models = {"random": untrained(model, folder / f"random-{name}.safetensors"), "trained": model}
            for scene in scenes:
                judge(scene, models, folder, scale)


if __name__ == "__main__":
    main()
