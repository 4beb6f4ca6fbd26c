"""Statistics of a set of images as a file: all of them together, and domain by domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from arpent.core import Progress, Silent, write_file
from arpent.data.sample import Sample
from arpent.data.statistics import Statistics, StatisticsRecord, measure
from arpent.errors import ConfigError, FileMissing, NoValidPixels, UnreadableFile
from arpent.io import open_image

__all__ = ["PERCENTILES", "BandFigures", "MeasuredImages", "measure_images", "read_measures", "read_statistics"]

PERCENTILES = (1, 2, 5, 25, 50, 75, 95, 98, 99)
"""In percent: what a file of statistics tells of each band."""


class BandFigures(BaseModel):
    """One band, for people.

    Attributes:
        valid: pixels.
        mean: of them.
        std: standard deviation of the population.
        low: least value.
        high: greatest value.
        percentiles: values by percent ("98").
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    valid: int
    mean: float
    std: float
    low: float
    high: float
    percentiles: Mapping[str, float]


class MeasuredImages(BaseModel):
    """What ``arpent stats`` writes.

    Attributes:
        format: version of the file.
        images: how many were read.
        bands: figures of all images together, by band.
        all: what they follow from, mergeable.
        domains: the same by domain, where images have one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    images: int
    bands: Mapping[str, BandFigures]
    all: StatisticsRecord
    domains: Mapping[str, StatisticsRecord] = {}

    @property
    def statistics(self) -> Statistics:
        """Of all images together."""
        return Statistics.from_record(self.all)

    def write(self, path: Path) -> Path:
        """Writes the file, whole or not at all."""
        return write_file(path, f"{self.model_dump_json()}\n")


def measure_images(
    samples: Iterable[Sample], bands: Sequence[str] | None = None, *, progress: Progress | None = None
) -> MeasuredImages:
    """Reads a set of images strip by strip; memory does not grow with their size or their number.

    Args:
        samples: images or windows of images; of one type of pixels.
        bands: to be measured; those of the files if not given.
        progress: who is told how far it is.

    Raises:
        NoValidPixels: a band has none in any image.
    """
    # One domain after the other, so that the histograms of one are in memory and not those of all.
    ordered = sorted(samples, key=lambda sample: sample.domain)
    if not ordered:
        raise NoValidPixels("there is no image to take statistics of", cure="Give at least one image.")
    records: dict[str, StatisticsRecord] = {}
    whole: Statistics | None = None
    part: Statistics | None = None
    with (progress or Silent()).bar("measure", len(ordered), "images") as bar:
        for number, sample in enumerate(ordered):
            with open_image(sample.image, bands=bands, sensor=sample.sensor or None) as reader:
                part = measure(reader, sample.window, into=part)
            if number + 1 == len(ordered) or ordered[number + 1].domain != sample.domain:
                if sample.domain:
                    records[sample.domain] = part.to_record()
                whole, part = part if whole is None else whole.merge(part), None
            bar.advance()
    assert whole is not None  # at least one sample was read
    return MeasuredImages(images=len(ordered), bands=_figures(whole), all=whole.to_record(), domains=records)


def _figures(statistics: Statistics) -> dict[str, BandFigures]:
    shares = statistics.percentile(PERCENTILES)
    columns = zip(statistics.count, statistics.mean, statistics.std, statistics.low, statistics.high, strict=True)
    return {
        name: BandFigures(
            valid=int(count),
            mean=float(mean),
            std=float(std),
            low=float(low),
            high=float(high),
            percentiles={str(share): float(value) for share, value in zip(PERCENTILES, shares[:, place], strict=True)},
        )
        for place, (name, (count, mean, std, low, high)) in enumerate(zip(statistics.bands, columns, strict=True))
    }


def read_measures(path: str | Path) -> MeasuredImages:
    """The statistics in a file that ``arpent stats`` wrote.

    Raises:
        FileMissing: there is none.
        UnreadableFile: it is another kind of file, or damaged.
    """
    place = Path(path)
    try:
        return MeasuredImages.model_validate_json(place.read_bytes())
    except FileNotFoundError as missing:
        raise FileMissing(f"there is no file {place}", cure="Make one: arpent stats IMAGES -o stats.json.") from missing
    except (OSError, ValidationError) as problem:
        raise _unreadable(place, problem) from problem


def read_statistics(path: str | Path) -> Statistics:
    """The statistics of all images in a file that ``arpent stats`` wrote."""
    measures = read_measures(path)
    try:
        return measures.statistics
    except ConfigError as problem:
        raise _unreadable(Path(path), problem) from problem


def _unreadable(path: Path, problem: Exception) -> UnreadableFile:
    return UnreadableFile(
        f"{path} holds no statistics",
        found=str(problem).splitlines()[0],
        expected="a file of 'arpent stats'",
        cure="Make it again: arpent stats IMAGES -o stats.json.",
    )
