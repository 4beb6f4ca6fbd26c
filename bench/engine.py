"""How much the whole pipeline costs beside the bare network, and what each part can do.

Prints medians over rounds and ratios within the same run; peak memory is that of a process of its own.
Usage: python bench/engine.py [--side 2048] [--rounds 3] [--runtime torch|openvino]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from arpent.core import Grid, Normalisation, Strip, Window, nomenclature
from arpent.data import Normaliser
from arpent.engine import FitSettings, Job, OptimiserSettings, PredictSettings, run_job, start_network
from arpent.io import CogWriter, RasterSpec, open_image, read_ahead
from arpent.models import UNetSettings, load_bundle
from arpent.store import Place
from arpent.tasks.landcover import LandcoverSettings, LandcoverTask, TrainSettings, train
from arpent.testing.memory import peak_memory
from arpent.testing.simulation import Simulation, simulate
from arpent.testing.toys import toy_bundle
from arpent.tiling import RowBlender, TilePlan
from measuring.timed import elapsed

BANDS = ("red", "green", "blue", "nir")
WIDTHS = UNetSettings().widths


def scene(path: Path, side: int) -> Path:
    """A noisy image with structure, as hard to compress as an orthophoto."""
    rng = np.random.default_rng(0)
    grid = Grid.north_up(650_000, 6_860_000, 0.2, side, side, 2154)
    with CogWriter(path, RasterSpec(grid, BANDS, "uint8")) as writer:
        for strip in grid.window.strips(512):
            coarse = rng.integers(20, 230, (4, strip.height // 32 + 1, side // 32 + 1), dtype=np.uint8)
            fine = coarse.repeat(32, 1).repeat(32, 2)[:, : strip.height, :side]
            noise = rng.integers(0, 16, fine.shape, dtype=np.uint8)
            writer.write(Strip(strip.row, fine + noise))
    return path


def trained(folder: Path) -> Path:
    """A bundle of the demo's network, trained for a short while: only there do classes lie apart as they really do."""
    index = folder / "training" / "index.csv"
    simulate(index.parent, Simulation(size=512, scenes=5, seed=2))
    settings = TrainSettings(
        index=str(index),
        name="bench",
        patch=128,
        patches=240,
        fit=FitSettings(epochs=4, best="miou", device="cpu", optimiser=OptimiserSettings(rate=4e-3)),
    )
    run = train(settings, Place(exact=folder / "trained"))
    print(f"mIoU of the trained network, validation   {run.manifest.metrics['validation/miou']:8.3f}")
    return run.file("model")


def pipeline(image: Path, model: Path, folder: Path, settings: PredictSettings) -> None:
    """Read, normalise, infer, blend, arg-max, write the COG with overviews, describe: a whole run."""
    loaded = load_bundle(model)
    task = LandcoverTask(LandcoverSettings(), loaded.contract.classes)
    place = Place(exact=folder, force=True)
    with open_image(image, bands=BANDS) as reader, place.begin("landcover", "bench", {}) as run:
        run_job(Job(task, loaded, reader, run, settings))
        run.finish()


def bare(model: Path, plan: TilePlan, settings: PredictSettings) -> Callable[[], None]:
    """The network alone, on tiles of the same number and sizes."""
    network = start_network(load_bundle(model).model, settings.runtime, "cpu", settings.precision)
    batches = []
    for row in range(len(plan.rows)):
        tiles = list(plan.row_of_tiles(row))
        while tiles:
            same = [tile for tile in tiles[: settings.batch_size] if tile.window.shape == tiles[0].window.shape]
            batches.append((len(same), *tiles[0].window.shape))
            tiles = tiles[len(same) :]
    inputs = {shape: torch.randn(shape[0], 4, *shape[1:]) for shape in set(batches)}

    def run() -> None:
        for shape in batches:
            network(inputs[shape])

    return run


def share_of_network(args: argparse.Namespace, folder: Path) -> None:
    """The pipeline over the bare network, round by round in turn."""
    image, model = scene(folder / "scene.tif", args.side), toy_bundle(folder / "model.safetensors", widths=WIDTHS)
    settings = PredictSettings(runtime=args.runtime, device="cpu")
    plan = TilePlan.of(args.side, args.side, settings.shape(8))
    alone = bare(model, plan, settings)
    alone()
    pairs = []
    for number in range(args.rounds + 1):
        start = time.perf_counter()
        pipeline(image, model, folder / "run", settings)
        middle = time.perf_counter()
        alone()
        if number:
            pairs.append((middle - start, time.perf_counter() - middle))
    whole, network = (statistics.median(part) for part in zip(*pairs, strict=True))
    small = scene(folder / "small.tif", 64)
    fixed = elapsed(lambda: pipeline(small, model, folder / "start", settings), args.rounds)
    ratio = statistics.median(one / other for one, other in pairs)
    steady = statistics.median((one - fixed) / other for one, other in pairs)
    print(f"pipeline, {len(plan)} tiles of {settings.tile}², {args.runtime:9} {whole:8.2f} s")
    print(f"bare network, the same tiles             {network:8.2f} s")
    print(f"a run of one small tile: what is fixed   {fixed:8.2f} s")
    print(f"ratio, all included                      {ratio:8.3f}")
    print(f"ratio without what is fixed (goal ≤ 1.15) {steady:7.3f}")
    print(f"pixels read per pixel of the image       {plan.cost:8.3f}")


