"""What a training of labels begins with: encoder, reader and features of all pictures.

They are as the settings ask for, or those of branches that have learnt before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from arpent.core import Progress
from arpent.engine import Processes
from arpent.errors import ContractMismatch, InvalidSetting
from arpent.models import ImageBranchSettings, TextBranchSettings
from arpent.models.text_branch import open_transformer
from arpent.tasks.classify.codes import Coder, Tokens
from arpent.tasks.classify.dataset import Dataset
from arpent.tasks.classify.encoders import Eye, open_eye
from arpent.tasks.classify.features import Features, Looks, features_of
from arpent.tasks.classify.labelling import OpenedLabeller
from arpent.tasks.classify.pixels import Squares, measured
from arpent.tasks.classify.train_settings import AUTO, LSTM, WORDS, ClassifyTrainSettings
from arpent.tasks.classify.ways import Branches, Lesson

__all__ = ["Begun", "Given", "begin", "features_folder", "given_branches", "heads_of", "learnt_from", "looked"]

_MEASURED: Final = 400
"""Pictures that statistics of their bands are taken from, evenly spread."""

_FEW: Final = 5000
"""Captions of the training split below which their words are read without an order."""

Given = Mapping[Literal["image", "text"], OpenedLabeller]
"""Branches that have learnt before, by name."""


@dataclass(frozen=True)
class Begun:
    """All that learning needs.

    Attributes:
        lesson: what is learnt from.
        eye: the image encoder, where pictures are looked at.
        squares: how pictures are read for it.
    """

    lesson: Lesson
    eye: Eye | None = None
    squares: Squares | None = None


def given_branches(start: Sequence[str], dataset: Dataset, settings: ClassifyTrainSettings) -> Given:
    """The branches in bundles, or in runs that trained them.

    Raises:
        InvalidSetting: they are not for a fusion, or none or two of one kind.
        BundleInvalid, ContractMismatch: one is no such model, or learnt other labels or other captions.
    """
    if start and settings.branch != "fusion":
        raise InvalidSetting(
            "only a fusion is built on branches that have learnt before",
            found=f"--from with --branch {settings.branch}",
            cure="Say --branch fusion, or leave --from out.",
        )
    found: dict[Literal["image", "text"], OpenedLabeller] = {}
    for source in start:
        opened = OpenedLabeller.open(source)
        name = _branch_of(opened, source)
        if name in found:
            raise InvalidSetting(
                f"two models of the {name} branch are given",
                found=f"{found[name].source} and {opened.source}",
                cure="Give one that looks at pictures and one that reads captions.",
            )
        _require_fitting(opened, name, dataset, source)
        found[name] = opened
    return found


def _branch_of(opened: OpenedLabeller, source: str) -> Literal["image", "text"]:
    head = opened.labeller.head
    if head.image is not None and head.text is not None:
        raise InvalidSetting(
            f"{source} is a fusion already", expected="a model of one branch", cure="Give the branches it was built on."
        )
    return "text" if head.image is None else "image"


def _require_fitting(opened: OpenedLabeller, name: Literal["image", "text"], dataset: Dataset, source: str) -> None:
    if opened.labels != dataset.labels:
        raise ContractMismatch(
            f"{source} gives other labels than {dataset.folder} has",
            found=", ".join(opened.labels),
            expected=", ".join(dataset.labels),
            cure="Train the branch on this DATASET.",
        )
    if opened.contract.recipe["learnt_from"] != learnt_from(dataset):
        raise ContractMismatch(
            f"{source} has learnt from other pictures than those of the training split of {dataset.folder}",
            expected="the same pictures, so that none of the validation or test split has been learnt",
            cure="Train the branch on this DATASET.",
        )
    if name == "text" and opened.masked != dataset.facts.masked:
        raise ContractMismatch(
            f"{source} learnt from captions {'without' if opened.masked else 'with'} the words of labels",
            expected=f"captions {'without' if dataset.facts.masked else 'with'} them, as they are asked for here",
            cure="Give --mask-labels to both trainings or to none.",
        )


def begin(
    settings: ClassifyTrainSettings, dataset: Dataset, *, given: Given | None = None, progress: Progress | None = None
) -> Begun:
    """Makes ready what a training needs; features of pictures that are not kept yet are made.

    Args:
        settings: of the training.
        dataset: that is learnt from.
        given: branches that have learnt before.
        progress: who is told.

    Raises:
        WeightsMissing, WeightsMismatch, UnknownName: encoders.
        UnreadableFile: a picture.
    """
    given = given or {}
    coder, text = _reader(settings, dataset, given.get("text"))
    if settings.branch == "text":
        return Begun(Lesson(settings, dataset, ImageBranchSettings(), text, coder))
    eye, image = _eye(settings, dataset, given.get("image"))
    squares = Squares(image.side, eye.rule, tuple(band.name for band in eye.bands), settings.sensor)
    lesson = Lesson(settings, dataset, image, text, coder)
    return looked(Begun(lesson, eye, squares), progress=progress)


def looked(begun: Begun, *, progress: Progress | None = None) -> Begun:
    """The same, with features of the pictures to learn from and to be judged by, as its encoder makes them now."""
    lesson, eye, squares = begun.lesson, begun.eye, begun.squares
    assert eye is not None  # asked where pictures are looked at
    assert squares is not None
    settings = lesson.settings
    looks = Looks(eye.encoder, squares, settings.parts, settings.device, settings.workers)
    pictures = [*lesson.dataset.of_split("train"), *lesson.dataset.of_split("val")]
    folder = features_folder(settings, lesson.dataset)

    def make() -> Features:
        return features_of(pictures, looks, folder, progress=progress)

    # One process makes them; the others find them there, or make their own on a machine without that folder.
    features = Processes.joined(settings.device).alone(make) or make()
    return replace(begun, lesson=replace(lesson, features=features))


def features_folder(settings: ClassifyTrainSettings, dataset: Dataset) -> Path:
    """Where features are kept."""
    return Path(settings.features) if settings.features else dataset.folder / "features"


def learnt_from(dataset: Dataset) -> str:
    """Names the pictures of the training split by their content."""
    return sha256("|".join(sorted(one.sha256 for one in dataset.of_split("train"))).encode()).hexdigest()


def _eye(
    settings: ClassifyTrainSettings, dataset: Dataset, given: OpenedLabeller | None
) -> tuple[Eye, ImageBranchSettings]:
    """The image encoder, and the settings of the branch behind it."""
    if given is not None:
        image = given.labeller.settings.image
        assert image is not None  # it is an image branch
        assert given.labeller.encoder is not None
        contract = given.contract
        eye = Eye(
            given.labeller.encoder,
            image.encoder,
            contract.bands,
            contract.normalisation,
            contract.recipe["encoder"],
            contract.licence,
        )
        return eye, image
    eye = open_eye(settings)
    if eye.rule is None:
        train = dataset.of_split("train")
        plain = Squares(settings.side, None, tuple(band.name for band in eye.bands), settings.sensor)
        paths = [one.path for one in train[:: -(-len(train) // _MEASURED)]]
        eye = replace(eye, rule=measured(plain, paths, f"{settings.name}, training split"))
    image = ImageBranchSettings(
        encoder=eye.name,
        channels=len(eye.bands),
        side=settings.side,
        padding=settings.padding,
        hidden=settings.hidden_image,
        dropout=settings.dropout_image,
    )
    return eye, image


def _reader(
    settings: ClassifyTrainSettings, dataset: Dataset, given: OpenedLabeller | None
) -> tuple[Coder, TextBranchSettings]:
    """What gives captions their numbers, and the settings of the branch that reads them."""
    if given is not None:
        assert given.coder is not None  # it is a text branch
        assert given.labeller.settings.text is not None
        return given.coder, given.labeller.settings.text
    coder: Coder = dataset.vocabulary
    transformer: Mapping[str, Any] = {}
    name = settings.text_encoder
    if name == AUTO:
        name = WORDS if len(dataset.taught) < _FEW else LSTM
    if name == WORDS:
        coder = dataset.concepts
    elif name != LSTM and settings.branch != "image":
        folder = Path(name)
        coder, transformer = Tokens.of_folder(folder), open_transformer(folder)[0]
    text = TextBranchSettings(
        words=coder.size,
        length=coder.length,
        reader="words" if name == WORDS else "lstm",
        embedding=settings.embedding,
        hidden=settings.hidden_text,
        transformer=transformer,
        dropout=settings.dropout,
        forget=0.0 if transformer else settings.forget,
    )
    return coder, text


def heads_of(given: Given) -> Branches:
    """The networks behind the encoders of branches."""
    return {name: opened.labeller.head for name, opened in given.items()}
