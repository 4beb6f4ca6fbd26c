"""Labels of an image, of its caption, or of both: an encoder, a head for each branch, and what fuses them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from arpent.models.fusing import FUSIONS, Seen
from arpent.models.image_encoder import ImageEncoderSettings, build_image_encoder, feature_width
from arpent.models.labelling_settings import ImageBranchSettings, LabellerSettings
from arpent.models.mending import Mending, places
from arpent.models.text_branch import Read, TextBranch

__all__ = ["ImageBranch", "Labeller", "Labelling", "LabellingHead", "build_labeller", "encoder_settings"]

_IMAGE, _TEXT = range(2)


class Labelling(NamedTuple):
    """Scores of labels.

    Attributes:
        logits: ``(B, labels)``, of all that there is, calibrated: what a sigmoid makes of them are chances.
        image: ``(B, labels)``, of the image's branch, tempered; None if that branch is not there.
        text: ``(B, labels)``, of the caption's branch, tempered; None if that branch is not there.
    """

    logits: Tensor
    image: Tensor | None = None
    text: Tensor | None = None


class ImageBranch(nn.Module):
    """Pooled features of an image to a vector and scores.

    Args:
        settings: of the branch.
        width: numbers of the encoder's features.
        labels: how many there are.
    """

    def __init__(self, settings: ImageBranchSettings, width: int, labels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.dropout = nn.Dropout(settings.dropout)
        self.vector = nn.Linear(width, settings.hidden)
        self.scores = nn.Linear(settings.hidden, labels)

    def suit(self, features: Tensor) -> None:
        """Takes mean and deviation from features ``(n, width)`` of training images.

        A feature that hardly ever stirs is not made loud.
        """
        deviation = features.std(0, correction=0)
        self.get_buffer("mean").copy_(features.mean(0))
        self.get_buffer("deviation").copy_(deviation.clamp(min=max(1e-6, 0.05 * float(deviation.mean()))))

    def vectors(self, features: Tensor) -> Tensor:
        """Of features ``(B, width)``: ``(B, hidden)``, none of them below zero."""
        even = (features - self.mean) / self.deviation  # type: ignore[operator]  # buffers are tensors
        return torch.relu(self.vector(self.dropout(even)))

    def score(self, vectors: Tensor) -> Tensor:
        """Scores ``(B, labels)`` of vectors ``(B, hidden)``."""
        scores: Tensor = self.scores(self.dropout(vectors))
        return scores

    def forward(self, features: Tensor) -> Tensor:
        """Scores ``(B, labels)`` of features ``(B, width)``."""
        return self.score(self.vectors(features))


class LabellingHead(nn.Module):
    """All of a labeller behind its image encoder.

    Args:
        settings: of the labeller.
        width: numbers of the encoder's features; 0 without an encoder.
    """

    def __init__(self, settings: LabellerSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.image = ImageBranch(settings.image, width, settings.labels) if settings.image else None
        self.text = TextBranch(settings.text, settings.labels) if settings.text else None
        self.fusion = FUSIONS[settings.fusion](settings) if settings.fusion else None
        self.register_buffer("temperatures", torch.ones(3))
        self.register_buffer("tempers", torch.ones(2))
        self.mending = Mending(settings.labels)
        self.register_buffer("usual", torch.zeros(settings.labels))
        self.register_buffer("thresholds", torch.full((3, settings.labels), 0.5))

    def set_temperatures(self, image: float, text: float, both: float) -> None:
        """By what scores are divided where there is an image alone, a caption alone, or both."""
        self.get_buffer("temperatures").copy_(torch.tensor([image, text, both]))

    def set_tempers(self, image: float, text: float) -> None:
        """By what scores are divided before they are fused, so that the surer branch does not drown the other."""
        self.get_buffer("tempers").copy_(torch.tensor([image, text]))

    def set_thresholds(self, thresholds: Tensor) -> None:
        """Of each label the chance from which on it is given, ``(3, labels)``.

        The rows are for an image alone, a caption alone, and both; one row ``(labels,)`` is for all of them.
        """
        self.get_buffer("thresholds").copy_(thresholds)

    def thresholds_for(self, present: Tensor) -> Tensor:
        """Those that count where what is `present` ``(B, 2)`` is: ``(B, labels)``."""
        return self.get_buffer("thresholds")[places(present)]

    def set_usual(self, shares: Tensor) -> None:
        """Of each label ``(labels,)``, how often training images have it: the answer where nothing is to be seen."""
        self.get_buffer("usual").copy_(torch.logit(shares, eps=1e-4))

    def forward(self, features: Tensor, codes: Tensor, present: Tensor) -> Labelling:
        """Scores of a batch.

        Args:
            features: of images, ``(B, width)``; not looked at without an image branch.
            codes: numbers of words, ``(B, length)``, 0 where there is none; not looked at without a text branch.
            present: ``(B, 2)``, whether there is an image, and whether there is a caption. What stands in the place
                of one that is absent does not matter.
        """
        if self.image is None or self.text is None:
            return self._alone(features, codes, present)
        seen, read = self.image.vectors(features), self._read(codes)
        tempers = self.get_buffer("tempers")
        image, text = self.image.score(seen) / tempers[_IMAGE], read.scores / tempers[_TEXT]
        assert self.fusion is not None  # two branches are fused
        fused = self.fusion(Seen((seen, read.vectors), (image, text), present))
        told = self._calibrated(fused + self.mending(image, text, present), present)
        return Labelling(told, image, text)

    def _alone(self, features: Tensor, codes: Tensor, present: Tensor) -> Labelling:
        """The scores of a labeller that has but one branch."""
        at = _IMAGE if self.image is not None else _TEXT
        own = self.image(features) if self.image is not None else self._read(codes).scores
        own = own / self.get_buffer("tempers")[at]
        there = present & (torch.arange(2, device=present.device) == at)
        told = self._calibrated(own + self.mending(own, own, there), there)
        return Labelling(told, own, None) if self.image is not None else Labelling(told, None, own)

    def _calibrated(self, scores: Tensor, present: Tensor) -> Tensor:
        """Scores at the temperature of what there is; where there is nothing, how common labels are."""
        told = scores / self.get_buffer("temperatures")[places(present)].unsqueeze(1)
        return torch.where(present.any(1, keepdim=True), told, self.get_buffer("usual"))

    def _read(self, codes: Tensor) -> Read:
        assert self.text is not None
        read: Read = self.text(codes)
        return read


class Labeller(nn.Module):
    """Images and captions to labels.

    Args:
        settings: of the network.
    """

    def __init__(self, settings: LabellerSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder: nn.Module | None = None
        width = 0
        if settings.image is not None:
            self.encoder = build_image_encoder(encoder_settings(settings.image))
            width = feature_width(self.encoder)
        self.head = LabellingHead(settings, width)

    def forward(self, image: Tensor, codes: Tensor, present: Tensor) -> Labelling:
        """As `LabellingHead`, of images ``(B, channels, side, side)``."""
        features = self.encoder(image) if self.encoder is not None else image
        labelling: Labelling = self.head(features, codes, present)
        return labelling


def encoder_settings(settings: ImageBranchSettings) -> ImageEncoderSettings:
    """Those of the encoder that a branch begins with."""
    return ImageEncoderSettings(name=settings.encoder, channels=settings.channels, padding=settings.padding)


def build_labeller(settings: LabellerSettings) -> Labeller:
    """The network with random weights."""
    return Labeller(settings)
