"""A series of dates in, the strongest lasting change out: how strong, when, how sure.

Each date is encoded by itself, not together with a neighbour. So a series of N dates takes N passes instead of one
per pair, any two dates can be compared, what is said of a pair does not depend on which others were looked at with
it, and a further date changes nothing of what the others say.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from arpent.core import Language, Progress, Settings, Silent, pixel_area
from arpent.core.bundle import bundle_sha256
from arpent.engine import (
    Answer,
    Batch,
    Dense,
    Job,
    Meter,
    Network,
    Opener,
    Prediction,
    PredictSettings,
    Product,
    TileWork,
    run_job,
)
from arpent.errors import InvalidSetting, NoValidPixels
from arpent.io import open_image
from arpent.language import say
from arpent.models import INVALID, Bundle, Origin, Planaura
from arpent.store import Place, Run, RunFolder, content_of
from arpent.tasks.change.comparing import tile_shape
from arpent.tasks.change.frames import Frame, day_of, files_of
from arpent.tasks.change.lasting import Lasting, lasting_change
from arpent.tasks.change.pair_network import Asked, check_model, outputs_named, placing_of, start_pair_network
from arpent.tasks.change.series_preview import draw_series
from arpent.tasks.change.series_reading import DatePixels, Features, SeriesImage, features_of
from arpent.tasks.change.series_settings import SeriesSettings
from arpent.tasks.change.sharing import digest_of, started_again
from arpent.tiling import Tile, TilePlan

__all__ = ["SeriesMade", "SeriesTask", "series_run"]

_NODATA = -100.0
_FEWEST = 3
_ASKED = Asked(1, ("features",))
_PART_BYTES = 64 << 20
"""What the likeness of all dates may take for the places that are looked at in one go."""


@dataclass(frozen=True)
class SeriesMade:
    """A finished series.

    Attributes:
        run: the run folder, with the products ``series_strength``, ``series_date``, ``series_before`` and
            ``series_confidence``.
        prediction: how it went.
        changed: square metres that changed for good, by the date of the first image after; empty for pictures.
    """

    run: Run
    prediction: Prediction
    changed: Mapping[int, float]


def _products(language: Language) -> tuple[Product, ...]:
    def product(name: str, source: str, **more: Any) -> Product:  # noqa: ANN401 - the fields of a product
        return Product(name, source, bands=(source,), nodata=_NODATA, title=say(f"change.{name}", language), **more)

    dates: dict[str, Any] = {"dtype": "int32", "merge": "centre", "overviews": "nearest"}
    return (
        product("series_strength", "strength"),
        product("series_date", "after", **dates),
        product("series_before", "before", **dates),
        product("series_confidence", "confidence"),
    )


class SeriesTask:
    """The search for lasting change, as the engine knows it.

    Args:
        model: the network, for its shape.
        image: the series, open.
        settings: what is wanted.
        folder: for the features of a tile, where they do not fit in memory.
    """

    def __init__(self, model: Planaura, image: SeriesImage, settings: SeriesSettings, folder: Path) -> None:
        self._model, self._image, self._settings, self._folder = model, image, settings, folder
        self.placing = placing_of(model, settings.comparing())
        self._dates = np.array([frame.date for frame in image.frames], np.int64)

    @property
    def config(self) -> Settings:
        """The settings."""
        return self._settings

    def build(self) -> nn.Module:
        """The network."""
        return self._model

    def loss(self, out: Any, batch: Batch) -> Tensor:  # noqa: ANN401 - the seam's signature
        """Nothing is learnt here."""
        raise InvalidSetting("a series cannot be trained on", cure="Use 'arpent change train'.")

    def metrics(self) -> Meter:
        """No truth is known here."""
        raise InvalidSetting("a series knows no truth", cure="Use 'arpent change evaluate'.")

    def products(self) -> Sequence[Product]:
        """Four maps."""
        return _products(self._settings.language)

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Encodes all dates of each tile, and looks for what lasts."""
        found = [self._of_tile(model, tile) for tile in batch["tiles"]]
        return {
            name: Dense(
                torch.from_numpy(np.stack([maps[name] for maps, _ in found])[:, None]),
                torch.from_numpy(np.stack([valid for _, valid in found])),
            )
            for name in ("strength", "after", "before", "confidence")
        }

    def _of_tile(self, model: Network, tile: Tile) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.bool_]]:
        """The maps of a tile at full resolution, and where they say something."""
        count = self.placing.axis.tokens
        width = self._model.settings.width
        shape = (len(self._dates), count * count, width)
        usable = np.empty(shape[:2], bool)
        with features_of(shape, self._folder) as kept:
            for number, (features, seen) in enumerate(self._encoded(model, tile)):
                kept.add(features)
                usable[number] = seen
            found = self._lasting(kept, usable.T)
        known = (found.after >= 0).reshape(count, count)
        dates = (
            np.where(found.after >= 0, self._dates[found.after], 0),
            np.where(found.before >= 0, self._dates[found.before], 0),
        )
        strength = self.placing.smooth(found.strength.reshape(count, count), known)
        confidence = self.placing.smooth(found.confidence.reshape(count, count), known)
        after, before = (self.placing.nearest(date.reshape(count, count)).astype(np.float32) for date in dates)
        maps = {
            "strength": np.clip(strength.values, 0, 2),
            "confidence": np.clip(confidence.values, 0, 1),
            "after": after,
            "before": before,
        }
        return maps, strength.valid

    def _encoded(self, model: Network, tile: Tile) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """Features of unit length ``(places, width)`` of each date, and which of its places can be used."""
        seen_dates = self._image.dates(tile.window)
        while dates := list(islice(seen_dates, self._settings.batch_size)):
            images = torch.from_numpy(np.stack([date.values for date in dates]))
            features = outputs_named(_ASKED.outputs, model(images))["features"].detach().cpu().numpy()[:, 0]
            for date, vectors in zip(dates, features.reshape(len(dates), -1, features.shape[-1]), strict=True):
                seen = (vectors != np.float32(INVALID)).any(axis=1) & ~self._hidden(date).ravel()
                lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
                yield vectors / np.maximum(lengths, 1e-12), seen

    def _hidden(self, date: DatePixels) -> NDArray[np.bool_]:
        """Patches any of whose pixels are hidden."""
        patch, stride = self.placing.patch, self.placing.stride
        across = np.lib.stride_tricks.sliding_window_view(date.hidden, patch, axis=1)[:, ::stride].any(axis=-1)
        return np.asarray(np.lib.stride_tricks.sliding_window_view(across, patch, axis=0)[::stride].any(axis=-1))

    def _lasting(self, features: Features, usable: NDArray[np.bool_]) -> Lasting:
        """What lasts, at all places of a tile, part by part."""
        places, dates = usable.shape
        step = max(1, _PART_BYTES // (dates * max(4 * dates, self._model.settings.width) * 4))
        parts = []
        for first in range(0, places, step):
            here = slice(first, min(first + step, places))
            vectors = features.part(here.start, here.stop)
            likeness = np.clip(vectors @ vectors.transpose(0, 2, 1), -1, 1)
            parts.append(lasting_change(likeness, usable[here], hold=self._settings.hold, share=self._settings.share))
        return Lasting(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in Lasting.__dataclass_fields__)
        )


