"""What every land-cover training does once its samples are known: batches, the fit, the contract, the products."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from arpent.core import Band, Contract, Language, Normalisation, Normalisations, Progress, SensorContract, write_file
from arpent.core import sensor as sensor_named
from arpent.data import Augment, Batches, GridPatches, PatchLoader, RandomPatches, Sample, SampleIndex, normaliser_of
from arpent.engine import Epoch, Fit, Start, fit
from arpent.models import save_bundle
from arpent.report import figures
from arpent.store import RunFolder
from arpent.tasks.landcover.acquisitions import describer
from arpent.tasks.landcover.settings import TrainSettings
from arpent.tasks.landcover.survey import Kind, Samples
from arpent.tasks.landcover.task import LandcoverTask
from arpent.version import __version__

__all__ = ["bands_of", "bests", "contract_of", "judging_batches", "learn", "publish", "training_batches"]


def learn(
    task: LandcoverTask,
    settings: TrainSettings,
    samples: Samples,
    rule: Normalisations,
    folder: Path,
    *,
    start: Start | None = None,
    progress: Progress | None = None,
    resume: bool = False,
) -> Fit:
    """Trains a task's network on the samples.

    Args:
        task: the network's task.
        settings: of the training.
        samples: to learn from and to be judged by.
        rule: how pixels become network input, for all images or by sensor.
        folder: for checkpoints.
        start: a network to go on from, and what of it is to move; a new one if not given.
        progress: who is told how far it is.
        resume: go on from the checkpoint in `folder`.
    """
    with PatchLoader(
        normaliser_of(rule),
        bands=task.config.bands,
        classes=task.classes,
        codes=task.config.codes,
        describe=describer(task.config.network),
    ) as load:
        return fit(
            task,
            training_batches(settings, samples.train, load, settings.augment),
            judging_batches(settings, samples.val, load),
            settings.fit,
            folder,
            start=start,
            progress=progress,
            resume=resume,
        )


def training_batches(
    settings: TrainSettings, index: SampleIndex, load: PatchLoader, augment: Augment | None = None
) -> Batches:
    """Squares from anywhere in the samples, in another order each epoch."""
    plan = RandomPatches(
        index,
        settings.patch,
        count=settings.patches,
        seed=settings.fit.seed,
        mix=settings.mix,
        gsds=settings.resample_gsd,
    )
    return Batches(
        plan,
        load,
        batch_size=settings.batch_size,
        seed=settings.fit.seed,
        augment=augment,
        workers=settings.workers,
    )


def judging_batches(settings: TrainSettings, index: SampleIndex, load: PatchLoader) -> Batches:
    """Squares side by side that cover the samples."""
    return Batches(GridPatches(index, settings.patch), load, batch_size=settings.batch_size)


def contract_of(
    settings: TrainSettings, task: LandcoverTask, rule: Normalisations, samples: Samples, fitted: Fit
) -> Contract:
    """What the trained network demands of images, and how it came about."""
    recipe: dict[str, Any] = {
        "settings": settings.model_dump(mode="json"),
        "epoch": fitted.best.number,
        "epochs": len(fitted.history),
    }
    return Contract(
        task="landcover",
        architecture=settings.task.architecture,
        settings=task.network_settings,
        bands=bands_of(settings.task.bands, (*samples.train, *samples.val)),
        **_images_of(samples.kinds, rule),
        classes=task.classes,
        recipe=recipe,
        metrics=dict(fitted.best.validation),
        arpent=__version__,
    )


def _images_of(kinds: Mapping[str, Kind], rule: Normalisations) -> dict[str, Any]:
    """What the contract says of images: of all of them, or where they are of several sensors, of each."""

    def facts(kind: Kind, own: Normalisation) -> dict[str, Any]:
        gsd = round(kind.gsd, 6) if kind.gsd else None
        return {"gsd": gsd, "dtype": kind.dtype, "nodata": kind.nodata, "normalisation": own}

    if isinstance(rule, Normalisation):
        (kind,) = kinds.values()
        return facts(kind, rule)
    return {"sensors": {name: SensorContract(**facts(kind, rule[name])) for name, kind in kinds.items()}}


def bands_of(names: Sequence[str], samples: Sequence[Sample]) -> tuple[Band, ...]:
    """The bands as their sensors describe them; of several sensors, each band has the mean of their wavelengths."""
    sensors = [sensor_named(name) for name in sorted({sample.sensor for sample in samples}) if name]
    if len(sensors) == 1 and all(any(band.answers_to(name) for band in sensors[0].bands) for name in names):
        return sensors[0].select(names)
    return tuple(_joined(name, [b for own in sensors for b in own.bands if b.answers_to(name)]) for name in names)


def _joined(name: str, bands: Sequence[Band]) -> Band:
    """One band of the network, from those that sensors have of that name."""
    waves = [band.wavelength for band in bands if band.wavelength is not None]
    common = {band.common for band in bands}
    return Band(
        name=name,
        common=common.pop() if len(common) == 1 else None,
        wavelength=round(sum(waves) / len(waves), 1) if waves else None,
    )


def publish(run: RunFolder, fitted: Fit, contract: Contract, language: Language) -> None:
    """The bundle, the curves, the history and the metrics."""
    model = save_bundle(run.scratch / "model.safetensors", fitted.model, contract)
    run.publish(model, kind="model")
    history = [asdict(epoch) for epoch in fitted.history]
    if history:
        figures.curves(history, run.scratch / "curves.png", language=language)
        run.publish(run.scratch / "curves.png", kind="picture")
    lines = write_file(run.scratch / "history.jsonl", "".join(f"{json.dumps(epoch)}\n" for epoch in history))
    run.publish(lines, kind="text")
    run.add_metrics({f"validation/{name}": value for name, value in fitted.best.validation.items()})
    total = sum(parameter.numel() for parameter in fitted.model.parameters())
    run.add_metrics({"parameters/trained": total, "parameters/total": total})
    run.add_metrics({"epoch": fitted.best.number, "epochs": len(history)})
    for name, epoch in bests(fitted.history).items():
        told = {key: epoch.validation[key] for key in ("loss", "miou") if key in epoch.validation}
        run.add_metrics({f"best_by_{name}/{key}": value for key, value in ({"epoch": epoch.number} | told).items()})


def bests(history: Sequence[Epoch]) -> Mapping[str, Epoch]:
    """The best epoch by validation loss and the best by mIoU; the two often disagree, so that both are told."""
    found: dict[str, Epoch] = {}
    for name, sign in (("loss", -1.0), ("miou", 1.0)):
        judged = [epoch for epoch in history if math.isfinite(epoch.validation.get(name, math.nan))]
        if judged:
            found[name] = max(judged, key=lambda epoch: sign * epoch.validation[name])
    return found
