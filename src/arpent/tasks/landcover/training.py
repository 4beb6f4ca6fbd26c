"""From an index of images and masks to a model bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arpent.core import Band, Contract, Normalisation, Progress, write_file
from arpent.core import sensor as sensor_named
from arpent.data import (
    Batches,
    GridPatches,
    Normaliser,
    PatchLoader,
    RandomPatches,
    Sample,
    SampleIndex,
    Statistics,
    check_leak,
    measure,
    split_by_domain,
    standardisation,
)
from arpent.engine import Fit, Processes, fingerprint, fit, train_run
from arpent.errors import DatasetError, InvalidSetting
from arpent.io import ImageReader, open_image
from arpent.models import save_bundle
from arpent.report import figures
from arpent.store import Place, Run, RunFolder, content_of
from arpent.tasks.landcover.settings import TrainSettings
from arpent.tasks.landcover.task import LandcoverTask
from arpent.version import __version__

__all__ = ["train"]

_SAME_SIZE = 0.01
"""Share by which pixels may differ in size and still be of one resolution: projections stretch them by less."""


@dataclass(frozen=True)
class _Kind:
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
class _Samples:
    """What a training learns from and what it is judged by."""

    train: SampleIndex
    val: SampleIndex
    kind: _Kind


def train(settings: TrainSettings, place: Place, *, progress: Progress | None = None) -> Run:
    """Trains a model and keeps it in a run folder, as the product ``model``.

    Started in several processes (``torchrun``), they train together; see `arpent.engine.train_run`.

    Raises:
        DatasetError: samples are missing, on no side of a split, on two, or of different kinds.
        LossNotFinite: training diverged.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    task = LandcoverTask(settings.task)
    processes = Processes.joined(settings.fit.device)
    samples = processes.told(lambda: _surveyed(settings))

    def prepare(run: RunFolder) -> Normalisation:
        _note_inputs(run, settings, samples)
        with run.timed("statistics"):
            statistics = _measured(samples.train, settings.task.bands)
        return standardisation(statistics, f"{settings.name}, training images")

    def learn(rule: Normalisation, folder: Path) -> Fit:
        with PatchLoader(Normaliser(rule), bands=task.config.bands, classes=task.classes) as load:
            return fit(
                task,
                _training_batches(settings, samples.train, load),
                Batches(GridPatches(samples.val, settings.patch), load, batch_size=settings.batch_size),
                settings.fit,
                folder,
                progress=progress,
                resume=place.resume,
            )

    def publish(run: RunFolder, rule: Normalisation, fitted: Fit) -> None:
        _publish(run, fitted, _contract(settings, task, rule, samples, fitted))

    return train_run(
        processes,
        place,
        "landcover-train",
        settings.name,
        settings,
        prepare=prepare,
        fit=learn,
        publish=publish,
    )


def _surveyed(settings: TrainSettings) -> _Samples:
    """The samples, once it is sure that they can be trained on together."""
    index = SampleIndex.read(settings.index)
    if not any(sample.split for sample in index):
        if len(index.domains) < 2:
            raise DatasetError(
                f"{index.origin} names neither splits nor at least two domains",
                cure="Fill the column 'split' with train and val, or the column 'domain'.",
            )
        index = split_by_domain(index, {"train": 0.8, "val": 0.2})
    train, val = index.of_split("train"), index.of_split("val")
    check_leak(train, val)
    return _Samples(train, val, _kind_of((*train, *val), settings.task.bands))


def _kind_of(samples: Sequence[Sample], bands: Sequence[str]) -> _Kind:
    """The kind of all images; one network, one set of statistics and one contract stand for all of them."""
    first: ImageReader | None = None
    for sample in {sample.image: sample for sample in samples}.values():
        with _open(sample, bands) as reader:
            first = first or reader
            _require_alike(first, reader)
    assert first is not None  # a side of a split is never empty
    return _Kind(first.gsd, str(first.dtype), first.nodata)


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


def _note_inputs(run: RunFolder, settings: TrainSettings, samples: _Samples) -> None:
    """Records what is read, with its hashes."""
    content = [content_of(run.add_input(settings.index, role="index"))]
    for sample in (*samples.train, *samples.val):
        content.append(content_of(run.add_input(sample.image, role="image")))
        content.append(content_of(run.add_input(sample.mask or "", role="mask")))
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


def _measured(index: SampleIndex, bands: Sequence[str]) -> Statistics:
    """Statistics of the images."""
    statistics: Statistics | None = None
    for sample in index:
        with _open(sample, bands) as reader:
            statistics = measure(reader, sample.window, into=statistics)
    assert statistics is not None  # a side of a split is never empty
    return statistics


def _open(sample: Sample, bands: Sequence[str]) -> ImageReader:
    return open_image(sample.image, bands=bands, sensor=sample.sensor or None)


def _training_batches(settings: TrainSettings, index: SampleIndex, load: PatchLoader) -> Batches:
    plan = RandomPatches(index, settings.patch, count=settings.patches, seed=settings.fit.seed)
    return Batches(
        plan,
        load,
        batch_size=settings.batch_size,
        seed=settings.fit.seed,
        augment=settings.augment,
        workers=settings.workers,
    )


def _contract(
    settings: TrainSettings, task: LandcoverTask, rule: Normalisation, samples: _Samples, fitted: Fit
) -> Contract:
    recipe: dict[str, Any] = {
        "settings": settings.model_dump(mode="json"),
        "epoch": fitted.best.number,
        "epochs": len(fitted.history),
    }
    kind = samples.kind
    return Contract(
        task="landcover",
        architecture=settings.task.architecture,
        settings=task.network_settings,
        bands=_bands(settings.task.bands, (*samples.train, *samples.val)),
        gsd=round(kind.gsd, 6) if kind.gsd else None,
        dtype=kind.dtype,
        nodata=kind.nodata,
        normalisation=rule,
        classes=task.classes,
        recipe=recipe,
        metrics=dict(fitted.best.validation),
        arpent=__version__,
    )


def _bands(names: Sequence[str], samples: Sequence[Sample]) -> tuple[Band, ...]:
    """The bands with their wavelengths, where all samples are of one sensor."""
    sensors = {sample.sensor for sample in samples}
    only = sensors.pop() if len(sensors) == 1 else ""
    return sensor_named(only).select(names) if only else tuple(Band(name=name) for name in names)


def _publish(run: RunFolder, fitted: Fit, contract: Contract) -> None:
    """The bundle, the curves, the history and the metrics."""
    model = save_bundle(run.scratch / "model.safetensors", fitted.model, contract)
    run.publish(model, kind="model")
    history = [asdict(epoch) for epoch in fitted.history]
    figures.curves(history, run.scratch / "curves.png")
    run.publish(run.scratch / "curves.png", kind="picture")
    lines = write_file(run.scratch / "history.jsonl", "".join(f"{json.dumps(epoch)}\n" for epoch in history))
    run.publish(lines, kind="text")
    run.add_metrics({f"validation/{name}": value for name, value in fitted.best.validation.items()})
