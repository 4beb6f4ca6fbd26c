"""The files that a pair gives: their names, types and no-data are those of the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.engine import Product
from arpent.language import say
from arpent.models import INVALID
from arpent.pixels import Quality
from arpent.tasks.change.placing import Placing
from arpent.tasks.change.settings import Profile

__all__ = ["ReconstructionKind", "Wish", "products_of"]

NODATA = INVALID
"""No-data of every product of numbers."""


@dataclass(frozen=True)
class ReconstructionKind:
    """What a painted image is like.

    Attributes:
        bands: names, in the order of the file.
        dtype: of the file.
        nodata: of the file.
    """

    bands: tuple[str, ...]
    dtype: str
    nodata: float


@dataclass(frozen=True)
class Wish:
    """Which products are wanted.

    Attributes:
        frames: dates of the pair.
        dates: of the frames, as YYYYDDD; empty for no products of dates.
        quality: whether there is one of quality.
        odds: whether the model has a change head.
        dims: dimensions of embeddings that are kept as an image, by number; empty for no such images.
        painted: one kind for each date; empty for no painted images.
        table: form of the tables of embeddings; None for no tables.
        columns: dimensions in those tables.
        suffix: behind each name.
        profile: whose rules of merging.
        compression: of maps.
        language: of titles.
    """

    frames: int
    dates: tuple[int, ...] = ()
    quality: bool = False
    odds: bool = False
    dims: tuple[int, ...] = ()
    painted: tuple[ReconstructionKind, ...] = ()
    table: Literal["geoparquet", "csv"] | None = None
    columns: int = 0
    suffix: str = ""
    profile: Profile = "arpent"
    compression: Literal["deflate", "zstd"] = "deflate"
    language: Language = "en"


def products_of(wish: Wish, placing: Placing) -> tuple[Product, ...]:
    """The products, the map of cosines first where there are two dates or more."""
    made: list[Product] = []
    if wish.frames > 1:
        made.append(_map(wish, placing, "cosine_map", "cosine", bands=("cosine",)))
        made += _dates(wish, placing)
    if wish.quality:
        made.append(_quality(wish, placing))
    made += [
        _map(wish, placing, f"infer_{date}", f"painted_{date}", bands=kind.bands, kind=kind)
        for date, kind in enumerate(wish.painted)
    ]
    if wish.dims:
        names = tuple(f"embedding {dim}" for dim in wish.dims)
        made += [
            _map(wish, placing, f"feature_maps_{date}", f"features_{date}", bands=names) for date in range(wish.frames)
        ]
    if wish.table:
        made += [_table(wish, date) for date in range(wish.frames)]
    if wish.odds and wish.frames > 1:
        made.append(_map(wish, placing, "change_probability", "odds", bands=("probability",), finish=_chance))
    return tuple(replace(product, compression=wish.compression) for product in made)


def _map(
    wish: Wish,
    placing: Placing,
    name: str,
    source: str,
    *,
    bands: tuple[str, ...],
    kind: ReconstructionKind | None = None,
    finish: Callable[[NDArray[np.float32]], NDArray[np.generic]] | None = None,
) -> Product:
    """A product of numbers, mixed where tiles overlap (or painted, as the reference does)."""
    # The head and the decoder speak for pixels, whatever lies between the answers of the encoder.
    by_pixel = source == "odds" or kind is not None
    return Product(
        f"{name}{wish.suffix}",
        source,
        channels=len(bands),
        bands=bands,
        dtype=kind.dtype if kind else "float32",
        nodata=kind.nodata if kind else NODATA,
        scale=1 if by_pixel else placing.scale,
        merge="paint" if wish.profile == "planaura" else "taper",
        inset=placing.inset if wish.profile == "planaura" and not by_pixel else 0,
        finish=_clipped(kind.dtype) if kind else finish,
        title=say(f"change.{name.rstrip('_0123456789')}", wish.language),
    )


def _coded(wish: Wish, placing: Placing, name: str, source: str, dtype: str, nodata: float) -> Product:
    """A product of codes, which are never mixed."""
    return Product(
        f"{name}{wish.suffix}",
        source,
        bands=(name,),
        dtype=dtype,
        nodata=nodata,
        scale=placing.scale,
        merge="paint" if wish.profile == "planaura" else "centre",
        inset=placing.inset if wish.profile == "planaura" else 0,
        overviews="nearest",
        title=say(f"change.{name}", wish.language),
    )


def _table(wish: Wish, date: int) -> Product:
    """A table of embeddings; its file is called as that of the images of embeddings, with another ending."""
    ending = "csv" if wish.table == "csv" else "parquet"
    return Product(
        f"feature_table_{date}{wish.suffix}",
        f"table_{date}",
        kind="table",
        channels=wish.columns,
        file=f"feature_maps_{date}{wish.suffix}.{ending}",
        title=say("change.feature_maps", wish.language),
    )


def _quality(wish: Wish, placing: Placing) -> Product:
    return _coded(wish, placing, "quality_fmask", "quality", "uint8", Quality.FILL)


def _dates(wish: Wish, placing: Placing) -> Sequence[Product]:
    """The dates that were compared at each pixel."""
    if not wish.dates:
        return ()
    return (
        _coded(wish, placing, "before_date", "before_date", "int32", NODATA),
        _coded(wish, placing, "after_date", "after_date", "int32", NODATA),
    )


def _chance(odds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-odds as probabilities."""
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def _clipped(dtype: str) -> Callable[[NDArray[np.float32]], NDArray[np.generic]] | None:
    """Painted values within what the type of the file can hold."""
    if np.dtype(dtype).kind == "f":
        return None
    limits = np.iinfo(dtype)

    def clip(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.clip(values, limits.min, limits.max)

    return clip
