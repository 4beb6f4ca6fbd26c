"""What a comparison of two dates costs: profiles, runtimes, strides and parts, each beside the plain way.

    python bench/change.py [--quick] [--rounds 3] [--threads 1] [--sections network profiles …] [--json]

The network has the size of the published one and random weights, and takes the time it would take with others. The
plain way (`change_ways/plain.py`) is that of the published program: attention with its whole matrix, the decoder
always, files for every tile. CPU seconds, medians over rounds, each whole comparison in a process of its own; on a busy
machine they are worth more than the clock. `--quick` takes a small network: whether it runs, not how fast it is.

Beside it: `upsampling.py`, `change_mosaic.py`, `embeddings.py`, and `change_quality.py` for how good the maps are.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch

from arpent import __version__
from arpent.core import Grid, Strip, Window
from arpent.engine import Network, OpenVinoNetwork, TorchNetwork
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.models import load_bundle
from arpent.pixels import upsample_with_zeros
from arpent.tasks.change import ChangeSettings
from arpent.tasks.change.comparing import tile_shape
from arpent.tasks.change.pair_network import Asked, PairNetwork, placing_of
from arpent.tasks.change.quality_layers import QualityLayer
from arpent.tiling import RowPainter, TilePlan, painted
from change_ways.costs import made_bundle, made_pair, pair_cost, planaura_of, stride_cost
from change_ways.plain import PlainNetwork, decode_mask, merged, save_tile
from measuring.timed import processor
from upsampling import AXIS, by_zoom

SCENE = 4096
REFERENCE = 225 * 16.2  # CPU seconds of the published program for a pair of SCENE², measured on two idle cores
GOALS = {"arpent openvino f32": 8, "arpent openvino bf16": 12, "arpent torch f32": 6, "planaura openvino f32": 3}
RUNTIMES = (("torch", "f32"), ("torch", "bf16"), ("openvino", "f32"), ("openvino", "bf16"))
PLANAURA = ChangeSettings(profile="planaura")
Found = dict[str, Any]
Action = Callable[[], object]


@dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        network: settings of the model, those of the published one if not given.
        side: of the pair that is compared in every way; `strided` that of the tile with fine grids of answers.
        mask: side of the Fmask; `written` that of the map that is written.
        wide: columns of the pairs whose memory is measured, `heights` their rows, and `strip` those of one that the
            full network sees.
        ways: profile, runtime and precision of whole comparisons.
    """

    network: Mapping[str, int] = field(default_factory=dict)
    side: int = 960
    strided: int = 96
    strides: tuple[int, ...] = (16, 8, 4, 2, 1)
    mask: int = 3660
    written: int = 4096
    wide: int = 10_980
    heights: tuple[int, ...] = (2_745, 10_980)
    strip: int = 512
    ways: tuple[tuple[str, str, str], ...] = (
        ("plain", "torch", "f32"),
        ("planaura", "torch", "f32"),
        ("planaura", "openvino", "f32"),
        *(("arpent", *runtime) for runtime in RUNTIMES),
    )


LITTLE = {"width": 32, "depth": 1, "heads": 2, "decoder_width": 32, "decoder_depth": 1, "decoder_heads": 2}
QUICK = Scale(
    network={**LITTLE, "image_size": 128},
    side=224,
    strided=32,
    strides=(16, 8),
    mask=1024,
    written=768,
    wide=300,
    heights=(200, 400),
    strip=128,
    ways=(("plain", "torch", "f32"), ("planaura", "torch", "f32"), ("arpent", "openvino", "f32")),
)
CHILDREN: dict[str, Callable[[Mapping[str, Any]], dict[str, float]]] = {"pair": pair_cost, "stride": stride_cost}


