"""What a land-cover map costs with IGN's network, a U-Net with ResNet-34: runtimes, whole runs, overlap, memory.

Prints medians over rounds of CPU seconds, which a shared machine changes less than times, and ratios within the same
run; peak memory is that of a process of its own. The network of "overlap" and "agreement" is trained for a short while
on the simulated commune, since only there do classes lie apart as they really do; --model keeps it for the next time.
Usage: python bench/landcover.py [--quick] [--rounds 3] [--sections networks pipeline overlap agreement memory]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from torch import nn

from arpent.core import Contract, Grid, Normalisation, Strip, nomenclature, sensor
from arpent.data import Normaliser
from arpent.engine import FitSettings, OpenVinoNetwork, OptimiserSettings, PredictSettings, TorchNetwork
from arpent.engine.settings import Precision
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.models import build, load_bundle, save_bundle
from arpent.store import Place
from arpent.tasks.landcover import LandcoverSettings, MapSettings, TrainSettings, map_image, train
from arpent.testing.memory import peak_memory
from arpent.testing.simulation import Simulation, simulate
from arpent.tiling import TilePlan
from arpent.version import __version__
from engine import bare, scene
from measuring.timed import processor

BANDS = ("red", "green", "blue", "nir")
WAYS = ("torch f32, plain", "torch f32", "torch bf16", "openvino f32", "openvino bf16")
GOALS = {"torch f32, plain": 0.90, "torch f32": 0.71, "torch bf16": 0.37, "openvino f32": 0.58, "openvino bf16": 0.29}
CPU = {"device": "cpu"}


@dataclass(frozen=True)
class Cut:
    """How an image is cut: side of the tiles, half width of the ramp between them, rim that is read and discarded."""

    tile: int
    ring: int
    halo: int


@dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        network: settings of the U-Net besides bands and classes.
        tile: side of the tiles.
        image: side of the image of whole runs; `trained` of the scene that classes are compared on.
        places, patches, epochs: of the short training.
        cuts: that are compared: overlaps of one tile, splits of the default overlap, larger tiles at about its cost.
        wide: side of the image whose memory is measured.
    """

    network: dict[str, Any] = field(default_factory=dict)
    tile: int = 512
    image: int = 1536
    trained: int = 2048
    places: int = 10
    patches: int = 320
    epochs: int = 12
    cuts: tuple[Cut, ...] = (
        *(Cut(512, width, width) for width in (0, 8, 16, 32, 64)),
        *(Cut(512, ring, 32 - ring) for ring in (0, 8, 24)),
        *(Cut(768, ring, 48 - ring) for ring in (8, 16, 24)),
        *(Cut(1024, ring, 64 - ring) for ring in (8, 16, 32)),
    )
    wide: int = 25_000


QUICK = Scale(
    network={"encoder": "resnet18", "decoder_widths": [32, 16, 8]},
    tile=256,
    image=512,
    trained=384,
    places=3,
    patches=16,
    epochs=1,
    cuts=(Cut(256, 0, 0), Cut(256, 16, 16), Cut(256, 8, 24)),
    wide=1_500,
)


@dataclass
class Bench:
    """What every section needs to know."""

    folder: Path
    scale: Scale
    rounds: int
    kept: Path | None
    show: Callable[[str], None]

    @property
    def random(self) -> Path:
        """The network with random weights."""
        path = self.folder / "random.safetensors"
        return path if path.exists() else made_bundle(path, "smp-unet", self.scale.network, "flair-19")

    @cached_property
    def trained(self) -> Path:
        """The network after a short training, made when it is first asked for."""
        path = self.kept or self.folder / "trained.safetensors"
        if not path.exists():
            bundle = load_bundle(self._training())
            save_bundle(path, bundle.model, bundle.contract)
        return path

    def _training(self) -> Path:
        scale, index = self.scale, self.folder / "training" / "index.csv"
        simulate(index.parent, Simulation(size=512, scenes=scale.places, seed=2))
        settings = TrainSettings(
            index=str(index),
            name="bench",
            task=LandcoverSettings(architecture="smp-unet", network=scale.network),
            patch=128,
            patches=scale.patches,
            fit=FitSettings(
                epochs=scale.epochs, best="loss", device="cpu", precision="bf16", optimiser=OptimiserSettings(rate=2e-3)
            ),
        )
        return train(settings, Place(exact=self.folder / "trained")).file("model")

    @property
    def place(self) -> Path:
        """A simulated scene that the network was not trained on."""
        folder = self.folder / "scene"
        if not folder.exists():
            simulate(folder, Simulation(size=self.scale.trained, seed=1))
        return next(folder.rglob("image_*.tif"))


