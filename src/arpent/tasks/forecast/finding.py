"""Which images make a series: found in a folder or a table, each with its date, its place and its mask."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from arpent.core import date_pattern, day_in_name, day_of_text, guessed_day, sensor, sensor_names
from arpent.data import SampleIndex, Split
from arpent.errors import DatasetError, FileMissing, InvalidSetting
from arpent.io.header import read_header
from arpent.language import say
from arpent.tasks.forecast.orbits import Orbit, orbit_of
from arpent.tasks.forecast.prepare_settings import PrepareSettings

__all__ = ["Found", "Sources", "find_series"]

_RASTERS = frozenset({".tif", ".tiff", ".vrt", ".img", ".jp2", ".png", ".jpg", ".jpeg"})
_MASKS = re.compile(r"(?:^|[_-])(?:mask|label|labels|truth|labelhand|gt)(?:[_-]|$)", re.IGNORECASE)
_MASK_FOLDERS = frozenset({"mask", "masks", "label", "labels", "truth", "truths", "msk"})
_IMAGE_FOLDERS = frozenset({"image", "images", "img"})
_OTHERS = re.compile(r"^(?:quality|change|fmask|preview|quicklook)(?:[_-]|$)", re.IGNORECASE)
_DATE_TAGS = ("acquisitiondatetime", "acquisition_datetime", "datetime", "acquisition_date", "date", "sensing_date")
_BAND = re.compile(r"(?:^|[_.-])(VV|VH)(?:[_.-]|$)", re.IGNORECASE)
_INDEX = "index.csv"


@dataclass(frozen=True)
class Found:
    """One date of a place, before it is opened.

    Attributes:
        images: one file, or one per band.
        date: of acquisition.
        place: the domain.
        mask: its truth, where there is one.
        covariates: further numbers of the table.
        split: its side, where the table says so.
        orbit: from where the radar looked.
    """

    images: tuple[str, ...]
    date: dt.date
    place: str
    mask: str | None = None
    covariates: Mapping[str, float] = field(default_factory=dict)
    split: Split | None = None
    orbit: Orbit = field(default_factory=Orbit)

    @property
    def name(self) -> str:
        """Of its first file, for people."""
        return Path(self.images[0]).name


@dataclass(frozen=True)
class Sources:
    """All series that were found.

    Attributes:
        places: the dates of each place in order, by its name.
        notes: what people should know.
    """

    places: Mapping[str, tuple[Found, ...]]
    notes: tuple[str, ...] = ()


def find_series(source: Path, settings: PrepareSettings) -> Sources:
    """The series in a folder, or in a table of images.

    Args:
        source: a folder with images in it, or in one folder per place, or with an ``index.csv``; or a CSV or Parquet
            table with the column ``image`` (``mask``, ``date``, ``domain`` and numbers of each date may stand beside).
        settings: how dates are written.

    Raises:
        FileMissing: nothing is there, or no image.
        InvalidSetting: an image without date.
        DatasetError: two images of one date, or a mask without image.
    """
    if not source.exists():
        raise FileMissing(f"there is no {source}", cure="Name a folder of radar images, or a CSV table of them.")
    table = source / _INDEX if source.is_dir() else source
    found = _from_table(table, settings) if table.is_file() else _from_folder(source, settings)
    groups: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        groups[one.place].append(one)
    notes = [
        say("prepare.sorted", settings.language, place=place)
        for place, dates in groups.items()
        if any(earlier.date > later.date for earlier, later in pairwise(dates))
    ]
    places = {place: _in_order(place, groups[place]) for place in sorted(groups)}
    return Sources(places, tuple(notes))


def _from_table(table: Path, settings: PrepareSettings) -> list[Found]:
    index = SampleIndex.from_table(table)
    radars = {name for name in sensor_names() if sensor(name).bands[0].wavelength is None}
    samples = [sample for sample in index if not sample.sensor or sample.sensor in radars]
    if not samples:
        raise FileMissing(
            f"{table} names no radar image",
            found=", ".join(index.sensors),
            cure="Give images of Sentinel-1, or leave the column 'sensor' empty.",
        )
    found = []
    for sample in samples:
        tags = _tags(sample.image)
        date = sample.date or _date_of(sample.image, tags, settings)
        numbers = {name: number for name, text in sample.attributes.items() if (number := _number(text)) is not None}
        place = sample.domain or _plain_name(table.absolute().parent.name)
        orbit = orbit_of(sample.image, tags | {key: str(text) for key, text in sample.attributes.items()})
        found.append(Found((sample.image,), date, place, sample.mask, numbers, sample.split, orbit))
    return found


def _from_folder(folder: Path, settings: PrepareSettings) -> list[Found]:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.casefold() in _RASTERS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not _OTHERS.match(path.name)
    )
    masks = [path for path in files if _is_mask(path, folder)]
    images = [path for path in files if path not in set(masks)]
    if not images:
        raise FileMissing(
            f"{folder} holds no radar image",
            found=f"{len(masks)} masks" if masks else "no raster",
            expected=f"files ending in {', '.join(sorted(_RASTERS))}",
            cure="Name the folder that holds the dates of a series.",
        )
    found = []
    for path in images:
        tags = _tags(str(path))
        date = _date_of(str(path), tags, settings)
        found.append(Found((str(path),), date, _place_of(path, folder), orbit=orbit_of(str(path), tags)))
    return _with_masks(_joined(found), masks, folder, settings)


def _is_mask(path: Path, folder: Path) -> bool:
    inside = {part.casefold() for part in path.relative_to(folder).parts[:-1]}
    return bool(inside & _MASK_FOLDERS or _MASKS.search(path.stem))


def _place_of(path: Path, folder: Path) -> str:
    """The folder that an image lies in, without those that only tell images from masks."""
    parts = [part for part in path.relative_to(folder).parts[:-1] if part.casefold() not in _MASK_FOLDERS]
    parts = [part for part in parts if part.casefold() not in _IMAGE_FOLDERS]
    return _plain_name("-".join(parts) or folder.absolute().name)


def _plain_name(text: str) -> str:
    """A name that a folder may have everywhere."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.") or "place"


