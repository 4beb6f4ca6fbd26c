"""What a label rests on: places of the picture (Grad-CAM, Selvaraju et al. 2017) and words of the caption.

A word counts for what the chance of the label loses when the caption is read without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arpent.language import words_of
from arpent.tasks.classify.asking import Asked

__all__ = ["Seen", "heat_of", "seen_by", "word_weights"]


@dataclass(frozen=True)
class Seen:
    """A picture and its caption as a labeller takes them.

    Attributes:
        image: ``(C, side, side)``; None without picture.
        codes: ``(length,)``; None without caption, or without a word in it.
        caption: as it was given.
        chances: ``(L,)`` of both together.
        thresholds: ``(L,)``, chance from which on each label is given.
    """

    image: NDArray[np.float32] | None
    codes: NDArray[np.int64] | None
    caption: str
    chances: NDArray[np.float64]
    thresholds: NDArray[np.float64]


def seen_by(asked: Asked, path: Path | None, caption: str | None) -> Seen:
    """What a labeller sees of a picture and its caption; what it has no branch for counts as absent.

    Raises:
        InputError: the picture cannot be read.
    """
    image = asked.opened.read(path) if path is not None and asked.reads_images else None
    codes = asked.codes(caption)
    features = None if image is None else asked.features(image[None])
    chances = asked.chances(features, None if codes is None else codes[None], count=1)[0]
    thresholds = asked.opened.thresholds_for(np.array([[image is not None, codes is not None]]))[0]
    return Seen(image, codes, caption or "", chances, thresholds)


def heat_of(asked: Asked, seen: Seen, label: int) -> NDArray[np.float32] | None:
    """How much each place of the picture speaks for a label: ``(side, side)``, 0 … 1; None without picture.

    All zeros where no place speaks for it.
    """
    if seen.image is None:
        return None
    network = asked.opened.labeller
    encoder: Any = network.encoder
    codes = np.zeros_like(_any_codes(asked)) if seen.codes is None else seen.codes
    present = torch.tensor([[True, seen.codes is not None]])
    with torch.enable_grad():
        with torch.no_grad():
            maps = encoder.forward_features(torch.from_numpy(seen.image[None]))
        maps = maps.detach().requires_grad_()
        features = encoder.forward_head(maps, pre_logits=True)
        score = network.head(features, torch.from_numpy(codes[None]), present).logits[0, label]
        (slopes,) = torch.autograd.grad(score, maps)
    own, slope = _as_maps(encoder, maps.detach()), _as_maps(encoder, slopes)
    heat = torch.relu((slope.mean(dim=(2, 3), keepdim=True) * own).sum(dim=1))[0].numpy()
    peak = float(heat.max())
    side = seen.image.shape[-1]
    grown = cv2.resize(
        (heat / peak if peak > 0 else heat).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(grown, 0.0, 1.0)


def _any_codes(asked: Asked) -> NDArray[np.int64]:
    text = asked.opened.labeller.settings.text
    return np.zeros(1 if text is None else text.length, np.int64)


def _as_maps(encoder: Any, maps: Tensor) -> Tensor:  # noqa: ANN401 - an encoder of any make
    """What an encoder gives as ``(B, K, h, w)``: maps as they are, tokens back on their squares."""
    if maps.ndim == 4:
        return maps.permute(0, 3, 1, 2) if getattr(encoder, "output_fmt", "NCHW") == "NHWC" else maps
    tokens = maps[:, int(getattr(encoder, "num_prefix_tokens", 0)) :]
    side = round(tokens.shape[1] ** 0.5)
    return tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)


def word_weights(asked: Asked, seen: Seen, label: int) -> list[tuple[str, float]]:
    """The words that are read, each with what the chance of a label loses without it."""
    if seen.codes is None:
        return []
    words = words_of(seen.caption)
    read = min(len(words), len(seen.codes))
    without = [asked.opened.codes(" ".join(words[:place] + words[place + 1 :])) for place in range(read)]
    codes = np.stack([one.ids for one in without])
    there = np.array([one.present for one in without], bool)
    features = None if seen.image is None else np.repeat(asked.features(seen.image[None]), read, axis=0)
    present = np.column_stack([np.full(read, seen.image is not None), there])
    left = asked.chances(features, codes, present)[:, label]
    return [(word, float(seen.chances[label] - chance)) for word, chance in zip(words, left, strict=False)]
