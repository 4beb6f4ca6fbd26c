"""From a folder or a table of radar images to a DATASET: aligned, in linear power, without speckle, on their sides."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from arpent.core import ClassMap, nomenclature, remove_leftovers, writing
from arpent.core.progress import Progress, Silent
from arpent.core.writing import publish_folder, require_room
from arpent.data import Sample, SampleIndex
from arpent.errors import ArpentError, Interrupted
from arpent.language import say
from arpent.store.lock import RunLock
from arpent.tasks.forecast.contact import draw_contact_sheet
from arpent.tasks.forecast.dataset import FACTS, Dataset, DatasetFacts
from arpent.tasks.forecast.dividing import divide
from arpent.tasks.forecast.finding import find_series
from arpent.tasks.forecast.looks import Looks, looks_of
from arpent.tasks.forecast.orbits import only
from arpent.tasks.forecast.prepare_settings import PrepareSettings
from arpent.tasks.forecast.prepared_dates import below_in, writer_of
from arpent.tasks.forecast.survey import Surveyed, survey
from arpent.tasks.forecast.telling import together

__all__ = ["Prepared", "prepare"]


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
        RunExists: something is there, and may not be replaced, or holds the images.
        DatasetError: too few dates, two images of a date, a mask without image, mixed orbits, a mask without classes.
        InvalidSetting: images without date, or units that are not those declared.
        NoValidPixels: a date without any data.
        InputError: images that cannot be read or laid over one another.
    """
    place = Path(folder).absolute()
    require_room(place, FACTS, force=force)  # told before all images are looked at
    sources = find_series(Path(source), settings)
    found = (one for dates in sources.places.values() for one in dates)
    require_room(place, FACTS, force=force, read=(file for one in found for file in (*one.images, one.mask) if file))
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
        publish_folder(partial, place)
    except ArpentError as problem:
        if not isinstance(problem, Interrupted):
            shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        lock.release()
    notes = (*sources.notes, *(note for one in places for note in one.notes), *notes)
    told = together(notes, [one.name for one in places], settings.language)
    return Prepared(Dataset.read(place), places, Path(folder) / dataset.name, told)  # as the user has named it


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
            with writer_of(home, one, looks.by_band, classes, settings) as writer:
                for found in one.dates:
                    bar.note(f"{one.name} {found.date}")
                    samples.append(writer.sample(found))
                    bar.advance()
            wanted |= {Path(path) for sample in samples for path in (sample.image, sample.mask) if path}
    _sweep(folder, wanted)
    divided = divide(SampleIndex(samples, "the series"), settings)
    dataset = Dataset.write(folder, divided.index, _facts(places, samples, classes, looks, settings))
    preview = draw_contact_sheet(dataset, folder / "preview.png", settings.language)
    told = (looks.told(settings),) if looks.by_band else ()
    below = [note for one in places if (note := _below_told(one, samples, settings))]
    return preview, (*below, *_notes(places, settings), *told, divided.note)


def _below_told(place: Surveyed, samples: Sequence[Sample], settings: PrepareSettings) -> str | None:
    """How many values of a place are no data because they are below 0."""
    counts = [(count, one) for one in samples if one.domain == place.name and (count := below_in(Path(one.image)))]
    if not counts:
        return None
    named = next(found.name for found in place.dates if found.date == counts[0][1].date)
    total = sum(count for count, _ in counts)
    words = {"place": place.name, "count": total, "dates": len(counts), "name": named}
    return say("prepare.below", settings.language, **words)


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
        orbit=only(orbit.direction for orbit in orbits),
        relative_orbit=only(orbit.relative for orbit in orbits),
        product=only(orbit.product for orbit in orbits),
        covariates=tuple(sorted({name for sample in samples for name in sample.attributes})),
        synthetic=all(one.synthetic for one in places),
    )


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
