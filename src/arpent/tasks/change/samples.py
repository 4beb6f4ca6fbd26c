"""What change is learnt from: the dates of places, with the truth of what changed where it is known.

A sample of `data.SampleIndex` has one image. Here it stands for all dates of a place: ``image`` is the first of them,
on whose grid the others and the truth are read; the attribute ``frames`` names them all, and ``quality`` the layers
that say where clouds are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arpent.core import Closing, Raster, Window
from arpent.data import (
    WHOLE,
    Batches,
    Normaliser,
    Opening,
    Patch,
    PatchRef,
    ReaderPool,
    Sample,
    SampleIndex,
    Share,
    Statistics,
)
from arpent.engine import Batch
from arpent.errors import DatasetError, InvalidSetting
from arpent.io import ImageReader, open_image, read_ahead
from arpent.models import MISSING
from arpent.pixels import QUALITY_LAYERS, decode_quality, usable

__all__ = ["FrameBatches", "FrameLoader", "measured", "pairs_in", "series_in"]

_IMAGES = {".tif", ".tiff", ".vrt", ".jp2"}
_LAYERS = {"hls": "fmask", "sentinel-2": "scl", "landsat": "qa_pixel"}
"""The kind of quality layer that a sensor's products come with, by the beginning of its name."""
_ROWS = 512


def pairs_in(path: str | Path) -> SampleIndex:
    """The pairs of an index: two dates of a place and the mask of what changed between them.

    A row with the column ``change`` is a pair. Its ``before`` names the earlier image; without it, that is the image
    of the row with the date before, of the same ``domain`` and ``sensor``: what ``arpent simulate`` writes.

    Raises:
        DatasetError: no row says what changed, or one has no earlier image.
    """
    index, pairs = SampleIndex.read(path), []
    folder = Path(path).parent
    for series in _series_of(index):
        for place, sample in enumerate(series):
            truth, before = _path(sample, "change", folder), _path(sample, "before", folder)
            if truth is None:
                continue
            if before is None and not place:
                raise DatasetError(
                    f"'{sample.name}' says what changed, but not since which image",
                    cure="Fill the column 'before', or add the earlier image with its date.",
                )
            first = series[place - 1] if before is None else None
            older = _path(sample, "quality_before", folder) if first is None else _path(first, "quality", folder)
            images = (before or series[place - 1].image, sample.image)
            pairs.append(_joined(sample, images, (older, _path(sample, "quality", folder)), truth))
    if not pairs:
        raise DatasetError(
            f"{index.origin} has no pair", cure="Fill the column 'change' with the mask of what changed since 'before'."
        )
    return SampleIndex(pairs, index.origin)


def series_in(path: str | Path, dates: int) -> SampleIndex:
    """Runs of `dates` successive images of a place, without truth.

    Args:
        path: an index with the columns ``image``, ``domain``, ``sensor`` and ``date``; or a folder of GeoTIFFs, of
            which those in one folder show one place, in the order of their names.
        dates: images of a run.

    Raises:
        DatasetError: no place has that many.
    """
    place = Path(path)
    index = _images_in(place) if place.is_dir() and not (place / "index.csv").is_file() else _index_at(place)
    folder = place if place.is_dir() else place.parent
    runs = [
        _joined(
            series[first],
            [one.image for one in series[first : first + dates]],
            [_path(one, "quality", folder) for one in series[first : first + dates]],
        )
        for series in _series_of(index)
        for first in range(len(series) - dates + 1)
    ]
    if not runs:
        raise DatasetError(
            f"no place in {index.origin} has {dates} images",
            cure="Put the images of a place in one folder, or give them one domain in an index; or set 'dates' lower.",
        )
    return SampleIndex(runs, index.origin)


def _index_at(place: Path) -> SampleIndex:
    return SampleIndex.read(place / "index.csv" if place.is_dir() else place)


def _images_in(root: Path) -> SampleIndex:
    """All images below a folder, each folder a domain."""
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in _IMAGES)
    if not paths:
        raise DatasetError(f"{root} holds no image", expected=", ".join(sorted(_IMAGES)), cure="Check the path.")
    return SampleIndex(
        (Sample(str(path), domain=path.parent.relative_to(root).as_posix()) for path in paths), str(root)
    )


def _series_of(index: SampleIndex) -> Iterator[list[Sample]]:
    """The samples of one place and sensor, in the order of their dates; those without a date as they come."""

    def key(sample: Sample) -> tuple[str, str, str]:
        return sample.domain, sample.sensor, str(sample.window)

    for _, group in groupby(sorted(index, key=key), key):
        yield sorted(group, key=lambda sample: sample.date.toordinal() if sample.date else 0)


