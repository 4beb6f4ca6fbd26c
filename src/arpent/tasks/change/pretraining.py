"""Learning what places look like without being told anything: paint the patches that were hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from arpent.engine import Answer, Batch, Network, NoFigures, Product
from arpent.errors import InvalidSetting
from arpent.models import MISSING, Planaura, batch_total
from arpent.tasks.change.train_settings import ChangeTrainSettings, MaskingSettings

__all__ = ["MaskedAutoencoder", "Painted", "PaintingTask", "painting_loss"]

_VALIDATION_SEED = 20_240_229


class Painted(NamedTuple):
    """What the autoencoder made of a batch.

    Attributes:
        pixels: (B, C, T, H, W), every patch.
        hidden: (B, T, H, W) bool, where the encoder saw nothing.
    """

    pixels: Tensor
    hidden: Tensor


class MaskedAutoencoder(nn.Module):
    """Hides most patches from a network and has it paint them.

    In training other patches are hidden every time; in evaluation always the same, so that epochs compare.

    Args:
        network: the network that learns.
        ratio: share of the patches that is hidden.
    """

    def __init__(self, network: Planaura, ratio: float) -> None:
        super().__init__()
        self.network = network
        self.ratio = ratio

    def forward(self, images: Tensor) -> Painted:
        """Images (B, C, T, H, W), with sides that are multiples of the patch."""
        visible, hidden = self._drawn(images)
        return Painted(self.network.complete(images, visible), hidden)

    def _drawn(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Visible tokens (B, K), and hidden pixels (B, T, H, W)."""
        batch, _, frames, height, width = images.shape
        patch = self.network.settings.patch
        rows, cols = height // patch, width // patch
        tokens = frames * rows * cols
        generator = None if self.training else torch.Generator().manual_seed(_VALIDATION_SEED)
        order = torch.rand(batch, tokens, generator=generator).argsort(dim=1).to(images.device)
        visible = order[:, : max(1, round(tokens * (1 - self.ratio)))]
        hidden = torch.ones(batch, tokens, dtype=torch.bool, device=images.device).scatter(1, visible, False)
        whole = hidden.view(batch, frames, rows, cols)
        return visible, whole.repeat_interleave(patch, 2).repeat_interleave(patch, 3)


def painting_loss(painted: Painted, images: Tensor, clear: Tensor, patch: int, *, normalise: bool = False) -> Tensor:
    """Mean squared error of the hidden pixels that show ground.

    Clouds are far brighter than any ground, and nobody can guess them: a squared error would see nothing else.

    Args:
        painted: answer of a `MaskedAutoencoder`.
        images: (B, C, T, H, W), what was hidden; `MISSING` where there is no data.
        clear: (B, H, W) bool, pixels that count.
        patch: side of a patch.
        normalise: compare each patch after bringing it to mean 0 and variance 1, so that texture counts and not light.
    """
    known = (images != MISSING) & torch.isfinite(images)
    target = torch.where(known, images, 0.0)
    if normalise:
        target = _standard(target, known, patch)
    counted = known & painted.hidden[:, None] & clear[:, None, None]
    total = ((painted.pixels.float() - target) ** 2 * counted).sum()
    return batch_total(total) / batch_total(counted.sum()).clamp(min=1)


def _standard(images: Tensor, known: Tensor, patch: int) -> Tensor:
    """Each patch with mean 0 and variance 1 over all its bands and pixels that hold data."""

    def mean(values: Tensor) -> Tensor:
        pooled = functional.avg_pool2d(values.mean(dim=1), patch)  # (B, T, rows, cols)
        return pooled.repeat_interleave(patch, 2).repeat_interleave(patch, 3)[:, None]

    share = mean(known.float()).clamp(min=1e-6)
    centre = mean(images) / share
    spread = mean((images - centre) ** 2 * known) / share
    return (images - centre) * known / (spread + 1e-6).sqrt()


class PaintingTask:
    """Pretraining, as the engine knows it: its model is a `MaskedAutoencoder`."""

    def __init__(self, config: ChangeTrainSettings, network: Planaura) -> None:
        self.config = config
        self._network = network

    @property
    def masking(self) -> MaskingSettings:
        """What is hidden."""
        return self.config.masking

    def build(self) -> nn.Module:
        """The autoencoder around the network; what it does not use does not learn."""
        for name, parameter in self._network.named_parameters():
            parameter.requires_grad_(not name.startswith("head."))
        return MaskedAutoencoder(self._network, self.masking.ratio)

    def loss(self, out: Painted, batch: Batch) -> Tensor:
        """See `painting_loss`."""
        patch = self._network.settings.patch
        return painting_loss(out, batch["image"], batch["target"] >= 0, patch, normalise=self.masking.normalise)

    def metrics(self) -> NoFigures:
        """None besides the loss."""
        return NoFigures()

    def products(self) -> Sequence[Product]:
        """None."""
        return ()

    def infer(self, model: Network, batch: Batch) -> Answer:
        """Not what it is made for."""
        raise InvalidSetting("an autoencoder makes no map", cure="Use the network inside it: arpent change pair.")
