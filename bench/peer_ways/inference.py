"""A network slides over an image that is too large for it: read, normalise, infer, merge, choose, write.

The same U-Net with the same weights, in PyTorch, float32, on tiles of 512 (256 if quick) that overlap by 64 pixels.
Arpent writes a run: a COG with overviews, a preview, a manifest. terratorch tiles a tensor of the whole image,
and blends; reading and writing are rasterio's. torchgeo reads the tiles and leaves merging to its users, who paste what
is left of each tile without half of its overlap. Results are held against one pass over the whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import rasterio
import torch

from arpent.models import UNetSettings, load_bundle
from arpent.store import Place
from arpent.tasks.landcover import MapSettings, map_image
from arpent.testing.toys import toy_bundle
from engine import BANDS, scene, trained
from peer_ways.work import Result, Way, Work

__all__ = ["WORK"]

_HALF = 32  # of the overlap
_BATCH = 2


class _Network:
    """The network of a bundle, as a peer uses it.

    Attributes:
        run: batches of pixels ``(N, C, H, W)`` to scores.
        tile: side of the tiles.
    """

    def __init__(self, folder: Path) -> None:
        loaded = load_bundle(folder / "model.safetensors")
        rule, classes = loaded.contract.normalisation, loaded.contract.classes
        assert rule is not None and classes is not None
        self._mean, self._std = (torch.tensor(numbers).view(-1, 1, 1).float() for numbers in (rule.mean, rule.std))
        self._ids = np.asarray(classes.ids)
        self._model = loaded.model.eval()
        self.tile = int((folder / "tile.txt").read_text())

    def run(self, pixels: torch.Tensor, **more: object) -> torch.Tensor:
        """Scores of pixels as they are in files."""
        del more
        with torch.inference_mode():
            scores: torch.Tensor = self._model((pixels.float() - self._mean) / self._std)
        return scores

    def classes(self, scores: torch.Tensor) -> Result:
        """Class numbers of scores ``(C, H, W)``."""
        return np.asarray(self._ids[scores.argmax(0).numpy()])


def _prepare(folder: Path, quick: bool) -> str:
    side, tile = (640, 256) if quick else (4096, 512)
    image = scene(folder / "scene.tif", side)
    if quick:
        toy_bundle(folder / "model.safetensors", widths=(8, 16))
    else:
        model = trained(folder)
        (folder / "model.safetensors").write_bytes(model.read_bytes())
    (folder / "tile.txt").write_text(str(tile))
    network = _Network(folder)
    with rasterio.open(image) as file:
        pixels = torch.from_numpy(file.read())
    np.save(folder / "whole.npy", network.classes(network.run(pixels[None])[0]))
    widths = (8, 16) if quick else UNetSettings().widths
    return f"{side} × {side} pixels of {len(BANDS)} bands, U-Net of {'-'.join(map(str, widths))}"


def _arpent(runtime: str) -> Callable[[Path], Callable[[], Result]]:
    def start(folder: Path) -> Callable[[], Result]:
        tile = int((folder / "tile.txt").read_text())
        settings = MapSettings.model_validate(
            {"runtime": runtime, "device": "cpu", "tile": tile, "overlap": 2 * _HALF, "batch_size": _BATCH}
        )

        def do() -> Result:
            place = Place(exact=folder / f"run-{runtime}", force=True)
            made = map_image(str(folder / "scene.tif"), folder / "model.safetensors", place, settings)
            with rasterio.open(made.path) as file:
                return np.asarray(file.read(1))

        return do

    return start


def _written(folder: Path, name: str, classes: Result) -> Result:
    """Writes a map with its colours left out, in tiles, compressed."""
    with rasterio.open(folder / "scene.tif") as image:
        profile = image.profile | {"driver": "GTiff", "count": 1, "compress": "deflate", "tiled": True, "nodata": 0}
    profile = {key: profile[key] for key in profile if key not in ("photometric", "interleave", "predictor")}
    with rasterio.open(folder / f"{name}.tif", "w", **profile) as file:
        file.write(classes, 1)
    return classes


def _terratorch(folder: Path) -> Callable[[], Result]:
    from terratorch.tasks.tiled_inference import tiled_inference

    network = _Network(folder)

    def do() -> Result:
        with rasterio.open(folder / "scene.tif") as file:
            pixels = torch.from_numpy(file.read())[None].float()
        scores = tiled_inference(
            network.run, pixels, crop=network.tile, stride=network.tile - 2 * _HALF, delta=_HALF // 2, batch_size=_BATCH
        )
        return _written(folder, "terratorch", network.classes(scores[0]))

    return do


def _torchgeo(folder: Path) -> Callable[[], Result]:
    from torch.utils.data import DataLoader
    from torchgeo.datasets import RasterDataset, stack_samples
    from torchgeo.samplers import GridGeoSampler

    network = _Network(folder)

    def do() -> Result:
        dataset = RasterDataset(str(folder / "scene.tif"))
        sampler = GridGeoSampler(dataset, network.tile, network.tile - 2 * _HALF)
        with rasterio.open(folder / "scene.tif") as file:
            place, shape = file.transform, file.shape
        classes = np.zeros(shape, np.uint8)
        for batch in DataLoader(dataset, _BATCH, sampler=sampler, collate_fn=stack_samples):
            for scores, (x, y, *_) in zip(network.run(batch["image"]), batch["bounds"], strict=True):
                col, row = (round(one) for one in ~place * (x.start, y.stop))
                _pasted(classes, network.classes(scores), row, col)
        return _written(folder, "torchgeo", classes)

    return do


def _pasted(classes: Result, tile: Result, row: int, col: int) -> None:
    """Puts a tile in its place, without half of the overlap where another tile follows or came before."""
    edges = []
    for first, side, size in ((row, tile.shape[0], classes.shape[0]), (col, tile.shape[1], classes.shape[1])):
        start = 0 if first <= 0 else first + _HALF
        edges.append((max(start, 0), min(size, first + side), first))
    (top, bottom, down), (left, right, along) = edges
    classes[top:bottom, left:right] = tile[top - down : bottom - down, left - along : right - along]


def _judge(folder: Path, ours: Result, theirs: Result) -> Mapping[str, float]:
    whole = np.load(folder / "whole.npy")
    return {"as_whole_image": float((theirs == whole).mean()), "as_arpent": float((theirs == ours).mean())}


WORK = Work(
    "a network over a large image",
    _prepare,
    {
        "Arpent": Way(_arpent("torch")),
        "Arpent, OpenVINO": Way(_arpent("openvino"), "openvino"),
        "terratorch": Way(_terratorch, "terratorch"),
        "torchgeo": Way(_torchgeo, "torchgeo"),
    },
    _judge,
)
