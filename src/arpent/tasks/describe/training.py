"""From measurements, captions and visual tokens to a describer: adapter and LoRA beside a frozen language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from arpent.core import Contract, Progress, sensor
from arpent.core.progress import Retitled
from arpent.engine import Fit, FitSettings, OptimiserSettings, Processes, Start, fit, require_figure, train_run
from arpent.language import say
from arpent.models.describer import VisionLanguage, with_lora
from arpent.models.describer_bundle import DescriberFacts, base_pins, save_describer
from arpent.models.describer_settings import DescriberSettings
from arpent.models.language_model import LanguageModel, open_language_model
from arpent.store import Place, Run, RunFolder
from arpent.tasks.describe.coding import Code
from arpent.tasks.describe.examples import Sides, VisualTokens, divided, joined, read_visual
from arpent.tasks.describe.first_words import FirstWords, word_deviation
from arpent.tasks.describe.outcome import publish_training
from arpent.tasks.describe.quantised import open_quantised
from arpent.tasks.describe.sights import WritingTask, sights
from arpent.tasks.describe.speaking_task import SpeakingTask
from arpent.tasks.describe.teacher import Teacher, token_statistics
from arpent.tasks.describe.train_settings import SMALL, DescribeTrainSettings
from arpent.version import __version__

__all__ = ["train_describer"]

_FIRST_RATE = 1e-2
"""Learning rate of the adapter's own lesson."""

_ROOM = 1.5
"""How much longer an answer may be than the longest that was learnt."""


@dataclass(frozen=True)
class _Read:
    """What the training is made of."""

    visual: VisualTokens
    sides: Sides


