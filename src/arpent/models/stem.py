"""Other bands for a trained network: its first layer gets an input for each, and keeps what it knows of the old ones.

Bands are matched by name, common name or alias, never by place. A band that the network has not seen gets weights in
one of four ways; where they are not zero, all weights are scaled by the old number of bands over the new one, so that
the layer's answer to a grey surface stays about as large as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from arpent.core import Band
from arpent.errors import ContractMismatch, InvalidSetting, UnknownName

__all__ = ["StemRule", "extend_stem"]

StemRule = Literal["zero", "copy", "mean", "spectral"]
"""How a new band begins: with zeros (the network answers as before), as the band of the nearest wavelength, as the
mean of all bands, or interpolated between the bands on both sides of its wavelength."""


def extend_stem(model: nn.Module, source: Sequence[Band], target: Sequence[Band], how: StemRule) -> nn.Module:
    """A copy of a network whose first convolution takes the bands `target` instead of `source`.

    Args:
        model: whose first convolution has one input per band of `source`.
        source: bands that it was trained on, in the order of its inputs.
        target: bands wanted, in the order of the new inputs; those that `source` lacks are new.
        how: see `StemRule`.

    Raises:
        ContractMismatch: no band is in both, or the network does not begin with a convolution over `source`.
        InvalidSetting: a wavelength is needed and not known.
    """
    if how not in get_args(StemRule):
        raise UnknownName.among(how, get_args(StemRule), "way to begin with a new band")
    extended = copy.deepcopy(model)
    stem, behind = _first_convolutions(extended, len(source))
    mixing = _mixing(source, target, how).to(stem.weight)
    if stem.groups == 1:
        _mix_inputs(stem, mixing)
        return extended
    # A depthwise stem looks at each band alone; the 1 × 1 convolution behind it is what joins them.
    looks = _mixing(source, target, "copy" if how == "zero" else how).to(stem.weight)
    _mix_planes(stem, looks / looks.sum(0))
    _mix_inputs(behind, mixing)
    return extended


def _matches(source: Sequence[Band], target: Sequence[Band]) -> Mapping[int, int]:
    """For each wanted band that the network knows: its place among the new ones, and among the old ones."""
    found: dict[int, int] = {}
    for new, band in enumerate(target):
        names = [band.name, *([band.common] if band.common else []), *band.aliases]
        for old, known in enumerate(source):
            if old not in found.values() and any(known.answers_to(name) for name in names):
                found[new] = old
                break
    return found


def _mixing(source: Sequence[Band], target: Sequence[Band], how: StemRule) -> Tensor:
    """``(old bands, new bands)``: how much of each old band's weights a new input gets."""
    matches = _matches(source, target)
    if not matches:
        raise ContractMismatch(
            "the network knows none of these bands",
            found=", ".join(band.name for band in target),
            expected=f"some of {', '.join(band.name for band in source)}",
            cure="Name the bands as the model's contract does, or train from scratch.",
        )
    mixing = torch.zeros(len(source), len(target), dtype=torch.float64)
    for new, band in enumerate(target):
        if new in matches:
            mixing[matches[new], new] = 1.0
        elif how == "mean":
            mixing[:, new] = 1.0 / len(source)
        elif how != "zero":
            for old, share in _neighbours(band, source, blend=how == "spectral").items():
                mixing[old, new] = share
    if how != "zero" and len(matches) < len(target):
        mixing *= len(source) / len(target)
    return mixing


def _neighbours(band: Band, source: Sequence[Band], *, blend: bool) -> Mapping[int, float]:
    """Old bands that a new one resembles, with their shares."""
    places = {old: known.wavelength for old, known in enumerate(source) if known.wavelength is not None}
    if band.wavelength is None or not places:
        raise InvalidSetting(
            f"the wavelength of band '{band.name}' or of the model's bands is not known",
            cure="Name the sensor, or begin with --stem zero or --stem mean.",
        )
    wanted = band.wavelength
    nearest = min(places, key=lambda old: abs(places[old] - wanted))
    below = [old for old in places if places[old] <= wanted]
    above = [old for old in places if places[old] > wanted]
    if not blend or not below or not above:
        return {nearest: 1.0}
    low, high = max(below, key=lambda old: places[old]), min(above, key=lambda old: places[old])
    share = (wanted - places[low]) / (places[high] - places[low])
    return {low: 1 - share, high: share}


def _first_convolutions(model: nn.Module, bands: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The convolution over the bands, and the one behind it."""
    found = [module for module in model.modules() if isinstance(module, nn.Conv2d)][:2]
    if len(found) < 2 or found[0].in_channels != bands or found[0].groups not in (1, bands):
        raise ContractMismatch(
            "the network does not begin with a convolution over its bands",
            expected=f"a first layer with {bands} inputs",
            cure="Give the bands of the model's contract.",
        )
    return found[0], found[1]


def _mix_inputs(layer: nn.Conv2d, mixing: Tensor) -> None:
    """Gives a convolution inputs that are mixed from its old ones."""
    layer.weight = nn.Parameter(torch.einsum("oihw,in->onhw", layer.weight.detach(), mixing).contiguous())
    layer.in_channels = mixing.shape[1]


def _mix_planes(layer: nn.Conv2d, looks: Tensor) -> None:
    """Gives a depthwise convolution planes that are mixed from its old ones."""
    layer.weight = nn.Parameter(torch.einsum("iohw,in->nohw", layer.weight.detach(), looks).contiguous())
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias.detach() @ looks)
    layer.in_channels = layer.out_channels = layer.groups = looks.shape[1]
