"""A labeller made ready on a runtime: its encoder where it is fastest, and the small rest beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from arpent.engine import Network, hired, start_network
from arpent.engine.settings import Precision, RuntimeName
from arpent.tasks.classify.answering import chances_of
from arpent.tasks.classify.labelling import OpenedLabeller

__all__ = ["Asked"]

_SAVED = 0.02
"""CPU seconds that OpenVINO saves MobileNetV2 on a picture of 256²: two thirds of them."""


@dataclass(frozen=True)
class Asked:
    """A labeller that answers.

    Attributes:
        opened: the labeller, with all that it says of itself.
        network: its image encoder as it runs; None if it looks at no pictures.
    """

    opened: OpenedLabeller
    network: Network | None

    @classmethod
    def open(
        cls,
        model: str | Path,
        *,
        runtime: RuntimeName = "auto",
        device: str = "auto",
        precision: Precision = "f32",
        pictures: int | None = None,
    ) -> Asked:
        """The labeller of a bundle, or of the run that trained it.

        Args:
            model: the bundle or the run.
            runtime: of the image encoder.
            device: of the image encoder.
            precision: of its arithmetic.
            pictures: how many it will see; few are not worth starting OpenVINO for. None for any number.

        Raises:
            ModelError: it is no labeller.
        """
        opened = OpenedLabeller.open(model)
        own = opened.labeller.encoder
        if own is None:
            return cls(opened, None)
        network = start_network(own, runtime, device, precision, tiles=pictures, saved=_SAVED, fixed=True)
        if (
            network.name == "openvino" and hired() is None
        ):  # which compiles for the first picture it sees: better now than in the loop
            network(torch.zeros(1, opened.channels, opened.side, opened.side))
        return cls(opened, network)

    @property
    def reads_images(self) -> bool:
        """Whether it looks at pictures."""
        return self.network is not None

    @property
    def reads_text(self) -> bool:
        """Whether it reads captions."""
        return self.opened.coder is not None

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.opened.labels

    def codes(self, caption: str | None) -> NDArray[np.int64] | None:
        """A caption as the model reads it; None where there is none, or no word in it, or where it reads none."""
        if caption is None or not self.reads_text:
            return None
        coded = self.opened.codes(caption)
        return coded.ids if coded.present else None

    def features(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the encoder makes of pictures ``(B, C, side, side)``: ``(B, F)``."""
        assert self.network is not None  # asked by whoever gives it pictures
        seen: torch.Tensor = self.network(torch.from_numpy(images))
        return np.asarray(seen.float().cpu().numpy(), np.float32)

    def chances(
        self,
        features: NDArray[np.float32] | None,
        codes: NDArray[np.int64] | None,
        present: NDArray[np.bool_] | None = None,
        *,
        count: int = 0,
    ) -> NDArray[np.float64]:
        """Chances ``(B, L)`` of labels.

        Args:
            features: of pictures, ``(B, F)``; None where there is none.
            codes: of captions, ``(B, length)``; None where there is none.
            present: ``(B, 2)``, which pictures and which captions are there; all that are given if not given.
            count: B, where neither is given: the answer is then how common each label is.
        """
        head = self.opened.labeller.head
        count = next((len(one) for one in (features, codes) if one is not None), count)
        if present is None:
            present = np.tile(np.array([features is not None, codes is not None]), (count, 1))
        if features is None:
            features = np.zeros((count, 0 if head.image is None else len(head.image.get_buffer("mean"))), np.float32)
        if codes is None:
            codes = np.zeros((count, 1 if self.opened.coder is None else self.opened.coder.length), np.int64)
        return chances_of(head, features, codes, present)
