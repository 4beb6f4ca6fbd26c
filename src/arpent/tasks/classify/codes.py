"""Captions as numbers of words: by a vocabulary made here, or by the tokenizer that a transformer brings along."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from arpent.errors import UnreadableFile, WeightsMissing
from arpent.language import Codes, Vocabulary

__all__ = ["Coder", "Tokens", "coder_of"]

_LONGEST: Final = 64
"""Tokens of a caption that a transformer reads: its words are in pieces."""


class Coder(Protocol):
    """Gives captions their numbers; `language.Vocabulary` satisfies it."""

    @property
    def length(self) -> int:
        """Numbers of a caption."""
        ...

    @property
    def size(self) -> int:
        """How many numbers there are."""
        ...

    def codes(self, text: str) -> Codes:
        """A caption as numbers; 0 where it has ended."""
        ...

    def document(self) -> dict[str, Any]:
        """All of it, for JSON."""
        ...


@dataclass(frozen=True)
class Tokens:
    """The tokenizer of a transformer. Its token k has the number k + 1, since 0 is for padding.

    Attributes:
        content: of ``tokenizer.json``.
        length: tokens of a caption that are read.
    """

    content: str
    length: int = _LONGEST

    @classmethod
    def of_folder(cls, folder: Path) -> Tokens:
        """That of a folder.

        Raises:
            WeightsMissing: the folder has none.
            UnreadableFile: it is damaged.
        """
        file = folder / "tokenizer.json"
        if not file.is_file():
            raise WeightsMissing(
                f"{folder} holds no transformer with its tokenizer",
                expected="config.json, tokenizer.json and model.safetensors",
                cure="Name a folder that transformers has written, or 'lstm'.",
            )
        made = cls(file.read_text(encoding="utf-8"))
        _ = made._tokenizer  # opens, or says why not
        return made

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401 - tokenizers publishes no types
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_str(self.content)
        except Exception as problem:
            if type(problem) is not Exception:  # the library raises this class itself, and no other
                raise
            raise UnreadableFile("a tokenizer cannot be read", found=problem, cure="Take a fresh copy.") from problem
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.length)
        return tokenizer

    @property
    def size(self) -> int:
        """How many numbers there are, padding among them."""
        return int(self._tokenizer.get_vocab_size()) + 1

    def codes(self, text: str) -> Codes:
        """A caption as numbers of its tokens; none where it has no word."""
        ids = np.zeros(self.length, np.int64)
        if not text.strip():
            return Codes(ids, 0, 0, 0)
        told = self._tokenizer.encode(text)
        ids[: len(told.ids)] = np.asarray(told.ids) + 1
        cut = sum(len(rest.ids) - sum(rest.special_tokens_mask) for rest in told.overflowing)
        return Codes(ids, len(told.ids), 0, cut)

    def document(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {"tokenizer": json.loads(self.content), "length": self.length}


def coder_of(document: Mapping[str, Any]) -> Coder:
    """What the document of a bundle describes.

    Raises:
        InvalidSetting, UnreadableFile: it describes nothing that can be used.
    """
    if "tokenizer" in document:
        return Tokens(json.dumps(document["tokenizer"]), int(document["length"]))
    return Vocabulary.of_document(document)
