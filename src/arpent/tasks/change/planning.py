"""What a comparison will cost, before it is begun."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

from arpent.core import Grid, ground_area
from arpent.engine import Product
from arpent.io import RasterSpec, scratch_bytes
from arpent.models import Bundle, Planaura
from arpent.tasks.change.comparing import tile_shape
from arpent.tasks.change.frames import Pair
from arpent.tasks.change.pair_network import Asked, check_model, placing_of, start_pair_network
from arpent.tasks.change.pairing import PairImage
from arpent.tasks.change.placing import Placing
from arpent.tasks.change.settings import ChangeSettings
from arpent.tasks.change.task import ChangeTask
from arpent.tiling import TilePlan, TileShape

__all__ = ["PairPlan", "StrideCost", "plan_pair"]

_FLOAT = 4
_ACTIVATIONS = 24
"""Numbers held for each number of a token while a block works on it."""
_PROCESS = 450 << 20
"""Bytes of Python and its libraries."""


@dataclass(frozen=True)
class StrideCost:
    """What answers so far apart cost.

    Attributes:
        stride: pixels between answers.
        passes: how often each tile goes through the encoder.
        seconds: for all tiles, in the network; None where no tile was timed.
    """

    stride: int
    passes: int
    seconds: float | None


@dataclass(frozen=True)
class PairPlan:
    """What a comparison will do and cost.

    Attributes:
        name: of the pair.
        grid: that will be compared.
        square_metres: of ground in it; None for pictures.
        tiles: that the network will see, at most: tiles without data are not shown to it.
        cost: pixels that it sees per pixel of the image.
        stride: pixels between answers, as chosen.
        strides: what each stride would cost.
        memory: bytes, about.
        disk: bytes for products and, while they are made, for scratch files beside them; at most.
        products: names of the files.
    """

    name: str
    grid: Grid
    square_metres: float | None
    tiles: int
    cost: float
    stride: int
    strides: tuple[StrideCost, ...]
    memory: int
    disk: int
    products: tuple[str, ...]

    @property
    def seconds(self) -> float | None:
        """In the network, at the chosen stride."""
        return next(one.seconds for one in self.strides if one.stride == self.stride)


def plan_pair(pair: Pair, model: Bundle, settings: ChangeSettings, *, timed: bool = True) -> PairPlan:
    """Opens everything, checks everything, and compares nothing.

    Args:
        pair: the images.
        model: the network and its contract.
        settings: what is wanted, and how.
        timed: whether one tile goes through the network, so that the time can be told.

    Raises:
        The errors of `compare` that do not need the pixels.
    """
    planaura = check_model(model, len(pair.frames), settings)
    placing = placing_of(planaura, settings)
    shape = tile_shape(placing, settings)
    with PairImage(pair, model.contract, settings) as image:
        task = ChangeTask(planaura, image, settings)
        plan = TilePlan.of(*image.grid.shape, shape)
        seconds = _seconds_of_a_tile(model, task.asked, image, settings, placing) if timed else None
        costs = _strides(planaura, len(plan), seconds)
        return PairPlan(
            pair.name,
            image.grid,
            ground_area(image.grid) if image.grid.georeferenced else None,
            len(plan),
            plan.cost,
            placing.stride,
            costs,
            _memory(planaura, image, task, settings, shape),
            sum(_bytes(product, image.grid, placing, by_pixel=settings.table_pixels) for product in task.products()),
            tuple(product.file_name for product in task.products()),
        )


def _seconds_of_a_tile(
    model: Bundle, asked: Asked, image: PairImage, settings: ChangeSettings, placing: Placing
) -> float:
    """One tile in PyTorch, at the stride of the patch."""
    plain = settings.model_copy(update={"stride": 0, "runtime": "torch"})
    network = start_pair_network(model, asked, plain, tiles=1)
    tile = torch.zeros(1, image.channels * len(image.frames), placing.side, placing.side)
    seconds = np.inf
    for _ in range(2):  # the first time also pays for memory and kernels
        started = perf_counter()
        network(tile)
        seconds = min(seconds, perf_counter() - started)
    return seconds


def _strides(model: Planaura, tiles: int, seconds: float | None) -> tuple[StrideCost, ...]:
    """Below the patch, every shifted grid of patches goes through the encoder by itself."""
    patch = model.settings.patch
    found = []
    for stride in (stride for stride in range(patch, 0, -1) if patch % stride == 0):
        # Parts that are shorter than the longest one are filled up to its length.
        passes = (patch // stride) ** 2
        found.append(StrideCost(stride, passes, None if seconds is None else seconds * passes * tiles))
    return tuple(found)


def _memory(model: Planaura, image: PairImage, task: ChangeTask, settings: ChangeSettings, shape: TileShape) -> int:
    """Bytes of the process, its weights, a pass through the network, tiles read ahead and rows of products."""
    shape_of = model.settings
    weights = sum(parameter.numel() for parameter in model.parameters()) * _FLOAT
    tokens = len(image.frames) * (shape.size // shape_of.patch) ** 2 + 1
    tokens = max(tokens * settings.batch_size, model.tokens_at_once if task.placing.stride < shape_of.patch else 0)
    network = tokens * shape_of.width * _ACTIVATIONS * _FLOAT
    ahead = (3 * settings.batch_size + settings.read_threads) * len(image.bands) * shape.size**2 * _FLOAT
    rows = 0
    for product in task.products():
        if product.kind == "raster":
            # Held while it is made, once more while it is written, and as blocks of 512 rows.
            high = (2 * shape.step + 512) // product.scale
            rows += (image.grid.width // product.scale + 1) * high * len(product.bands) * 2 * _FLOAT
    return _PROCESS + weights + network + ahead + rows


def _bytes(product: Product, grid: Grid, placing: Placing, *, by_pixel: bool) -> int:
    """At most what a product and its scratch files take."""
    if product.kind == "table":
        side = 1 if by_pixel else placing.stride
        return -(-grid.height // side) * -(-grid.width // side) * max(product.channels, 1) * _FLOAT
    return 2 * scratch_bytes(RasterSpec(grid.coarsened(product.scale), product.bands, product.dtype, product.nodata))
