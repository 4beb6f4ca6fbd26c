"""How a bundle's network is traced for other programs: what it is given, what it answers, which lengths stay free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from arpent.errors import InvalidSetting
from arpent.models.labelling import Labeller
from arpent.models.load import Bundle

__all__ = ["Exported", "exported"]

_ONE_IMAGE = {"smp-unet", "timm", "unet"}  # architectures whose forward takes one (N, C, H, W) tensor
_SIDE = 64  # pixels of the example, a multiple of every stride; the exported model takes other sizes


@dataclass(frozen=True)
class Exported:
    """A network to be traced.

    Attributes:
        module: that is traced.
        example: one tensor for each input, of two images: an example of one would be taken for a constant.
        free: the axes of each input whose length may change, with what they count.
        answer: the name of the output, and its free axes.
    """

    module: nn.Module
    example: tuple[Tensor, ...]
    free: Mapping[str, Mapping[int, str]]
    answer: tuple[str, Mapping[int, str]]

    @property
    def axes(self) -> dict[str, dict[int, str]]:
        """All free axes, by the name of the input or output."""
        return {name: dict(own) for name, own in (*self.free.items(), self.answer)}


def exported(bundle: Bundle) -> Exported:
    """How the network of a bundle is traced.

    Raises:
        InvalidSetting: it takes more than one image.
    """
    name = bundle.contract.architecture
    if isinstance(bundle.model, Labeller):
        return _labeller(bundle.model)
    if name not in _ONE_IMAGE:
        raise InvalidSetting(
            f"'{name}' takes more than one image, and only networks of one are exported",
            expected=f"one of {', '.join(sorted({*_ONE_IMAGE, 'labeller'}))}",
            cure="Export it to safetensors, or run it with --runtime openvino.",
        )
    example = torch.zeros(2, len(bundle.contract.bands), _SIDE, _SIDE)
    free = {0: "images", 2: "rows", 3: "columns"}
    with torch.no_grad():
        dense = bundle.model(example).ndim == 4
    return Exported(bundle.model, (example,), {"images": free}, ("scores", free if dense else {0: "images"}))


class _Chances(nn.Module):
    """A labeller as others want it: tensors in, chances out, nothing to be known of branches."""

    def __init__(self, labeller: Labeller) -> None:
        super().__init__()
        self.labeller = labeller
        self.both = labeller.settings.image is not None and labeller.settings.text is not None

    def forward(self, first: Tensor, second: Tensor | None = None, present: Tensor | None = None) -> Tensor:
        """Chances ``(B, labels)`` of images, of captions, or of both and what is there of them."""
        if second is not None and present is not None:
            return torch.sigmoid(self.labeller(first, second, present).logits)
        there = torch.ones(first.shape[0], 2, dtype=torch.bool)
        return torch.sigmoid(self.labeller(first, first, there).logits)


def _labeller(labeller: Labeller) -> Exported:
    """Images have the one size that the labeller was made for; only their number is free."""
    settings, example, names = labeller.settings, [], []
    if settings.image is not None:
        side = settings.image.side
        names.append("images")
        example.append(torch.linspace(-1, 1, 2 * settings.image.channels * side**2).reshape(2, -1, side, side))
    if settings.text is not None:
        names.append("words")
        example.append(torch.ones(2, settings.text.length, dtype=torch.long))
    if len(example) == 2:
        names.append("present")
        example.append(torch.tensor([[True, True], [True, False]]))
    free = {name: {0: "images"} for name in names}
    return Exported(_Chances(labeller).eval(), tuple(example), free, ("chances", {0: "images"}))
