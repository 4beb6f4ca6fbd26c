"""DATASET: a folder of radar series that networks learn from. ``arpent forecast prepare`` writes it.

It holds ``index.csv``, an `arpent.data.SampleIndex` with a row for each image; the images
``PLACE/image_DATE.tif``, float32 linear power, NaN where there is no data, all dates of a place on one grid;
the masks ``PLACE/mask_DATE.tif``, uint8 class numbers; and ``dataset.json``, which says what they are.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from arpent.core import ClassMap, Window, write_file
from arpent.core.formats import Format
from arpent.data import Sample, SampleIndex, Split
from arpent.errors import DatasetError, FileMissing, UnreadableFile

__all__ = ["DATASET_FORMAT", "FACTS", "INDEX", "Dataset", "DatasetFacts", "Frame", "Place"]

DATASET_FORMAT: Final = 1
"""Version of the format that this code writes."""

FACTS = "dataset.json"
"""The file by which a DATASET is known."""
INDEX = "index.csv"


class DatasetFacts(BaseModel):
    """What ``dataset.json`` says.

    Attributes:
        format: version of the format.
        bands: of every image: vv, vh or both, in that order.
        past: dates that a forecast starts from.
        future: dates that it looks ahead.
        patch: pixels on a side of what networks are shown.
        step_days: days between neighbouring dates, the median: what one step ahead means.
        regular: whether all steps are of that length.
        classes: what the numbers of the masks mean; None where there are no masks.
        filter: the speckle filter that the images went through.
        filter_settings: how it was set: ``window``, ``enl`` as asked for, ``damping``, and ``looks`` by band, as used.
        calibrated: whether the numbers are backscatter; otherwise they are squares of whole numbers, full scale as 1.
        orbit: ascending or descending, where the images say so.
        relative_orbit: number of the track, where the images say so.
        product: kind of product: GRD or RTC, where the images say so.
        covariates: columns of the index with a number for each date, such as ``rain`` and ``level``.
        synthetic: whether the images were simulated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = DATASET_FORMAT
    bands: Annotated[tuple[str, ...], Field(min_length=1)]
    past: Annotated[int, Field(ge=1)] = 3
    future: Annotated[int, Field(ge=1)] = 3
    patch: Annotated[int, Field(ge=8)] = 256
    step_days: Annotated[float, Field(gt=0)]
    regular: bool = True
    classes: ClassMap | None = None
    filter: str = "none"
    filter_settings: Mapping[str, Any] = {}
    calibrated: bool = True
    orbit: str | None = None
    relative_orbit: int | None = None
    product: str | None = None
    covariates: tuple[str, ...] = ()
    synthetic: bool = False


@dataclass(frozen=True)
class Frame:
    """One date of a place.

    Attributes:
        date: of acquisition.
        image: path of the GeoTIFF, linear power.
        mask: path of its truth, where there is one.
        covariates: the numbers known of that day; one that is missing is not there.
        split: the side it is on.
    """

    date: dt.date
    image: str
    mask: str | None = None
    covariates: Mapping[str, float] = field(default_factory=dict)
    split: Split | None = None


@dataclass(frozen=True)
class Place:
    """The dates of one piece of ground; where a series is split by blocks, each block is a place.

    Attributes:
        name: the domain, and where the window begins if there is one.
        frames: sorted by date.
        window: the part of the images that is meant; all of it if None.
        sensor: whose images they are.
    """

    name: str
    frames: tuple[Frame, ...]
    window: Window | None = None
    sensor: str = "sentinel-1"

    @property
    def split(self) -> Split | None:
        """The side that all of its dates are on; None where they are on several, because time divides them."""
        sides = {frame.split for frame in self.frames}
        return next(iter(sides)) if len(sides) == 1 else None

    @property
    def days(self) -> tuple[int, ...]:
        """Days since the first date, one number per date."""
        return tuple((frame.date - self.frames[0].date).days for frame in self.frames)


