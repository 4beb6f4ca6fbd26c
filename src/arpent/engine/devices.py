"""Where to compute, and how precisely."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from arpent.errors import DeviceMissing, InvalidSetting

__all__ = ["as_channels_last", "channels_last", "choose_device", "placed"]


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes a GPU where there is one.

    Args:
        name: "auto", "cpu", "cuda", "cuda:1", "mps" …
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InvalidSetting(
            f"'{name}' is not a device", expected="auto, cpu, cuda, cuda:0 or mps", cure="Use one of these."
        ) from error
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise DeviceMissing(
                f"there is no GPU '{name}'",
                found=f"{count} CUDA devices",
                cure="Use --device cpu, or see 'arpent doctor'.",
            )
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceMissing("this machine has no Apple GPU", cure="Use --device cpu.")
    return device


def channels_last(model: nn.Module) -> nn.Module:
    """The same model with its image kernels in the order that CPUs and GPUs are quickest with.

    Kernels over time, which have an axis more, keep theirs.
    """
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = as_channels_last(parameter.data)
    return model


def as_channels_last(tensor: Tensor) -> Tensor:
    """A batch of images in that order; other tensors as they are."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def placed(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """The batch with its tensors on a device, in the order that networks are quickest with."""
    return {
        name: as_channels_last(value.to(device)) if isinstance(value, Tensor) else value
        for name, value in batch.items()
    }
