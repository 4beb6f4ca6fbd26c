"""Which image belongs to which truth: the index of a data set."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import overload

from arpent.data.sample import SPLITS, Sample, Split
from arpent.data.tables import read_rows, row_of_sample, sample_of_row, write_rows
from arpent.errors import DatasetError, EmptySplit, FileMissing

__all__ = ["SampleIndex"]

_IMAGES = {".tif", ".tiff", ".vrt", ".jp2", ".png", ".jpg", ".jpeg"}
_IMAGE_FOLDERS = {"img", "image", "images"}
_MASK_FOLDERS = {"msk", "mask", "masks", "label", "labels"}
_PREFIX = re.compile(r"^(?:img|msk|image|mask|label)[_-]", re.IGNORECASE)
_SHOWN = 5  # bad rows and missing files that an error lists before it says how many more there are


class SampleIndex:
    """An ordered set of samples.

    Args:
        samples: in the order in which grids and reports go through them.
        origin: where they come from, for messages.
    """

    def __init__(self, samples: Iterable[Sample], origin: str = "the index") -> None:
        self.samples = tuple(samples)
        self.origin = origin

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    @overload
    def __getitem__(self, key: int) -> Sample: ...

    @overload
    def __getitem__(self, key: slice) -> SampleIndex: ...

    def __getitem__(self, key: int | slice) -> Sample | SampleIndex:
        chosen = self.samples[key]
        return SampleIndex(chosen, self.origin) if isinstance(chosen, tuple) else chosen

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains, sorted."""
        return tuple(sorted({sample.domain for sample in self}))

    @property
    def sensors(self) -> tuple[str, ...]:
        """The sensors, sorted."""
        return tuple(sorted({sample.sensor for sample in self}))

    def of_split(self, split: Split) -> SampleIndex:
        """The samples on one side; an error if there are none."""
        chosen = [sample for sample in self if sample.split == split]
        if not chosen:
            counts = {side: sum(sample.split == side for sample in self) for side in (*SPLITS, None)}
            told = [f"{side or 'none'} {count}" for side, count in counts.items() if side or count]
            raise EmptySplit(
                f"{self.origin} has no sample on the side '{split}'",
                found=", ".join(told),
                cure="Fill the column 'split' with train, val and test, or split by domain or by block.",
            )
        return SampleIndex(chosen, f"{self.origin} ({split})")

    def with_splits(self, sides: Iterable[Split | None]) -> SampleIndex:
        """The same samples on other sides, given in order."""
        return SampleIndex((replace(s, split=side) for s, side in zip(self, sides, strict=True)), self.origin)

    @classmethod
    def read(cls, path: str | Path, *, check_files: bool = True) -> SampleIndex:
        """The index at `path`: a CSV or Parquet table, or a folder of image and mask pairs."""
        place = Path(path)
        if place.is_dir():
            return cls.from_folders(place)
        return cls.from_table(place, check_files=check_files)

    @classmethod
    def from_table(cls, path: str | Path, *, check_files: bool = True) -> SampleIndex:
        """Reads a CSV or Parquet table with a row for each sample.

        Columns: ``image`` is required; ``mask``, ``name``, ``domain``, ``sensor``, ``date`` (2021-07-14), ``split``
        and the window ``row``, ``col``, ``height``, ``width`` (pixels) have a meaning; all others become attributes.
        Paths are relative to the table's folder.
        """
        place = Path(path)
        rows, samples, problems = read_rows(place), [], []
        for number, row in enumerate(rows, start=2 if place.suffix.lower() == ".csv" else 1):
            try:
                samples.append(sample_of_row(row, place.parent))
            except ValueError as problem:
                problems.append(f"row {number}: {problem}")
        if problems:
            raise DatasetError(
                f"{place.name} has {len(problems)} bad row{'s' if len(problems) > 1 else ''}",
                found=_first_of(problems),
                cure="Correct these rows.",
            )
        index = cls(_uniquely_named(samples), place.name)
        if not samples:
            raise DatasetError(f"{place.name} has no rows", cure="Add a row for each image.")
        if check_files:
            index.check_files()
        return index

    @classmethod
    def from_folders(cls, images: str | Path, masks: str | Path | None = None) -> SampleIndex:
        """Pairs images and masks by their place in folders.

        Images lie in folders called ``img`` (or ``images``), masks in ``msk`` (``masks``, ``labels``) beside them, and
        have the same stem but for a prefix such as ``IMG_`` and ``MSK_``: FLAIR's layout
        ``D004_2021/Z1_NN/img/IMG_000001.tif`` is one case. The first folder below the root names the domain.

        Args:
            images: the root.
            masks: another root that holds the masks in the same tree; `images` if not given.
        """
        root, mask_root = Path(images), Path(masks or images)
        found = _files_in(root, _IMAGE_FOLDERS)
        if not found:
            raise DatasetError(
                f"{root} has no image in a folder called img",
                expected="img/NAME.tif and msk/NAME.tif, at any depth",
                cure="Name the folders so, or give a CSV index.",
            )
        truths = _files_in(mask_root, _MASK_FOLDERS)
        lonely = sorted(set(found) ^ set(truths)) if truths else []
        if lonely:
            kinds = [f"{key} ({'image' if key in found else 'mask'} alone)" for key in lonely]
            raise DatasetError(
                f"{len(lonely)} file{'s' if len(lonely) > 1 else ''} of {root} have no partner",
                found=_first_of(kinds),
                cure="Add the missing files, or give a CSV index of the pairs to use.",
            )
        samples = []
        for key, image in sorted(found.items()):
            mask = str(truths[key]) if truths else None
            domain = key.split("/")[0] if "/" in key else ""
            samples.append(Sample(str(image), mask, domain=domain))
        return cls(_uniquely_named(samples), root.name)

    def check_files(self) -> None:
        """Raises an error that lists images and masks which are not there. Addresses are not looked at."""
        paths = dict.fromkeys(path for sample in self for path in (sample.image, sample.mask) if path)
        missing = [path for path in paths if "://" not in path and not os.path.exists(path)]  # noqa: PTH110 - no path is too long for it
        if missing:
            raise FileMissing(
                f"{len(missing)} of the {len(paths)} files of {self.origin} are not there",
                found=_first_of(missing),
                cure="Paths are relative to the index: correct them, or move the index.",
            )

    def write(self, path: str | Path) -> Path:
        """Writes the index as CSV or Parquet, with paths relative to it where they lie below its folder."""
        place = Path(path)
        return write_rows(place, [row_of_sample(sample, place.parent) for sample in self])


def _files_in(root: Path, folders: set[str]) -> dict[str, Path]:
    """Image files below folders of these names, by their place in the tree without that folder and the prefix."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in _IMAGES and path.parent.name.casefold() in folders:
            place = path.parent.parent.relative_to(root)
            found[(place / _PREFIX.sub("", path.stem)).as_posix()] = path
    return found


def _uniquely_named(samples: list[Sample]) -> Iterator[Sample]:
    """The samples, with longer names where two have the same."""
    seen = Counter(sample.name for sample in samples)
    for number, sample in enumerate(samples):
        if seen[sample.name] == 1:
            yield sample
            continue
        place = PurePosixPath(sample.image).parent.parent.name
        longer = f"{place}/{sample.name}" if place else sample.name
        yield replace(sample, name=f"{longer}#{number}")


def _first_of(entries: list[str]) -> str:
    more = len(entries) - _SHOWN
    return "; ".join(entries[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
