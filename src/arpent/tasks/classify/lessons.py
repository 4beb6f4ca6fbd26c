"""What a training step of a labeller is given: pictures or their features, captions, and what of both is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arpent.data import WHOLE, Share, generator_for
from arpent.engine import Batch
from arpent.io import read_ahead
from arpent.tasks.classify.codes import Coder
from arpent.tasks.classify.dataset import Picture
from arpent.tasks.classify.features import Features
from arpent.tasks.classify.pixels import Squares

__all__ = ["Lessons", "Shown"]

I64 = NDArray[np.int64]
_CAPTIONS = 5
"""Captions of a picture that are read in one epoch at most."""


@dataclass(frozen=True)
class Shown:
    """What a network is shown of pictures.

    Attributes:
        features: of its encoder, where that does not learn.
        squares: how pictures are read, where it does.
        coder: of captions; None where none are read.
        images: whether pictures are looked at.
    """

    features: Features | None = None
    squares: Squares | None = None
    coder: Coder | None = None

    @property
    def images(self) -> bool:
        """Whether pictures are looked at."""
        return self.features is not None or self.squares is not None


@dataclass(frozen=True)
class Lessons:
    """Batches of pictures with their captions; satisfies `engine.Batches`.

    In a training every picture comes once with each of its captions, or `times` as often, in one view or another; where
    it is judged, it comes once, as it is, with its first caption.

    Attributes:
        pictures: all of them.
        shown: what of them.
        batch_size: pictures per step.
        seed: of order and chance; None where nothing is learnt and nothing left to chance.
        times: how often each picture comes in an epoch; as often as it has captions, up to 5, if not given.
        absent: share of the samples that lack the picture or the caption, where there are both.
        workers: threads that read ahead.
    """

    pictures: Sequence[Picture]
    shown: Shown
    batch_size: int = 64
    seed: int | None = None
    times: int | None = None
    absent: float = 0.0
    workers: int = 2

    def steps(self, number: int = 0) -> int:
        """Batches of an epoch."""
        return -(-sum(self._times(one) for one in self.pictures) // self.batch_size)

    def _times(self, picture: Picture) -> int:
        if self.seed is None:
            return 1
        return self.times or min(max(1, len(picture.captions)), _CAPTIONS)

    def epoch(self, number: int, start: int = 0, stop: int | None = None, share: Share = WHOLE) -> Iterator[Batch]:
        """The batches of an epoch.

        Raises:
            InvalidSetting: full batches have fewer pictures than there are processes.
        """
        share.require_room(self.batch_size)
        order, captions = self._order(number)
        for step in range(start, self.steps(number) if stop is None else stop):
            places = range(step * self.batch_size, min((step + 1) * self.batch_size, len(order)))
            own = [*share.of(places)]
            rng = generator_for(self.seed or 0, number, 1 + step)
            drawn = rng.random((2, len(order[places.start : places.stop])))
            picked = [at - places.start for at in own]
            yield {
                **self._batch(order[own], captions[own], drawn[:, picked]),
                "part": share.part(places),
            }

    def _order(self, number: int) -> tuple[I64, I64]:
        """Of each sample of an epoch: the picture's place, and the caption's."""
        if self.seed is None:
            every = np.arange(len(self.pictures))
            return every, np.zeros_like(every)
        rng = generator_for(self.seed, number, 0)
        times = [self._times(one) for one in self.pictures]
        places = np.repeat(np.arange(len(self.pictures)), times)
        captions = np.concatenate(
            [_drawn(rng, len(one.captions), count) for one, count in zip(self.pictures, times, strict=True)]
        )
        order = rng.permutation(len(places))
        return places[order], captions[order]

    def _batch(self, places: I64, captions: I64, drawn: NDArray[np.float64]) -> dict[str, object]:
        chosen = [self.pictures[place] for place in places]
        texts = [one.captions[at] if one.captions else "" for one, at in zip(chosen, captions, strict=True)]
        words, told = torch.zeros(len(chosen), 0, dtype=torch.long), np.zeros(len(chosen), np.bool_)
        if self.shown.coder is not None:
            codes = [self.shown.coder.codes(text) for text in texts]
            words, told = (
                torch.from_numpy(np.stack([one.ids for one in codes])),
                np.array([one.present for one in codes]),
            )
        present = np.stack([np.full(len(chosen), self.shown.images), told], axis=1)
        if self.seed is not None and self.absent and present.all(axis=1).any():
            lost = np.stack([drawn[0] < self.absent / 2, (drawn[0] >= self.absent / 2) & (drawn[0] < self.absent)], 1)
            present &= ~(lost & present.all(axis=1, keepdims=True))
        images = self._images(chosen, drawn[1])
        target = torch.from_numpy(np.stack([one.labels for one in chosen]).astype(np.float32))
        return {
            **images,
            "words": words,
            "present": torch.from_numpy(present),
            "target": target,
            "names": [one.name for one in chosen],
        }

    def _images(self, pictures: Sequence[Picture], drawn: NDArray[np.float64]) -> dict[str, Tensor]:
        """Pictures as they are or, to be learnt from, mirrored at times; or features of one of their views."""
        if self.shown.squares is not None:
            read = read_ahead(self.shown.squares.read, [one.path for one in pictures], threads=max(1, self.workers))
            mirror = (drawn < 0.5) & (self.seed is not None)
            squares = [square[..., ::-1] if turned else square for square, turned in zip(read, mirror, strict=True)]
            return {"image": torch.from_numpy(np.stack(squares))}
        if self.shown.features is None:
            return {"features": torch.zeros(len(pictures), 0)}
        views = (drawn * self.shown.features.views).astype(int) if self.seed is not None else None
        return {"features": self.shown.features.of(pictures, views)}


def _drawn(rng: np.random.Generator, captions: int, count: int) -> I64:
    """`count` captions of so many, each as often as the others, as far as that goes."""
    if captions == 0:
        return np.zeros(count, np.int64)
    rounds = -(-count // captions)
    return np.concatenate([rng.permutation(captions) for _ in range(rounds)])[:count]
