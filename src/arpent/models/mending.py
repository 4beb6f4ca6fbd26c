"""What labels say of one another: a small layer behind a labeller, found on pictures that the labeller has not learnt.

Where there is a sea, ships are likelier and cars are not. A matrix in the place of a temperature is known as matrix
scaling (Guo et al., 2017); here it is added to the scores, and held to zero where there is little to find it by.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Mending", "places"]

_IMAGE, _TEXT, _BOTH = range(3)


def places(present: Tensor) -> Tensor:
    """Of what is `present` ``(B, 2)``, the row of it in all that is kept for image, caption and both, ``(B,)``."""
    return torch.where(present[:, 1], torch.where(present[:, 0], _BOTH, _TEXT), _IMAGE)


class Mending(nn.Module):
    """What the scores of all labels add to that of each; nothing at first, and nothing that a training moves.

    Args:
        labels: how many there are.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(3, 2 * labels + 1, labels))

    def set_weights(self, weights: Tensor) -> None:
        """For an image alone, a caption alone and both, ``(3, 2 labels + 1, labels)``.

        Of what each score by the image adds to each label, then each score by the caption, then what is always added.
        """
        self.get_buffer("weights").copy_(weights)

    def forward(self, image: Tensor, text: Tensor, present: Tensor) -> Tensor:
        """What is added, ``(B, labels)``.

        Args:
            image: scores ``(B, labels)`` by the image.
            text: scores ``(B, labels)`` by the caption.
            present: ``(B, 2)``, which of both there is; the other's scores do not matter.
        """
        scores = [torch.where(present[:, [at]], own, 0.0) for at, own in enumerate((image, text))]
        seen = torch.cat([*scores, torch.ones_like(image[:, :1])], dim=1)
        each = torch.einsum("bi,sil->bsl", seen, self.get_buffer("weights"))
        at = places(present)[:, None, None].expand(-1, 1, each.shape[2])
        return torch.gather(each, 1, at).squeeze(1)