def series_run(
    frames: Sequence[Frame],
    bundle: Bundle,
    place: Place,
    settings: SeriesSettings,
    *,
    source: Path | None = None,
    progress: Progress | None = None,
) -> SeriesMade:
    """Finds the strongest lasting change of a series, on the grid of its first image.

    Args:
        frames: three dates or more, each with its date; brought into their order.
        bundle: a model of change; its encoder sees one date at a time.
        place: where the run goes.
        settings: how to do it.
        source: file or folder that the bundle was loaded from, for the record.
        progress: who is told how far it is.

    Raises:
        InvalidSetting: fewer than three dates, a date that is not known, or one that is given twice.
        NoOverlap, ContractMismatch: an image that does not fit the first one, or the model.
        NoValidPixels: nowhere can two dates be compared.
    """
    ordered = _ordered(frames)
    network_of = check_model(bundle, 1, settings.comparing())
    kept = settings.model_dump(mode="json", exclude={"read_threads"})
    kept |= {"images": [frame.image for frame in ordered], "model": str(source or "")}
    name = f"{ordered[0].stem}-and-{len(ordered) - 1}-more"
    with (
        SeriesImage(ordered, name, bundle.contract, settings) as image,
        place.begin("change-series", name, kept, files_of(ordered, source), language=settings.language) as run,
    ):
        task = SeriesTask(network_of, image, settings, run.scratch)
        job = _job(task, image, bundle, run, _inputs(run, ordered, source), settings)
        with run.timed("series"):
            done = run_job(replace(job, progress=progress or Silent()))
        changed = _figures(run, settings)
        run.add_metrics({"dates": len(ordered)} | {f"changed_m2/{date}": area for date, area in changed.items()})
        drawn = draw_series(
            run.path / "series_strength.tif",
            run.path / "series_date.tif",
            run.scratch / "preview.png",
            [frame.date for frame in ordered if frame.date],
            threshold=settings.threshold,
            language=settings.language,
        )
        run.publish(drawn, kind="picture")
        return SeriesMade(run.finish(), done, changed)


