"""From images, and masks of what changed between them, to a model bundle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from arpent.core import Band, Contract, Language, Normalisation, Progress, write_file
from arpent.core import sensor as sensor_named
from arpent.data import (
    Batches,
    GridPatches,
    Normaliser,
    RandomPatches,
    SampleIndex,
    check_leak,
    standardisation,
)
from arpent.data.split import sided
from arpent.engine import Epoch, Fit, FitSettings, Processes, Start, Task, fit, train_run
from arpent.errors import BundleInvalid
from arpent.models import Bundle, Planaura, PlanauraChangeSettings, build, load_bundle, save_bundle
from arpent.report import figures
from arpent.store import Place, Run, RunFolder, bundle_in
from arpent.tasks.change.detection import DetectionTask
from arpent.tasks.change.pretraining import PaintingTask
from arpent.tasks.change.samples import FrameBatches, FrameLoader, measured, pairs_in, series_in
from arpent.tasks.change.train_settings import ChangeTrainSettings
from arpent.version import __version__

__all__ = ["train"]

_PLAIN, _WITH_HEAD = "planaura", "planaura-change"


@dataclass(frozen=True)
class _Sides:
    """What a part of the training learns from, and what it is judged by."""

    train: SampleIndex
    val: SampleIndex

    @classmethod
    def of(cls, index: SampleIndex) -> _Sides:
        """As the index says or, where it says nothing, by domain."""
        index = sided(index)
        sides = cls(index.of_split("train"), index.of_split("val"))
        check_leak(sides.train, sides.val)
        return sides


@dataclass(frozen=True)
class _Samples:
    """What there is to learn from.

    Attributes:
        images: to paint; None to learn change alone.
        pairs: with what changed; None to learn to paint alone.
    """

    images: _Sides | None
    pairs: _Sides | None

    @property
    def first(self) -> SampleIndex:
        """The training samples whose statistics count: the pairs, where there are any."""
        sides = self.pairs or self.images
        assert sides is not None  # the settings demand one of them
        return sides.train


@dataclass(frozen=True)
class _Images:
    """What the network must know of the images.

    Attributes:
        normalisation: of the bands.
        bands: names.
        gsd: metres per pixel; None for images of no place.
        dtype: of their pixels.
        nodata: of the first of them.
    """

    normalisation: Normalisation
    bands: tuple[Band, ...]
    gsd: float | None
    dtype: str
    nodata: float | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands."""
        return tuple(band.name for band in self.bands)