def _joined(sample: Sample, images: Sequence[str], quality: Sequence[str | None], truth: str | None = None) -> Sample:
    """One sample of several dates."""
    name = "-".join(dict.fromkeys(Path(image).stem for image in images))
    kept = {"frames": tuple(images), "quality": tuple(quality)}
    return replace(sample, image=images[0], mask=truth, name=f"{sample.domain}/{name}", attributes=kept)


def _path(sample: Sample, column: str, folder: Path) -> str | None:
    """The path in a column of the index, which is relative to the index."""
    value = str(sample.attributes.get(column, "")).strip()
    return (value if "://" in value else str(folder / value)) if value else None


@dataclass(frozen=True)
class _Read:
    """A window of all dates.

    Attributes:
        pixels: (T, C, h, w), as in the files.
        valid: (h, w), data at every date.
        clear: (T, h, w), none of the qualities that are left out.
    """

    pixels: NDArray[np.generic]
    valid: NDArray[np.bool_]
    clear: NDArray[np.bool_]


class FrameLoader(Closing):
    """Reads patches of all dates at once, for `data.Batches`.

    Args:
        normaliser: of the bands.
        bands: names, in the order of the network's channels.
        hidden: qualities under which nothing of the ground is seen ("cloud", "shadow"). A change there is not learnt,
            since nothing shows it; that the ground stayed as it was is, so that clouds are not taken for change.
        capacity: images that stay open.
    """

    def __init__(
        self, normaliser: Normaliser, bands: Sequence[str], hidden: Collection[str] = (), capacity: int = 128
    ) -> None:
        self._normaliser = normaliser
        self._bands = tuple(bands)
        self._hidden = tuple(hidden)
        self._pool = ReaderPool(capacity)

    def close(self) -> None:
        """Closes the files."""
        self._pool.close()

    def __call__(self, ref: PatchRef) -> Patch:
        """The patch: image (T·C, h, w), one date after the other; target 1 for change, 0 for none, -1 unknown.

        Without a mask of change, the target is 0 wherever all dates show the ground.
        """
        sample, window = ref.sample, ref.window
        with self._pool.borrow(Opening(sample.image, self._bands, sample.sensor or None)) as first:
            inside = window.intersect(first.grid.window)
            if sample.window is not None:
                inside = inside.intersect(sample.window)
            if not inside.size:
                raise DatasetError(
                    f"patch {ref.name} lies outside its image", cure="Correct the window of the sample in the index."
                )
            found = self._read(sample, first, inside)
            target = self._truth(sample.mask, first, inside, found)
        images = [self._normaliser(pixels, found.valid) for pixels in found.pixels]
        patch = Patch(np.concatenate(images), found.valid, target)
        return patch if inside == window else _padded(patch, inside, window)

    def _read(self, sample: Sample, first: ImageReader, inside: Window) -> _Read:
        pixels, valid, clear = [], np.ones(inside.shape, bool), []
        for image, layer in zip(sample.attributes["frames"], sample.attributes["quality"], strict=True):
            opening = self._opening(image, first, self._bands, sample.sensor)
            with self._pool.borrow(opening) as reader:
                raster = reader.read(inside)
            pixels.append(raster.pixels)
            valid &= raster.valid
            clear.append(self._clear(layer, first, inside, sample.sensor))
        return _Read(np.stack(pixels), valid, np.stack(clear))

    def _clear(self, layer: str | None, first: ImageReader, inside: Window, sensor: str) -> NDArray[np.bool_]:
        """Where a date shows the ground; everywhere without a quality layer."""
        if layer is None or not self._hidden:
            return np.ones(inside.shape, bool)
        with self._pool.borrow(self._opening(layer, first)) as reader:
            raster = reader.read(inside)
        return np.asarray(usable(_codes(raster, layer, sensor), self._hidden) & raster.valid)

    def _truth(self, mask: str | None, first: ImageReader, inside: Window, found: _Read) -> NDArray[np.int16]:
        if mask is None:
            return np.where(found.valid & found.clear.all(axis=0), 0, -1).astype(np.int16)
        with self._pool.borrow(self._opening(mask, first)) as reader:
            raster = reader.read(inside)
        target: NDArray[np.int16] = (raster.pixels[0] > 0).astype(np.int16)
        unseen = (target == 1) & ~found.clear.all(axis=0)
        target[~raster.valid | ~found.valid | unseen] = -1
        return target

    def _opening(
        self, source: str, first: ImageReader, bands: tuple[str, ...] | None = None, sensor: str = ""
    ) -> Opening:
        """How to open a date, or a layer when no bands are named, so that its pixels are those of the first date."""
        plain = Opening(source, bands, sensor or None, None, "bilinear" if bands else "nearest")
        with self._pool.borrow(plain) as reader:
            grid = reader.grid
        if grid == first.grid or (grid.shape == first.grid.shape and not first.grid.georeferenced):
            return plain
        if not (grid.georeferenced and first.grid.georeferenced):
            raise DatasetError(
                f"{source} and {first.source} differ in size and name no place on earth to compare",
                found=f"{grid.width} × {grid.height}",
                expected=f"{first.grid.width} × {first.grid.height}",
                cure="Georeference both, or bring them to one size.",
            )
        return replace(plain, grid=first.grid)


