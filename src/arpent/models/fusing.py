"""Three ways to make one answer of what an image shows and what its caption says, either of which may be absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from arpent.models.labelling_settings import FusionName, LabellerSettings

__all__ = ["FUSIONS", "Seen"]

_MIXED = 128
_AS_LATE = 0.5
"""What the scores of each branch count at first: half, as in their mean."""


class Seen(NamedTuple):
    """What the branches make of a batch.

    Attributes:
        vectors: of images and of captions, ``(B, hidden)`` each.
        scores: of both, ``(B, labels)`` each.
        present: ``(B, 2)``, whether there is an image, and whether there is a caption.
    """

    vectors: tuple[Tensor, Tensor]
    scores: tuple[Tensor, Tensor]
    present: Tensor


def _widths(settings: LabellerSettings) -> tuple[int, int]:
    assert settings.image is not None  # a fusion has both
    assert settings.text is not None
    return settings.image.hidden, settings.text.hidden


class _Stood(nn.Module):
    """Vectors that stand for what is absent; they are learnt."""

    def __init__(self, widths: tuple[int, int]) -> None:
        super().__init__()
        self.absent = nn.ParameterList(nn.Parameter(torch.zeros(width)) for width in widths)

    def forward(self, seen: Seen) -> tuple[Tensor, Tensor]:
        image, text = (
            torch.where(seen.present[:, [at]], vector, self.absent[at]) for at, vector in enumerate(seen.vectors)
        )
        return image, text


class _Late(nn.Module):
    """The scores of both, weighted for each label; where one is absent, those of the other as they are."""

    def __init__(self, settings: LabellerSettings) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.full((2, settings.labels), _AS_LATE))
        self.bias = nn.Parameter(torch.zeros(settings.labels))

    def forward(self, seen: Seen) -> Tensor:
        image, text = seen.scores
        has_image, has_text = seen.present[:, :1], seen.present[:, 1:]
        both = self.weights[0] * image + self.weights[1] * text + self.bias
        return torch.where(has_image & has_text, both, torch.where(has_image, image, text))


class _Concatenated(nn.Module):
    """Both vectors side by side, and two layers that mend what the scores of both together say."""

    def __init__(self, settings: LabellerSettings) -> None:
        super().__init__()
        widths, dropout = _widths(settings), settings.dropout
        self.late = _Late(settings)
        self.stood = _Stood(widths)
        self.layers = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(sum(widths), 2 * _MIXED),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * _MIXED, _MIXED),
            nn.ReLU(),
            nn.Dropout(dropout),
            _silent(_MIXED, settings.labels),
        )

    def forward(self, seen: Seen) -> Tensor:
        scores: Tensor = self.late(seen) + self.layers(torch.cat(self.stood(seen), dim=1))
        return scores


class _Gated(nn.Module):
    """A gate decides for every number of a mixed vector how much of it is the image's; it mends the scores too."""

    def __init__(self, settings: LabellerSettings) -> None:
        super().__init__()
        image, text = _widths(settings)
        self.late = _Late(settings)
        self.stood = _Stood((image, text))
        self.image, self.text = nn.Linear(image, _MIXED), nn.Linear(text, _MIXED)
        self.gate = nn.Linear(image + text, _MIXED)
        self.dropout = nn.Dropout(settings.dropout)
        self.scores = _silent(_MIXED, settings.labels)

    def forward(self, seen: Seen) -> Tensor:
        image, text = self.stood(seen)
        gate = torch.sigmoid(self.gate(torch.cat([image, text], dim=1)))
        mixed = gate * torch.tanh(self.image(image)) + (1 - gate) * torch.tanh(self.text(text))
        scores: Tensor = self.late(seen) + self.scores(self.dropout(mixed))
        return scores


def _silent(width: int, labels: int) -> nn.Linear:
    """A last layer that says nothing at first: training begins with the scores of both branches."""
    layer = nn.Linear(width, labels)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


FUSIONS: Mapping[FusionName, Callable[[LabellerSettings], nn.Module]] = {
    "concat": _Concatenated,
    "gated": _Gated,
    "late": _Late,
}
"""By name: what makes the network that fuses; it takes a `Seen` and gives scores ``(B, labels)``."""
