"""From series with masks to a bundle that forecasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from arpent.core import Contract, Normalisation, Progress
from arpent.data import Augment, Batches, GridPatches, Normaliser, Patch, RandomPatches, SampleIndex
from arpent.engine import Fit, Processes, choose_device, fit, inputs_of, train_run
from arpent.errors import ContractMismatch, FileMissing, UnknownName
from arpent.language import say
from arpent.metrics import believed, calibrate
from arpent.models import Bundle, Forecast, Forecaster, ForecasterSettings, load_bundle, tile_needs
from arpent.store import Place, Run, RunFolder, bundle_in, runs_under
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.embedding import forecaster_on, require_segmentation
from arpent.tasks.forecast.features import Features, make_features
from arpent.tasks.forecast.forecasting import CovariateScale, ForecastTask, OnFeatures
from arpent.tasks.forecast.grain import warn_of_filter
from arpent.tasks.forecast.outcome import image_facts, publish_fit, whole_patch
from arpent.tasks.forecast.segmentation_task import network_of
from arpent.tasks.forecast.sequences import SequenceLoader, Source, sequences_of
from arpent.tasks.forecast.sides import bands_of, decibel_rule, divided, note_dataset, require_classes
from arpent.tasks.forecast.train_settings import ForecastSettings, SegmentationSettings
from arpent.version import __version__

__all__ = ["latest_segmentation", "train_forecast"]

_JUDGED = 200_000
"""Pixels per horizon on which beliefs and temperatures are found."""


@dataclass(frozen=True)
class _Lesson:
    """All that a training needs.

    Attributes:
        settings: of the training.
        dataset: with its sides.
        network: settings of the network.
        segmentation: the bundle built on; None for a joint training from nothing.
        train, val: forecasts to learn from, and to be judged by.
    """

    settings: ForecastSettings
    dataset: Dataset
    network: ForecasterSettings
    segmentation: Bundle | None
    train: SampleIndex
    val: SampleIndex

    def task(self) -> ForecastTask:
        """As the engine knows it."""
        return ForecastTask(self.settings, self.network, self.dataset.classes, self._covariates(), self._started())

    def _started(self) -> Forecaster | None:
        """A network with the segmentation network of the bundle; its head is not learnt yet."""
        return None if self.segmentation is None else forecaster_on(self.segmentation, self.network)

    def _covariates(self) -> CovariateScale:
        frames = [frame for place in self.dataset.of_split("train") for frame in place.frames]
        return CovariateScale(
            {name: [frame.covariates.get(name, np.nan) for frame in frames] for name in self.network.covariates}
        )


def train_forecast(settings: ForecastSettings, place: Place, *, progress: Progress | None = None) -> Run:
    """Trains a network to carry series on, and keeps it in a run folder, as the product ``model``.

    Built on a segmentation model, of which each date is shown once; or, as a joint training, with it.

    Raises:
        DatasetError: masks or dates are missing.
        FileMissing: there is no segmentation model to build on.
        BundleInvalid, ContractMismatch: it is none, or does not fit the data set.
        LossNotFinite: training diverged.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    processes = Processes.joined(settings.device)
    lesson = processes.told(lambda: _lesson(settings, place))

    def prepare(run: RunFolder) -> Normalisation:
        _note(run, lesson)
        if lesson.segmentation is not None and lesson.segmentation.contract.normalisation is not None:
            return lesson.segmentation.contract.normalisation
        with run.timed("statistics"):
            return decibel_rule(lesson.dataset, lesson.train.samples, settings.name)

    def learn(rule: Normalisation, folder: Path) -> Fit:
        return _fitted(lesson, rule, folder, place, progress)

    def publish(run: RunFolder, rule: Normalisation, fitted: Fit) -> None:
        publish_fit(run, fitted, _contract(lesson, rule, fitted), settings.language)

    return train_run(
        processes, place, "forecast-train", settings.name, settings, prepare=prepare, fit=learn, publish=publish
    )


