"""Learning what change is from masks of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from arpent.engine import Answer, Batch, Dense, Network, Product
from arpent.metrics import ScoreHistogram
from arpent.models import INVALID, Planaura, PlanauraOutput, batch_mean, batch_total
from arpent.tasks.change.train_settings import ChangeTrainSettings

__all__ = ["DetectionTask", "contrast_loss", "detection_loss"]

_FLOOR = 0.5
"""Likeness that is low enough. Half way from it to 1 lies 0.75, where Planaura's red ramp and polygons begin."""
_MOST, _LEAST = 0.5, 0.05
"""Share of a patch that changed from which on it counts as changed, and below which as unchanged."""


def detection_loss(odds: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy, plus one minus the overlap (Dice) of what is said and what is true.

    Change is rare: the cross-entropy alone is content with finding little of it, and Dice alone gives probabilities
    that mean nothing.

    Args:
        odds: (B, H, W), log-odds of change.
        target: (B, H, W), 1 for change, 0 for none, -1 where it is not known.
    """
    keep = (target >= 0) & (odds != INVALID)
    if not batch_total(keep.sum()):
        return odds.sum() * 0.0
    said, true = odds[keep], target[keep].float()
    entropy = batch_mean(functional.binary_cross_entropy_with_logits(said, true, reduction="none"))
    chance = said.sigmoid()
    # One pixel more on both sides: a batch without change asks for silence instead of dividing by nothing.
    both, all_said, all_true = batch_total(torch.stack(((chance * true).sum(), chance.sum(), true.sum())))
    overlap: Tensor = (2 * both + 1) / (all_said + all_true + 1)
    return entropy + 1 - overlap


def contrast_loss(cosine: Tensor, target: Tensor, patch: int, floor: float = _FLOOR) -> Tensor:
    """Pulls the cosine to 1 where nothing changed, and down to `floor` where most of a patch did.

    Both halves weigh the same, however rare change is; patches with a little change teach nothing.

    Args:
        cosine: (B, h, w), of patches; `INVALID` where there is none.
        target: (B, H, W), as for `detection_loss`.
        patch: side of a patch in pixels.
        floor: likeness low enough.
    """
    share = functional.avg_pool2d((target == 1).float()[:, None], patch)[:, 0]
    unknown = functional.max_pool2d((target < 0).float()[:, None], patch)[:, 0] > 0
    valid = (cosine != INVALID) & ~unknown
    changed, same = valid & (share >= _MOST), valid & (share <= _LEAST)
    wrong = torch.stack(((functional.relu(cosine - floor) ** 2 * changed).sum(), ((1 - cosine) ** 2 * same).sum()))
    return (batch_total(wrong) / batch_total(torch.stack((changed.sum(), same.sum()))).clamp(min=1)).sum()


class _Meter:
    """F1 at its best threshold, that threshold, and average precision; also those of the cosine, on patches."""

    def __init__(self, patch: int) -> None:
        self._patch = patch
        self._head, self._cosine = ScoreHistogram(), ScoreHistogram()

    def update(self, out: PlanauraOutput, batch: Batch) -> None:
        """Counts a batch."""
        target, odds = batch["target"], out.change
        assert odds is not None and out.cosine is not None  # two dates, and a head
        keep = (target >= 0) & (odds != INVALID)
        chance = odds[keep].float().sigmoid()
        self._head.update(chance.cpu().numpy(), target[keep].to(torch.uint8).cpu().numpy())
        cosine = out.cosine.repeat_interleave(self._patch, 1).repeat_interleave(self._patch, 2)
        seen = keep & (cosine != INVALID)
        unlike = (1 - cosine[seen].float()).clamp(min=0)
        self._cosine.update(unlike.cpu().numpy(), target[seen].to(torch.uint8).cpu().numpy())

    def merge(self, other: _Meter) -> None:
        """Adds what another process counted."""
        self._head.merge(other._head)
        self._cosine.merge(other._cosine)

    def compute(self) -> dict[str, float]:
        """The figures."""
        curve = self._head.curve()
        best, unlike = curve.best(), self._cosine.curve().best()
        return {
            "f1": best.f1,
            "threshold": best.threshold,
            "average_precision": curve.average_precision,
            "cosine_f1": unlike.f1,
            "cosine_threshold": 1 - unlike.threshold,
        }

    def figures(self) -> Sequence[str]:
        """Their names."""
        return ("f1", "threshold", "average_precision", "cosine_f1", "cosine_threshold")


class DetectionTask:
    """Fine-tuning, as the engine knows it: its model is a Planaura network with a change head."""

    def __init__(self, config: ChangeTrainSettings, network: Planaura) -> None:
        self.config = config
        self._network = network

    def build(self) -> nn.Module:
        """The network; its encoder learns unless it is frozen, its decoder never does."""
        for name, parameter in self._network.named_parameters():
            learns = name.startswith("head.") or (name.startswith("encoder.") and not self.config.freeze)
            parameter.requires_grad_(learns)
        return self._network

    def loss(self, out: PlanauraOutput, batch: Batch) -> Tensor:
        """Of the head and, where the encoder learns too, of the cosine."""
        assert out.change is not None and out.cosine is not None  # two dates, and a head
        loss = detection_loss(out.change, batch["target"])
        if self.config.contrast and not self.config.freeze:
            patch = self._network.settings.patch
            loss = loss + self.config.contrast * contrast_loss(out.cosine, batch["target"], patch)
        return loss

    def metrics(self) -> _Meter:
        """See the figures of a run: f1, threshold, average_precision, cosine_f1, cosine_threshold."""
        return _Meter(self._network.settings.patch)

    def products(self) -> Sequence[Product]:
        """The probability of change."""
        return (Product("change_probability", "change", nodata=INVALID),)

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Probabilities of a batch of pairs."""
        odds = model(batch["image"]).change
        return {"change": Dense(odds.sigmoid()[:, None], odds != INVALID)}
