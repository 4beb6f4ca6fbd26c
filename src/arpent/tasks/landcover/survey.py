"""What a training learns from and is judged by: found, checked, measured, and noted in the run folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from arpent.core import nomenclature, write_file
from arpent.data import Sample, SampleIndex, Statistics, check_leak, count_labels, measure, split_by_domain
from arpent.engine import fingerprint
from arpent.errors import DatasetError, InvalidSetting
from arpent.io import ImageReader, open_image
from arpent.store import RunFolder, content_of
from arpent.tasks.landcover.settings import TrainSettings

__all__ = ["Kind", "Samples", "measured", "note_inputs", "survey"]

_SAME_SIZE = 0.01
"""Share by which pixels may differ in size and still be of one resolution: projections stretch them by less."""


@dataclass(frozen=True)
class Kind:
    """What all images of a training have in common.

    Attributes:
        gsd: metres per pixel; None for images of no place.
        dtype: of their pixels.
        nodata: of the first of them.
    """

    gsd: float | None
    dtype: str
    nodata: float | None


@dataclass(frozen=True)
class Samples:
    """What a training learns from and what it is judged by."""

    train: SampleIndex
    val: SampleIndex
    kind: Kind
    unseen: tuple[str, ...] = ()
    """English names of the classes that no training pixel shows."""


def survey(settings: TrainSettings, *, labelled: bool = True) -> Samples:
    """The samples, once it is sure that they can be trained on together.

    Args:
        settings: of the training.
        labelled: whether masks are needed; where they are not, images without any may all be on one side.
    """
    index = SampleIndex.read(settings.index)
    if not labelled and not any(sample.mask for sample in index):
        seen = index.of_split("train") if any(sample.split for sample in index) else index
        return Samples(seen, SampleIndex((), index.origin), _kind_of(seen, settings.task.bands))
    if not any(sample.split for sample in index):
        if len(index.domains) < 2:
            raise DatasetError(
                f"{index.origin} names neither splits nor at least two domains",
                cure="Fill the column 'split' with train and val, or the column 'domain'.",
            )
        index = split_by_domain(index, {"train": 0.8, "val": 0.2})
    train, val = index.of_split("train"), index.of_split("val")
    check_leak(train, val)
    kind = _kind_of((*train, *val), settings.task.bands)
    return Samples(train, val, kind, _check_truth(settings, train, val))


def _check_truth(settings: TrainSettings, train: SampleIndex, val: SampleIndex) -> tuple[str, ...]:
    """The classes that training never sees; masks with numbers of no class are refused, all listed with counts."""
    classes, codes = nomenclature(settings.task.classes), settings.task.codes
    seen = count_labels(train, classes, codes)
    both = dict(seen.unknown)
    for number, count in count_labels(val, classes, codes).unknown.items():
        both[number] = both.get(number, 0) + count
    replace(seen, unknown=both).require_known(classes)
    return tuple(
        entry.en for entry, count in zip(classes.classes, seen.by_class, strict=True) if not count and entry.active
    )


def _kind_of(samples: Iterable[Sample], bands: Sequence[str]) -> Kind:
    """The kind of all images; one network, one set of statistics and one contract stand for all of them."""
    first: ImageReader | None = None
    for sample in {sample.image: sample for sample in samples}.values():
        with _open(sample, bands) as reader:
            first = first or reader
            _require_alike(first, reader)
    assert first is not None  # a side of a split is never empty
    return Kind(first.gsd, str(first.dtype), first.nodata)


def _require_alike(first: ImageReader, other: ImageReader) -> None:
    """Refuses two images whose pixels are of different types, or differ in size by more than 1 %."""
    if first.dtype != other.dtype:
        found, expected, cure = str(other.dtype), str(first.dtype), "Bring them to one type of pixels"
    elif first.gsd and other.gsd and abs(other.gsd / first.gsd - 1) > _SAME_SIZE:
        found, expected, cure = f"{other.gsd:.4g} m", f"{first.gsd:.4g} m", "Resample them to one resolution"
    else:
        return
    raise DatasetError(
        f"the images {other.source} and {first.source} cannot be learnt from together",
        found=found,
        expected=expected,
        cure=f"{cure}, or train a model for each kind.",
    )


def note_inputs(run: RunFolder, settings: TrainSettings, samples: Samples) -> None:
    """Records what is read, with its hashes, and warns of classes that cannot be learnt."""
    if samples.unseen:
        run.warn(
            f"warning: no training pixel shows {', '.join(samples.unseen)}: the model will not find them; "
            "add samples, or keep only the other classes"
        )
    content = [content_of(run.add_input(settings.index, role="index"))]
    if settings.pretrained:
        content.append(content_of(run.add_input(settings.pretrained, role="weights")))
    for sample in (*samples.train, *samples.val):
        content.append(content_of(run.add_input(sample.image, role="image")))
        if sample.mask:
            content.append(content_of(run.add_input(sample.mask, role="mask")))
    _require_same(run, content)


def _require_same(run: RunFolder, content: Sequence[str]) -> None:
    """Refuses to go on with a training whose images have changed since it began."""
    seen = run.scratch / "content.sha256"
    now = fingerprint(content=list(content))
    if seen.exists() and seen.read_text("ascii") != now:
        raise InvalidSetting(
            f"the images or masks of {run.path} have changed since this training began",
            cure="Bring the old ones back to go on, or start over with --force.",
        )
    write_file(seen, now)


def measured(index: SampleIndex, bands: Sequence[str]) -> Statistics:
    """Statistics of the images."""
    statistics: Statistics | None = None
    for sample in index:
        with _open(sample, bands) as reader:
            statistics = measure(reader, sample.window, into=statistics)
    assert statistics is not None  # a side of a split is never empty
    return statistics


def _open(sample: Sample, bands: Sequence[str]) -> ImageReader:
    return open_image(sample.image, bands=bands, sensor=sample.sensor or None)