def _lesson(settings: ForecastSettings, place: Place) -> _Lesson:
    dataset = divided(Dataset.read(settings.dataset))
    known = dataset.facts.covariates
    covariates = known if settings.covariates is None else settings.covariates
    for name in covariates:
        if name not in known:
            raise UnknownName.among(name, known, "covariate of the data set")
    bundle = None
    if settings.segmentation or not settings.joint:
        bundle = _segmentation(settings, dataset, place)
    if bundle is None:
        architecture, network = network_of(settings.encoder, SegmentationSettings().widths)
    else:
        architecture, own = bundle.contract.architecture, bundle.contract.settings
        network = {key: value for key, value in own.items() if key not in ("channels", "classes")}
    sizes = ForecasterSettings(
        channels=len(dataset.bands),
        classes=len(dataset.classes),
        architecture="unet" if architecture == "unet" else "smp-unet",
        network=network,
        past=dataset.past,
        future=dataset.future,
        head=settings.head,
        hidden=settings.hidden,
        layers=settings.layers,
        cell=settings.cell,
        width=settings.width,
        step=dataset.facts.step_days,
        covariates=covariates,
        ahead=tuple(name for name in settings.ahead if name in covariates),
    )
    sides = [sequences_of(dataset, sizes, side) for side in ("train", "val")]
    return _Lesson(settings, dataset, sizes, bundle, *sides)


def _segmentation(settings: ForecastSettings, dataset: Dataset, place: Place) -> Bundle:
    """The segmentation model that is named, or the last one that was trained on the same data set."""
    source = Path(settings.segmentation) if settings.segmentation else latest_segmentation(dataset, place)
    bundle = load_bundle(bundle_in(source, "forecast"))
    contract = require_segmentation(bundle, str(source))
    assert contract.classes is not None  # required
    reasons = contract.differences(dataset.bands, None, "float32")
    if contract.band_names != dataset.bands and not reasons:
        reasons = [f"its bands are {', '.join(contract.band_names)}"]
    if contract.classes.ids.tolist() != dataset.classes.ids.tolist():
        reasons.append(f"its classes are {', '.join(contract.classes.labels())}")
    if reasons:
        raise ContractMismatch(
            f"{source} does not fit {dataset.folder}: {'; '.join(reasons)}",
            cure="Train a segmentation model on this data set.",
        )
    if not settings.segmentation and place.tell is not None:
        place.tell(say("forecast_train.segmentation_taken", settings.language, path=str(source)))
    return bundle


def latest_segmentation(dataset: Dataset, place: Place) -> Path:
    """The last finished segmentation of this data set among the runs beside the new one.

    Raises:
        FileMissing: there is none.
    """
    folders = dict.fromkeys([place.root, *([place.exact.parent] if place.exact else [])])
    found: list[Run] = []
    for folder in folders:
        try:
            entries = runs_under(folder)
        except FileMissing:
            continue
        runs = [entry.run for entry in entries if entry.run is not None]
        found += [run for run in runs if run.manifest.task == "forecast-segmentation" and _is_of(run, dataset)]
    if not found:
        raise FileMissing(
            f"no segmentation model of {dataset.folder} is in {' or '.join(map(str, folders))}",
            cure="Run 'arpent forecast train-segmentation' first, or name a model; a forecast needs none with --joint.",
        )
    return max(found, key=lambda run: run.manifest.finished).path


def _is_of(run: Run, dataset: Dataset) -> bool:
    return Path(str(run.manifest.settings.get("dataset", ""))).absolute() == dataset.folder.absolute()


def _note(run: RunFolder, lesson: _Lesson) -> None:
    """Records what is read, and says which classes cannot be learnt."""
    note_dataset(run, lesson.dataset)
    train = SampleIndex([one for one in lesson.dataset.index.of_split("train") if one.mask])
    require_classes(run, train, lesson.dataset.classes, lesson.settings.language)
    if lesson.settings.segmentation:
        file = bundle_in(Path(lesson.settings.segmentation), "forecast")
        run.use_bundle(file, begins=True)
    if lesson.segmentation is not None:
        warn_of_filter(run, lesson.dataset.facts, lesson.segmentation.contract, lesson.settings.language)


def _fitted(lesson: _Lesson, rule: Normalisation, folder: Path, place: Place, progress: Progress | None) -> Fit:
    """The whole network, trained, with its beliefs and temperatures."""
    settings, task = lesson.settings, lesson.task()
    made = None
    if not settings.joint:
        assert lesson.segmentation is not None  # looked for before
        segmentation, images = lesson.segmentation, list(dict.fromkeys(_images(lesson)))

        def make() -> Features:
            return make_features(
                segmentation,
                task.whole(),
                images,
                folder / "features",
                device=settings.device,
                precision=settings.precision,
                progress=progress,
            )

        # One process writes them; the others find them there, or make their own on a machine without that folder.
        made = Processes.joined(settings.device).alone(make) or make()
    # Scores and features that are made already can be turned, and not be made lighter or darker.
    augment = settings.augment if settings.joint else Augment(geometry=settings.augment.geometry)
    source = Source(Normaliser(rule), lesson.dataset.bands, made)
    stride = tile_needs("forecaster", lesson.network).stride
    side = whole_patch(settings.patch or lesson.dataset.patch, stride)
    with SequenceLoader(source, lesson.network, lesson.dataset.classes) as load:
        train = Batches(
            RandomPatches(lesson.train, side, count=settings.patches, seed=settings.seed),
            load,
            batch_size=settings.batch_size,
            seed=settings.seed,
            augment=_Varied(augment, settings.forget),
            workers=settings.workers,
        )
        val = Batches(GridPatches(lesson.val, side), load, batch_size=settings.batch_size)
        done = fit(task, train, val, settings.fit(), folder, progress=progress, resume=place.resume)
        model = done.model
        if isinstance(model, OnFeatures):
            whole = task.whole()
            whole.head.load_state_dict(model.head.state_dict())
        else:
            assert isinstance(model, Forecaster)
            whole = model
        if settings.calibrate:
            _calibrate(whole, model, val, settings.device)
    return Fit(whole.eval(), done.best, done.history)