@dataclass(frozen=True)
class Dataset:
    """A DATASET as it lies on the disk.

    Attributes:
        folder: where.
        index: a row per image, or per block of one.
        facts: what ``dataset.json`` says.
    """

    folder: Path
    index: SampleIndex
    facts: DatasetFacts

    @classmethod
    def read(cls, folder: str | Path) -> Dataset:
        """The DATASET in a folder.

        Raises:
            FileMissing: the folder is no DATASET, or lacks files that its index names.
            UnreadableFile: ``dataset.json`` is damaged.
            DatasetError: it was written by a later Arpent, or has a row without date.
        """
        place = Path(folder)
        facts = _facts(place / FACTS)
        index = SampleIndex.from_table(place / INDEX)
        for sample in index:
            if sample.date is None:
                raise DatasetError(
                    f"{place / INDEX} has an image without date", found=sample.image, cure="Fill the column 'date'."
                )
        return cls(place, index, facts)

    @classmethod
    def write(cls, folder: str | Path, index: SampleIndex, facts: DatasetFacts) -> Dataset:
        """Writes ``dataset.json``, and last of all the index; the images are there already."""
        place = Path(folder)
        document = facts.model_dump(mode="json")
        index_path = place / INDEX
        write_file(place / FACTS, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        index.write(index_path)
        return cls(place, index, facts)

    @property
    def past(self) -> int:
        """Dates that a forecast starts from."""
        return self.facts.past

    @property
    def future(self) -> int:
        """Dates that it looks ahead."""
        return self.facts.future

    @property
    def patch(self) -> int:
        """Pixels on a side of what networks are shown."""
        return self.facts.patch

    @property
    def bands(self) -> tuple[str, ...]:
        """Of every image."""
        return self.facts.bands

    @property
    def classes(self) -> ClassMap:
        """What the numbers of the masks mean.

        Raises:
            DatasetError: there are no masks.
        """
        if self.facts.classes is None:
            raise DatasetError(
                f"{self.folder} has no masks to learn from or to be judged by",
                cure="Put masks beside the images, or name them in the table, and prepare the series again.",
            )
        return self.facts.classes

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The places, in the order of their names, each with its dates in order."""
        groups: dict[tuple[str, Window | None], list[Sample]] = defaultdict(list)
        for sample in self.index:
            groups[sample.domain, sample.window].append(sample)
        names = {key: _name(*key) for key in groups}
        return tuple(_place(names[key], groups[key], self.facts) for key in sorted(groups, key=names.__getitem__))

    def of_split(self, split: Split) -> tuple[Place, ...]:
        """The places on one side; of places that time divides, only their dates on it."""
        kept = (_only(place, split) for place in self.places)
        return tuple(place for place in kept if place.frames)


def _name(domain: str, window: Window | None) -> str:
    return domain if window is None else f"{domain}@{window.row},{window.col}"


def _place(name: str, samples: Iterable[Sample], facts: DatasetFacts) -> Place:
    ordered = sorted(samples, key=lambda sample: sample.date or dt.date.min)
    frames = tuple(
        Frame(
            sample.date or dt.date.min,
            sample.image,
            sample.mask,
            {key: float(value) for key in facts.covariates if (value := sample.attributes.get(key)) not in (None, "")},
            sample.split,
        )
        for sample in ordered
    )
    return Place(name, frames, ordered[0].window, ordered[0].sensor)


def _only(place: Place, split: Split) -> Place:
    frames = tuple(frame for frame in place.frames if frame.split == split)
    return Place(place.name, frames, place.window, place.sensor)


def _damaged(path: Path, found: str) -> UnreadableFile:
    return UnreadableFile(f"{path} cannot be read", found=found, cure="Prepare the series again with --force.")


_FORMAT = Format("data set format", DATASET_FORMAT, _damaged, DatasetError)


def _facts(path: Path) -> DatasetFacts:
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FileMissing(
            f"{path.parent} is no data set of radar series: it has no {path.name}",
            cure="Make one with 'arpent forecast prepare'.",
        ) from None
    except (OSError, ValueError, RecursionError) as problem:
        raise _damaged(path, str(problem)) from problem
    if not isinstance(document, dict):
        raise _damaged(path, f"a {type(document).__name__}")
    return _FORMAT.read(DatasetFacts, document, path)