def _padded(patch: Patch, inside: Window, window: Window) -> Patch:
    """A patch of the size of `window`; what is outside has neither data nor truth."""
    rows, cols = inside.relative_to(window).slices
    image, valid = np.zeros((len(patch.image), *window.shape), np.float32), np.zeros(window.shape, bool)
    image[:, rows, cols], valid[rows, cols] = patch.image, patch.valid
    if patch.target is None:
        return Patch(image, valid)
    target = np.full(window.shape, -1, np.int16)
    target[rows, cols] = patch.target
    return Patch(image, valid, target)


def _kind_of(band: str, layer: str, sensor: str) -> str:
    """The kind of a quality layer, by the name of its band or, where that says nothing, by the sensor."""
    if band.casefold() in QUALITY_LAYERS:
        return band.casefold()
    kind = next((kind for beginning, kind in _LAYERS.items() if sensor.startswith(beginning)), None)
    if kind is None:
        raise DatasetError(
            f"what the numbers of {layer} mean is not known",
            found=f"band '{band}', sensor '{sensor}'",
            expected=f"a sensor whose name begins with {', '.join(_LAYERS)}",
            cure=f"Fill the column 'sensor', call the band one of {', '.join(QUALITY_LAYERS)}, or leave out the column "
            "'quality'.",
        )
    return kind


class FrameBatches:
    """Batches as Planaura takes them: ``image`` (B, C, T, H, W), `MISSING` where any date has no data.

    Args:
        batches: of a `FrameLoader`.
        dates: T.
    """

    def __init__(self, batches: Batches, dates: int) -> None:
        self._batches = batches
        self._dates = dates

    def steps(self, number: int = 0) -> int:
        """Batches of an epoch."""
        return self._batches.steps(number)

    def epoch(self, number: int, start: int = 0, stop: int | None = None, share: Share = WHOLE) -> Iterator[Batch]:
        """The batches of an epoch; see `data.Batches`."""
        for batch in self._batches.epoch(number, start, stop, share):
            # After the augmentation, which knows nothing of the number that stands for no data.
            image = batch["image"].masked_fill(~batch["valid"][:, None], MISSING)
            count, channels, height, width = image.shape
            apart = image.view(count, self._dates, channels // self._dates, height, width)
            yield {**batch, "image": apart.transpose(1, 2).contiguous()}


def measured(index: SampleIndex, bands: Sequence[str], hidden: Collection[str]) -> tuple[Statistics, ImageReader]:
    """Statistics of the clear pixels of all dates of all samples; and the first image, closed, to stand for all."""
    statistics: Statistics | None = None
    first: ImageReader | None = None
    layers = {
        image: (layer, sample.sensor)
        for sample in index
        for image, layer in zip(sample.attributes["frames"], sample.attributes["quality"], strict=True)
    }
    for image, (layer, sensor) in layers.items():
        with open_image(image, bands=bands, sensor=sensor or None) as reader:
            first = first or reader
            statistics = statistics or Statistics(reader.bands, reader.dtype)
            _add_clear(statistics, reader, layer if hidden else None, sensor, hidden)
    assert statistics is not None and first is not None  # an index is never empty
    return statistics, first


def _add_clear(
    statistics: Statistics, reader: ImageReader, layer: str | None, sensor: str, hidden: Collection[str]
) -> None:
    """Adds the pixels of an image that show the ground."""
    strips = list(reader.grid.window.strips(_ROWS))
    if layer is None:
        for raster in read_ahead(reader.read, strips):
            statistics.update(raster.pixels, raster.valid)
        return
    with open_image(layer, grid=reader.grid, resampling="nearest") as quality:
        both = zip(read_ahead(reader.read, strips), read_ahead(quality.read, strips), strict=True)
        for raster, codes in both:
            seen = usable(_codes(codes, layer, sensor), hidden)
            statistics.update(raster.pixels, raster.valid & codes.valid & seen)


def _codes(seen: Raster, layer: str, sensor: str) -> NDArray[np.uint8]:
    """Quality codes of a layer's numbers."""
    values: NDArray[Any] = seen.pixels[0]
    if not np.issubdtype(values.dtype, np.integer):
        raise InvalidSetting(
            f"{layer} is no quality layer", found=values.dtype, expected="integers", cure="Correct the index."
        )
    return decode_quality(values, _kind_of(seen.bands[0], layer, sensor))
