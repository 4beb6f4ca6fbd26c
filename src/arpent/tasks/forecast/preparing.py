"""From a folder or a table of radar images to a DATASET: aligned, in linear power, without speckle, on their sides."""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Strip, nomenclature, remove_leftovers, writing
from arpent.core.progress import Bar, Progress, Silent
from arpent.data import Sample, SampleIndex
from arpent.errors import ArpentError, DatasetError, Interrupted, NoValidPixels, RunExists
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.io.header import read_header
from arpent.language import say
from arpent.store.lock import RunLock
from arpent.tasks.forecast.contact import draw_contact_sheet
from arpent.tasks.forecast.dataset import Dataset, DatasetFacts
from arpent.tasks.forecast.dividing import divide
from arpent.tasks.forecast.filtering import Cleaner, cleaner_of
from arpent.tasks.forecast.finding import Found, find_series
from arpent.tasks.forecast.looks import Looks, looks_of
from arpent.tasks.forecast.power import FrameReader
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.survey import Surveyed, survey

__all__ = ["Prepared", "prepare"]

Value = TypeVar("Value")

_MARK = "ARPENT_PREPARED"
_OF_NO_PIXEL = {"past", "future", "patch", "split", "seed", "language"}
_ROWS = 1024  # of a mask that are read at once


@dataclass(frozen=True)
class Prepared:
    """A DATASET that is ready, and what is to be said of it.

    Attributes:
        dataset: as it lies on the disk.
        places: what was found of each place.
        preview: the contact sheet of all dates.
        notes: what people should know.
    """

    dataset: Dataset
    places: tuple[Surveyed, ...]
    preview: Path
    notes: tuple[str, ...]


