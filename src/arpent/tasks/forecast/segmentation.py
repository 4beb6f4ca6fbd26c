"""From the dates of a data set and their masks to a bundle that segments single dates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arpent.core import Contract, Normalisation, Progress
from arpent.data import Batches, GridPatches, Normaliser, PatchLoader, RandomPatches, SampleIndex
from arpent.engine import Fit, Processes, fit, train_run
from arpent.models import tile_needs
from arpent.store import Place, Run, RunFolder
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.outcome import image_facts, publish_fit, whole_patch
from arpent.tasks.forecast.segmentation_task import SegmentationTask
from arpent.tasks.forecast.sides import bands_of, decibel_rule, divided, masked, note_dataset, require_classes
from arpent.tasks.forecast.train_settings import SegmentationSettings
from arpent.version import __version__

__all__ = ["train_segmentation"]


@dataclass(frozen=True)
class _Samples:
    """What is learnt from, and what judges."""

    dataset: Dataset
    train: SampleIndex
    val: SampleIndex


def train_segmentation(settings: SegmentationSettings, place: Place, *, progress: Progress | None = None) -> Run:
    """Trains a network to segment single dates, and keeps it in a run folder, as the product ``model``.

    Raises:
        DatasetError: masks are missing, hold numbers of no class, or no side can be found.
        LossNotFinite: training diverged.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    processes = Processes.joined(settings.device)
    samples = processes.told(lambda: _samples(settings))
    dataset = samples.dataset
    task = SegmentationTask(settings, len(dataset.bands), dataset.classes, settings.language)

    def prepare(run: RunFolder) -> Normalisation:
        note_dataset(run, dataset)
        require_classes(run, samples.train, dataset.classes, settings.language)
        with run.timed("statistics"):
            return decibel_rule(dataset, samples.train.samples, settings.name)

    def learn(rule: Normalisation, folder: Path) -> Fit:
        return _fitted(task, samples, rule, folder, place, progress)

    def publish(run: RunFolder, rule: Normalisation, fitted: Fit) -> None:
        publish_fit(run, fitted, _contract(task, dataset, rule, fitted), settings.language)

    return train_run(
        processes,
        place,
        "forecast-segmentation",
        settings.name,
        settings,
        prepare=prepare,
        fit=learn,
        publish=publish,
    )


def _samples(settings: SegmentationSettings) -> _Samples:
    dataset = divided(Dataset.read(settings.dataset))
    _ = dataset.classes  # a data set without classes is told before anything else
    index = masked(dataset.index)
    return _Samples(dataset, index.of_split("train"), index.of_split("val"))


def _fitted(
    task: SegmentationTask,
    samples: _Samples,
    rule: Normalisation,
    folder: Path,
    place: Place,
    progress: Progress | None,
) -> Fit:
    settings = task.config
    stride = tile_needs(task.architecture, task.network_settings).stride
    side = whole_patch(settings.patch or samples.dataset.patch, stride)
    with PatchLoader(Normaliser(rule), bands=samples.dataset.bands, classes=task.classes) as load:
        train = Batches(
            RandomPatches(samples.train, side, count=settings.patches, seed=settings.seed),
            load,
            batch_size=settings.batch_size,
            seed=settings.seed,
            augment=settings.augment,
            workers=settings.workers,
        )
        val = Batches(GridPatches(samples.val, side), load, batch_size=settings.batch_size)
        return fit(task, train, val, settings.fit(), folder, progress=progress, resume=place.resume)


def _contract(task: SegmentationTask, dataset: Dataset, rule: Normalisation, fitted: Fit) -> Contract:
    recipe: dict[str, Any] = {
        "settings": task.config.model_dump(mode="json"),
        "filter": dataset.facts.filter,
        "filter_settings": dict(dataset.facts.filter_settings),
        "epoch": fitted.best.number,
        "epochs": len(fitted.history),
    }
    return Contract(
        task="forecast",
        architecture=task.architecture,
        settings=task.network_settings,
        bands=bands_of(dataset),
        **image_facts(dataset),
        normalisation=rule,
        classes=task.classes,
        recipe=recipe,
        metrics=dict(fitted.best.validation),
        arpent=__version__,
    )