def made_bundle(path: Path, architecture: str, network: dict[str, Any], classes: str) -> Path:
    """A land-cover bundle with random weights, which are the same each time."""
    settings = {**network, "channels": len(BANDS), "classes": len(nomenclature(classes))}
    torch.manual_seed(3)
    contract = Contract(
        task="landcover",
        architecture=architecture,
        settings=settings,
        bands=sensor("bd-ortho").bands,
        normalisation=Normalisation(origin="bench", mean=(128.0,) * 4, std=(60.0,) * 4),
        classes=nomenclature(classes),
        arpent=__version__,
    )
    return save_bundle(path, build(architecture, settings), contract)


def made_ready(model: nn.Module, way: str) -> Callable[[torch.Tensor], Any]:
    """A network as one of the ways runs it."""
    precision: Precision = "bf16" if "bf16" in way else "f32"
    if way.endswith("plain"):
        return model.eval()
    return (
        OpenVinoNetwork(model, precision)
        if way.startswith("openvino")
        else TorchNetwork(model, torch.device("cpu"), precision)
    )


def networks(bench: Bench) -> dict[str, Any]:
    """CPU seconds of a tile on each runtime."""
    images = torch.randn(2, len(BANDS), bench.scale.tile, bench.scale.tile)
    found: dict[str, Any] = {}
    bench.show(f"{f'a tile of {bench.scale.tile}², batch of 2':32}{'CPU s':>8}{'plain/it':>10}{'idle':>8}{'start':>8}")
    for way in WAYS:
        begun = time.process_time()
        network = made_ready(load_bundle(bench.random).model, way)
        with torch.inference_mode():
            network(images)
            start = time.process_time() - begun
            cpu = processor(partial(network, images), bench.rounds) / len(images)
        found[way] = {"cpu": cpu, "ratio": found[WAYS[0]]["cpu"] / cpu if found else 1.0, "start": start - 2 * cpu}
        idle = f"{GOALS[way]:8.2f}{found[way]['start']:8.1f}"
        bench.show(f"{way:32}{cpu:8.3f}{found[way]['ratio']:10.2f}{idle}")
    return found


def settings_of(bench: Bench, **changes: object) -> MapSettings:
    """How maps are made here."""
    return MapSettings(**{"runtime": "torch", "tile": bench.scale.tile, **CPU, **changes})


def pipeline(bench: Bench) -> dict[str, Any]:
    """Whole runs beside the bare network on the same tiles, in turn, in CPU seconds."""
    scale, found = bench.scale, {}
    image, small = scene(bench.folder / "image.tif", scale.image), scene(bench.folder / "small.tif", 64)
    for runtime in ("torch", "openvino"):
        settings = settings_of(bench, runtime=runtime)
        plan = TilePlan.of(scale.image, scale.image, settings.shape(32))
        alone = bare(bench.random, plan, PredictSettings(runtime=runtime, tile=scale.tile, **CPU))

        def whole(source: Path, settings: MapSettings = settings) -> Callable[[], object]:
            place = Place(exact=bench.folder / "run", force=True)
            return lambda: map_image(str(source), bench.random, place, settings)

        network, full = processor(alone, bench.rounds), processor(whole(image), bench.rounds)
        fixed = processor(whole(small), bench.rounds)
        steady = network / (full - fixed)
        found[runtime] = {"network": network, "whole": full, "fixed": fixed, "share": network / full, "steady": steady}
        bench.show(f"{runtime} f32, {len(plan)} tiles of up to {scale.tile}², {plan.cost:.2f} pixels read per pixel")
        bench.show(f"{'  the network alone':44}{network:8.2f} CPU s")
        bench.show(f"{'  whole run':44}{full:8.2f} CPU s")
        bench.show(f"{'  what any run costs, from one of a small tile':44}{fixed:8.2f} CPU s")
        bench.show(f"{'  share of the network':44}{network / full:8.1%}")
        bench.show(f"{'  the same without what any run costs':44}{steady:8.1%} (goal: at least 85 %)")
    return found


