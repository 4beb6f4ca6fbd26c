"""The reader of captions: words, an LSTM, and what every single word speaks for; or a published transformer.

Where captions are few there is no LSTM: words have no order, and those that name labels are known from the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from arpent.errors import UnreadableFile
from arpent.models.labelling_settings import TextBranchSettings, TextReader
from arpent.models.language_model import OPENING
from arpent.models.one_batch import largest

__all__ = ["Read", "TextBranch", "open_transformer"]

PADDING, UNKNOWN = 0, 1
_LOWEST = -1.0  # no state of an LSTM lies below
_SPREAD = 0.1  # of the first numbers of words
_VOICE = 10.0
"""How loud single words are: by so much faster they learn what they speak for than the LSTM does."""


class Read(NamedTuple):
    """What a branch makes of captions.

    Attributes:
        vectors: ``(B, hidden)``, none of them below zero.
        scores: ``(B, labels)``.
    """

    vectors: Tensor
    scores: Tensor


class TextBranch(nn.Module):
    """Captions as numbers of words to vectors and scores.

    Padding is masked: a caption has the same vector whatever stands behind its last word. Beside what its vector says,
    each word speaks for or against each label by itself, a rare one louder than a common one. Without an LSTM the name
    of a label speaks for it too, as loud for a rare label as for a common one.

    Args:
        settings: of the branch.
        labels: how many there are.
    """

    def __init__(self, settings: TextBranchSettings, labels: int) -> None:
        super().__init__()
        self.forget = settings.forget
        chosen = _Transformer if settings.transformer else _READERS[settings.reader]
        self.reader: _Transformer | _Recurrent | _Words = chosen(settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.vector = nn.Linear(self.reader.width, settings.hidden)
        self.scores = nn.Linear(settings.hidden, labels)
        self.evidence = nn.Embedding(settings.words, labels, padding_idx=PADDING)
        nn.init.zeros_(self.evidence.weight)
        self.register_buffer("rareness", torch.ones(settings.words))
        by_name = settings.reader == "words" and not settings.transformer
        self.named = _Named(settings.words, labels) if by_name else None

    def suit(self, codes: Tensor) -> None:
        """Takes how rare words are from training captions ``(n, length)``: 1 for one that all have, and more."""
        rareness = self.get_buffer("rareness")
        rows = torch.arange(len(codes)).unsqueeze(1).expand_as(codes)
        said = torch.unique(torch.stack([rows.flatten(), codes.flatten()]), dim=1)[1]
        borne = torch.bincount(said, minlength=len(rareness)).clamp(min=1)
        rareness.copy_(1 + torch.log(max(1, len(codes)) / borne))

    def set_names(self, names: Tensor) -> None:
        """Takes which words name which labels, ``(words, labels)`` of 0 and 1; only a reader of words asks for it."""
        if self.named is not None:
            self.named.get_buffer("names").copy_(names)

    def forward(self, codes: Tensor) -> Read:
        """Of captions ``(B, length)``, 0 where there is no word."""
        if self.training:
            codes = self._varied(codes)
        read = self.reader(codes, codes > PADDING)
        vectors = torch.relu(self.vector(self.dropout(read)))
        scores = self.scores(self.dropout(vectors)) + self._evident(codes)
        return Read(vectors, scores if self.named is None else scores + self.named(codes))

    def _evident(self, codes: Tensor) -> Tensor:
        """What the words say one by one, ``(B, labels)``; those of a long caption share the voice of a short one."""
        loud = self.get_buffer("rareness")[codes] * (codes > UNKNOWN)
        share = loud / torch.linalg.vector_norm(loud, dim=1, keepdim=True).clamp(min=1e-6)
        told: Tensor = (self.evidence(codes) * (_VOICE * share).unsqueeze(-1)).sum(1)
        return told

    def _varied(self, codes: Tensor) -> Tensor:
        """Without the columns that no caption of the batch reaches, and with some words as if they were not known."""
        codes = codes[:, : max(1, largest((codes > PADDING).sum(1).max()))]
        lost = (torch.rand(codes.shape, device=codes.device) < self.forget) & (codes > PADDING)
        return torch.where(lost, torch.full_like(codes, UNKNOWN), codes)


def open_transformer(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and weights of a transformer, from a folder as transformers writes it.

    Raises:
        UnreadableFile: the folder holds none, or a damaged one.
    """
    from transformers import AutoModel

    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True)
    except OPENING as problem:
        raise UnreadableFile(
            f"{folder} cannot be opened as a transformer",
            found=str(problem).strip().partition("\n")[0] or type(problem).__name__,
            cure="Name a folder that transformers has written.",
        ) from problem
    return {"model_type": model.config.model_type, **model.config.to_diff_dict()}, dict(model.state_dict())


def _embedded(settings: TextBranchSettings) -> nn.Embedding:
    words = nn.Embedding(settings.words, settings.embedding, padding_idx=PADDING)
    nn.init.normal_(words.weight, std=_SPREAD)
    with torch.no_grad():
        words.weight[PADDING].zero_()
    return words


class _Recurrent(nn.Module):
    """The largest state of an LSTM at any word, beside the mean of the words."""

    def __init__(self, settings: TextBranchSettings) -> None:
        super().__init__()
        self.width = settings.hidden + settings.embedding
        self.words = _embedded(settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.lstm = nn.LSTM(settings.embedding, settings.hidden, batch_first=True)

    def forward(self, codes: Tensor, said: Tensor) -> Tensor:
        there = said.unsqueeze(-1)
        words = self.dropout(self.words(codes))
        states, _ = self.lstm(words)
        highest = states.masked_fill(~there, _LOWEST).amax(1)
        mean = (words * there).sum(1) / there.sum(1).clamp(min=1)
        return torch.cat([highest, mean], dim=1)


class _Words(nn.Module):
    """The mean of the words."""

    def __init__(self, settings: TextBranchSettings) -> None:
        super().__init__()
        self.width = settings.embedding
        self.words = _embedded(settings)

    def forward(self, codes: Tensor, said: Tensor) -> Tensor:
        there = said.unsqueeze(-1)
        mean: Tensor = (self.words(codes) * there).sum(1) / there.sum(1).clamp(min=1)
        return mean


class _Named(nn.Module):
    """That a caption names a label speaks for it; how much is learnt of all labels together."""

    def __init__(self, words: int, labels: int) -> None:
        super().__init__()
        self.register_buffer("names", torch.zeros(words, labels))
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, codes: Tensor) -> Tensor:
        said: Tensor = self.get_buffer("names")[codes].amax(1)
        return _VOICE * self.weight * said


class _Transformer(nn.Module):
    """The mean over the words of what a transformer makes of them. Its word k has the code k + 1."""

    def __init__(self, settings: TextBranchSettings) -> None:
        super().__init__()
        from transformers import AutoConfig, AutoModel

        given: dict[str, Any] = dict(settings.transformer)
        self.network: Any = AutoModel.from_config(AutoConfig.for_model(given.pop("model_type"), **given))
        self.width = int(self.network.config.hidden_size)

    def forward(self, codes: Tensor, said: Tensor) -> Tensor:
        # A caption without words is shown as one word of padding, since attention to nothing has no mean.
        attended = said.clone()
        attended[:, 0] = True
        read = self.network(input_ids=(codes - 1).clamp(min=0), attention_mask=attended.long())
        states: Tensor = read.last_hidden_state
        return (states * attended.unsqueeze(-1)).sum(1) / attended.sum(1, keepdim=True)


_READERS: Mapping[TextReader, type[_Recurrent] | type[_Words]] = {"lstm": _Recurrent, "words": _Words}