@dataclass(frozen=True)
class Bench:
    """What every section needs to know."""

    folder: Path
    scale: Scale
    rounds: int
    threads: int
    show: Callable[[str], None]

    def child(self, kind: str, **wanted: object) -> dict[str, float]:
        """The figures of one way, from a process of its own."""
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), str(self.threads))
        command = [sys.executable, __file__, "--child", kind, json.dumps(wanted, default=str)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **threads})
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures

    @property
    def bundle(self) -> Path:
        """The model that is measured, made when it is first asked for."""
        path = self.folder / "model.safetensors"
        return path if path.exists() else made_bundle(path, self.scale.network)


def networks(bench: Bench) -> Found:
    """CPU seconds of a tile: runtimes and precisions, with the decoder and without, beside the plain network."""
    torch.set_num_threads(bench.threads)
    model = planaura_of(load_bundle(bench.bundle))
    side = model.settings.image_size
    image = torch.randn(1, 12, side, side)
    plain, dates = PlainNetwork(model), image.reshape(1, 2, 6, side, side).transpose(1, 2)
    naive = processor(lambda: plain(dates), bench.rounds)
    found: Found = {"plain": {"cpu": naive}}
    bench.show(f"{f'a tile of {side}²':30}{'CPU s':>9}{'plain/it':>10}{'start, CPU s':>14}")
    bench.show(f"{'plain, decoder on':30}{naive:9.3f}")
    for outputs, note in ((("cosine", "which"), "decoder off"), (("cosine", "which", "painted"), "decoder on")):
        for runtime, precision in RUNTIMES:
            network = PairNetwork(model, Asked(2, outputs), model.settings.patch)
            begun = time.process_time()
            ready: Network = (
                OpenVinoNetwork(network, precision, fixed=True)
                if runtime == "openvino"
                else TorchNetwork(network, torch.device("cpu"), precision)
            )
            ready(image)
            first = time.process_time() - begun
            cpu = processor(lambda ready=ready: ready(image), bench.rounds)
            name = f"{runtime} {precision}, {note}"
            found[name] = {"cpu": cpu, "start": max(first - cpu, 0.0), "ratio": naive / cpu}
            bench.show(f"{name:30}{cpu:9.3f}{naive / cpu:10.2f}{found[name]['start']:14.1f}")
    return found


def strides(bench: Bench) -> Found:
    """CPU seconds and peak memory of one small tile at each stride."""
    scale = bench.scale
    found: Found = {}
    bench.show(f"{f'a tile of {scale.strided}², torch f32':30}{'CPU s':>9}{'MiB':>8}")
    for stride in scale.strides:
        taken = bench.child("stride", network=scale.network, side=scale.strided, stride=stride)
        found[str(stride)] = taken
        bench.show(f"{f'stride {stride}':30}{taken['cpu']:9.2f}{taken['peak'] / 2**20:8.0f}")
    return found


