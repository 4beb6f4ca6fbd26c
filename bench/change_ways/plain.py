"""Change the way it was published, written out plainly: what `bench/change.py` holds Arpent's against.

Attention with its whole matrix, the decoder always, tiles as files, the whole mask decoded for each of them, and
`scipy.ndimage.zoom` from tokens to pixels. The numbers are those of Arpent's profile "planaura".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from arpent.models import INVALID, MISSING, Planaura

__all__ = ["PlainNetwork", "compare_plainly", "decode_mask", "merged", "save_tile"]

Array = NDArray[np.generic]
LEAST_VALID = 0.9
CODES = ((1, 1), (2, 2), (3, 3), (4, 4))
"""Bits of an Fmask and what they become; high aerosol is two bits."""


class PlainNetwork:
    """A Planaura network at the stride of its patch: cosines, and images painted back whether wanted or not."""

    def __init__(self, model: Planaura) -> None:
        self._model = model.eval()

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines (B, h, w) and patches (B, tokens, numbers) of two dates (B, C, 2, H, W)."""
        model, patch = self._model, self._model.settings.patch
        missing = ((images == MISSING) | ~torch.isfinite(images)).flatten(1, 2).any(dim=1)
        embedded = model.encoder.patch_embed(images)
        tokens = embedded.flatten(1, 3) + model.encoder.pos_embed[:, 1:]
        first = (model.encoder.cls_token + model.encoder.pos_embed[:, :1]).expand(len(tokens), -1, -1)
        tokens = _attended(torch.cat([first, tokens], dim=1), model.encoder.blocks, model.settings.heads)
        tokens = model.encoder.norm(tokens)
        before, after = tokens[:, 1:].reshape(*embedded.shape).unbind(1)
        cosine = (before * after).sum(-1) / (before.norm(dim=-1) * after.norm(dim=-1))
        invalid = functional.max_pool2d(missing[:, None].float(), patch)[:, 0] > 0
        painted = model.decoder_embed(tokens) + model.decoder_pos_embed
        painted = _attended(painted, model.decoder_blocks, model.settings.decoder_heads)
        return cosine.masked_fill(invalid, INVALID), model.decoder_pred(model.decoder_norm(painted))


