"""Prompts and answers as rows of words: the same builder for training and for generation.

A prompt is a user's turn: the places of an image, the request, and, where the model is told what was measured, those
facts. An answer is a text and the word that ends it; only these are learnt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from arpent.core import Language
from arpent.language import Measured, say
from arpent.language.axes import Profile, axes_of
from arpent.models.language_model import PLACEHOLDER, Speech

__all__ = ["Dialogue", "Rows", "facts_of", "left_padded", "request_of", "right_padded"]


@dataclass(frozen=True)
class Dialogue:
    """A prompt and, for training, its answer, as numbers of words.

    Attributes:
        prompt: ends where the answer begins.
        answer: with the word that ends it; empty where it is asked for.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Dialogues side by side.

    Attributes:
        words: (B, T) numbers of words.
        attended: (B, T) bool, False on padding.
        spoken: (B, T) bool, True where the next word is one of the answer.
        target: (places,) the words of the answers, row by row, in the order of `spoken`.
    """

    words: Tensor
    attended: Tensor
    spoken: Tensor
    target: Tensor


def request_of(
    language: Language, *, cells: int, images: int = 1, facts: str = "", notes: str = "", listed: bool = False
) -> str:
    """What a user says to the model.

    Args:
        language: of the request, and of the answer.
        cells: visual tokens per image.
        images: that the model is shown; their places come first.
        facts: what was measured, as `facts_of` writes it.
        notes: anything else that it is told, such as parcels that a search has found.
        listed: asks for a bare list of numbers.
    """
    told = say("describe_prompt.list" if listed else "describe_prompt.request", language)
    if facts:
        told += f" {say('describe_prompt.facts', language, facts=facts)}"
    if notes:
        told += f" {notes}"
    return PLACEHOLDER * (cells * images) + told


def facts_of(measured: Measured, language: Language, profile: Profile = "arpent") -> str:
    """What was measured, as the model is told it.

    Axis by axis the index, its value and the class, if it has one; then the shares of the ground, the crop and the day.
    """
    parts = []
    for axis in axes_of(profile).values():
        value, deciding = measured.indices.get(axis.index), axis.deciding(measured)
        if value is None or not math.isfinite(value):
            continue
        stated = say("describe_prompt.value", language, index=axis.index_word, value=round(value, 2))
        parts.append(stated if deciding is None else f"{stated} {axis.class_of(deciding)}")
    kinds = [name for name in ("soil", "vegetation", "water") if name in measured.shares]
    parts += [say(f"describe_prompt.{name}", language, share=measured.shares[name]) for name in kinds]
    if measured.crop:
        parts.append(say("describe_prompt.crop", language, crop=measured.crop))
    if measured.taken:
        parts.append(say("describe_prompt.taken", language, taken=measured.taken))
    return " ; ".join(parts)


def dialogue(speech: Speech, request: str, answer: str | None = None) -> Dialogue:
    """A request, and the answer to learn."""
    prompt = tuple(speech.prompt(request))
    return Dialogue(prompt, () if answer is None else (*speech.words(answer), speech.end))


def right_padded(dialogues: Sequence[Dialogue], pad: int, width: int = 0) -> Rows:
    """Prompts with their answers, for training; short rows end with padding, and none is shorter than `width`."""
    rows = [one.prompt + one.answer for one in dialogues]
    width = max(width, *map(len, rows))
    words = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])
    places = torch.arange(width)[None]
    lengths = torch.tensor([[len(row)] for row in rows])
    # The word before the first of the answer foretells it, and the one before the last foretells the end.
    begins = torch.tensor([[len(one.prompt) - 1] for one in dialogues])
    attended = places < lengths
    spoken = (places >= begins) & (places < lengths - 1)
    return Rows(words, attended, spoken, torch.tensor([word for one in dialogues for word in one.answer]))


def left_padded(prompts: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Prompts that all end together, for generation: words (B, T), and bool (B, T) where they are no padding."""
    width = max(map(len, prompts))
    words = torch.tensor([[*[pad] * (width - len(row)), *row] for row in prompts])
    lengths = torch.tensor([[len(row)] for row in prompts])
    return words, torch.arange(width)[None] >= width - lengths