def profiles(bench: Bench) -> Found:
    """Whole comparisons: both profiles and the plain way, and what a large scene would cost."""
    folder = bench.folder / "pair"
    made_pair(folder, bench.scale.side, bench.scale.side)
    rounds: dict[str, list[dict[str, float]]] = {}
    for number in range(bench.rounds):
        for profile, runtime, precision in bench.scale.ways:
            way, wanted = f"{profile} {runtime} {precision}", {"runtime": runtime, "precision": precision}
            taken = bench.child("pair", profile=profile, **wanted, bundle=bench.bundle, folder=folder)
            rounds.setdefault(way, []).append(taken)
            bench.show(f"round {number + 1}, {way}: {taken['each']:.2f} CPU s a tile, load {os.getloadavg()[0]:.1f}")
    found = {
        way: {key: statistics.median(one[key] for one in taken) for key in taken[0]} for way, taken in rounds.items()
    }
    _extrapolate(found, bench)
    naive = found["plain torch f32"]
    title = f"a pair of {bench.scale.side}²"
    costs = f"{'CPU s':>8}{'a tile':>8}{'plain/it':>10}{'tiles/s':>9}"
    bench.show(f"{title:24}{'tiles':>6}{costs}{'network':>9}{'fixed':>7}{'MiB':>7}")
    for way, one in found.items():
        share = f"{one['network']:9.1%}" if "network" in one else f"{'':9}"
        ratio = f"{one['each']:8.2f}{naive['each'] / one['each']:10.2f}{one['rate']:9.3f}"
        peak = f"{one['fixed']:7.1f}{one['peak'] / 2**20:7.0f}"
        bench.show(f"{way:24}{one['tiles']:6.0f}{one['cpu']:8.1f}{ratio}{share}{peak}")
    bench.show(f"{f'a pair of {SCENE}²':24}{'tiles':>6}{'CPU s':>8}{'plain/it':>10}{'published/it':>14}{'goal':>6}")
    for way, one in found.items():
        ratios = f"{naive['scene'] / one['scene']:10.1f}{REFERENCE / one['scene']:14.1f}{GOALS.get(way, ''):>6}"
        bench.show(f"{way:24}{one['scene_tiles']:6.0f}{one['scene']:8.0f}{ratios}")
    apart = _apart(folder / "plain" / "cosine_map.tif", folder / "planaura-torch-f32" / "cosine_map.tif")
    bench.show(f"largest difference of cosines, plain way and profile planaura: {apart:.1e}")
    return {**found, "largest_difference": apart}


def _apart(one: Path, other: Path) -> float:
    with rasterio.open(one) as first, rasterio.open(other) as second:
        return float(np.abs(first.read(1) - second.read(1)).max())


def _extrapolate(found: dict[str, dict[str, float]], bench: Bench) -> None:
    """Adds what a pair of SCENE² takes: the start of the network, what is fixed, and every tile."""
    model = planaura_of(load_bundle(bench.bundle))
    for way, one in found.items():
        settings = ChangeSettings(profile="arpent" if way.startswith("arpent") else "planaura")
        tiles = len(TilePlan.of(SCENE, SCENE, tile_shape(placing_of(model, settings), settings)))
        one |= {"scene_tiles": tiles, "scene": one["start"] + one["fixed"] + tiles * one["each"]}


def parts(bench: Bench) -> Found:
    """Upsampling, Fmask and writing, each beside the plain way."""
    torch.set_num_threads(bench.threads)
    found: Found = {}
    bench.show(f"{'CPU ms':44}{'plain':>10}{'arpent':>10}{'plain/it':>10}")
    for name, ways in (_upsampling(), _mask(bench), _writing(bench)):
        plain, ours = (processor(way, bench.rounds) for way in ways)
        found[name] = {"plain": plain, "arpent": ours, "ratio": plain / ours}
        bench.show(f"{name:44}{plain * 1e3:10.2f}{ours * 1e3:10.2f}{plain / ours:10.1f}")
    return found


def _upsampling() -> tuple[str, tuple[Action, Action]]:
    rng = np.random.default_rng(0)
    valid = rng.random((AXIS.tokens, AXIS.tokens)) > 0.1
    maps = rng.uniform(-1, 1, (1, AXIS.tokens, AXIS.tokens)).astype(np.float32)
    name = f"from {AXIS.tokens}² answers to pixels"
    return name, (lambda: by_zoom(maps, valid), lambda: upsample_with_zeros(maps, valid, AXIS, AXIS))


