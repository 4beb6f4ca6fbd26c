"""Change: several dates of a place in, maps of how alike they are out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from arpent.core import Settings
from arpent.engine import Answer, Batch, Dense, Meter, Network, Product, Rows
from arpent.errors import InvalidSetting
from arpent.models import INVALID, MISSING, Planaura
from arpent.pixels import Quality, usable, worst_quality
from arpent.tasks.change.embedding_tables import EmbeddingRows, PatchLayout
from arpent.tasks.change.pair_network import Asked, asked_of, dims_of, outputs_named, placing_of, whole_table
from arpent.tasks.change.pairing import PairImage
from arpent.tasks.change.pixel_tables import PixelRows
from arpent.tasks.change.placing import Placing, coarse_quality, pooled_codes
from arpent.tasks.change.products import ReconstructionKind, Wish, products_of
from arpent.tasks.change.settings import ChangeSettings

__all__ = ["ChangeTask"]

Codes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Tiles:
    """A batch, as far as the answers need it.

    Attributes:
        valid: ``(B, side, side)``; data at every date.
        codes: ``(B, T, side, side)`` of quality; None where none is known.
        which: ``(B, h, w)``; the date before that each answer was compared with, on the product's pixels.
    """

    valid: Mask
    codes: Codes | None
    which: NDArray[np.int64]


class ChangeTask:
    """The comparison of a pair, as the engine knows it.

    Args:
        model: the network, for its shape.
        image: the pair, open.
        settings: what is wanted.
        suffix: behind the names of products.
    """

    def __init__(self, model: Planaura, image: PairImage, settings: ChangeSettings, suffix: str = "") -> None:
        self.settings = settings
        self.placing: Placing = placing_of(model, settings)
        self._model = model
        self._image = image
        frames = len(image.frames)
        self._wish = Wish(
            frames,
            dates=_dates_of(image, settings),
            quality=image.codes > 0,
            odds=model.head is not None,
            dims=dims_of(model, settings) if settings.features else (),
            painted=_painted_of(image) if settings.reconstruct else (),
            table=None if settings.table == "none" else settings.table,
            columns=len(_table_dims(model, settings)),
            suffix=suffix,
            profile=settings.profile,
            compression=settings.compression,
            language=settings.language,
        )
        self._asked = asked_of(model, frames, settings)
        self._products = products_of(self._wish, self.placing)
        self._rows = _table_writer(model, image, settings, self.placing)
        if not self._products:
            raise InvalidSetting(
                f"{image.source} is one image, and nothing is asked of it",
                cure="Ask for --features, --reconstruct or a --table, or give a second image to compare it with.",
            )

    @property
    def config(self) -> Settings:
        """The settings."""
        return self.settings

    @property
    def asked(self) -> Asked:
        """What the network must answer."""
        return self._asked

    def build(self) -> nn.Module:
        """The network."""
        return self._model

    def loss(self, out: Any, batch: Batch) -> Tensor:  # noqa: ANN401 - the seam's signature
        """Comparing learns nothing: `tasks.change.training` does."""
        raise InvalidSetting("a comparison cannot be trained", cure="Use 'arpent change train'.")

    def metrics(self) -> Meter:
        """Comparing knows no truth: `tasks.change.evaluating` does."""
        raise InvalidSetting("a comparison knows no truth", cure="Use 'arpent change evaluate'.")

    def products(self) -> Sequence[Product]:
        """The maps, and the tables where they are asked for."""
        return self._products

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Runs the network, and brings its answers to the grids of the products."""
        image: Tensor = batch["image"]
        frames, bands = self._wish.frames, self._wish.frames * self._image.channels
        dates = image[:, :bands]
        made = outputs_named(self.asked.outputs, model(dates)) if self.asked.outputs else {}
        arrays = {name: tensor.detach().cpu().numpy() for name, tensor in made.items()}
        which = arrays.get("which", np.zeros((len(image), 1, 1))).clip(0).astype(np.int64)
        codes = image[:, bands:].numpy().astype(np.uint8) if self._image.codes else None
        tiles = _Tiles(batch["valid"].numpy(), codes, which)
        answer: dict[str, Dense | Rows] = {}
        if frames > 1:
            answer |= self._compared(arrays["cosine"], tiles)
        elif codes is not None:
            answer["quality"] = self._quality_of_one(codes, tiles)
        if "features" in arrays:
            arrays["features"] = self._without_excluded(arrays["features"], tiles)
        if self._wish.dims:
            chosen = list(self._wish.dims) if whole_table(self.settings) else slice(None)
            answer |= self._features(arrays["features"][..., chosen])
        if self._wish.table:
            for date in range(frames):
                answer[f"table_{date}"] = Rows(self._rows.of(arrays["features"][:, date], batch["tiles"]))
        if self._wish.painted:
            answer |= self._painted(arrays["painted"], dates, tiles)
        if "odds" in arrays:
            odds = arrays["odds"]
            by_pixel = self.placing.nearest(tiles.which)
            finer = odds.shape[-1] // by_pixel.shape[-1]
            by_pixel = by_pixel.repeat(finer, axis=-2).repeat(finer, axis=-1)
            kept = self._kept_of_chosen(tiles, by_pixel, 1)
            answer["odds"] = _dense(odds, (odds != np.float32(INVALID)) & kept)
        return answer

    def _compared(self, cosine: NDArray[np.float32], tiles: _Tiles) -> dict[str, Dense]:
        """Likeness, dates and quality, all valid at the same pixels."""
        placed = self.placing.smooth(cosine, cosine != np.float32(INVALID))
        values = np.clip(placed.values, -1, 1)
        which = self.placing.nearest(tiles.which)
        valid = placed.valid & self._kept_of_chosen(tiles, which, self.placing.scale)
        answer = {"cosine": _dense(values, valid)}
        if self._wish.dates:
            dates = np.asarray(self._wish.dates, np.float32)
            answer["before_date"] = _dense(dates[which], valid)
            answer["after_date"] = _dense(np.full(which.shape, dates[-1]), valid)
        if tiles.codes is not None:
            codes = self._worst(tiles.codes, which)
            answer["quality"] = _dense(codes.astype(np.float32), valid & (codes != Quality.FILL))
        return answer

    def _worst(self, codes: Codes, which: NDArray[np.int64]) -> Codes:
        """The quality of each comparison: the worse one of its two dates."""
        if self.settings.profile == "planaura":
            on_tokens = pooled_codes(codes, self.placing.patch, self.placing.stride)
            by_date = self.placing.nearest(on_tokens)
            before = np.take_along_axis(by_date, which[:, None], axis=1)[:, 0]
            return np.maximum(before, by_date[:, -1])
        by_date = coarse_quality(codes, self.placing.scale)
        before = np.take_along_axis(by_date, which[:, None], axis=1)[:, 0]
        return worst_quality(before, by_date[:, -1])

    def _quality_of_one(self, codes: Codes, tiles: _Tiles) -> Dense:
        scale = self.placing.scale
        own = coarse_quality(codes[:, 0], scale)
        valid = ~_coarse_all(~tiles.valid, scale)
        return _dense(own.astype(np.float32), valid & (own != Quality.FILL) & self._kept(tiles, scale))

    def _without_excluded(self, features: NDArray[np.float32], tiles: _Tiles) -> NDArray[np.float32]:
        """Embeddings, none of patches that touch an excluded quality at any date: as if there were no data."""
        if not self.settings.exclude or tiles.codes is None:
            return features
        bad = ~np.all(usable(tiles.codes, self.settings.exclude), axis=1)
        touched = pooled_codes(bad.astype(np.uint8), self.placing.patch, self.placing.stride) > 0
        return np.where(touched[:, None, :, :, None], np.float32(INVALID), features)

    def _features(self, features: NDArray[np.float32]) -> dict[str, Dense]:
        """Embeddings of each date; ``(B, T, h, w, dims)`` from the network."""
        valid = (features[..., 0] != np.float32(INVALID)).all(axis=1)
        answer = {}
        for date in range(features.shape[1]):
            placed = self.placing.smooth(np.moveaxis(features[:, date], -1, 1), valid[:, None])
            answer[f"features_{date}"] = Dense(placed.values, placed.valid[:, 0])
        return answer

    def _painted(self, painted: NDArray[np.float32], dates: Tensor, tiles: _Tiles) -> dict[str, Dense]:
        """Painted images in the units, and the order of bands, of their files; ``(B, C, T, H, W)`` from the network."""
        missing = (dates == MISSING).any(dim=1).numpy() | ~np.isfinite(painted).all(axis=(1, 2))
        answer = {}
        for date, frame in enumerate(self._image.frames):
            restored = np.stack([frame.restored(entry) for entry in painted[:, :, date]])
            answer[f"painted_{date}"] = Dense(restored, ~missing)
        return answer

    def _kept(self, tiles: _Tiles, scale: int) -> Mask:
        """Pixels of a product whose quality is not excluded at any date; all of them where nothing is."""
        if not self.settings.exclude or tiles.codes is None:
            return np.ones(1, bool)
        good = np.all(usable(tiles.codes, self.settings.exclude), axis=1)
        return _coarse_all(np.asarray(good, bool), scale)

    def _kept_of_chosen(self, tiles: _Tiles, which: NDArray[np.int64], scale: int) -> Mask:
        """Likewise, of a comparison: the last date counts and, of those before it, the one that was chosen.

        Args:
            tiles: the batch.
            which: ``(B, h, w)``; the date before that was chosen, on the product's pixels.
            scale: of the product.
        """
        if not self.settings.exclude or tiles.codes is None:
            return np.ones(1, bool)
        good = _coarse_all(np.asarray(usable(tiles.codes, self.settings.exclude), bool), scale)
        before = np.take_along_axis(good, which[:, None], axis=1)[:, 0]
        return np.asarray(before & good[:, -1], bool)