def _joined(found: Sequence[Found]) -> list[Found]:
    """The dates, with the files of one date that hold a band each as one."""
    groups: dict[tuple[str, dt.date, str], list[Found]] = defaultdict(list)
    for one in found:
        stem = Path(one.images[0]).stem
        band = _BAND.search(stem)
        # Without its band, the name is that of the date.
        key = stem[: band.start(1)] + stem[band.end(1) :] if band else stem
        groups[one.place, one.date, key].append(one)
    return [replace(some[0], images=tuple(image for one in some for image in one.images)) for some in groups.values()]


def _with_masks(found: Sequence[Found], masks: Sequence[Path], folder: Path, settings: PrepareSettings) -> list[Found]:
    by_date = {(_place_of(path, folder), _date_of(str(path), _tags(str(path)), settings)): path for path in masks}
    known = {(one.place, one.date) for one in found}
    lonely = sorted(key for key in by_date if key not in known)
    if lonely:
        place, date = lonely[0]
        more = f", and {len(lonely) - 1} more" if len(lonely) > 1 else ""
        raise DatasetError(
            f"there is a mask of {place} on {date} and no image",
            found=f"{by_date[place, date].name}{more}",
            cure="Add the image of that day, or take the mask away.",
        )
    with_masks = []
    for one in found:
        mask = by_date.get((one.place, one.date))
        with_masks.append(one if mask is None else replace(one, mask=str(mask)))
    return with_masks


def _in_order(place: str, found: Iterable[Found]) -> tuple[Found, ...]:
    ordered = tuple(sorted(found, key=lambda one: one.date))
    for one, other in pairwise(ordered):
        if one.date == other.date:
            raise DatasetError(
                f"{place} has two images of {one.date}",
                found=f"{one.name} and {other.name}",
                cure="Keep one of them, or name several places in the column 'domain' or by folders.",
            )
    return ordered


def _tags(path: str) -> dict[str, str]:
    return dict(read_header(path, path).tags)


def _date_of(path: str, tags: Mapping[str, str], settings: PrepareSettings) -> dt.date:
    """The date that the pattern finds in the name; else what the name or the tags say."""
    if settings.date_pattern is not None:
        pattern = date_pattern(settings.date_pattern, "date_pattern")
        date = day_in_name(path, pattern, "date_pattern", ", or give the dates in a table")
    else:
        known = {key.casefold(): str(value) for key, value in tags.items()}
        dates = (day_of_text(known[key].strip()[:10].replace(":", "-")) for key in _DATE_TAGS if key in known)
        date = guessed_day(path) or next((day for day in dates if day is not None), None)
    if date is None:
        raise InvalidSetting(
            f"the date of {Path(path).name} is not known",
            cure=r"Say how names write it, for example --date-pattern '(\d{8})', or give a CSV with the column 'date'.",
        )
    return date


def _number(text: object) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None