def reading(args: argparse.Namespace, folder: Path) -> None:
    """Reading and normalising alone."""
    settings = PredictSettings()
    plan = TilePlan.of(args.side, args.side, settings.shape(8))
    prepare = Normaliser(Normalisation(origin="bench", mean=(128.0,) * 4, std=(60.0,) * 4))
    with open_image(folder / "scene.tif", bands=BANDS) as image:
        windows = [tile.window.intersect(image.grid.window) for tile in plan]

        def load(window: Window) -> np.ndarray:
            raster = image.read(window)
            return prepare(raster.pixels, raster.valid)

        seconds = elapsed(lambda: [None for _ in read_ahead(load, windows)], args.rounds)
    print(f"read and normalise                       {sum(w.size for w in windows) / 1e6 / seconds:8.1f} Mpx/s")


def blending(args: argparse.Namespace) -> None:
    """The blender alone, beside a plain sum over whole-image arrays."""
    plan = TilePlan.of(args.side, args.side, PredictSettings().shape(8))
    answers = {
        tile.window.shape: np.random.default_rng(0).random((11, *tile.window.shape), np.float32) for tile in plan
    }
    valid = {shape: np.ones(shape, bool) for shape in answers}

    def rows() -> None:
        blender = RowBlender(plan, 11)
        for tile in plan:
            blender.add(tile, answers[tile.window.shape], valid[tile.window.shape])

    def whole() -> None:
        total = np.zeros((11, args.side + 512, args.side + 512), np.float32)
        weight = np.zeros(total.shape[1:], np.float32)
        for tile in plan:
            place = tile.window.slices
            total[:, *place] += answers[tile.window.shape]
            weight[place] += 1
        np.divide(total, np.maximum(weight, 1), out=total)

    ours, naive = elapsed(rows, args.rounds), elapsed(whole, args.rounds)
    print(f"blend 11 channels                        {args.side**2 / 1e6 / ours:8.1f} Mpx/s")
    print(f"time over a sum in whole-image arrays    {ours / naive:8.3f}")


def overlap(args: argparse.Namespace, folder: Path) -> None:
    """The share of classes that tiles of the default overlap change against the whole image at once."""
    place = folder / "overlap"
    (made,) = simulate(place, Simulation(size=min(args.side, 1536), seed=1))
    model = trained(folder)
    pipeline(made.image, model, place / "tiled", PredictSettings(runtime="torch", device="cpu"))
    loaded = load_bundle(model)
    with open_image(made.image, bands=BANDS) as reader, open_image(place / "tiled" / "classes.tif") as tiled:
        raster = reader.read(reader.grid.window)
        classes = tiled.read(tiled.grid.window).pixels[0]
    assert loaded.contract.normalisation is not None
    pixels = Normaliser(loaded.contract.normalisation)(raster.pixels, raster.valid)
    with torch.inference_mode():
        whole = loaded.model(torch.from_numpy(pixels)[None])[0].argmax(0).numpy()
    share = (nomenclature("commune").ids[whole] != classes).mean()
    print(f"classes that differ from the whole image  {share:8.3%} (goal ≤ 0.5 %)")


def memory(folder: Path) -> None:
    """Peak resident memory of the pipeline at two heights, each in a process of its own."""
    for height in (2_000, 8_000):
        command = [sys.executable, __file__, "--child", str(folder), "--height", str(height)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"peak memory, 2 000 × {height:6}              {json.loads(done.stdout) / 2**20:8.0f} MiB")


def child(folder: Path, height: int) -> None:
    """One pipeline, and the peak of this process."""
    grid = Grid.north_up(650_000, 6_860_000, 0.2, height, 2_000, 2154)
    image = folder / f"high{height}.tif"
    with CogWriter(image, RasterSpec(grid, BANDS, "uint8", compression="zstd")) as writer:
        for strip in grid.window.strips(512):
            writer.write(Strip(strip.row, np.full((4, strip.height, 2_000), 99, np.uint8)))
    settings = PredictSettings(runtime="torch", device="cpu")  # "auto" would choose by the number of tiles
    pipeline(image, folder / "model.safetensors", folder / f"run{height}", settings)
    print(peak_memory())


def main() -> None:
    """Parses and runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runtime", default="openvino")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--height", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.height)
        return
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        share_of_network(args, folder)
        reading(args, folder)
        blending(args)
        overlap(args, folder)
        memory(folder)


if __name__ == "__main__":
    main()
