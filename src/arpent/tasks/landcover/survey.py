"""What a training learns from and is judged by: found, checked, measured, and noted in the run folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arpent.core import ClassMap, LandClass, nomenclature, sensor, write_file
from arpent.data import (
    LabelCounts,
    RandomPatches,
    Sample,
    SampleIndex,
    Statistics,
    check_leak,
    count_labels,
    measure,
    require_fitting_masks,
)
from arpent.data.sample import files_of
from arpent.data.split import sided
from arpent.engine import fingerprint
from arpent.errors import BandMismatch, DatasetError, InvalidSetting
from arpent.io import ImageReader, open_image
from arpent.language import say
from arpent.store import RunFolder, content_of
from arpent.tasks.landcover.losses import class_weights
from arpent.tasks.landcover.settings import TrainSettings

__all__ = ["SAME_SIZE", "Kind", "Samples", "check_test", "measured", "note_inputs", "survey"]

SAME_SIZE = 0.01
"""Share by which pixels may differ in size and still be taken for the same: projections stretch them by less."""


@dataclass(frozen=True)
class Kind:
    """What all images of one sensor have in common.

    Attributes:
        gsd: metres per pixel; None for images of no place.
        dtype: of their pixels.
        nodata: of the first of them.
        absent: bands of the network that they lack.
    """

    gsd: float | None
    dtype: str
    nodata: float | None
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Samples:
    """What a training learns from and what it is judged by.

    Attributes:
        train: to learn from.
        val: to be judged by.
        kinds: of the images, by sensor.
        unseen: the classes that no training pixel shows.
    """

    train: SampleIndex
    val: SampleIndex
    kinds: Mapping[str, Kind]
    unseen: tuple[LandClass, ...] = ()

    def of_sensor(self, name: str) -> Samples:
        """Those of one sensor."""

        def own(side: SampleIndex) -> SampleIndex:
            return SampleIndex([sample for sample in side if sample.sensor == name], side.origin)

        return Samples(own(self.train), own(self.val), {name: self.kinds[name]}, self.unseen)


def survey(settings: TrainSettings, classes: ClassMap | None = None, *, labelled: bool = True) -> Samples:
    """The samples, once it is sure that they can be trained on together.

    Args:
        settings: of the training.
        classes: of the masks; those that the settings name if not given.
        labelled: whether masks are needed; where they are not, images without any may all be on one side.
    """
    index = SampleIndex.read(settings.index)
    if not labelled and not any(sample.mask for sample in index):
        seen = index.of_split("train") if any(sample.split for sample in index) else index
        return Samples(seen, SampleIndex((), index.origin), _kinds_of(seen, (), settings))
    index = sided(index)
    train, val = index.of_split("train"), index.of_split("val")
    check_leak(train, val)
    kinds = _kinds_of(train, val, settings)
    require_fitting_masks((*train, *val), resampled=bool(settings.resample_gsd))
    # Settings that do not go with the images are told here, before a run begins.
    RandomPatches(train, settings.patch, count=1, mix=settings.mix, gsds=settings.resample_gsd)
    unseen = _check_truth(settings, classes or nomenclature(settings.task.classes), train, val)
    return Samples(train, val, kinds, unseen)


def _check_truth(
    settings: TrainSettings, classes: ClassMap, train: SampleIndex, val: SampleIndex
) -> tuple[LandClass, ...]:
    """The classes that training never sees; masks with numbers of no class are refused, all listed with counts."""
    codes = settings.task.codes
    seen, judged = (count_labels(side, classes, codes) for side in (train, val))
    both = dict(seen.unknown)
    for number, count in judged.unknown.items():
        both[number] = both.get(number, 0) + count
    replace(seen, unknown=both).require_known(classes)
    _require_truth(settings, classes, {"training": seen, "validation": judged})
    _require_judge(settings, classes, judged)
    counted = zip(classes.classes, seen.by_class, strict=True)
    return tuple(entry for entry, count in counted if not count and entry.active)


def _require_truth(settings: TrainSettings, classes: ClassMap, sides: Mapping[str, LabelCounts]) -> None:
    """Refuses masks from which nothing can be learnt, and those by which nothing can be judged."""
    learnt = class_weights(classes, settings.task.weights, settings.task.ignore).numpy() > 0
    for side, counts in sides.items():
        if not counts.by_class[learnt].any():
            left_out = int(counts.by_class.sum())
            raise DatasetError(
                f"no {side} pixel has a truth to {'learn from' if side == 'training' else 'be judged by'}",
                found=f"{counts.unlabelled} pixels without data" + (f", {left_out} ignored" if left_out else ""),
                expected=f"classes of {classes.name}",
                cure="Look at these masks and their no-data value, fill the column 'mask', or put other samples there.",
            )


def check_test(settings: TrainSettings, test: SampleIndex) -> None:
    """Refuses test masks that nothing could be judged by once everything is trained.

    Raises:
        DatasetError: they hold numbers of no class, or none of a class at all.
    """
    classes = nomenclature(settings.task.classes)
    counts = count_labels(test, classes, settings.task.codes)
    counts.require_known(classes)
    _require_truth(settings, classes, {"test": counts})


def _require_judge(settings: TrainSettings, classes: ClassMap, judged: LabelCounts) -> None:
    """Refuses to pick the best epoch by a class that validation never shows."""
    figure, names = settings.fit.best.removeprefix("iou/"), classes.labels()
    if figure != settings.fit.best and figure in names and not judged.by_class[names.index(figure)]:
        raise DatasetError(
            f"no validation pixel shows {figure}, by whose IoU the best epoch is to be picked",
            cure="Set 'fit.best' to miou or loss, or put samples that show it on the side 'val'.",
        )


def _kinds_of(train: SampleIndex, val: Iterable[Sample], settings: TrainSettings) -> dict[str, Kind]:
    """The kind of the images of each sensor; one network and one contract stand for all of them."""
    both = SampleIndex((*train, *val), train.origin)
    if len(both.sensors) > 1 and "" in both.sensors:
        raise DatasetError(
            f"some samples of {train.origin} name their sensor, and others do not",
            found=", ".join(name or "no sensor" for name in both.sensors),
            cure="Fill the column 'sensor' for all of them, or for none.",
        )
    unlearnt = sorted(set(both.sensors) - set(train.sensors))
    if unlearnt:
        raise DatasetError(
            f"no training image is of {', '.join(unlearnt)}, which validation images are of",
            found=f"training images of {', '.join(train.sensors)}",
            cure="Put images of each sensor on the training side, or take these out.",
        )
    kinds = {name: _kind_of([sample for sample in both if sample.sensor == name], settings) for name in both.sensors}
    for band in settings.task.bands:
        if all(band in kind.absent for kind in kinds.values()):
            raise BandMismatch(
                f"no image has the band '{band}'",
                expected=", ".join(settings.task.bands),
                cure="Correct 'task.bands', or leave the band out.",
            )
    return kinds


def _kind_of(samples: Sequence[Sample], settings: TrainSettings) -> Kind:
    """The kind of all images of one sensor, which share a set of statistics."""
    bands = settings.task.bands
    absent = _absent_from(samples[0], bands) if settings.missing_bands == "fill" else ()
    there = [band for band in bands if band not in absent]
    if not there:
        raise BandMismatch(
            f"{samples[0].sensor} has none of the bands that are asked for",
            expected=", ".join(bands),
            cure="Correct 'task.bands', or take its images out.",
        )
    first: ImageReader | None = None
    for sample in {sample.image: sample for sample in samples}.values():
        with _open(sample, there) as reader:
            first = first or reader
            _require_alike(first, reader)
    assert first is not None  # a sensor has samples
    return Kind(first.gsd, str(first.dtype), first.nodata, absent)


def _absent_from(sample: Sample, bands: Sequence[str]) -> tuple[str, ...]:
    """The bands that a sensor does not have, by its description, and neither does an image of it."""
    if not sample.sensor:
        return ()  # a name that is merely misspelt could not be told from a band that is not there
    known = sensor(sample.sensor)
    unknown = [name for name in bands if not any(band.answers_to(name) for band in known.bands)]
    return tuple(name for name in unknown if not _has(sample, name))


def _has(sample: Sample, band: str) -> bool:
    try:
        _open(sample, [band]).close()
    except BandMismatch:
        return False
    return True


def _require_alike(first: ImageReader, other: ImageReader) -> None:
    """Refuses two images of one sensor whose pixels are of different types, or differ in size by more than 1 %."""
    if first.dtype != other.dtype:
        found, expected, cure = str(other.dtype), str(first.dtype), "Bring them to one type of pixels"
    elif first.gsd and other.gsd and abs(other.gsd / first.gsd - 1) > SAME_SIZE:
        found, expected, cure = f"{other.gsd:.4g} m", f"{first.gsd:.4g} m", "Resample them to one resolution"
    else:
        return
    raise DatasetError(
        f"the images {other.source} and {first.source} cannot be learnt from together",
        found=found,
        expected=expected,
        cure=f"{cure}, name the sensor of each in the index, or train a model for each kind.",
    )


def note_inputs(
    run: RunFolder,
    settings: TrainSettings,
    samples: Samples,
    *,
    start: Path | None = None,
    beside: SampleIndex | None = None,
) -> None:
    """Records what is read, with its hashes, and warns of classes that cannot be learnt.

    Args:
        run: that reads it.
        settings: of the training.
        samples: to learn from and to be judged by.
        start: bundle of the model that is gone on from.
        beside: further samples that are only judged by.

    Raises:
        InvalidSetting: the run is gone on with, and something of this is not what it was.
    """
    if samples.unseen:
        unseen = ", ".join(entry.label(settings.language) for entry in samples.unseen)
        run.warn(say("landcover.unseen", settings.language, classes=unseen))
    content = [content_of(run.add_input(settings.index, role="index"))]
    for file, role in ((settings.pretrained, "weights"), (settings.statistics, "statistics"), (start, "start")):
        if file:
            content.append(content_of(run.add_input(file, role=role)))
    for file, role in files_of((*samples.train, *samples.val, *(beside or ()))):
        content.append(content_of(run.add_input(file, role=role)))
    _require_same(run, content)


def _require_same(run: RunFolder, content: Sequence[str]) -> None:
    """Refuses to go on with a training whose files have changed since it began."""
    seen = run.scratch / "content.sha256"
    now = fingerprint(content=list(content))
    if seen.exists() and seen.read_text("ascii") != now:
        raise InvalidSetting(
            f"the images, the masks or the model that {run.path} began with have changed since",
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
