"""Wide convolutions, such as those that begin vision transformers, right in bfloat16 on any processor.

On processors with AMX the convolution in bfloat16 that PyTorch 2.15 and OpenVINO 2026.4 share gives numbers that have
nothing to do with the right ones, for kernels of 8 pixels and more, of 4 and more where the stride is as wide, and some
numbers of channels and sizes of images. Here such a convolution is computed otherwise. Where its kernel is as wide as
its stride, and that is how transformers cut an image into patches, it is a product of each patch with the weights,
which is right in bfloat16 and takes no longer; where patches overlap it is done in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["WideConvolutions", "bfloat16"]

_PATCH, _WIDE = 4, 8
"""Sides of a kernel, in pixels, from which on bfloat16 is wrong: where it cuts patches, and where these overlap.
Kernels with channels of their own are right."""

_CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)


class WideConvolutions(TorchFunctionMode):
    """Around the forward pass of any model in bfloat16: whichever module asks for a convolution, it is right.

    Attributes:
        overlapping: whether there was one whose patches overlap.
    """

    def __init__(self) -> None:
        super().__init__()
        self.overlapping = False

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - that of any function
        told = kwargs or {}
        side = _side(*args, **told) if function in _CONVOLUTIONS else 0
        product = _product(*args, **told) if side >= _PATCH else None
        if product is not None:
            return product
        if side < _WIDE:
            return function(*args, **told)
        self.overlapping = True
        with torch.autocast("cpu", enabled=False):
            wide = [value.float() if isinstance(value, Tensor) else value for value in args]
            return function(*wide, **{k: v.float() if isinstance(v, Tensor) else v for k, v in told.items()})


@contextmanager
def bfloat16(device: str, *, enabled: bool = True) -> Iterator[None]:
    """Around calculations that are to be done in bfloat16 where that is right, on a kind of device ("cpu", "cuda")."""
    wide = WideConvolutions() if enabled and device == "cpu" else nullcontext()
    with torch.autocast(device, torch.bfloat16, enabled=enabled), wide:
        yield


def _side(input: Tensor, weight: Tensor, *args: object, **kwargs: object) -> int:  # noqa: A002 - as torch calls it
    """The longest side of a kernel; 0 where each channel has one of its own."""
    return 0 if weight.shape[1] == 1 < input.shape[1] else max(weight.shape[2:])


def _product(
    input: Tensor,  # noqa: A002 - as torch calls it
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,  # noqa: ANN401 - a number, or one for each axis
    padding: Any = 0,  # noqa: ANN401
    dilation: Any = 1,  # noqa: ANN401
    groups: int = 1,
) -> Tensor | None:
    """What a convolution of an input (B, C, …) with weights (N, C, …) gives: (B, N, …).

    None where it does not cut its input into patches.
    """
    kernel = tuple(weight.shape[2:])
    axes = len(kernel)
    plain = groups == 1 and _each(padding, axes) in ((0,) * axes, ("valid",) * axes)
    if not plain or _each(dilation, axes) != (1,) * axes or _each(stride, axes) != kernel or input.ndim != axes + 2:
        return None
    counts = [size // side for size, side in zip(input.shape[2:], kernel, strict=True)]
    whole = input
    for axis, (count, side) in enumerate(zip(counts, kernel, strict=True), start=2):
        whole = whole.narrow(axis, 0, count * side)  # what lies beyond the last whole patch is left out
    pairs = [number for pair in zip(counts, kernel, strict=True) for number in pair]
    order = (0, *range(2, 2 + 2 * axes, 2), 1, *range(3, 3 + 2 * axes, 2))
    patches = whole.reshape(*whole.shape[:2], *pairs).permute(order).flatten(1 + axes)
    return functional.linear(patches, weight.flatten(1), bias).movedim(-1, 1)


def _each(value: Any, axes: int) -> tuple[Any, ...]:  # noqa: ANN401 - a number or a word, or one for each axis
    """One value for each axis."""
    return tuple(value) if isinstance(value, tuple | list) else (value,) * axes