def whole_image(bench: Bench) -> NDArray[np.uint8]:
    """The classes of the scene from one pass over all of it."""
    loaded = load_bundle(bench.trained)
    assert loaded.contract.normalisation is not None and loaded.contract.classes is not None
    with open_image(bench.place, bands=BANDS) as reader:
        raster = reader.read(reader.grid.window)
    pixels = torch.from_numpy(Normaliser(loaded.contract.normalisation)(raster.pixels, raster.valid)[None])
    with torch.inference_mode():
        best = loaded.model(pixels)[0].argmax(0).numpy()
    return np.asarray(loaded.contract.classes.ids[best])


def classes_of(bench: Bench, settings: MapSettings) -> NDArray[np.uint8]:
    """The classes of the scene as a run gives them."""
    made = map_image(str(bench.place), bench.trained, Place(exact=bench.folder / "map", force=True), settings)
    with rasterio.open(made.path) as product:
        classes: NDArray[np.uint8] = product.read(1)
    return classes


def overlap(bench: Bench) -> dict[str, Any]:
    """Pixels read and classes changed against one pass over the whole image, for several overlaps."""
    whole, found = whole_image(bench), {}
    with rasterio.open(bench.place.with_name(bench.place.name.replace("image_", "truth_"))) as truth:
        right = float((truth.read(1) == whole).mean())
    most = float(np.bincount(whole.ravel()).max() / whole.size)
    bench.show(f"on this scene the network is right on {right:.1%} of the pixels; its commonest class has {most:.1%}")
    bench.show(f"{'tile, ring, halo, px':22}{'pixels read per pixel':>24}{'classes that differ':>22}")
    usual = PredictSettings()
    for cut in bench.scale.cuts:
        settings = settings_of(bench, tile=cut.tile, ring=cut.ring, halo=cut.halo, batch_size=1)
        differ = float((classes_of(bench, settings) != whole).mean())
        large = TilePlan.of(10_000, 10_000, settings.shape(32)).cost
        name = f"{cut.tile} {cut.ring} {cut.halo}"
        default = "  (default)" if cut == Cut(usual.tile, usual.ring, usual.halo) else ""
        found[name] = {"cost": large, "differ": differ}
        bench.show(f"{name:22}{large:24.3f}{differ:22.3%}{default}")
    bench.show("goals for the default: 1.35 and 0.5 %")
    return found


def agreement(bench: Bench) -> dict[str, Any]:
    """Share of the pixels to which runtimes and precisions give the class that torch gives in f32."""
    first, found = classes_of(bench, settings_of(bench)), {}
    for way in WAYS[2:]:
        runtime, precision = way.split()
        same = float((classes_of(bench, settings_of(bench, runtime=runtime, precision=precision)) == first).mean())
        found[way] = same
        bench.show(f"{way:32}{same:10.4%} (goal: at least {'99.9' if precision == 'f32' else '99.5'} %)")
    return found


