"""Indices measured on parcels: each window of a scene is read once, whatever the number of parcels in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from arpent.core import Grid, Progress, Raster, Silent, Window, sensor
from arpent.errors import BandMismatch
from arpent.io import read_ahead
from arpent.language import Measured
from arpent.language.axes import GROUND, SHARES
from arpent.pixels import index_names, spectral_index, spectral_indices
from arpent.tasks.describe.parcels import Parcel, Parcels
from arpent.tasks.describe.scene_settings import IndexSettings
from arpent.tasks.describe.seen import Measurable
from arpent.tasks.describe.table import Measurement, table_of

__all__ = ["bands_for", "index_planes", "indices_of", "measure", "measure_parcels", "require_indices"]

_SIDE = 1024
_FULL = 10_000.0
_COMMON = {band.name: band.common or band.name for band in sensor("sentinel-2-l2a").bands}
_INSTEAD = {"nir": "nir08"}
"""A band that stands in for another where that is missing; as `pixels.spectral_indices` does it."""


def indices_of(bands: Sequence[str]) -> tuple[str, ...]:
    """Names of all indices that these bands of Sentinel-2 allow."""
    there = {_COMMON[band] for band in bands if band in _COMMON}
    return tuple(
        name
        for name in index_names()
        if all(band in there or _INSTEAD.get(band) in there for band in spectral_index(name).bands)
    )


def bands_for(indices: Sequence[str] | None) -> tuple[str, ...]:
    """The bands of Sentinel-2 that indices take, all if none is named, with those that tell kinds of ground.

    Raises:
        UnknownName: no index of that name.
    """
    names = [*(index_names() if indices is None else indices), *(share.index for share in GROUND)]
    taken = {band for name in names for band in spectral_index(name).bands}
    return tuple(band for band, common in _COMMON.items() if common in taken)


def require_indices(wanted: Sequence[str], bands: Sequence[str], image: str) -> tuple[str, ...]:
    """The official names of indices that are asked for.

    Raises:
        UnknownName: no index of that name.
        BandMismatch: the bands do not allow one; those that they do are listed.
    """
    names = tuple(dict.fromkeys(spectral_index(name).name for name in wanted))
    possible = indices_of(bands)
    lost = [name for name in names if name not in possible]
    if lost:
        common = {other: name for name, other in _COMMON.items()}
        needed = dict.fromkeys(common[band] for name in lost for band in spectral_index(name).bands)
        missing = ", ".join(band for band in needed if band not in bands)
        raise BandMismatch(
            f"{', '.join(lost)} cannot be measured on {image} without {missing}",
            found=", ".join(bands),
            cure=f"Give an image with these bands, or ask for {', '.join(possible)}." if possible else "Give another.",
        )
    return names


def index_planes(names: Sequence[str], raster: Raster, room: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Indices ``(names, height, width)`` of reflectance × 10 000, each within the range that its table gives.

    Dark pixels, whose reflectance may be below zero once the offset is taken off, are taken for black, and a ratio of
    two numbers near zero for the end of its range: a few pixels of water would else outweigh a parcel.

    Args:
        names: of the indices.
        raster: the pixels.
        room: an array at least as high and wide for each index, to be used instead of a new one.
    """
    given = {
        _COMMON[band]: np.maximum(plane, 0) * np.float32(1 / _FULL)
        for band, plane in zip(raster.bands, raster.pixels.astype(np.float32, copy=False), strict=True)
        if band in _COMMON
    }
    height, width = raster.valid.shape
    planes = spectral_indices(names, given, None if room is None else room[: len(names), :height, :width])
    for plane, name in zip(planes, names, strict=True):
        entry = spectral_index(name)
        np.clip(plane, entry.low, entry.high, out=plane)
    return planes


@dataclass
class _Tally:
    """What has been seen of a parcel so far."""

    valid: int
    cloud: int
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    shares: NDArray[np.int64]

    @classmethod
    def empty(cls, indices: int) -> _Tally:
        """Nothing yet."""
        return cls(
            0, 0, np.zeros(indices, np.int64), np.zeros(indices), np.zeros(indices), np.zeros(len(SHARES), np.int64)
        )

    def add(self, values: NDArray[np.float32], kinds: NDArray[np.int8]) -> None:
        """The valid pixels of the parcel in a window: indices ``(names, n)`` and their kind of ground ``(n,)``."""
        known = np.isfinite(values)
        exact = np.where(known, values, 0).astype(np.float64)
        self.valid += values.shape[1]
        self.counts += known.sum(axis=1)
        self.sums += exact.sum(axis=1)
        self.squares += (exact * exact).sum(axis=1)
        self.shares += np.bincount(kinds + 1, minlength=len(SHARES) + 1)[1:]


