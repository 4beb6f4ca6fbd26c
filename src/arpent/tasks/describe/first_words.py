"""How a small language model comes to speak: from texts about land that nobody has seen, in words and in vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from arpent.core import Language, Progress
from arpent.engine import FitSettings, OptimiserSettings, Start, fit
from arpent.language import Measured
from arpent.language.axes import Profile
from arpent.language.grammar import compose, text
from arpent.language.lexicon import LANGUAGES
from arpent.models.describer import Listener
from arpent.models.language_model import LanguageModel, Speech, small_language_model, train_tokenizer, turns
from arpent.tasks.describe.coding import Code
from arpent.tasks.describe.invented import invented
from arpent.tasks.describe.lessons import Lesson, Lessons
from arpent.tasks.describe.number_words import number_words, settle_numbers
from arpent.tasks.describe.sequences import dialogue, facts_of, request_of
from arpent.tasks.describe.speaking_task import SpeakingTask
from arpent.tasks.describe.teacher import as_seen
from arpent.tasks.describe.train_settings import SmallLessonSettings

__all__ = ["FirstWords", "word_deviation"]

_SAMPLE = 1_500
"""Texts from which the tokenizer learns its pieces of words."""

_JUDGED = 64
"""Texts on which the small model is judged."""

_ANY = 1 << 30
"""Ways of saying the same that are never used up."""

_CLEAR, _DIM = 0.02, 3.0
"""How far numbers are off in the vectors of an image: where they alone tell, and beside numbers that are told."""

_UNSEEN = 1_000_003
"""Number of the epoch that validation texts are drawn for; no training comes so far."""


class FirstWords:
    """A small language model, and how it is taught.

    Args:
        settings: its size and its lessons.
        cells: visual tokens per image.
        profile: of the axes that texts speak of.
        seed: of its weights and texts.
        stress: how much more a digit counts than another word.
        wordings: ways of saying the same; any if not given.
        number_first: whether each number is said before the word that follows from it.
    """

    def __init__(
        self,
        settings: SmallLessonSettings,
        cells: int,
        profile: Profile,
        seed: int,
        *,
        stress: float = 1.0,
        wordings: int | None = None,
        number_first: bool = False,
    ) -> None:
        self._settings, self._cells, self._profile, self._seed = settings, cells, profile, seed
        self._stress, self._wordings, self._number_first = stress, wordings or _ANY, number_first
        self.speech = self._tokenizer()

    def taught(
        self, folder: Path, *, device: str = "auto", progress: Progress | None = None, resume: bool = False
    ) -> LanguageModel:
        """The model after its lessons, frozen.

        Args:
            folder: for checkpoints.
            device: to learn on.
            progress: who is told how far it is.
            resume: go on with lessons that were interrupted.
        """
        settings = self._settings
        torch.manual_seed(self._seed)
        fresh = small_language_model(settings.model, self.speech)
        code = Code.of(fresh.width, word_deviation(fresh), self._profile)
        listener = Listener(fresh.model, self.speech.placeholder)
        settle_numbers(fresh, code, word_deviation(fresh), copied=settings.told > 0)
        task = SpeakingTask(settings, lambda: listener, self.speech.digits, stress=self._stress)
        rule = FitSettings(
            epochs=1,
            optimiser=OptimiserSettings(rate=settings.rate, schedule="one-cycle", warm_up=0.1),
            seed=self._seed,
            device=device,
        )
        done = fit(
            task,
            self._lessons(settings.texts, code, 0),
            self._lessons(_JUDGED, code, _UNSEEN),
            rule,
            folder,
            start=Start(listener),
            progress=progress,
            resume=resume,
        )
        assert isinstance(done.model, Listener)
        return LanguageModel(done.model.language.eval().requires_grad_(False), self.speech, "")

    def _lessons(self, count: int, code: Code, shift: int) -> Lessons:
        def make(epoch: int, number: int) -> Lesson:
            return self._lesson(code, np.random.default_rng((self._seed, shift + epoch, number)))

        return Lessons(count, make, batch_size=self._settings.batch_size, pad=self.speech.pad)

    def _lesson(self, code: Code, rng: np.random.Generator) -> Lesson:
        """A text about a parcel that does not exist, and what tells of it: words, or vectors alone."""
        listed, told = bool(rng.random() < self._settings.listed), bool(rng.random() < self._settings.told)
        measured = invented(rng, met=told)
        language: Language = LANGUAGES[int(rng.integers(len(LANGUAGES)))]
        facts = facts_of(measured, language, self._profile) if listed or told else ""
        seed = int(rng.integers(self._wordings))
        answer = facts if listed else self._written(measured, language, seed)
        # Who is told the numbers is to take them from there: what it sees beside them is too dim to be read.
        shown = code.shown(measured, self._cells, rng, by=_DIM if told else _CLEAR)
        request = request_of(language, cells=self._cells, facts=facts if told else "", listed=listed)
        return Lesson(measured.parcel, dialogue(self.speech, request, answer), shown)

    def _written(self, measured: Measured, language: Language, seed: int) -> str:
        measured = measured if self._settings.days else as_seen(measured)
        return text(compose(measured, language, seed=seed, profile=self._profile, number_first=self._number_first))

    def _tokenizer(self) -> Speech:
        rng, settings = np.random.default_rng((self._seed, 17)), self._settings
        texts = []
        for number in range(min(_SAMPLE, 4 * settings.texts)):
            # Each way of saying a thing in each language: one that is missing here would have to be spelt.
            language, seed = LANGUAGES[number % len(LANGUAGES)], number // len(LANGUAGES) % self._wordings
            told = bool(rng.random() < settings.told)
            measured = invented(rng, met=told)
            texts.append(self._written(measured, language, seed))
            facts = facts_of(measured, language, self._profile)
            texts += [facts, *turns(request_of(language, cells=0, facts=facts if told else "", listed=not number % 4))]
        return train_tokenizer(texts, settings.model.vocabulary, tuple(number_words()))


def word_deviation(language: LanguageModel) -> float:
    """Standard deviation of the numbers in the vectors of a language model's words, from some of them."""
    table = language.model.get_input_embeddings().weight  # type: ignore[operator]  # transformers' method
    some = table[:: max(1, len(table) // 4096)].detach().float()
    return float(some.std())