def train(settings: ChangeTrainSettings, place: Place, *, progress: Progress | None = None) -> Run:
    """Trains a model and keeps it in a run folder, as the product ``model``.

    With `images` it learns to paint hidden patches; with `pairs` it learns, after that, to tell change. Started in
    several processes (``accelerate launch``), they train together; see `arpent.engine.train_run`.

    Raises:
        DatasetError: samples are missing, on no side of a split, or on two.
        BundleInvalid: the bundle to start from is of another task.
        LossNotFinite: training diverged.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    processes = Processes.joined(settings.fit.device)
    samples = processes.told(lambda: _found(settings))
    start = None if settings.start is None else load_start(settings.start)

    def prepare(run: RunFolder) -> _Images:
        _note_inputs(run, settings, samples)
        with run.timed("statistics"):
            return _looked_at(settings, samples.first, start)

    def learn(images: _Images, folder: Path) -> Fit:
        return _fitted(_Lesson(settings, samples, images, _network(settings, images, start)), folder, place, progress)

    def publish(run: RunFolder, images: _Images, fitted: Fit) -> None:
        _publish(run, _contract(settings, images, fitted), fitted, settings.language)

    return train_run(
        processes, place, "change-train", settings.name, settings, prepare=prepare, fit=learn, publish=publish
    )


def load_start(source: str) -> Bundle:
    """The bundle to go on from.

    Raises:
        BundleInvalid: it is of another task.
    """
    bundle = load_bundle(bundle_in(Path(source), "change"))
    if bundle.contract.architecture not in (_PLAIN, _WITH_HEAD) or bundle.contract.normalisation is None:
        raise BundleInvalid(
            f"{source} cannot be taught change",
            found=f"architecture '{bundle.contract.architecture}'",
            expected=f"'{_PLAIN}' or '{_WITH_HEAD}', with its normalisation",
            cure="Give another bundle, or start from a new network.",
        )
    return bundle


def _found(settings: ChangeTrainSettings) -> _Samples:
    images = None if settings.images is None else _Sides.of(series_in(settings.images, settings.dates))
    pairs = None if settings.pairs is None else _Sides.of(pairs_in(settings.pairs))
    return _Samples(images, pairs)


def _note_inputs(run: RunFolder, settings: ChangeTrainSettings, samples: _Samples) -> None:
    """Records what is read, with its hashes."""
    sides = [side for side in (samples.images, samples.pairs) if side is not None]
    seen = [sample for side in sides for sample in (*side.train, *side.val)]
    for image in dict.fromkeys(image for sample in seen for image in sample.attributes["frames"]):
        run.add_input(image, role="image")
    for truth in dict.fromkeys(sample.mask for sample in seen if sample.mask is not None):
        run.add_input(truth, role="change")
    if settings.start is not None:
        bundle = bundle_in(Path(settings.start))
        run.use_bundle(bundle, begins=True)


def _looked_at(settings: ChangeTrainSettings, index: SampleIndex, start: Bundle | None) -> _Images:
    """What the images are; the normalisation is that of the bundle to go on from, if there is one."""
    names = settings.bands if start is None else start.contract.band_names
    statistics, reader = measured(index, names, settings.hidden)
    rule = standardisation(statistics, f"{settings.name}, training images") if start is None else None
    bands = tuple(Band(name=name) for name in names)
    if start is not None:
        rule, bands = start.contract.normalisation, start.contract.bands
    elif len(index.sensors) == 1 and index.sensors[0]:
        bands = sensor_named(index.sensors[0]).select(names)
    assert rule is not None  # a bundle without one is refused
    return _Images(rule, bands, round(reader.gsd, 6) if reader.gsd else None, str(reader.dtype), reader.nodata)


def _network(settings: ChangeTrainSettings, images: _Images, start: Bundle | None) -> Planaura:
    """The network to train: new, or that of a bundle, with a head if it is to tell change."""
    name = _PLAIN if settings.pairs is None else _WITH_HEAD
    torch.manual_seed(settings.fit.seed)
    if start is None:
        sizes = {"channels": len(images.bands), "frames": settings.dates}
        made = build(name, {**settings.network, **sizes})
    elif start.contract.architecture == name or settings.pairs is None:
        made = start.model
    else:
        head = {key: value for key, value in settings.network.items() if key in _head_settings()}
        made = build(name, {**start.contract.settings, **head})
        made.load_state_dict({**made.state_dict(), **start.model.state_dict()})
    assert isinstance(made, Planaura)
    return made


def _head_settings() -> set[str]:
    """The settings that a network with a head has more than one without."""
    return set(PlanauraChangeSettings.model_fields) - set(PlanauraChangeSettings.__base__.model_fields)  # type: ignore[union-attr]  # it has a base


@dataclass(frozen=True)
class _Lesson:
    """All that a training needs."""

    settings: ChangeTrainSettings
    samples: _Samples
    images: _Images
    network: Planaura

    def parts(self) -> Iterator[tuple[str, Task, _Sides, int, FitSettings]]:
        """The parts of the training in their order: name, task, samples, dates, and how to fit."""
        settings = self.settings
        if self.samples.images is not None:
            yield "paint", PaintingTask(settings, self.network), self.samples.images, settings.dates, settings.pretrain
        if self.samples.pairs is not None:
            yield "tell", DetectionTask(settings, self.network), self.samples.pairs, 2, settings.fit


def _fitted(lesson: _Lesson, folder: Path, place: Place, progress: Progress | None) -> Fit:
    """Every part of the training, one after the other; the last one's outcome, with the plain network as its model."""
    settings, size = lesson.settings, lesson.network.settings.image_size
    done: Fit | None = None
    with FrameLoader(Normaliser(lesson.images.normalisation), lesson.images.names, settings.hidden) as load:
        for name, task, sides, dates, how in lesson.parts():
            seed = how.seed
            plan = RandomPatches(sides.train, size, count=settings.patches, seed=seed)
            learn = Batches(
                plan,
                load,
                batch_size=settings.batch_size,
                seed=seed,
                augment=settings.augment,
                workers=settings.workers,
            )
            judge = Batches(GridPatches(sides.val, size), load, batch_size=settings.batch_size)
            done = fit(
                task,
                FrameBatches(learn, dates),
                FrameBatches(judge, dates),
                how,
                folder / name,
                start=Start(task.build()),
                progress=progress,
                resume=place.resume,
            )
    assert done is not None  # the settings demand one part
    return Fit(lesson.network.eval(), done.best, done.history)


def _contract(settings: ChangeTrainSettings, images: _Images, fitted: Fit) -> Contract:
    network = fitted.model
    assert isinstance(network, Planaura)
    recipe: dict[str, Any] = {
        "settings": settings.model_dump(mode="json"),
        "epoch": fitted.best.number,
        "epochs": len(fitted.history),
    }
    return Contract(
        task="change",
        architecture=_PLAIN if network.head is None else _WITH_HEAD,
        settings=network.settings.model_dump(mode="json"),
        bands=images.bands,
        gsd=images.gsd,
        dtype=images.dtype,
        nodata=images.nodata,
        normalisation=images.normalisation,
        recipe=recipe,
        metrics=dict(fitted.best.validation),
        arpent=__version__,
    )


def _publish(run: RunFolder, contract: Contract, fitted: Fit, language: Language) -> None:
    """The bundle, the history of each part and its curves."""
    run.publish(save_bundle(run.scratch / "model.safetensors", fitted.model, contract), kind="model")
    for folder in sorted((run.scratch / "fit").iterdir()):
        text = (folder / "history.jsonl").read_bytes()
        run.publish(write_file(run.scratch / f"history_{folder.name}.jsonl", text), kind="text")
    history: Sequence[dict[str, Any]] = [_drawn(epoch) for epoch in fitted.history]
    run.publish(figures.curves(history, run.scratch / "curves.png", language=language), kind="picture")
    run.add_metrics({f"validation/{name}": value for name, value in fitted.best.validation.items()})


def _drawn(epoch: Epoch) -> dict[str, Any]:
    """An epoch without its thresholds, which say nothing of how good it was."""
    figures = {name: value for name, value in epoch.validation.items() if not name.endswith("threshold")}
    return asdict(epoch) | {"validation": figures}