def _kinds(names: Sequence[str], planes: NDArray[np.float32]) -> NDArray[np.int8]:
    """The kind of ground of each pixel, by its number in `SHARES`; -1 for none of them."""
    kinds = np.full(planes.shape[1:], -1, np.int8)
    for share in GROUND:
        if share.index not in names:
            continue
        plane = planes[list(names).index(share.index)]
        met = kinds == -1
        if share.least is not None:
            met &= plane >= share.least
        if share.below is not None:
            met &= plane < share.below
        kinds[met] = SHARES.index(share.name)
    return kinds


def measure_parcels(
    scene: Measurable, parcels: Sequence[Parcel], indices: Sequence[str], progress: Progress | None = None
) -> list[Measurement]:
    """The measurements of some parcels of a scene, in their order.

    Args:
        scene: to be read, each window once.
        parcels: on its grid.
        indices: names of those to measure, as `require_indices` gives them.
        progress: who is told how far it is.
    """
    possible = indices_of(scene.bands)
    ground = [share.index for share in GROUND if share.index in possible]
    names = tuple(dict.fromkeys([*indices, *ground]))
    tallies = [_Tally.empty(len(names)) for _ in parcels]
    known_clouds = False
    near = list(_near(scene.grid, parcels))
    room = np.empty((len(names), min(_SIDE, scene.grid.height), min(_SIDE, scene.grid.width)), np.float32)
    with (progress or Silent()).bar(scene.name, len(near), "windows") as bar:
        looks = read_ahead(lambda pair: (scene.read(pair[0]), scene.clouds(pair[0])), near, threads=1, ahead=1)
        for (window, here), (raster, cloud) in zip(near, looks, strict=True):
            known_clouds |= cloud is not None
            planes = index_planes(names, raster, room)
            kinds = _kinds(names, planes)
            for number in here:
                shared = parcels[number].window.intersect(window)
                at = shared.relative_to(window).slices
                mask = parcels[number].mask(shared)
                if cloud is not None:
                    tallies[number].cloud += int((cloud[at] & mask).sum())
                mask &= raster.valid[at]
                tallies[number].add(planes[(slice(None), *at)][:, mask], kinds[at][mask])
            bar.advance()
    return [
        _measurement(scene, parcel, names, tally, clouds=known_clouds)
        for parcel, tally in zip(parcels, tallies, strict=True)
    ]


def _near(grid: Grid, parcels: Sequence[Parcel]) -> Iterator[tuple[Window, list[int]]]:
    """The windows of a scene in which parcels lie, each with their numbers."""
    boxes = [shapely.box(p.window.col, p.window.row, p.window.col_end, p.window.row_end) for p in parcels]
    tree = shapely.STRtree(boxes)
    for window in grid.window.blocks(_SIDE):
        found = tree.query(shapely.box(window.col, window.row, window.col_end, window.row_end))
        here = sorted(int(at) for at in found if parcels[int(at)].window.intersect(window).size)
        if here:
            yield window, here


def _measurement(
    scene: Measurable, parcel: Parcel, names: Sequence[str], tally: _Tally, *, clouds: bool
) -> Measurement:
    with np.errstate(divide="ignore", invalid="ignore"):
        means = tally.sums / tally.counts
        spread = np.sqrt(np.maximum(tally.squares / tally.counts - means * means, 0))
    there = [at for at in range(len(names)) if tally.counts[at]]
    shares: Mapping[str, float] = {}
    if tally.valid and all(any(one.index in names for one in GROUND if one.name == kind) for kind in SHARES):
        shares = {name: int(count) / tally.valid for name, count in zip(SHARES, tally.shares, strict=True)}
    measured = Measured(
        parcel=parcel.name,
        indices={names[at]: float(means[at]) for at in there},
        shares=shares,
        valid=tally.valid / parcel.pixels,
        cloud=tally.cloud / parcel.pixels if clouds else None,
        taken=scene.taken,
        area=parcel.area,
        crop=parcel.crop,
        place=scene.place,
    )
    geometry = None if parcel.geometry_wgs84 is None else shapely.to_wkb(parcel.geometry_wgs84)
    deviations = {names[at]: float(spread[at]) for at in there}
    return Measurement(measured, scene.name, parcel.pixels, deviations, geometry)


def measure(
    scene: Measurable, parcels: Parcels, settings: IndexSettings | None = None, progress: Progress | None = None
) -> pa.Table:
    """The rows of the table of measurements for one scene.

    Args:
        scene: that is measured.
        parcels: on its grid.
        settings: which indices; all that its bands allow if not given.
        progress: who is told how far it is.

    Raises:
        BandMismatch: its bands do not allow an index that is asked for.
        UnknownName: no index of that name.
    """
    wanted = None if settings is None else settings.indices
    names = indices_of(scene.bands) if wanted is None else require_indices(wanted, scene.bands, scene.name)
    return table_of(measure_parcels(scene, parcels.items, names, progress), names)
