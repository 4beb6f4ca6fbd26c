"""What the network behind an image encoder says of many pictures and captions, some at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arpent.engine import choose_device
from arpent.models import LabellingHead

__all__ = ["Told", "chances_of", "told_by"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_AT_ONCE: Final = 512


@dataclass(frozen=True)
class Told:
    """What a head says of some pictures, ``(N, L)`` each: all in all, and by branch; zeros of one that it has not."""

    logits: F64
    image: F64
    text: F64


def chances_of(
    head: LabellingHead,
    features: Tensor | NDArray[np.float32],
    codes: Tensor | I64,
    present: NDArray[np.bool_],
    device: str = "cpu",
) -> F64:
    """Calibrated chances ``(N, labels)``, of features ``(N, width)``, codes ``(N, length)`` and presence ``(N, 2)``.

    What a head does not look at may have no columns.
    """
    scores = torch.from_numpy(told_by(head, features, codes, present, device).logits)
    return np.asarray(torch.sigmoid(scores).numpy(), np.float64)


def told_by(
    head: LabellingHead,
    features: Tensor | NDArray[np.float32],
    codes: Tensor | I64,
    present: NDArray[np.bool_],
    device: str = "cpu",
) -> Told:
    """What a head says of features ``(N, width)``, codes ``(N, length)`` and presence ``(N, 2)``."""
    here = choose_device(device)
    head.to(here).eval()
    images, words = torch.as_tensor(features), torch.as_tensor(codes)
    there = torch.as_tensor(present)
    told: list[list[F64]] = [[], [], []]
    with torch.inference_mode():
        for first in range(0, len(there), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            answer = head(images[part].to(here), words[part].to(here), there[part].to(here))
            none = torch.zeros_like(answer.logits)
            for kept, scores in zip(told, answer, strict=True):
                kept.append((none if scores is None else scores).double().cpu().numpy())
    empty = np.zeros((0, head.settings.labels))
    return Told(*(np.concatenate([empty, *kept]) for kept in told))