def _mask(bench: Bench) -> tuple[str, tuple[Action, Action]]:
    """Quality of a tile: the whole mask decoded, and the window of it looked up in a table."""
    side = bench.scale.mask
    made_pair(bench.folder / "masks", side, side)
    path = bench.folder / "masks" / "fmask_date0.tif"
    layer = QualityLayer(open_image(path), "fmask", "planaura")
    window = Window(side // 4, side // 4, 512, 512)
    assert np.array_equal(layer.read(window), decode_mask(path)[window.slices])
    return f"quality of a tile, from a mask of {side}²", (lambda: decode_mask(path), lambda: layer.read(window))


def _writing(bench: Bench) -> tuple[str, tuple[Action, Action]]:
    """A map from the answers of tiles, by profile planaura: files and a merge, or rows of a COG."""
    side, out = bench.scale.written, bench.folder
    plan = TilePlan.of(side, side, tile_shape(placing_of(planaura_of(load_bundle(bench.bundle)), PLANAURA), PLANAURA))
    size = plan.rows[0].end
    answer = np.random.default_rng(0).uniform(-1, 1, (1, size // 16, size // 16)).astype(np.float32)
    answer = answer.repeat(16, 1).repeat(16, 2)
    valid = np.ones(answer.shape[1:], bool)

    def plain() -> None:
        inset = size // 4
        coats: dict[str, list[tuple[Path, int, int]]] = {"a": [], "b": []}
        for tile in plan:
            row, col = tile.window.row, tile.window.col
            for coat, pixels, moved in (("a", answer, 0), ("b", answer[:, inset:-inset, inset:-inset], inset)):
                path = out / f"{coat}_cosine_{row}_{col}.tif"
                save_tile(path, pixels)
                coats[coat].append((path, row + moved, col + moved))
        first, second = (merged(coat, (side, side)) for coat in coats.values())
        save_tile(out / "plain.tif", np.where(second != -100, second, first)[None])
        for path, _, _ in (*coats["a"], *coats["b"]):
            path.unlink()

    def ours() -> None:
        spec = RasterSpec(Grid.north_up(500_000, 5_000_000, 30, side, side, 32618), ("cosine",), "float32", -100)
        laid = painted(plan)
        painter = RowPainter(laid, 1)
        with CogWriter(out / "ours.tif", spec, threads=bench.threads) as writer:
            for row in range(len(laid.rows)):
                patches = [painter.add(tile, answer, valid) for tile in laid.row_of_tiles(row)]
                writer.write(Strip(patches[0].window.row, np.concatenate([patch.values for patch in patches], axis=2)))

    return f"writing a map of {side}² from {len(plan)} tiles", (plain, ours)


def memory(bench: Bench) -> Found:
    """Peak memory of wide pairs: at two heights with a little network, and of a strip with the full one."""
    scale = bench.scale
    found: Found = {}
    little = made_bundle(bench.folder / "little.safetensors", {**LITTLE, "image_size": min(512, scale.strip)})
    cases = [("little", little, height) for height in scale.heights]
    bench.show(f"{'peak memory':44}{'MiB':>8}{'tiles':>8}")
    for name, bundle, height in [*cases, ("full", bench.bundle, scale.strip)]:
        folder = bench.folder / f"high{height}"
        made_pair(folder, height, scale.wide)
        wanted = {"profile": "arpent", "runtime": "torch" if name == "little" else "openvino", "precision": "f32"}
        title = f"{name} network, {height} × {scale.wide}"
        found[title] = taken = bench.child("pair", **wanted, bundle=bundle, folder=folder)
        bench.show(f"{title:44}{taken['peak'] / 2**20:8.0f}{taken['tiles']:8.0f}")
    return found


SECTIONS = {"network": networks, "strides": strides, "profiles": profiles, "parts": parts, "memory": memory}


def main() -> None:
    """Prints the tables, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(CHILDREN[args.child[0]](json.loads(args.child[1]))))
        return

    def show(line: str) -> None:
        if not args.json:
            print(line, flush=True)

    scale = QUICK if args.quick else Scale()
    show(f"arpent {__version__}, torch {torch.__version__}, threads {args.threads}, load {os.getloadavg()[0]:.1f}")
    found: Found = {"scale": asdict(scale), "threads": args.threads}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), scale, 1 if args.quick else args.rounds, args.threads, show)
        for name in args.sections:
            show(f"\n{name}")
            found[name] = SECTIONS[name](bench)
    if args.json:
        json.dump(found, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