def train_describer(settings: DescribeTrainSettings, place: Place, *, progress: Progress | None = None) -> Run:
    """Trains adapter and LoRA, and keeps them in a run folder, as the product ``model``: a describer's folder.

    Raises:
        FileMissing, UnreadableFile, DatasetError: tables, captions or embeddings.
        WeightsMissing: the language model is not on this machine; the message says how to get it.
        ContractMismatch: its tokenizer is another model's.
        EmptySplit, SplitLeak: the sides of the split.
        LossNotFinite: training diverged.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    processes = Processes.joined(settings.fit.device)
    read = processes.told(lambda: _read(settings))
    training = _Training(settings, read, progress, place.resume)

    def prepare(run: RunFolder) -> None:
        for role in ("table", "captions", "embeddings"):
            run.add_input(getattr(settings, role), role=role)

    def learn(_: None, folder: Path) -> Fit:
        return training.fitted(folder)

    def publish(run: RunFolder, _: None, fitted: Fit) -> None:
        folder = run.path / "describer"
        assert isinstance(fitted.model, VisionLanguage)
        contract = training.contract(fitted)
        save_describer(folder, fitted.model, training.language, contract, published=settings.profile == "xvision")
        publish_training(run, folder, fitted, settings.language)

    return train_run(
        processes, place, "describe-train", settings.name, settings, prepare=prepare, fit=learn, publish=publish
    )


def _read(settings: DescribeTrainSettings) -> _Read:
    visual = read_visual(settings.embeddings)
    return _Read(visual, divided(joined(settings.table, settings.captions, visual), settings.held_out))


class _Training:
    """The parts of one call of `train_describer`."""

    def __init__(self, settings: DescribeTrainSettings, read: _Read, progress: Progress | None, resume: bool) -> None:
        self._settings, self._read, self._progress, self._resume = settings, read, progress, resume
        self._cells, self._width = read.visual.values.shape[1:]
        self._small = None
        if settings.base == SMALL:
            self._small = FirstWords(
                settings.small,
                self._cells,
                settings.profile,
                settings.fit.seed,
                stress=settings.stress,
                wordings=settings.wordings,
                number_first=settings.number_first,
            )
            self.language: LanguageModel
        elif settings.quantise == "4bit":
            self.language = open_quantised(settings.base)
        else:
            self.language = open_language_model(settings.base, dtype=settings.weights)

    def fitted(self, folder: Path) -> Fit:
        """The trained model."""
        settings = self._settings
        if self._small is not None:
            self.language = self._small.taught(
                folder / "small", device=settings.fit.device, progress=self._lesson(1), resume=self._resume
            )
        code = Code.of(self.language.width, word_deviation(self.language), settings.profile)
        torch.manual_seed(settings.fit.seed)
        model = VisionLanguage(
            self._shape(), with_lora(self.language.model, settings.lora), self.language.speech.placeholder
        )
        model.adapter.suit(*token_statistics(self._read.sides.train))
        gauge = self._gauge
        if gauge:
            self._first_sight(model, code, folder / "adapter")
        if gauge and self._small is not None:
            # The model reads this code already: words would only teach the adapter to write it less well.
            model.adapter.requires_grad_(False)
            gauge = 0.0
        task = SpeakingTask(settings, lambda: model, self.language.speech.digits, code, gauge, settings.stress)
        require_figure(task, settings.fit.best)
        sides, lessons = self._read.sides, Teacher(settings, self.language.speech, code, self._cells)
        return fit(
            task,
            lessons.of(sides.train, count=settings.samples),
            lessons.of(sides.validation, shuffled=False),
            settings.fit,
            folder,
            start=Start(model),
            progress=self._lesson(3),
            resume=self._resume,
        )

    def _lesson(self, number: int) -> Progress | None:
        """Who is told how far it is, lesson by lesson: the language, seeing, and to say what is seen."""
        if self._progress is None or not self._small:
            return self._progress
        return Retitled(self._progress, say(f"describe_run.lesson_{number}", self._settings.language))

    @property
    def _gauge(self) -> float:
        """What the code counts beside the words; a published language model has never heard of it."""
        given = self._settings.gauge
        return (1.0 if self._small is not None else 0.0) if given is None else given

    def _first_sight(self, model: VisionLanguage, code: Code, folder: Path) -> None:
        """Teaches the adapter the code by itself, which needs no words and hardly any time."""
        sides, fitted = self._read.sides, self._settings.fit
        task = WritingTask(self._settings, model.adapter, code)
        rule = FitSettings(
            epochs=1, optimiser=OptimiserSettings(rate=_FIRST_RATE), seed=fitted.seed, device=fitted.device
        )
        done = fit(
            task,
            sights(sides.train, code, self._settings.small.sights, fitted.seed),
            sights(sides.validation, code, len(sides.validation), fitted.seed),
            rule,
            folder,
            start=Start(task.build()),
            progress=self._lesson(2),
            resume=self._resume,
        )
        model.adapter.load_state_dict(done.model.adapter.state_dict())  # type: ignore[union-attr]

    def _shape(self) -> DescriberSettings:
        settings = self._settings
        hidden = settings.hidden or self.language.width * (4 if self._small is not None else 1)
        return DescriberSettings(
            width=self._width, hidden=hidden, words=self.language.width, cells=self._cells, lora=settings.lora
        )

    def contract(self, fitted: Fit) -> Contract:
        """What the describer's folder says of itself."""
        settings, visual = self._settings, self._read.visual
        speech = self.language.speech
        texts = (text for one in self._read.sides.train for several in one.texts.values() for text in several)
        longest = max(len(speech.words(text)) for text in texts)
        base = "" if self._small is not None else settings.base
        facts = DescriberFacts(
            adapter=self._shape(),
            base=base,
            base_sha256=base_pins(base) if base else {},
            encoder=visual.encoder.identity,
            encoder_name=visual.encoder.name,
            encoder_drawn=visual.encoder.drawn,
            profile=settings.profile,
            longest=round(longest * _ROOM),
        )
        recipe: Mapping[str, Any] = {
            "settings": settings.model_dump(mode="json"),
            "epoch": fitted.best.number,
            "epochs": len(fitted.history),
            "train": len(self._read.sides.train),
            "validation": len(self._read.sides.validation),
            "held_out": self._read.sides.held_out,
        }
        return Contract(
            task="describe",
            architecture="describer",
            settings=facts.model_dump(mode="json"),
            bands=sensor("sentinel-2-l2a").bands,
            gsd=10.0,
            normalisation=visual.encoder.statistics,
            recipe=recipe,
            metrics=dict(fitted.best.validation),
            arpent=__version__,
        )