def _inputs(run: RunFolder, frames: Sequence[Frame], source: Path | None) -> tuple[str, ...]:
    """Notes what is read, and gives hashes of its content."""
    identity = [content_of(run.add_input(frame.image, role=f"date {frame.date}")) for frame in frames]
    identity += [content_of(run.add_input(f.quality, role="quality")) for f in frames if f.quality]
    if source is not None:
        identity.append(bundle_sha256(source))
        run.use_bundle(source, identity[-1])
    return tuple(identity)


def _job(
    task: SeriesTask,
    image: SeriesImage,
    bundle: Bundle,
    run: RunFolder,
    identity: tuple[str, ...],
    settings: SeriesSettings,
) -> Job:
    frames, shape = image.frames, tile_shape(task.placing, settings.comparing())
    tiles = len(TilePlan.of(*image.grid.shape, shape)) * len(frames)
    return Job(
        task,
        bundle,
        image,
        run,
        # Each tile is a batch of dates already.
        settings.model_copy(update={"batch_size": 1}),
        identity,
        taken=_moment(frames[0]),
        until=_moment(frames[-1]),
        language=settings.language,
        prepare=_as_floats,
        shape=shape,
        network=start_pair_network(bundle, _ASKED, settings.comparing(), tiles=tiles),
        pictures=False,
        opener=_openers(image, bundle, run, settings),
    )


def _openers(
    image: SeriesImage, bundle: Bundle, run: RunFolder, settings: SeriesSettings
) -> Callable[[PredictSettings], Opener] | None:
    """How the series is opened in another process; None for a model that was read from no file."""
    if bundle.origin is None:
        return None
    origin = bundle.origin

    def opener(there: PredictSettings) -> Opener:
        own = settings.model_copy(update={"runtime": there.runtime, "device": there.device})
        return partial(_open_there, image.frames, image.source, origin, digest_of(run, origin), own)

    return opener


def _open_there(
    frames: Sequence[Frame], name: str, origin: Origin, sha256: str, settings: SeriesSettings, opened: ExitStack
) -> TileWork:
    """The series in a worker, which keeps what does not fit in memory on its own disk."""
    bundle = origin.again(sha256)
    image = opened.enter_context(SeriesImage(frames, name, bundle.contract, settings))
    folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="arpent-series-")))
    task = SeriesTask(check_model(bundle, 1, settings.comparing()), image, settings, folder)
    network = started_again(origin, sha256, _ASKED, settings.comparing())
    return TileWork(task, network, image, _as_floats)


def _as_floats(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    return pixels.astype(np.float32)


def _ordered(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    if len(frames) < _FEWEST:
        raise InvalidSetting(
            "a series needs three dates or more",
            found=f"{len(frames)} images",
            cure="Give more images, or compare two with 'arpent change pair'.",
        )
    for frame in frames:
        if frame.date is None:
            raise InvalidSetting(
                f"the date of {frame.image} is not known", cure="Name the dates with --dates, one per image."
            )
    ordered = sorted(frames, key=lambda frame: frame.date or 0)
    for one, other in pairwise(ordered):
        if one.date == other.date:
            raise InvalidSetting(
                f"{one.image} and {other.image} have the same date",
                found=one.date,
                cure="Join the images of a day first, or correct --dates.",
            )
    return tuple(ordered)


def _moment(frame: Frame) -> datetime:
    """Midnight of its day."""
    assert frame.date is not None  # `_ordered` has seen to it
    return datetime.combine(day_of(frame.date), time(), UTC)


def _figures(run: RunFolder, settings: SeriesSettings) -> dict[int, float]:
    """The ground that changed for good, by the date of the first image after.

    Raises:
        NoValidPixels: nothing could be compared anywhere.
    """
    areas: dict[int, float] = {}
    known = False
    with (
        open_image(run.path / "series_strength.tif") as strengths,
        open_image(run.path / "series_date.tif") as dates,
    ):
        grid = strengths.grid
        for window in grid.window.strips(256):
            strength, date = strengths.read(window), dates.read(window)
            known |= bool(strength.valid.any())
            changed = strength.valid & date.valid & (strength.pixels[0] >= settings.threshold)
            if not grid.georeferenced or not changed.any():
                continue
            found, counts = np.unique(date.pixels[0][changed], return_counts=True)
            size = pixel_area(grid, window)
            for day, count in zip(found.tolist(), counts.tolist(), strict=True):
                areas[day] = areas.get(day, 0.0) + count * size
    if not known:
        raise NoValidPixels(
            "no two dates of the series can be compared anywhere",
            cure="Check no-data and quality layers, or exclude fewer qualities.",
        )
    return dict(sorted(areas.items()))
