"""From a DATASET to a bundle that gives labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from torch import nn

from arpent.core import Contract, Progress
from arpent.engine import Fit, Processes, Start, Tuning, fit, publish_history, train_run
from arpent.errors import DatasetError
from arpent.models import Labeller, LabellingHead, save_bundle
from arpent.store import Place, Run, RunFolder
from arpent.tasks.classify.beginning import Begun, Given, begin, given_branches, heads_of, learnt_from, looked
from arpent.tasks.classify.calibrating import temper
from arpent.tasks.classify.dataset import Dataset
from arpent.tasks.classify.learning import LabelTask
from arpent.tasks.classify.lessons import Lessons, Shown
from arpent.tasks.classify.train_settings import ClassifyTrainSettings, Way
from arpent.tasks.classify.ways import Trained, train_way
from arpent.version import __version__

__all__ = ["train_labeller"]

_BOTH: Final = 2


def train_labeller(
    settings: ClassifyTrainSettings,
    place: Place,
    *,
    start: Sequence[str] = (),
    progress: Progress | None = None,
) -> Run:
    """Trains a model that gives labels, and keeps it in a run folder, as the product ``model``.

    A fusion is built on two branches, which stay as they are: those of `start`, or branches that learn first.

    Args:
        settings: of the training.
        place: where the run goes.
        start: bundles, or runs that trained them, of an image branch, a text branch, or both.
        progress: who is told how far it is.

    Raises:
        DatasetError, UnreadableFile: the DATASET and its pictures.
        WeightsMissing, WeightsMismatch: weights of an encoder.
        BundleInvalid, ContractMismatch: a bundle of `start` is none, or is for other labels.
        LossNotFinite: training diverged.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    processes = Processes.joined(settings.device)
    dataset = processes.told(lambda: Dataset.read(settings.dataset, hide=settings.mask_labels))
    _require_judgeable(settings, dataset)
    given = given_branches(start, dataset, settings)
    training = _Training(settings, dataset, given, progress, place.resume)

    def prepare(run: RunFolder) -> None:
        run.add_input(settings.dataset, role="dataset")
        for one in given.values():
            run.add_input(one.source, role="branch")
        for caution in dataset.cautions(settings.language):
            run.warn(caution)

    def learn(_: None, folder: Path) -> Fit:
        return training.fitted(folder)

    def publish(run: RunFolder, _: None, fitted: Fit) -> None:
        run.publish(
            save_bundle(run.scratch / "model.safetensors", fitted.model, training.contract(fitted)), kind="model"
        )
        publish_history(run, fitted, settings.language)

    return train_run(
        processes, place, "classify-train", settings.name, settings, prepare=prepare, fit=learn, publish=publish
    )


