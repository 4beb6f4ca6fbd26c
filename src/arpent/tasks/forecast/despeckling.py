"""Speckle taken away from images of any size: products on the images' own grids, each with its report card."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from arpent.core import Progress, Silent, Strip, Window
from arpent.core.dates import guessed_day
from arpent.engine.published_maps import publish_map
from arpent.errors import ArpentError, InputError, InvalidSetting
from arpent.io import CogWriter, RasterSpec, read_ahead
from arpent.language import say
from arpent.pixels import LOOKS_BLOCK, CardTally, SpeckleCard, check_window
from arpent.store import Place, Run, RunFolder
from arpent.tasks.forecast.despeckle_preview import Detail, draw_detail
from arpent.tasks.forecast.despeckle_settings import DespeckleSettings
from arpent.tasks.forecast.filtering import Cleaner, grain_of, strips_of
from arpent.tasks.forecast.radar_image import RadarImage, images_in
from arpent.tasks.forecast.radar_numbers import require_few_below

__all__ = ["Despeckled", "DespeckledImage", "despeckle"]

_STRIP_BYTES: Final = 4 << 20
_UNITS: Final = {"db": "dB", "linear": "power", "amplitude": "amplitude"}


@dataclass(frozen=True)
class DespeckledImage:
    """One image without its speckle.

    Attributes:
        name: of the product.
        path: of the file.
        ratio: of the ratio image; None where none was asked for.
        looks: equivalent number of looks that the filter was told, by band; empty for quegan_yu.
        cards: report cards by band.
    """

    name: str
    path: Path
    ratio: Path | None
    looks: Mapping[str, float]
    cards: Mapping[str, SpeckleCard]


@dataclass(frozen=True)
class Despeckled:
    """A finished run.

    Attributes:
        run: its folder.
        images: those that could be done, in the order given.
    """

    run: Run
    images: tuple[DespeckledImage, ...]


def despeckle(
    sources: Sequence[str | Path], place: Place, settings: DespeckleSettings, *, progress: Progress | None = None
) -> Despeckled:
    """Takes the speckle away from each image, or from all dates of a place together, in bounded memory.

    Of several images those that cannot be read are noted as failures of the run, and the others go on; quegan_yu
    needs all of them.

    Args:
        sources: images, or folders of images.
        place: where the run goes.
        settings: which filter.
        progress: who is told how far it is.

    Raises:
        InvalidSetting: the window is even or larger than the image, or the units do not fit the numbers.
        NoValidPixels: there is nothing in an image.
        InputError: an image cannot be read, or dates do not lie on one grid.
    """
    check_window(settings.window)
    images = images_in(sources)
    together = settings.filter == "quegan_yu"
    if together and len(images) < 2:
        raise InvalidSetting(
            "quegan_yu averages the speckle of several dates, and there is one image",
            cure="Give all dates of the place, or choose another filter, such as lee.",
        )
    kept = settings.model_dump(mode="json", exclude={"language"}) | {"images": images}
    suggested = Path(sources[0]).resolve().name.split(".")[0]
    with place.begin("forecast-despeckle", suggested, kept, [*sources, *images], language=settings.language) as run:
        work = _Work(run, settings, progress or Silent(), several=len(images) > 1)
        try:
            made = work.together(images) if together else work.each(images)
        except BaseException:
            run.abandon()  # there is nothing that could be gone on with
            raise
        return Despeckled(run.finish(), made)


@dataclass
class _Work:
    """A run under way."""

    run: RunFolder
    settings: DespeckleSettings
    progress: Progress
    several: bool
    names: set[str] = field(default_factory=set)
    drawn: bool = False

    def each(self, sources: Sequence[str]) -> tuple[DespeckledImage, ...]:
        """Every image by itself."""
        made: list[DespeckledImage] = []
        problems: list[ArpentError] = []
        for source in sources:
            try:
                with RadarImage(source, self.settings) as image:
                    made.append(self._one(source, image, self._cleaner(image)))
            except (InputError, InvalidSetting) as problem:
                if not self.several:
                    raise
                problems.append(problem)
                self.run.add_failure(source, problem)
        if not made:
            raise problems[0]
        return tuple(made)

    def together(self, sources: Sequence[str]) -> tuple[DespeckledImage, ...]:
        """All dates, by the mean of their speckle, which waits on the disk between two passes."""
        settings = self.settings
        with ExitStack() as opened:
            dates = [opened.enter_context(RadarImage(source, settings)) for source in sources]
            _check_one_grid(dates)
            self._check_window(dates[0])
            first = dates[0]
            bar = opened.enter_context(
                self.progress.bar(say("despeckle.grain", settings.language), first.grid.window.size, "px")
            )
            grain = opened.enter_context(
                grain_of(
                    self.run.scratch / "grain",
                    [_kept_open(date) for date in dates],
                    len(first.reader.bands),
                    _strips(first),
                    settings.window,
                    bar.advance,
                )
            )
            cleaner = Cleaner(settings.filter, settings.window, grain=grain)
            return tuple(self._one(source, date, cleaner) for source, date in zip(sources, dates, strict=True))

    def _cleaner(self, image: RadarImage) -> Cleaner:
        """The filter of one image, with the looks of each band."""
        settings = self.settings
        looks, given = image.looks, image.told_looks if settings.enl == "auto" else settings.enl
        if given is not None:
            looks = dict.fromkeys(image.looks, given)
        for band, one in looks.items():
            if given is None and one < 1:
                self.run.warn(say("despeckle.textured", settings.language, name=image.name, band=band, looks=one))
        return Cleaner(settings.filter, settings.window, looks, settings.damping)

    def _one(self, source: str, image: RadarImage, cleaner: Cleaner) -> DespeckledImage:
        """Filters an image, publishes what becomes of it, and draws the first one."""
        run, settings = self.run, self.settings
        self._check_window(image)
        if image.guessed and image.units != "linear":
            run.warn(say(f"despeckle.taken_{image.units}", settings.language, name=image.name))
        name = self._name_of(image)
        run.add_input(source)
        detail = None if self.drawn else Detail.of(image.reader.grid)
        with run.timed("filter"), ExitStack() as opened:
            spec = _spec(image, settings, cleaner.tags)
            product = opened.enter_context(CogWriter(run.scratch / f"{name}.tif", spec))
            ratio_spec = _ratio_spec(image, settings, cleaner.tags)
            ratio = (
                opened.enter_context(CogWriter(run.scratch / f"{name}_ratio.tif", ratio_spec))
                if settings.ratio
                else None
            )
            tallies = [CardTally(image.reader.grid.window.size) for _ in image.reader.bands]
            bar = opened.enter_context(self.progress.bar(image.name, image.reader.grid.window.size, "px"))
            below = count = 0
            for piece in read_ahead(partial(cleaner.piece, image), _strips(image), threads=2, ahead=3):
                for tally, before, after in zip(tallies, piece.before, piece.after, strict=True):
                    tally.add(before, after, np.isfinite(after))
                product.write(Strip(piece.row, image.from_power(piece.after, settings.output_units)))
                if ratio is not None:
                    ratio.write(Strip(piece.row, piece.ratio))
                if detail is not None:
                    detail.add(piece.row, piece.before, piece.after)
                below += piece.below
                count += int(np.count_nonzero(np.isfinite(piece.before)))
                bar.advance(piece.before[0].size)
            require_few_below(image.name, below, count, detected=image.guessed)
        if below:
            run.warn(say("despeckle.below", settings.language, name=image.name, count=below))
        cards = dict(zip(image.reader.bands, (tally.card for tally in tallies), strict=True))
        self._publish(image, product)
        if ratio is not None:
            self._publish(image, ratio)
        self._note(name, cards, cleaner.looks)
        if detail is not None:
            self.drawn = True
            title = say("despeckle.title", settings.language, name=name, filter=settings.filter, window=settings.window)
            picture = draw_detail(
                detail, cards[image.reader.bands[0]], run.scratch / "preview.png", title, settings.language
            )
            run.publish(picture, kind="picture")
        path = run.path / f"{name}.tif"
        return DespeckledImage(name, path, run.path / f"{name}_ratio.tif" if ratio else None, cleaner.looks, cards)

    def _check_window(self, image: RadarImage) -> None:
        shape = image.reader.grid.shape
        if self.settings.window > min(shape):
            raise InvalidSetting(
                f"the window is larger than {image.name}",
                found=f"{self.settings.window} × {self.settings.window}",
                expected=f"at most {min(shape)} pixels, as the image has {shape[1]} × {shape[0]}",
                cure="Choose a smaller --window, or a larger image.",
            )

    def _name_of(self, image: RadarImage) -> str:
        """A name that no other product of the run has."""
        name, number = image.name, 1
        while name in self.names:
            number += 1
            name = f"{image.name}-{number}"
        self.names.update({name, f"{name}_ratio"} if self.settings.ratio else {name})
        return name

    def _publish(self, image: RadarImage, writer: CogWriter) -> None:
        day = guessed_day(str(image.reader.source))
        taken = None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)
        facts = {"arpent:filter": self.settings.filter, "arpent:window": self.settings.window}
        publish_map(self.run, writer.path, writer.spec, taken=taken, facts=facts)

    def _note(self, name: str, cards: Mapping[str, SpeckleCard], looks: Mapping[str, float]) -> None:
        prefix = f"{name}/" if self.several else ""
        for band, card in cards.items():
            self.run.add_metrics({f"{prefix}{band}/{key}": value for key, value in vars(card).items()})
            if band in looks:
                self.run.add_metrics({f"{prefix}{band}/looks": looks[band]})


def _kept_open(date: RadarImage) -> Callable[[], AbstractContextManager[RadarImage]]:
    """A date that is open already, and stays so."""
    return lambda: nullcontext(date)


def _strips(image: RadarImage) -> Iterator[Window]:
    """The image from top to bottom, in whole blocks, by which looks are counted."""
    return strips_of(image.grid, len(image.reader.bands), _STRIP_BYTES, LOOKS_BLOCK)


def _spec(image: RadarImage, settings: DespeckleSettings, tags: Mapping[str, str]) -> RasterSpec:
    units = image.units if settings.output_units == "same" else settings.output_units
    return RasterSpec(
        image.reader.grid,
        image.reader.bands,
        "float32",
        math.nan,
        unit=_UNITS[units],
        title=image.name,
        tags=tags,
        compression=settings.compression,
        language=settings.language,
    )


def _ratio_spec(image: RadarImage, settings: DespeckleSettings, tags: Mapping[str, str]) -> RasterSpec:
    return RasterSpec(
        image.reader.grid,
        image.reader.bands,
        "float32",
        math.nan,
        title=f"{image.name}: {say('despeckle.ratio', settings.language)}",
        tags=tags,
        compression=settings.compression,
        language=settings.language,
    )


def _check_one_grid(dates: Sequence[RadarImage]) -> None:
    first = dates[0].reader
    for date in dates[1:]:
        if not first.grid.matches(date.reader.grid) or first.bands != date.reader.bands:
            raise InputError(
                f"{date.name} does not lie on the grid of {dates[0].name} with the same bands",
                found=f"{date.reader.grid.width} × {date.reader.grid.height} pixels, {', '.join(date.reader.bands)}",
                expected=f"{first.grid.width} × {first.grid.height} pixels, {', '.join(first.bands)}",
                cure="Let 'arpent forecast prepare' lay the dates over each other; it knows quegan_yu too.",
            )