def memory(bench: Bench) -> dict[str, Any]:
    """Peak memory of a map of 19 classes, polygons included, from an image larger than memory should be."""
    side = bench.scale.wide
    done = subprocess.run(
        [sys.executable, __file__, "--child", str(bench.folder), str(side)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    bench.show(f"{f'{side} × {side} pixels, 19 classes, polygons':48}{found['peak'] / 2**20:8.0f} MiB (limit 2 560)")
    bench.show(f"{'CPU seconds, and Mpx per CPU second':48}{found['cpu']:8.0f}{side**2 / 1e6 / found['cpu']:8.2f}")
    bench.show(f"{'polygons; classes on the map':48}{found['polygons']:8.0f}{found['classes']:8.0f}")
    bench.show(f"{'palette, statistics seen by GDAL; overviews':48}{found['described']:8.0f}{found['overviews']:8.0f}")
    return found


def wide_image(path: Path, side: int) -> Path:
    """A large image of fields of one colour, which is written and packed fast."""
    grid = Grid.north_up(650_000, 6_860_000, 0.2, side, side, 2154)
    rng = np.random.default_rng(0)
    with CogWriter(path, RasterSpec(grid, BANDS, "uint8", compression="zstd")) as writer:
        for strip in grid.window.strips(512):
            fields = rng.integers(20, 230, (4, 1, -(-side // 512)), dtype=np.uint8)
            writer.write(Strip(strip.row, fields.repeat(strip.height, 1).repeat(512, 2)[:, :, :side]))
    return path


def child(folder: Path, side: int) -> dict[str, float]:
    """One map of a large image, and the peak of this process."""
    image = wide_image(folder / "wide.tif", side)
    classes = nomenclature("flair-19")
    model = levelled(made_bundle(folder / "slim.safetensors", "unet", {"widths": [4, 8]}, classes.name))
    settings = MapSettings(runtime="torch", device="cpu", vector=True, min_area=10.0)
    begun = time.process_time()
    made = map_image(str(image), model, Place(exact=folder / "wide"), settings)
    cpu = time.process_time() - begun
    with rasterio.open(made.path) as product:
        colours = product.colormap(1)
        same = all(colours[number] == tuple(classes.palette[number]) for number in classes.ids)
        described = same and "STATISTICS_VALID_PERCENT" in product.tags(1)
        overviews = len(product.overviews(1))
    return {
        "peak": peak_memory(),
        "cpu": cpu,
        "polygons": made.run.manifest.metrics["polygons"] or 0,
        "classes": sum(area.share > 0 for area in made.areas),
        "described": float(described),
        "overviews": overviews,
    }


def levelled(model: Path) -> Path:
    """The same network with the scores of all classes brought to one level, so that many classes occur."""
    bundle = load_bundle(model)
    *_, head = (part for part in bundle.model.modules() if isinstance(part, torch.nn.Conv2d))
    with torch.inference_mode():
        colours = torch.rand(64, 4, 1, 1).mul(3.4).sub(1.7).expand(-1, -1, 32, 32)
        scores = bundle.model(colours)
    with torch.no_grad():
        spread = scores.std((0, 2, 3))
        assert head.bias is not None
        head.bias.sub_(scores.mean((0, 2, 3))).div_(spread)
        head.weight.div_(spread[:, None, None, None])
    return save_bundle(model, bundle.model, bundle.contract)


SECTIONS = {"networks": networks, "pipeline": pipeline, "overlap": overlap, "agreement": agreement, "memory": memory}


def main() -> None:
    """Prints the tables, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--model", type=Path, help="where the trained network is kept, or was")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(Path(args.child[0]), int(args.child[1]))))
        return

    def show(line: str) -> None:
        if not args.json:
            print(line, flush=True)

    threads = torch.get_num_threads()
    show(f"arpent {__version__}, torch {torch.__version__}, threads {threads}, load {os.getloadavg()[0]:.1f}")
    found: dict[str, Any] = {"threads": threads}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            Path(folder), QUICK if args.quick else Scale(), 1 if args.quick else args.rounds, args.model, show
        )
        for name in args.sections:
            show(f"\n{name}")
            found[name] = SECTIONS[name](bench)
    if args.json:
        json.dump(found, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