class _Training:
    """The parts of one call of `train_labeller`."""

    def __init__(
        self,
        settings: ClassifyTrainSettings,
        dataset: Dataset,
        given: Given,
        progress: Progress | None,
        resume: bool,
    ) -> None:
        self._settings, self._dataset, self._given = settings, dataset, given
        self._progress, self._resume = progress, resume
        self._begun: Begun | None = None

    def fitted(self, folder: Path) -> Fit:
        """The whole network, trained; of a fusion with the figures of its own lesson."""
        settings = self._settings
        begun = begin(settings, self._dataset, given=self._given, progress=self._progress)
        if settings.branch == "text":
            return self._whole(begun, self._learnt(begun, "text", folder))
        if settings.branch == "image":
            begun, fitted = self._seeing(begun, folder)
            self._begun = begun
            return fitted
        branches = dict(heads_of(self._given))
        if "image" not in branches:
            begun, fitted = self._seeing(begun, folder / "image")
            assert isinstance(fitted.model, Labeller)
            branches["image"] = fitted.model.head
        if "text" not in branches:
            branches["text"] = self._learnt(begun, "text", folder / "text").head
        trained = train_way(
            begun.lesson, settings.fusion, folder, branches=branches, progress=self._progress, resume=self._resume
        )
        return self._whole(begun, trained)

    def _learnt(self, begun: Begun, way: Way, folder: Path) -> Trained:
        return train_way(begun.lesson, way, folder, progress=self._progress, resume=self._resume)

    def _seeing(self, begun: Begun, folder: Path) -> tuple[Begun, Fit]:
        """The image branch: its head first, then the last blocks of the encoder with it, if that is asked for."""
        fitted = self._whole(begun, self._learnt(begun, "image", folder))
        if not self._settings.unfreeze:
            return begun, fitted
        deeper = self._deepened(begun, fitted, folder / "blocks")
        assert isinstance(deeper.model, Labeller)
        assert begun.eye is not None
        assert deeper.model.encoder is not None
        seen = replace(begun, eye=replace(begun.eye, encoder=deeper.model.encoder))
        if self._settings.branch == "fusion":
            seen = looked(seen, progress=self._progress)
        self._begun = seen
        return seen, deeper

    def _deepened(self, begun: Begun, fitted: Fit, folder: Path) -> Fit:
        """The whole network of the image branch, trained on pictures: head and last blocks move, the rest does not."""
        settings, lesson = self._settings, begun.lesson
        model = fitted.model
        assert isinstance(model, Labeller)
        assert model.encoder is not None
        factors = {
            "encoder": 0.0,
            **dict.fromkeys((f"encoder.{name}" for name in last_blocks(model.encoder, settings.unfreeze)), 1.0),
        }
        shown = Shown(squares=begun.squares)
        learnt = Lessons(
            lesson.pictures("train", "image"),
            shown,
            settings.batch_size,
            seed=settings.seed,
            times=1,
            workers=settings.workers,
        )
        judged = Lessons(lesson.pictures("val", "image"), shown, settings.batch_size, workers=settings.workers)
        task = LabelTask(settings, lambda: model)
        done = fit(
            task,
            learnt,
            judged,
            settings.fit_blocks(),
            folder,
            start=Start(model, Tuning(factors)),
            progress=self._progress,
            resume=self._resume,
        )
        assert isinstance(done.model, Labeller)
        assert begun.eye is not None
        again = looked(replace(begun, eye=replace(begun.eye, encoder=done.model.encoder or nn.Identity())))
        temper(done.model.head, Lessons(lesson.pictures("val", "image"), again.lesson.shown("image")), settings)
        return done

    def _whole(self, begun: Begun, trained: Trained) -> Fit:
        """Encoder and head in one network."""
        self._begun = begun
        whole = Labeller(begun.lesson.network(trained.way))
        if whole.encoder is not None and begun.eye is not None:
            whole.encoder.load_state_dict(begun.eye.encoder.state_dict())
        whole.head.load_state_dict(trained.head.state_dict())
        return Fit(whole.eval(), trained.fitted.best, trained.fitted.history)

    def contract(self, fitted: Fit) -> Contract:
        """What the bundle says."""
        model, settings, facts = fitted.model, self._settings, self._dataset.facts
        assert isinstance(model, Labeller)
        assert self._begun is not None  # it is trained
        eye, looks = self._begun.eye, model.encoder is not None
        recipe: dict[str, Any] = {
            "settings": settings.model_dump(mode="json"),
            "labels": list(self._dataset.labels),
            "thresholds": _rounded(model.head, "thresholds")[_BOTH],
            "temperatures": _rounded(model.head, "temperatures"),
            "vocabulary": self._begun.lesson.coder.document() if model.settings.text is not None else None,
            "masked": facts.masked,
            "caption_language": facts.caption_language,
            "labels_from": facts.labels_from,
            "learnt_from": learnt_from(self._dataset),
            "leaks": facts.leaks,
            "cautions": {language: list(self._dataset.cautions(language)) for language in ("en", "fr")},
            "encoder": eye.origin if eye is not None and looks else None,
            "sensor": settings.sensor,
            "epoch": fitted.best.number,
            "epochs": len(fitted.history),
        }
        return Contract(
            task="classify",
            architecture="labeller",
            settings=model.settings.model_dump(mode="json"),
            bands=eye.bands if eye is not None and looks else (),
            dtype="uint8"
            if eye is not None and looks and self._begun.squares is not None and self._begun.squares.colours
            else None,
            normalisation=eye.rule if eye is not None and looks else None,
            recipe=recipe,
            metrics=dict(fitted.best.validation),
            licence=eye.licence if eye is not None and looks else None,
            arpent=__version__,
        )


def _require_judgeable(settings: ClassifyTrainSettings, dataset: Dataset) -> None:
    """Refuses to pick an epoch by a ranking of pictures of which none bears any label."""
    if settings.best == "map" and not dataset.truth(dataset.of_split("val")).any():
        raise DatasetError(
            f"no picture in the split 'val' of {dataset.folder} bears a label, so mAP cannot pick the best epoch",
            cure="Give more pictures, or say --best loss.",
        )


def last_blocks(encoder: nn.Module, count: int) -> tuple[str, ...]:
    """Names of the last blocks of an encoder, and of the layers behind them.

    A block is a part of one of its sequences ("blocks.6", "layer4.1"); layers that stand by themselves before the first
    sequence never learn along, unless more blocks are asked for than there are.
    """
    names: list[str] = []
    blocks = 0
    for name, child in reversed(list(encoder.named_children())):
        parts = [f"{name}.{own}" for own, _ in child.named_children()] if isinstance(child, nn.Sequential) else []
        for part in reversed(parts):
            names.append(part)
            blocks += 1
            if blocks == count:
                return tuple(reversed(names))
        if not parts and next(child.parameters(), None) is not None:
            names.append(name)
    return tuple(reversed(names))


def _rounded(head: LabellingHead, buffer: str) -> Any:  # noqa: ANN401 - nested lists of numbers
    return head.get_buffer(buffer).double().round(decimals=4).tolist()
