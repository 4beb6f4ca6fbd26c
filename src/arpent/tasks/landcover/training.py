"""From an index of images and masks to a model bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arpent import __version__
from arpent.core import Band, Contract, Normalisation, Progress, Silent, write_file
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
from arpent.engine import Fit, fingerprint, fit
from arpent.errors import DatasetError, InvalidSetting
from arpent.io import ImageReader, open_image
from arpent.models import save_bundle
from arpent.report import figures
from arpent.store import Place, Run, RunFolder, content_of
from arpent.tasks.landcover.settings import TrainSettings
from arpent.tasks.landcover.task import LandcoverTask

__all__ = ["train"]


@dataclass(frozen=True)
class _Sides:
    """The two sides that training sees."""

    train: SampleIndex
    val: SampleIndex


def train(settings: TrainSettings, place: Place, *, progress: Progress | None = None) -> Run:
    """Trains a model and keeps it in a run folder, as the product ``model``.

    Raises:
        DatasetError: samples are missing, on no side of a split, or on two.
        LossNotFinite: training diverged.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    index = SampleIndex.read(settings.index)
    sides = _sides(index)
    task = LandcoverTask(settings.task)
    with place.begin("landcover-train", settings.name, settings.model_dump(mode="json")) as run:
        content = [content_of(run.add_input(settings.index, role="index"))]
        for sample in (*sides.train, *sides.val):
            content.append(content_of(run.add_input(sample.image, role="image")))
            content.append(content_of(run.add_input(sample.mask or "", role="mask")))
        _require_same(run, content)
        with run.timed("statistics"):
            statistics, first = _measured(sides.train, settings.task.bands)
        rule = standardisation(statistics, f"{settings.name}, training images")
        with run.timed("fit"), _loader(rule, task) as load:
            fitted = fit(
                task,
                _training_batches(settings, sides.train, load),
                Batches(GridPatches(sides.val, settings.patch), load, batch_size=settings.batch_size),
                settings.fit,
                run.scratch / "fit",
                progress=progress or Silent(),
                resume=place.resume,
            )
        _publish(run, fitted, _contract(settings, task, rule, first, fitted), run.scratch / "fit")
        run.add_metrics({f"validation/{name}": value for name, value in fitted.best.validation.items()})
        return run.finish()


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


def _sides(index: SampleIndex) -> _Sides:
    """Training and validation samples: as the index says or, where it says nothing, by domain."""
    if not any(sample.split for sample in index):
        if len(index.domains) < 2:
            raise DatasetError(
                f"{index.origin} names neither splits nor at least two domains",
                cure="Fill the column 'split' with train and val, or the column 'domain'.",
            )
        index = split_by_domain(index, {"train": 0.8, "val": 0.2})
    sides = _Sides(index.of_split("train"), index.of_split("val"))
    check_leak(sides.train, sides.val)
    return sides


def _measured(index: SampleIndex, bands: Sequence[str]) -> tuple[Statistics, ImageReader]:
    """Statistics of the training images, and the first of them (closed), which stands for all."""
    statistics: Statistics | None = None
    first: ImageReader | None = None
    for sample in index:
        with _open(sample, bands) as reader:
            statistics = measure(reader, sample.window, into=statistics)
            first = first or reader
    assert statistics is not None and first is not None  # a side of a split is never empty
    return statistics, first


def _open(sample: Sample, bands: Sequence[str]) -> ImageReader:
    return open_image(sample.image, bands=bands, sensor=sample.sensor or None)


def _loader(rule: Normalisation, task: LandcoverTask) -> PatchLoader:
    return PatchLoader(Normaliser(rule), bands=task.config.bands, classes=task.classes)


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
    settings: TrainSettings, task: LandcoverTask, rule: Normalisation, image: ImageReader, fitted: Fit
) -> Contract:
    recipe: dict[str, Any] = {
        "settings": settings.model_dump(mode="json"),
        "epoch": fitted.best.number,
        "epochs": len(fitted.history),
    }
    return Contract(
        task="landcover",
        architecture=settings.task.architecture,
        settings=task.network_settings,
        bands=_bands(settings),
        gsd=round(image.gsd, 6) if image.gsd else None,
        dtype=str(image.dtype),
        nodata=image.nodata,
        normalisation=rule,
        classes=task.classes,
        recipe=recipe,
        metrics=dict(fitted.best.validation),
        arpent=__version__,
    )


def _bands(settings: TrainSettings) -> tuple[Band, ...]:
    """The bands with their wavelengths, where the index names one sensor."""
    sensors = SampleIndex.read(settings.index).sensors
    names = settings.task.bands
    if len(sensors) == 1 and sensors[0]:
        return sensor_named(sensors[0]).select(names)
    return tuple(Band(name=name) for name in names)


def _publish(run: RunFolder, fitted: Fit, contract: Contract, folder: Path) -> None:
    """The bundle, the history and the curves."""
    model = save_bundle(run.scratch / "model.safetensors", fitted.model, contract)
    run.publish(model, kind="model")
    history = [asdict(epoch) for epoch in fitted.history]
    figures.curves(history, run.scratch / "curves.png")
    run.publish(run.scratch / "curves.png", kind="picture")
    kept = write_file(run.scratch / "history.jsonl", (folder / "history.jsonl").read_bytes())
    run.publish(kept, kind="text")
