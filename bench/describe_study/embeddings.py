"""Embeddings: tiles a second through CROMA's optical encoder, beside the same network run plainly.

Plainly means one tile at a time in PyTorch and 32-bit floats, with attention written out: scores, the bias of
distances, softmax, product. Arpent's ways are PyTorch with fused attention and batches, and OpenVINO, each in 32-bit
floats and in bfloat16; `arpent describe embed` takes any of them by --runtime and --precision. All ways run in turn, so
that whatever else the machine does falls on all of them, and the fastest round of each counts. Also shown is how far
the embeddings of each way lie from the plain ones, and what it is worth that parcels share one encoding of their scene.
The goal is 2 times the plain way.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arpent.models import Croma
from arpent.models.croma import distance_bias
from arpent.tasks.describe.encoding import Encoder

GOAL = 2.0
TILE = 120
PARCEL = 24
"""Side in pixels of the parcels of which is told how many a tile holds: 240 m, about 6 ha."""

Way = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def run(argv: list[str]) -> bool:
    """Prints the figures; whether the goal is met."""
    parser = argparse.ArgumentParser(prog="describe.py embeddings", description=__doc__)
    parser.add_argument("--encoder", default="croma-base", help="croma-tiny, croma-base or croma-large, random weights")
    parser.add_argument("--tiles", type=int, default=4, help="of a round")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest of so many counts")
    asked = parser.parse_args(argv)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 1, (asked.tiles, 12, TILE // 8, TILE // 8)).astype(np.float32)
    tiles = coarse.repeat(8, 2).repeat(8, 3)
    ways = _ways(asked.encoder)
    for way in ways.values():
        way(tiles[:1])  # compiled and warm
    seconds, answers = dict.fromkeys(ways, np.inf), {}
    for _ in range(asked.rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            answers[name] = way(tiles).mean(axis=1)
            seconds[name] = min(seconds[name], time.perf_counter() - began)
    plain = seconds["plain PyTorch, f32"]
    print(f"{asked.encoder}, {asked.tiles} tiles of {TILE}², one thread, fastest of {asked.rounds}")
    for name, took in seconds.items():
        off = 1 - _cosines(answers[name], answers["plain PyTorch, f32"]).min()
        print(f"  {name:20}{asked.tiles / took:7.2f} embeddings/s  {plain / took:5.2f} ×  1 − cosine {off:.0e} at most")
    best = min(seconds[name] for name in seconds if "plain" not in name)
    shared = (TILE / PARCEL) ** 2
    print(f"  best: {plain / best:.2f} × (goal {GOAL:g} ×)")
    print(f"  parcels of {PARCEL}² share a tile: {shared:.0f} a tile, {asked.tiles * shared / best:.1f} parcels/s")
    return plain / best >= GOAL


def _cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    a, b = one.astype(np.float64), other.astype(np.float64)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def _ways(name: str) -> dict[str, Way]:
    """Every way to turn tiles into tokens; all have the same weights."""
    ways: dict[str, Way] = {}
    for runtime, precision in product(("torch", "openvino"), ("f32", "bf16")):
        encoder = Encoder.open(name, random_init=True, runtime=runtime, device="cpu", precision=precision)
        encoder.start()
        ways[f"{'PyTorch' if runtime == 'torch' else 'OpenVINO'}, {precision}"] = encoder.tokens
        model = encoder.network_module
    return {"plain PyTorch, f32": Plain(model), **ways}


class Plain:
    """The same weights as a reader of the paper would run them."""

    def __init__(self, model: Croma) -> None:
        self._model = model

    @torch.no_grad()
    def __call__(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Tokens ``(B, N, width)``."""
        return np.stack([self._one(torch.from_numpy(tile[None]))[0].numpy() for tile in tiles])

    def _one(self, image: Tensor) -> Tensor:
        encoder, settings = self._model.s2_encoder, self._model.settings
        side = settings.patch
        _, bands, height, width = image.shape
        rows, cols = height // side, width // side
        cut = image.reshape(1, bands, rows, side, cols, side).permute(0, 2, 4, 1, 3, 5).reshape(1, rows * cols, -1)
        x = encoder.linear_input(cut)
        bias = distance_bias(rows, cols, settings.heads)
        for attention, feed_forward in encoder.transformer.layers:
            x = x + self._attended(attention, x, bias)
            x = x + feed_forward(x)
        return encoder.transformer.norm_out(x)

    def _attended(self, attention: torch.nn.Module, x: Tensor, bias: Tensor) -> Tensor:
        heads = attention.heads
        parts = attention.to_qkv(attention.input_norm(x)).chunk(3, dim=-1)
        q, k, v = (part.reshape(1, x.shape[1], heads, -1).permute(0, 2, 1, 3) for part in parts)
        scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5 + bias
        mixed = torch.softmax(scores, dim=-1) @ v
        return attention.to_out(mixed.permute(0, 2, 1, 3).reshape(x.shape))
