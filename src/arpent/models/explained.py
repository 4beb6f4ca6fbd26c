"""Scores of a dense network together with the features that they come from."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["Explained"]


class Explained(NamedTuple):
    """What a segmentation network makes of images ``(N, channels, H, W)``.

    Attributes:
        features: the deepest of the encoder, ``(N, width, H / stride, W / stride)``.
        scores: of each class, ``(N, classes, H, W)``.
    """

    features: Tensor
    scores: Tensor