def _images(lesson: _Lesson) -> Iterator[str]:
    """The past dates of all forecasts."""
    past = lesson.network.past
    for sample in (*lesson.train, *lesson.val):
        issue = sample.attributes["issue"]
        for frame in issue.place.frames[issue.at - past + 1 : issue.at + 1]:
            yield frame.image


@dataclass(frozen=True)
class _Varied:
    """How a training series is varied: as a square is, and sometimes it comes without its covariates."""

    augment: Augment
    forget: float

    def __call__(self, patch: Patch, rng: np.random.Generator) -> Patch:
        forgotten = rng.random() < self.forget
        if forgotten and patch.metadata is not None:
            told = patch.metadata.copy()
            told[:, 1:] = np.nan
            patch = replace(patch, metadata=told)
        return self.augment(patch, rng)


def _calibrate(whole: Forecaster, model: torch.nn.Module, val: Batches, device: str) -> None:
    """Sets the beliefs and the temperatures of the network to those that suit the validation set."""
    here = choose_device(device)
    model.to(here).eval()
    stays: list[NDArray[np.float32]] = []
    moves: list[NDArray[np.float32]] = []
    truths: list[NDArray[np.int64]] = []
    share = max(1, val.steps())
    with torch.inference_mode():
        for number, batch in enumerate(val.epoch(0)):
            out: Forecast = model(*(tensor.to(here) for tensor in inputs_of(batch)))
            picked = _picked(batch["target"][:, 1:], max(1, _JUDGED // share), number)
            # Pixels as samples: (n, classes), (n, future, classes) and (n, future).
            stays.append(out.kept.permute(0, 2, 3, 1).flatten(0, 2).cpu()[picked].float().numpy())
            change = (out.masks - out.kept.unsqueeze(1)).permute(0, 3, 4, 1, 2).flatten(0, 2)
            moves.append(change.cpu()[picked].float().numpy())
            truths.append(batch["target"][:, 1:].permute(0, 2, 3, 1).flatten(0, 2)[picked].numpy())
    model.to("cpu")
    kept, changes, truth = np.concatenate(stays), np.concatenate(moves), np.concatenate(truths)
    beliefs = believed(kept, changes, truth)
    heat = calibrate(kept[:, None] + beliefs[:, None] * changes, truth)
    for name, found in (("beliefs", beliefs), ("temperatures", heat)):
        whole.head.get_buffer(name).copy_(torch.as_tensor(found, dtype=torch.float32))


def _picked(target: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """Numbers of pixels of a batch, some of those with a truth at any horizon."""
    known = torch.nonzero((target >= 0).any(1).flatten()).flatten()
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))
    return known[order[:count]]


def _contract(lesson: _Lesson, rule: Normalisation, fitted: Fit) -> Contract:
    assert isinstance(fitted.model, Forecaster)
    settings = lesson.settings
    heads = {name: fitted.model.head.get_buffer(name).tolist() for name in ("beliefs", "temperatures")}
    recipe: Mapping[str, Any] = {
        "settings": settings.model_dump(mode="json"),
        "filter": lesson.dataset.facts.filter,
        "filter_settings": dict(lesson.dataset.facts.filter_settings),
        **{name: [round(value, 4) for value in values] for name, values in heads.items()},
        "epoch": fitted.best.number,
        "epochs": len(fitted.history),
    }
    return Contract(
        task="forecast",
        architecture="forecaster",
        settings=lesson.network.model_dump(mode="json"),
        bands=bands_of(lesson.dataset),
        **image_facts(lesson.dataset),
        normalisation=rule,
        classes=lesson.dataset.classes,
        recipe=recipe,
        metrics=dict(fitted.best.validation),
        arpent=__version__,
    )
