"""A trained describer, ready to be asked: about images, about measurements, or anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from arpent.core import Contract, Language
from arpent.engine import choose_device
from arpent.errors import ContractMismatch, InvalidSetting
from arpent.language import Measured
from arpent.models.describer_bundle import OpenedDescriber, open_describer
from arpent.models.speaking import Hearer, SpeakingRule, Spoken, speak
from arpent.store import bundle_in
from arpent.tasks.describe.sequences import facts_of, left_padded, request_of
from arpent.tasks.describe.texts import Mode
from arpent.tasks.describe.token_shelf import KeptTokens

__all__ = ["Describer", "Question", "Reply"]

Reply = Spoken
"""Words of an answer, and whether it came to its end."""


class Question:
    """What the model is asked about one parcel.

    Args:
        request: words of the user's turn.
        visual: (cells, width) of its image, or what numpy takes for that; None for a question without one.
        begun: how the answer begins already.
    """

    def __init__(self, request: str, visual: NDArray[np.floating] | KeptTokens | None = None, begun: str = "") -> None:
        self.request, self.visual, self.begun = request, visual, begun


class Describer:
    """A describer.

    Args:
        opened: model, tokenizer, contract.
        device: where it computes.
        batch_size: questions at a time.
    """

    def __init__(self, opened: OpenedDescriber, *, device: str = "auto", batch_size: int = 8) -> None:
        self._device = choose_device(device)
        self._model = opened.model.to(self._device)
        self.speech, self.facts = opened.speech, opened.facts
        self.contract: Contract = opened.contract
        self._batch_size = batch_size

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        base: str | None = None,
        device: str = "auto",
        weights: Literal["f32", "bf16", "f16"] = "f32",
        batch_size: int = 8,
    ) -> Self:
        """The describer in a folder, or in the run that has trained it.

        Args:
            path: of the folder or the run.
            base: the language model underneath, where it lies elsewhere than in training.
            device: auto, cpu, cuda …
            weights: type of the language model's weights.
            batch_size: questions at a time.

        Raises:
            FileMissing, BundleInvalid, WeightsMissing, ContractMismatch: see `models.open_describer`.
        """
        opened = open_describer(bundle_in(path, "describe"), base=base, dtype=weights)
        return cls(opened, device=device, batch_size=batch_size)

    @property
    def encoder(self) -> str:
        """Identity of the encoder that its visual tokens must come from."""
        return self.facts.encoder

    @property
    def cells(self) -> int:
        """Visual tokens per image."""
        return self.facts.adapter.cells

    def require_encoder(self, identity: str, source: str) -> None:
        """Refuses visual tokens that another encoder has made.

        Raises:
            ContractMismatch: it is another one.
        """
        if self.encoder and identity != self.encoder:
            raise ContractMismatch(
                f"the visual tokens of {source} were made by another encoder than the model has learnt from",
                found=identity or "an encoder without a name",
                expected=f"{self.facts.encoder_name} {self.encoder}".strip(),
                cure="Embed the images with the encoder of the training: --encoder.",
            )

    def require_drawn(self, drawn: str) -> None:
        """Refuses random weights that are not those of the training, though they are drawn from the same seed.

        Raises:
            ContractMismatch: they are others.
        """
        if self.facts.encoder_drawn and drawn != self.facts.encoder_drawn:
            raise ContractMismatch(
                f"the random weights of {self.facts.encoder_name} are not those that the model has learnt from",
                found="other numbers from the same seed",
                expected=f"signs of SHA-256 {self.facts.encoder_drawn[:12]}…",
                cure="Use a version of PyTorch that draws them as in the training, or train the model here.",
            )

    def request(
        self, language: Language, measured: Measured | None = None, notes: str = "", *, seen: bool = True
    ) -> str:
        """The words of a user who asks for a description.

        Args:
            language: of the answer.
            measured: what the model is told; None to let it see alone.
            notes: anything more that it is told.
            seen: there is an image.
        """
        facts = facts_of(measured, language, self.facts.profile) if measured is not None else ""
        return request_of(language, cells=self.cells, images=int(seen), facts=facts, notes=notes)

    def ask(
        self,
        questions: Sequence[Question],
        *,
        longest: int | None = None,
        warmth: float = 0.0,
        seed: int = 0,
        enough: Callable[[Sequence[int]], bool] | None = None,
        hear: Hearer | None = None,
    ) -> list[Reply]:
        """Answers, in batches.

        Args:
            questions: any number.
            longest: words at most; as the model has learnt if not given.
            warmth: 0 takes the likeliest words; above, words are drawn.
            seed: of what is drawn.
            enough: told the words of an answer so far, says whether to stop.
            hear: is told each word as it comes: the number of the question, and that of the word.
        """
        rule = SpeakingRule(self.speech.end, longest or self.facts.longest, warmth, seed, enough)
        replies: list[Reply] = []
        for first in range(0, len(questions), self._batch_size):
            batch = questions[first : first + self._batch_size]
            replies += self._answered(batch, rule, None if hear is None else _shifted(hear, first))
        return replies

    def texts(
        self,
        visual: NDArray[np.floating],
        language: Language,
        *,
        measured: Sequence[Measured] | None = None,
        mode: Mode = "blind",
        notes: Sequence[str] | None = None,
    ) -> list[str]:
        """Raw answers about images: the likeliest words, nothing checked and nothing repaired.

        Args:
            visual: (images, cells, width).
            language: of the answers.
            measured: what was measured of each; needed in mode "grounded".
            mode: see `Mode`.
            notes: more that the model is told, one for each image.
        """
        if mode == "grounded" and measured is None:
            raise InvalidSetting("grounded texts need measurements", cure="Give them, or ask for mode blind.")
        told = measured if mode == "grounded" and measured is not None else [None] * len(visual)
        questions = [
            Question(self.request(language, facts, notes[number] if notes else ""), visual[number])
            for number, facts in enumerate(told)
        ]
        return [self.text(reply) for reply in self.ask(questions)]

    def answer(self, prompts: Sequence[str], language: Language, *, longest: int | None = None) -> list[str]:
        """Raw answers to free questions, without an image. The language is that of the prompts."""
        return [self.text(reply) for reply in self.ask([Question(prompt) for prompt in prompts], longest=longest)]

    def text(self, reply: Reply) -> str:
        """The words of an answer as text."""
        return self.speech.text(reply.words).strip()

    def _answered(self, batch: Sequence[Question], rule: SpeakingRule, hear: Hearer | None) -> list[Reply]:
        prompts = [[*self.speech.prompt(one.request), *self.speech.words(one.begun)] for one in batch]
        words, attended = left_padded(prompts, self.speech.pad)
        seen = [np.asarray(one.visual, np.float32) for one in batch if one.visual is not None]
        visual = torch.from_numpy(np.stack(seen)).to(self._device) if seen else None
        with torch.inference_mode():
            vectors = self._model.embedded(visual, words.to(self._device))
            return speak(self._model.language, vectors, attended.to(self._device), rule, hear)


def _shifted(hear: Hearer, first: int) -> Hearer:
    return lambda row, word: hear(first + row, word)
