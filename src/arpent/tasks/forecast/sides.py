"""What a training of radar series learns from: its sides, its decibels, and what must be said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from arpent.core import Band, ClassMap, Language, Normalisation, sensor
from arpent.data import (
    Sample,
    SampleIndex,
    Split,
    Statistics,
    count_labels,
    in_decibels,
    split_by_domain,
    standardisation,
)
from arpent.data.sample import files_of
from arpent.errors import DatasetError
from arpent.io import open_image
from arpent.language import say
from arpent.store import RunFolder
from arpent.tasks.forecast.dataset import FACTS, INDEX, Dataset

__all__ = ["bands_of", "decibel_rule", "divided", "masked", "note_dataset", "require_classes", "sided"]

CUTS = {"vv": (-25.0, 0.0), "vh": (-32.0, -5.0)}
"""Decibels that echoes are cut off at: usual for land and water, polarisation by polarisation."""
_ANY = (-35.0, 5.0)
_ROWS = 512
_SHARES: Mapping[Split, float] = {"train": 0.8, "val": 0.2}
"""Of the ground, where the index names no sides."""


def divided(dataset: Dataset) -> Dataset:
    """The data set with each image on a side; where it names none, whole places are shared out.

    Raises:
        DatasetError: it has no masks; or it names no sides and has one place only.
    """
    _ = dataset.classes  # where masks lack, sides are no cure: said before anything else
    index = dataset.index
    if any(sample.split for sample in index):
        index.of_split("train"), index.of_split("val")
        return dataset
    if len(index.domains) < 2:
        raise DatasetError(
            f"{dataset.folder} has one place, and its index names no sides",
            cure="Prepare it again with another place, or fill the column 'split' with train and val.",
        )
    return replace(dataset, index=split_by_domain(index, _SHARES))


def sided(dataset: Dataset) -> Dataset:
    """The data set on the sides that a training of it had, where its index names none; as it is, where none could."""
    unknown = all(sample.split is None for sample in dataset.index)
    several = len(dataset.index.domains) > 1 and dataset.facts.classes is not None
    return divided(dataset) if unknown and several else dataset


def masked(index: SampleIndex) -> SampleIndex:
    """The samples with truth.

    Raises:
        DatasetError: none has any.
    """
    kept = [sample for sample in index if sample.mask]
    if not kept:
        raise DatasetError(
            f"{index.origin} has no mask to learn from",
            cure="Put masks beside the images, or name them in the table, and prepare the series again.",
        )
    return SampleIndex(kept, index.origin)


def require_classes(run: RunFolder, train: SampleIndex, classes: ClassMap, language: Language) -> None:
    """Refuses masks with numbers of no class, and says which classes cannot be learnt since no pixel shows them."""
    seen = count_labels(train, classes)
    seen.require_known(classes)
    unseen = [name for name, count in zip(classes.labels(language), seen.by_class, strict=True) if not count]
    if len(unseen) == len(classes):
        raise DatasetError(f"no mask of {train.origin} holds a class", cure="Check what the masks' numbers mean.")
    if unseen:
        run.warn(say("landcover.unseen", language, classes=", ".join(unseen)))


def decibel_rule(dataset: Dataset, train: Sequence[Sample], name: str) -> Normalisation:
    """Decibels, cut off and brought to mean 0 and deviation 1 by those of the training images.

    Args:
        dataset: whose bands.
        train: the training images.
        name: of the training, which warnings in every language show.
    """
    cuts = tuple(CUTS.get(band.casefold(), _ANY) for band in dataset.bands)
    statistics = Statistics(dataset.bands, "float32")
    for sample in {(one.image, one.window): one for one in train}.values():
        with open_image(sample.image, bands=dataset.bands, sensor=sample.sensor or None) as reader:
            for strip in (sample.window or reader.grid.window).strips(_ROWS):
                raster = reader.read(strip)
                statistics.update(in_decibels(raster.pixels, cuts), raster.valid)
    return standardisation(statistics, name, decibels=cuts)


def bands_of(dataset: Dataset) -> tuple[Band, ...]:
    """The bands as their sensor describes them; of no known sensor their names alone."""
    known = sensor("sentinel-1").bands
    return tuple(next((one for one in known if one.answers_to(name)), Band(name=name)) for name in dataset.bands)


def note_dataset(run: RunFolder, dataset: Dataset) -> None:
    """Records what is read, with its hashes."""
    for name in (FACTS, INDEX):
        run.add_input(dataset.folder / name, role="index")
    for file, role in files_of(dataset.index):
        run.add_input(file, role=role)
