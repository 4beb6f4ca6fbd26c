"""One way to give labels, learnt: what looks at pictures, what reads captions, or what fuses the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arpent.core import Progress
from arpent.engine import Fit, Start, Tuning, fit
from arpent.errors import EmptySplit
from arpent.language import Vocabulary, labels_named
from arpent.models import (
    FusionName,
    ImageBranchSettings,
    LabellerSettings,
    LabellingHead,
    TextBranchSettings,
)
from arpent.models.text_branch import open_transformer
from arpent.tasks.classify.answering import chances_of
from arpent.tasks.classify.calibrating import temper
from arpent.tasks.classify.codes import Coder
from arpent.tasks.classify.dataset import Dataset, Picture
from arpent.tasks.classify.features import Features
from arpent.tasks.classify.learning import LabelTask
from arpent.tasks.classify.lessons import Lessons, Shown
from arpent.tasks.classify.train_settings import BranchName, ClassifyTrainSettings, Way

__all__ = ["Branches", "Lesson", "Trained", "names_of", "train_way"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Branches = Mapping[Literal["image", "text"], LabellingHead]
"""Branches that have learnt, by name."""

_TIMES: Final = 2
"""How often a picture comes in an epoch of a lesson that looks at it: another part, and with another caption."""

_READINGS: Final = 5
"""How often a picture comes in an epoch of a lesson that reads captions alone: each of five once, or one five times."""


@dataclass(frozen=True)
class Lesson:
    """What all ways to give labels learn from.

    Attributes:
        settings: of the training.
        dataset: pictures, captions, labels.
        image: settings of the image branch.
        text: settings of the text branch.
        coder: of captions.
        features: of all pictures, where any branch looks at them.
    """

    settings: ClassifyTrainSettings
    dataset: Dataset
    image: ImageBranchSettings
    text: TextBranchSettings
    coder: Coder
    features: Features | None = None

    def network(self, way: Way) -> LabellerSettings:
        """The settings of a network for a way."""
        fusion: FusionName | None = None if way == "image" or way == "text" else way
        return LabellerSettings(
            labels=len(self.dataset.labels),
            image=None if way == "text" else self.image,
            text=None if way == "image" else self.text,
            fusion=fusion,
            dropout=self.settings.dropout,
        )

    def pictures(self, side: Literal["train", "val"], way: Way) -> Sequence[Picture]:
        """The pictures of a side that a way can learn from: a reader of captions, from those that have any."""
        found = self.dataset.of_split(side)
        if way != "text":
            return found
        told = [one for one in found if any(self.coder.codes(text).present for text in one.captions)]
        if not told:
            raise EmptySplit(
                f"no picture in the split '{side}' of {self.dataset.folder} has a caption with words to learn from",
                cure="Learn from pictures alone: --branch image.",
            )
        return told

    def shown(self, way: Way) -> Shown:
        """What a way is shown of them."""
        return Shown(features=None if way == "text" else self.features, coder=None if way == "image" else self.coder)


@dataclass(frozen=True)
class Trained:
    """A way that has learnt.

    Attributes:
        way: which.
        head: the network behind the image encoder, calibrated, in evaluation mode, on the CPU.
        fitted: the training.
        precision: its mAP on the validation set with all that it reads.
    """

    way: Way
    head: LabellingHead
    fitted: Fit
    precision: float

    def thresholds_for(self, present: NDArray[np.bool_]) -> F64:
        """Of each label, the chance from which on it is given, ``(N, labels)``; by what is `present`, ``(N, 2)``."""
        return np.asarray(self.head.thresholds_for(torch.from_numpy(present)).numpy(), np.float64)

    def chances(self, features: Tensor | NDArray[np.float32], codes: Tensor | I64, present: NDArray[np.bool_]) -> F64:
        """Chances ``(N, labels)``; see `answering.chances_of`."""
        return chances_of(self.head, features, codes, present)


def train_way(
    lesson: Lesson,
    way: Way,
    folder: Path,
    *,
    branches: Branches | None = None,
    progress: Progress | None = None,
    resume: bool = False,
) -> Trained:
    """Teaches one way, on features that are there, and calibrates it on the validation set.

    Args:
        lesson: what is learnt from.
        way: a branch, or a fusion.
        folder: for checkpoints.
        branches: for a fusion, both branches as they have learnt: they stay as they are. Without them all learns at
            once.
        progress: who is told.
        resume: go on from a checkpoint in `folder`.

    Raises:
        EmptySplit: no pictures to learn from or to be judged by.
        LossNotFinite, Interrupted: see `engine.fit`.
    """
    settings = lesson.settings
    branch: BranchName = way if way in ("image", "text") else "fusion"
    started = branches if branch == "fusion" else None

    def make() -> LabellingHead:
        return _new_head(lesson, way, started)

    fixed: dict[str, float] = dict.fromkeys(started or (), 0.0)
    if lesson.text.transformer and way != "image" and not started:
        fixed["text.reader"] = 0.0
    shown, train = lesson.shown(way), lesson.pictures("train", way)
    learnt = Lessons(
        train,
        shown,
        settings.batch_size,
        seed=settings.seed,
        times=_READINGS if way == "text" else _TIMES,
        absent=settings.modality_dropout if branch == "fusion" else 0.0,
    )
    judged = Lessons(lesson.pictures("val", way), shown, settings.batch_size)
    task = LabelTask(settings, make, branches=started is None)
    torch.manual_seed(settings.seed)
    start = Start(make(), Tuning(fixed) if fixed else None)
    fitted = fit(task, learnt, judged, settings.fit(branch), folder, start=start, progress=progress, resume=resume)
    head = fitted.model
    assert isinstance(head, LabellingHead)
    return Trained(way, head, fitted, temper(head, judged, settings))


def _new_head(lesson: Lesson, way: Way, branches: Branches | None) -> LabellingHead:
    """A head with random weights, but for what `branches` have learnt, that knows its data set."""
    network = lesson.network(way)
    train = lesson.dataset.of_split("train")
    features = lesson.features.of(train) if lesson.features is not None and network.image is not None else None
    head = LabellingHead(network, 0 if features is None else features.shape[1])
    if head.image is not None and features is not None:
        head.image.suit(features)
    if head.text is not None:
        said = [lesson.coder.codes(text).ids for one in train for text in one.captions]
        head.text.set_names(names_of(lesson))
        head.text.suit(torch.from_numpy(np.stack(said or [np.zeros(lesson.coder.length, np.int64)])))
    if lesson.text.transformer and head.text is not None and not branches:
        head.text.reader.get_submodule("network").load_state_dict(
            open_transformer(Path(lesson.settings.text_encoder))[1]
        )
    for name, learnt in (branches or {}).items():
        own, given = getattr(head, name), getattr(learnt, name)
        own.load_state_dict(given.state_dict())
    if branches:
        image, text = branches["image"].get_buffer("tempers")[0], branches["text"].get_buffer("tempers")[1]
        head.set_tempers(float(image), float(text))
    borne = torch.from_numpy(lesson.dataset.positives.astype(np.float32))
    head.set_usual((borne + 0.5) / (len(train) + 1))
    return head


def names_of(lesson: Lesson) -> Tensor:
    """Which words name which labels, ``(words, labels)`` of 0 and 1; tokens of a transformer name none."""
    names = torch.zeros(lesson.coder.size, len(lesson.dataset.labels))
    if isinstance(lesson.coder, Vocabulary):
        facts = lesson.dataset.facts
        for word, number in lesson.coder.numbers.items():
            for label in labels_named(word, facts.labels, facts.caption_language):
                names[number, lesson.dataset.label(label)] = 1
    return names