def _attended(tokens: Tensor, blocks: nn.ModuleList, heads: int) -> Tensor:
    for block in blocks:
        batch, count, width = tokens.shape
        parts = block.attn.qkv(block.norm1(tokens)).reshape(batch, count, 3, heads, width // heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        scores = (queries @ keys.transpose(-2, -1)) * (width // heads) ** -0.5
        mixed = (scores.softmax(dim=-1) @ values).transpose(1, 2).reshape(batch, count, width)
        tokens = tokens + block.attn.proj(mixed)
        tokens = tokens + block.mlp(block.norm2(tokens))
    return tokens


@dataclass(frozen=True)
class _Tile:
    row: int
    col: int
    images: tuple[Path, ...]
    masks: tuple[Path, ...]


def compare_plainly(
    model: Planaura, images: Sequence[Path], masks: Sequence[Path], mean: float, std: float, folder: Path
) -> int:
    """Cosine, dates and quality of a pair of one size, stage by stage through files; gives the number of tiles."""
    size = model.settings.image_size
    tiles = _cut(images, masks, size, folder)
    network = PlainNetwork(model)
    places: dict[str, list[tuple[Path, int, int]]] = {}
    for tile in tiles:
        dates = [_normalised(path, mean, std) for path in tile.images]
        cosine, _ = network(torch.from_numpy(np.stack(dates, axis=1)[None]))
        made = _products(cosine[0].numpy(), tile.masks, model.settings.patch)
        for name, values in made.items():
            quarter = size // 4
            middle = values[quarter : 3 * quarter, quarter : 3 * quarter]
            for coat, pixels, inset in (("a", values, 0), ("b", middle, quarter)):
                path = folder / f"{coat}_{name}_{tile.row}_{tile.col}.tif"
                save_tile(path, pixels[None])
                places.setdefault(f"{coat}_{name}", []).append((path, tile.row + inset, tile.col + inset))
    with rasterio.open(images[0]) as first:
        shape = (first.height, first.width)
    for name in made:
        coats = [merged(places[f"{coat}_{name}"], shape) for coat in "ab"]
        save_tile(folder / f"{name}.tif", np.where(coats[1] != _nothing(name), coats[1], coats[0])[None])
    for path in {path for every in places.values() for path, _, _ in every}:
        path.unlink()
    return len(tiles)


def _cut(images: Sequence[Path], masks: Sequence[Path], size: int, folder: Path) -> list[_Tile]:
    """Every tile of every date as files; the mask is read and decoded again for each."""
    with rasterio.open(images[0]) as first:
        height, width = first.height, first.width
    tiles = []
    for row in _starts(height, size):
        for col in _starts(width, size):
            cut, codes, emptiest = [], [], 0.0
            for date, (image, mask) in enumerate(zip(images, masks, strict=True)):
                with rasterio.open(image) as dataset:
                    pixels = dataset.read(window=Window(col, row, size, size))
                    emptiest = max(emptiest, (pixels == dataset.nodata).mean(axis=(1, 2)).max())
                cut.append(folder / f"image_{date}_{row}_{col}.tif")
                save_tile(cut[-1], pixels)
                codes.append(folder / f"mask_{date}_{row}_{col}.tif")
                save_tile(codes[-1], decode_mask(mask)[None, row : row + size, col : col + size])
            if emptiest <= 1 - LEAST_VALID:
                tiles.append(_Tile(row, col, tuple(cut), tuple(codes)))
    return tiles


def _starts(length: int, size: int) -> list[int]:
    found = list(range(0, length - size + 1, size // 2))
    return found if found[-1] + size == length else [*found, length - size]


def decode_mask(path: Path) -> NDArray[np.uint8]:
    """A whole Fmask, bit by bit."""
    with rasterio.open(path) as dataset:
        bits = dataset.read(1)
    codes = np.zeros(bits.shape, np.uint8)
    for bit, code in CODES:
        codes[(bits >> bit) & 1 == 1] = code
    codes[((bits >> 6) & 1 == 1) & ((bits >> 7) & 1 == 1)] = 6
    return codes


def _normalised(path: Path, mean: float, std: float) -> NDArray[np.float32]:
    with rasterio.open(path) as dataset:
        pixels = dataset.read().astype(np.float64)
    return np.where(pixels == -9999, MISSING, (pixels - mean) / std).astype(np.float32)


def _products(cosine: NDArray[np.float32], masks: Sequence[Path], patch: int) -> dict[str, Array]:
    """What a tile gives, in pixels."""
    valid = cosine != INVALID
    zoom = {"zoom": patch, "order": 3, "mode": "nearest", "grid_mode": True}
    total = ndimage.zoom(np.where(valid, cosine, 0).astype(np.float64), **zoom)
    there = ndimage.zoom(valid.astype(np.float64), **zoom) > 0.9
    codes = []
    for path in masks:
        with rasterio.open(path) as dataset:
            pixels = torch.from_numpy(dataset.read(1).astype(np.float32))
        pooled = functional.max_pool2d(pixels[None, None], patch)[0, 0].numpy()
        codes.append(ndimage.zoom(pooled, **(zoom | {"order": 0})))
    return {
        "cosine_map": np.where(there, np.clip(total, -1, 1), INVALID).astype(np.float32),
        "before_date": np.where(there, 2020100, INVALID).astype(np.int32),
        "after_date": np.where(there, 2021100, INVALID).astype(np.int32),
        "quality_fmask": np.where(there, np.maximum(*codes), 255).astype(np.uint8),
    }


def save_tile(path: Path, pixels: Array) -> None:
    """A plain file of bands ``(bands, h, w)``."""
    count, height, width = pixels.shape
    facts = {"count": count, "height": height, "width": width, "dtype": pixels.dtype, "crs": "EPSG:32618"}
    with rasterio.open(path, "w", driver="GTiff", transform=rasterio.Affine(30, 0, 0, 0, -30, 0), **facts) as dataset:
        dataset.write(pixels)


def merged(places: Sequence[tuple[Path, int, int]], shape: tuple[int, int]) -> Array:
    """Files painted over each other at their rows and columns, the whole image in memory."""
    canvas: Array | None = None
    for path, row, col in places:
        with rasterio.open(path) as dataset:
            pixels = dataset.read(1)
        nothing = _nothing(path.name[2:])
        if canvas is None:
            canvas = np.full(shape, nothing, pixels.dtype)
        part = canvas[row : row + pixels.shape[0], col : col + pixels.shape[1]]
        part[pixels != nothing] = pixels[pixels != nothing]
    assert canvas is not None
    return canvas


def _nothing(product: str) -> float:
    return 255 if product.startswith("quality") else INVALID