def prepare(
    source: str | Path,
    folder: str | Path,
    settings: PrepareSettings,
    *,
    looks: Mapping[str, float] | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Makes a DATASET of radar series.

    All is written into a folder beside it, which gets its name at the very end. What a killed attempt has finished
    there is not done again.

    Args:
        source: a folder or a table of images, see `find_series`.
        folder: of the DATASET.
        settings: how.
        looks: equivalent number of looks by band that a model's training images were filtered by; these are then
            filtered by them too.
        force: whether a DATASET that is there may be replaced.
        progress: told about each image.

    Raises:
        RunExists: something is there, and `force` is not set.
        DatasetError: too few dates, two images of a date, a mask without image, mixed orbits, a mask without classes.
        InvalidSetting: images without date, or units that are not those declared.
        NoValidPixels: a date without any data.
        InputError: images that cannot be read or laid over one another.
    """
    place = Path(folder).absolute()
    if place.exists() and not force:
        raise RunExists(f"{folder} is there already", cure="Choose another folder, or replace it with --force.")
    sources = find_series(Path(source), settings)
    places = survey(sources, settings)
    speckle = looks_of(places, settings, looks or {})
    partial = place.with_name(f".{place.name}.partial")
    with writing(partial):
        partial.mkdir(parents=True, exist_ok=True)
    lock = RunLock(partial / ".lock")
    lock.acquire()
    try:
        dataset, notes = _fill(partial, places, speckle, settings, progress or Silent())
        with writing(place):
            (partial / ".lock").unlink(missing_ok=True)
            if place.exists():
                shutil.rmtree(place)
            partial.replace(place)
    except ArpentError as problem:
        if not isinstance(problem, Interrupted):
            shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        lock.release()
    notes = (*sources.notes, *(note for one in places for note in one.notes), *notes)
    return Prepared(Dataset.read(place), places, place / dataset.name, tuple(dict.fromkeys(notes)))


def _fill(
    folder: Path, places: Sequence[Surveyed], looks: Looks, settings: PrepareSettings, progress: Progress
) -> tuple[Path, tuple[str, ...]]:
    """Writes all that belongs to the DATASET; gives its preview, and what people should know."""
    classes = nomenclature(settings.classes)
    samples: list[Sample] = []
    wanted: set[Path] = set()
    total = sum(len(one.dates) for one in places)
    with progress.bar("prepare", total, "images") as bar:
        for one in places:
            home = folder / one.name
            with writing(home):
                home.mkdir(exist_ok=True)
            remove_leftovers(home)
            with cleaner_of(one, looks.by_band, settings, home) as cleaner:
                for found in one.dates:
                    bar.note(f"{one.name} {found.date}")
                    samples.append(_sample(home, found, one, cleaner, classes, bar))
            wanted |= {Path(path) for sample in samples for path in (sample.image, sample.mask) if path}
    _sweep(folder, wanted)
    divided = divide(SampleIndex(samples, "the series"), settings)
    dataset = Dataset.write(folder, divided.index, _facts(places, samples, classes, looks, settings))
    preview = draw_contact_sheet(dataset, folder / "preview.png", settings.language)
    told = (looks.told(settings),) if looks.by_band else ()
    return preview, (*_notes(places, settings), *told, divided.note)


def _sample(home: Path, found: Found, place: Surveyed, cleaner: Cleaner, classes: ClassMap, bar: Bar) -> Sample:
    """Writes one date, with its mask, unless it is there."""
    image = home / f"image_{found.date}.tif"
    mark = _mark_of(found, place, cleaner)
    if _mark_in(image) != mark:
        _write_image(image, found, place, cleaner, mark)
    mask = None
    if found.mask is not None:
        mask = home / f"mask_{found.date}.tif"
        if _mark_in(mask) != mark:
            _write_mask(mask, found, place, classes, cleaner.settings, mark)
    bar.advance()
    return Sample(
        str(image),
        None if mask is None else str(mask),
        name=f"{place.name}_{found.date}",
        domain=place.name,
        sensor="sentinel-1",
        date=found.date,
        split=found.split,
        attributes=dict(found.covariates),
    )


def _mark_of(found: Found, place: Surveyed, cleaner: Cleaner) -> str:
    """What the pixels of a date depend on, as a hash: equal marks, equal pixels."""
    every = place.dates if cleaner.settings.filter == "quegan_yu" else (place.dates[0], found)
    files = [path for one in every for path in (*one.images, one.mask or "") if path]
    stats = [(path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns) for path in files if Path(path).exists()]
    settings = cleaner.settings.model_dump(mode="json", exclude=_OF_NO_PIXEL)
    return hashlib.sha256(
        json.dumps([settings, cleaner.bands, dict(cleaner.looks), stats], default=str).encode()
    ).hexdigest()


def _mark_in(path: Path) -> str | None:
    return read_header(str(path), path.name).tags.get(_MARK) if path.exists() else None


def _write_image(path: Path, found: Found, place: Surveyed, cleaner: Cleaner, mark: str) -> None:
    spec = RasterSpec(
        place.grid,
        tuple(band.upper() for band in cleaner.bands),
        "float32",
        np.nan,
        unit="linear power",
        title=f"{place.name} {found.date}",
        tags=_tags(found, mark) | cleaner.tags,
        compression="zstd",
    )
    known = False
    with FrameReader(found, cleaner.settings, place.grid) as reader, CogWriter(path, spec) as writer:
        for strip in cleaner.strips(reader):
            known |= bool((np.asarray(strip.values, np.float32) > reader.darkest).any())
            writer.write(strip)
        if not known:
            raise NoValidPixels(
                f"{found.name} has no data where the first date of {place.name} has its own",
                found=f"nothing on {found.date}",
                cure="Take the image out of the series, or correct its no-data value.",
            )


def _tags(found: Found, mark: str) -> dict[str, str]:
    tags = {"ACQUISITIONDATETIME": f"{found.date}T00:00:00Z", "SENSOR": "sentinel-1", _MARK: mark}
    orbit = found.orbit
    if orbit.direction:
        tags["ORBIT_DIRECTION"] = orbit.direction
    if orbit.relative is not None:
        tags["RELATIVE_ORBIT"] = str(orbit.relative)
    if orbit.product:
        tags["PRODUCT_TYPE"] = orbit.product
    return tags


def _write_mask(
    path: Path, found: Found, place: Surveyed, classes: ClassMap, settings: PrepareSettings, mark: str
) -> None:
    assert found.mask is not None
    codes = _codes_of(found.mask, classes, settings)
    ids = np.full(257, classes.nodata, np.uint8)
    index = classes.index_of_code(codes)
    ids[:256] = np.where(index >= 0, classes.ids[index], classes.nodata)
    tags = _tags(found, mark)
    spec = RasterSpec(place.grid, ("class",), "uint8", classes.nodata, classes, "mode", title="Truth", tags=tags)
    seen: set[int] = set()
    known = False
    # Where neither names its place, pixels must coincide; a picture's bounds are those of its mask.
    with open_image(found.mask) as own:
        straight = own.grid.crs is None and own.grid.shape == place.grid.shape
    grid = None if straight else place.grid
    with open_image(found.mask, grid=grid, resampling="nearest") as reader, CogWriter(path, spec) as writer:
        for window in place.grid.window.strips(_ROWS):
            raster = reader.read(window)
            numbers = _numbers(raster.pixels[0], raster.valid)
            seen |= set(np.unique(numbers).tolist())
            strip = ids[numbers]
            known |= bool((strip != classes.nodata).any())
            writer.write(Strip(window.row, strip[None]))
        if not known:
            raise DatasetError(
                f"{Path(found.mask).name} has no class of the nomenclature '{classes.name}'",
                found=f"numbers {', '.join(map(str, sorted(seen - {256})[:8])) or 'of no data alone'}",
                expected=f"{', '.join(map(str, classes.ids))}, or the numbers of {', '.join(classes.code_lists)}",
                cure="Say what its numbers are with --mask-codes, or choose another nomenclature with "
                "'arpent forecast prepare --classes'.",
            )


def _numbers(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Class numbers, 256 where there is none."""
    values = np.nan_to_num(pixels.astype(np.float64), nan=-1.0)
    fits = valid & (values >= 0) & (values < 256) & (values == np.rint(values))
    return np.where(fits, values, 256).astype(np.int64)


def _codes_of(mask: str, classes: ClassMap, settings: PrepareSettings) -> str:
    """The list that the numbers of a mask are from: the one asked for, or the one that the file names."""
    if settings.mask_codes is not None:
        return "" if settings.mask_codes == classes.name else settings.mask_codes
    named = read_header(mask, mask).tags.get("NOMENCLATURE", "")
    return named if named in classes.code_lists else ""


def _sweep(folder: Path, wanted: set[Path]) -> None:
    """Removes what an earlier attempt with other settings has left."""
    for path in folder.rglob("*.tif"):
        if path not in wanted:
            path.unlink()
            Path(f"{path}.aux.xml").unlink(missing_ok=True)


def _facts(
    places: Sequence[Surveyed], samples: Sequence[Sample], classes: ClassMap, looks: Looks, settings: PrepareSettings
) -> DatasetFacts:
    steps = [step for one in places for step in one.steps]
    kept: dict[str, Any] = {"window": settings.window, "enl": settings.enl, "damping": settings.damping}
    kept |= {"looks": dict(looks.by_band)} if looks.by_band else {}
    orbits = [one.orbit for one in places]
    return DatasetFacts(
        bands=places[0].bands,
        past=settings.past,
        future=settings.future,
        patch=settings.patch,
        step_days=float(statistics.median(steps)) if steps else 1.0,
        regular=len(set(steps)) <= 1,
        classes=classes if any(sample.mask for sample in samples) else None,
        filter=settings.filter,
        filter_settings={} if settings.filter == "none" else kept,
        calibrated=all(one.calibrated for one in places),
        orbit=_only({orbit.direction for orbit in orbits}),
        relative_orbit=_only({orbit.relative for orbit in orbits}),
        product=_only({orbit.product for orbit in orbits}),
        covariates=tuple(sorted({name for sample in samples for name in sample.attributes})),
        synthetic=all(one.synthetic for one in places),
    )


def _only(values: set[Value]) -> Value | None:
    return next(iter(values)) if len(values) == 1 else None


def _notes(places: Sequence[Surveyed], settings: PrepareSettings) -> list[str]:
    """Dates and steps of each place, and what is unusual about them."""
    language, notes = settings.language, []
    for one in places:
        first, last, count = one.dates[0].date, one.dates[-1].date, len(one.dates)
        if len(set(one.steps)) <= 1:
            key, odd = "prepare.regular", ""
        else:
            usual = statistics.mode(one.steps)
            pairs = [(early.date, step) for (early, _), step in zip(pairwise(one.dates), one.steps, strict=True)]
            far = [say("prepare.gap", language, days=step, date=day) for day, step in pairs if step != usual]
            key, odd = "prepare.irregular", ", ".join(far[:4]) + (" …" if len(far) > 4 else "")
        days = statistics.mode(one.steps) if one.steps else 0
        notes.append(say(key, language, place=one.name, dates=count, first=first, last=last, days=days, odd=odd))
        if len(one.dates) < settings.past + settings.future:
            needed = settings.past + settings.future
            notes.append(say("prepare.short", language, place=one.name, dates=count, needed=needed))
        if min(one.grid.shape) < settings.patch:
            notes.append(say("prepare.padded", language, place=one.name, patch=settings.patch))
    return notes