def _dense(values: NDArray[np.float32], valid: Mask) -> Dense:
    """A map of one channel, ``(B, h, w)``."""
    return Dense(values[:, None], np.broadcast_to(valid, values.shape))


def _coarse_all(mask: Mask, scale: int) -> Mask:
    """Squares of `scale` pixels, all of which are true."""
    height, width = mask.shape[-2] // scale, mask.shape[-1] // scale
    return np.asarray(mask.reshape(*mask.shape[:-2], height, scale, width, scale).all(axis=(-3, -1)), bool)


def _dates_of(image: PairImage, settings: ChangeSettings) -> tuple[int, ...]:
    """The dates to be written, if they are."""
    dates = tuple(frame.frame.date for frame in image.frames)
    known = tuple(date for date in dates if date is not None)
    if settings.dates == "no" or (settings.dates == "auto" and len(known) < len(dates)):
        return ()
    if len(known) < len(dates):
        unknown = next(frame.frame.image for frame in image.frames if frame.frame.date is None)
        raise InvalidSetting(
            f"the date of {unknown} is not known",
            cure="Give it with --date0 or --date1, or leave the dates out with --dates no.",
        )
    return known


def _table_writer(
    model: Planaura, image: PairImage, settings: ChangeSettings, placing: Placing
) -> EmbeddingRows | PixelRows:
    by_pixel = settings.table_pixels and placing.stride > 1
    patch, stride = (1, 1) if by_pixel else (placing.patch, placing.stride)
    rows = EmbeddingRows(
        PatchLayout.of(image.grid, patch, stride),
        _table_dims(model, settings),
        precision=settings.table_type,
        reference=settings.profile == "planaura",
    )
    return PixelRows(rows, replace(placing, full=True)) if by_pixel else rows


def _table_dims(model: Planaura, settings: ChangeSettings) -> tuple[int, ...]:
    return tuple(range(model.settings.width)) if whole_table(settings) else dims_of(model, settings)


def _painted_of(image: PairImage) -> tuple[ReconstructionKind, ...]:
    """Painted images are like the images that they repeat."""
    kinds = []
    for frame in image.frames:
        bands = tuple(name.partition("@")[0] for name in image.bands[: image.channels])
        nodata = 0.0 if frame.nodata is None else frame.nodata
        names = tuple(bands[place] for place in np.argsort(frame.order))
        kinds.append(ReconstructionKind(names, str(frame.dtype), nodata))
    return tuple(kinds)
