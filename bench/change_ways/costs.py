"""What one way of comparing two dates costs: pairs and models to measure with, and the clocks around them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from arpent import __version__
from arpent.core import Contract, Grid, Normalisation, Strip, Window, sensor
from arpent.core.hashing import file_sha256
from arpent.engine import Network, Prediction, TorchNetwork
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.models import Bundle, Planaura, build, load_bundle, save_bundle
from arpent.store import Place
from arpent.tasks.change import ChangeSettings, Frame, Pair
from arpent.tasks.change.comparing import compare
from arpent.tasks.change.pair_network import Asked, PairNetwork, asked_of, placing_of, start_pair_network
from arpent.testing.memory import peak_memory
from change_ways.plain import compare_plainly

__all__ = ["made_bundle", "made_pair", "pair_cost", "planaura_of", "stride_cost"]

MEAN, STD = 1000.0, 500.0
DATES = (2020100, 2021100)


def made_bundle(path: Path, network: Mapping[str, int]) -> Path:
    """A model of change with random weights."""
    bands = sensor("hls-s30").bands
    torch.manual_seed(0)
    model = build("planaura", {**network, "channels": len(bands)}).eval()
    contract = Contract(
        task="change",
        architecture="planaura",
        settings=model.settings.model_dump(mode="json"),
        bands=bands,
        nodata=-9999,
        normalisation=Normalisation(origin="bench", mean=(MEAN,) * len(bands), std=(STD,) * len(bands)),
        arpent=__version__,
    )
    return save_bundle(path, model, contract)


def made_pair(folder: Path, height: int, width: int) -> list[Path]:
    """Two dates with structure and noise, and an Fmask beside each."""
    folder.mkdir(exist_ok=True)
    bands = tuple(band.name for band in sensor("hls-s30").bands)
    grid = Grid.north_up(500_000, 5_000_000, 30, height, width, 32618)
    images = []
    for date in range(2):
        rng = np.random.default_rng(date)
        images.append(folder / f"date{date}.tif")
        with (
            CogWriter(images[-1], RasterSpec(grid, bands, "int16", -9999, compression="zstd")) as image,
            CogWriter(folder / f"fmask_date{date}.tif", RasterSpec(grid, ("Fmask",), "uint8", 255)) as mask,
        ):
            for strip in grid.window.strips(512):
                size = (strip.height // 32 + 1, width // 32 + 1)
                coarse = rng.integers(200, 3000, (len(bands), *size), dtype=np.int16).repeat(32, 1).repeat(32, 2)
                noise = rng.integers(0, 64, (1, strip.height, width), dtype=np.int16)
                image.write(Strip(strip.row, coarse[:, : strip.height, :width] + noise))
                bits = rng.choice(np.array([0, 0, 0, 2, 4, 8, 64, 192], np.uint8), size).repeat(32, 0).repeat(32, 1)
                mask.write(Strip(strip.row, bits[None, : strip.height, :width]))
    return images


class Clocked:
    """A network that counts its own time, and can repeat its last answer instead of working."""

    def __init__(self, network: Network) -> None:
        self.name, self.device = network.name, network.device
        self.seconds = self.cpu = 0.0
        self.idle = False
        self._network = network
        self._answer: Any = None

    def __call__(self, *inputs: torch.Tensor) -> Any:  # noqa: ANN401 - as the network's own
        """One forward pass."""
        if not self.idle:
            seconds, cpu = time.perf_counter(), time.process_time()
            self._answer = self._network(*inputs)
            self.seconds += time.perf_counter() - seconds
            self.cpu += time.process_time() - cpu
        return self._answer


def pair_cost(wanted: Mapping[str, Any]) -> dict[str, float]:
    """One pair compared in one way.

    Returns:
        ``cpu`` seconds of the whole comparison, ``tiles``, ``peak`` memory in bytes; CPU seconds that the ``start`` of
        the network takes, that are ``fixed`` whatever the size of the pair, and that ``each`` tile takes; the share of
        the time of the loop that it is in the ``network``; the ``rate`` of tiles a second by the clock, start left out.
    """
    bundle, folder = load_bundle(wanted["bundle"]), Path(wanted["folder"])
    images = [folder / f"date{date}.tif" for date in range(2)]
    if wanted["profile"] == "plain":
        return _plain_cost(planaura_of(bundle), images, folder)
    settings = ChangeSettings(device="cpu", batch_size=1, **{k: wanted[k] for k in ("profile", "runtime", "precision")})
    network, start = _started(bundle, settings)
    network.idle = True
    corner = _corner(images[0], placing_of(planaura_of(bundle), settings).side)
    digest = file_sha256(wanted["bundle"])

    def run(name: str, box: tuple[float, float, float, float] | None) -> Timed:
        out = Place(exact=folder / name, force=True)
        frames = [
            Frame(str(image), date, str(image.with_name(f"fmask_{image.name}")))
            for image, date in zip(images, DATES, strict=True)
        ]
        begun = time.process_time()
        with out.begin("change", "bench", {}) as made:
            made.use_bundle(wanted["bundle"], digest)
            chosen = settings.model_copy(update={"box": box})
            done = compare(made, Pair(tuple(frames), "bench"), bundle, chosen, network=network).prediction
            made.finish()
        return Timed(time.process_time() - begun, done)

    cold, warm = run("one", corner), run("one", corner)
    network.idle, network.seconds, network.cpu = False, 0.0, 0.0
    whole = run(f"{wanted['profile']}-{wanted['runtime']}-{wanted['precision']}", None)
    tiles = whole.prediction.tiles
    beside = (whole.cpu - network.cpu - warm.cpu) / max(tiles - 1, 1)
    return {
        "cpu": whole.cpu,
        "tiles": tiles,
        "start": start,
        "fixed": cold.cpu,
        "each": network.cpu / tiles + max(beside, 0.0),
        "network": network.seconds / whole.prediction.seconds,
        "rate": tiles / whole.prediction.seconds,
        "peak": peak_memory(),
    }


@dataclass(frozen=True)
class Timed:
    """A comparison and its CPU seconds."""

    cpu: float
    prediction: Prediction


def _plain_cost(model: Planaura, images: list[Path], folder: Path) -> dict[str, float]:
    masks = [image.with_name(f"fmask_{image.name}") for image in images]
    out = folder / "plain"
    out.mkdir(exist_ok=True)
    seconds, begun = time.perf_counter(), time.process_time()
    tiles = compare_plainly(model, images, masks, MEAN, STD, out)
    cpu, rate = time.process_time() - begun, tiles / (time.perf_counter() - seconds)
    nothing = {"start": 0.0, "fixed": 0.0}
    return {"cpu": cpu, "tiles": tiles, **nothing, "each": cpu / tiles, "rate": rate, "peak": peak_memory()}


def _started(bundle: Bundle, settings: ChangeSettings) -> tuple[Clocked, float]:
    """The network, warm, and the CPU seconds that it took beyond a pass."""
    model = planaura_of(bundle)
    side = placing_of(model, settings).side
    blank = torch.zeros(1, 2 * len(bundle.contract.bands), side, side)
    begun = time.process_time()
    network = Clocked(start_pair_network(bundle, asked_of(model, 2, settings), settings, tiles=1))
    network(blank)
    first = time.process_time() - begun
    begun = time.process_time()
    network(blank)
    return network, max(first - (time.process_time() - begun), 0.0)


def _corner(image: Path, side: int) -> tuple[float, float, float, float]:
    """The box of the first tile: left, bottom, right, top."""
    with open_image(image) as reader:
        bounds = reader.grid.crop(Window(0, 0, side, side)).bounds
    return (bounds.left, bounds.bottom, bounds.right, bounds.top)


def stride_cost(wanted: Mapping[str, Any]) -> dict[str, float]:
    """One image of a fine grid of answers."""
    model = build("planaura", {**wanted["network"], "image_size": wanted["side"]}).eval()
    network = TorchNetwork(PairNetwork(model, Asked(2, ("cosine",)), wanted["stride"]), torch.device("cpu"))
    image = torch.randn(1, 12, wanted["side"], wanted["side"])
    begun = time.process_time()
    network(image)
    return {"cpu": time.process_time() - begun, "peak": peak_memory()}


def planaura_of(bundle: Bundle) -> Planaura:
    """The network of a bundle."""
    assert isinstance(bundle.model, Planaura)
    return bundle.model
