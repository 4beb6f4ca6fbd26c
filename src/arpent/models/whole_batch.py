"""Layers that look across the rows of a batch, or draw at random for each, as if one process had all part.

Batch norm takes its statistics from the rows of all processes. Of what is drawn at random every process draws all, by
the same generator, and keeps what falls to its own rows: so the whole batch has what one process would have drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from arpent.core import BatchPart
from arpent.errors import InvalidSetting
from arpent.models.one_batch import one_batch, shared_part

__all__ = ["as_one"]


@contextmanager
def as_one(part: BatchPart) -> Iterator[None]:
    """While this lasts, a network in training treats the rows of this process as part of the whole batch.

    The first axis of tensors must be that of the samples. The random state must be the same in all processes.

    Raises:
        InvalidSetting: the network drops something inside a layer of torch, where rows cannot be told apart.
    """
    with one_batch(part), _AsOne():
        yield


class _AsOne(TorchFunctionMode):
    """Stands in for those functions of torch that see the other rows, and passes all others on."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - whatever the function gives
        own = _OWN.get(func)
        return func(*args, **(kwargs or {})) if own is None else own(func, *args, **(kwargs or {}))


def _part() -> BatchPart:
    part = shared_part()
    assert part is not None  # asked while a batch is shared
    return part


def _is_shared(size: torch.Size | tuple[int, ...]) -> bool:
    return len(size) > 0 and size[0] == len(_part().own)


def _whole(size: torch.Size | tuple[int, ...]) -> tuple[int, ...]:
    return _part().whole, *size[1:]


def _own(drawn: Tensor) -> Tensor:
    own = _part().own
    return drawn[own.start : own.stop : own.step]


def _dropped(func: Callable[..., Tensor], input: Tensor, p: float = 0.5, *more: Any, **named: Any) -> Tensor:  # noqa: A002, ANN401 - torch's names
    """Dropout of single numbers or of whole maps, by one draw for the whole batch."""
    training = named.get("training", more[0] if more else True)
    if not training or p == 0 or not _is_shared(input.shape):
        return func(input, p, *more, **named)
    ones = torch.ones(_whole(input.shape), dtype=input.dtype, device=input.device)
    if input.ndim == 4 and not input.is_contiguous() and input.is_contiguous(memory_format=torch.channels_last):
        ones = ones.contiguous(memory_format=torch.channels_last)  # numbers are drawn in the order of memory
    kept = _own(func(ones, p, True))
    return input.mul_(kept) if named.get("inplace", more[1] if len(more) > 1 else False) else input * kept


def _drawn(func: Callable[..., Tensor], *size: Any, generator: Any = None, **named: Any) -> Tensor:  # noqa: ANN401
    """`torch.rand` and its like."""
    if generator is not None:
        return func(*size, generator=generator, **named)
    given = named.pop("size", None) or (size[0] if len(size) == 1 and not isinstance(size[0], int) else size)
    return _own(func(_whole(given), **named)) if _is_shared(given) else func(given, **named)


def _drawn_like(func: Callable[..., Tensor], input: Tensor, *more: Any, **named: Any) -> Tensor:  # noqa: A002, ANN401
    """`torch.rand_like`, `torch.bernoulli` and their like."""
    if named.get("generator") is not None or not _is_shared(input.shape):
        return func(input, *more, **named)
    part = _part()
    every = input.new_zeros(_whole(input.shape))
    every[part.own.start : part.own.stop : part.own.step] = input.detach()
    return _own(func(every, *more, **named))


def _drawn_into(func: Callable[..., Tensor], input: Tensor, *more: Any, **named: Any) -> Tensor:  # noqa: A002, ANN401
    """`Tensor.bernoulli_` and its like."""
    if named.get("generator") is not None or not _is_shared(input.shape):
        return func(input, *more, **named)
    return input.copy_(_own(func(input.new_empty(_whole(input.shape)), *more, **named)))


def _refused_at(name: str, place: int) -> Callable[..., Any]:
    """What a layer may not do: drop numbers inside, at the argument `name` or the one at `place`."""

    def layer(func: Callable[..., Any], *args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the layer gives
        dropped = named.get(name, args[place] if len(args) > place else 0.0)
        training = named.get("training", True)
        if dropped and training:
            raise InvalidSetting(
                "the network drops numbers inside a layer, which several processes cannot do as one would",
                found=f"{getattr(func, '__name__', func)} with {name} {dropped:g}",
                expected="dropout as a layer of its own",
                cure="Train in one process, or set that dropout to 0.",
            )
        return func(*args, **named)

    return layer


def _recurrent(func: Callable[..., Any], *args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the layer gives
    """Recurrent layers, of which only stacked ones can drop numbers: between them."""
    numbers = [one for one in args if isinstance(one, float)]
    training = [one for one in args if isinstance(one, bool)]  # biases, training, bidirectional, batch first
    if any(numbers) and training[1]:
        return _refused_at("dropout", 0)(func, dropout=numbers[0])
    return func(*args, **named)


def _batch_norm(
    func: Callable[..., Tensor],
    input: Tensor,  # noqa: A002 - torch's names
    *running: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch norm with the statistics of the whole batch."""
    if not training:
        return func(input, *running, weight, bias, training, momentum, eps)
    running_mean, running_var = running
    part, channels = _part(), input.shape[1]
    scale = input.new_ones(channels) if weight is None else weight
    shift = input.new_zeros(channels) if bias is None else bias
    with torch.autocast(input.device.type, enabled=False):
        made, mean, variance = _Standard.apply(input, scale, shift, part.counted, part.whole / len(part.own), eps)
    if running_mean is not None and running_var is not None:
        count = input.numel() / channels / len(part.own) * part.whole
        running_mean.lerp_(mean.to(running_mean.dtype), momentum)
        running_var.lerp_((variance * count / max(count - 1, 1)).to(running_var.dtype), momentum)
    return cast(Tensor, made)


class _Standard(Function):
    """Each channel of ``(B, C, …)`` with mean 0 and deviation 1 over the rows of all processes, scaled and shifted."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's own context
        given: Tensor,
        scale: Tensor,
        shift: Tensor,
        counted: bool,
        times: float,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.axes = [axis for axis in range(given.ndim) if axis != 1]
        ctx.shape = (1, -1, *[1] * (given.ndim - 2))
        ctx.counted, ctx.count = float(counted), given.numel() / given.shape[1] * times
        numbers = given.float()
        mean = _summed(numbers.sum(ctx.axes) * ctx.counted) / ctx.count
        apart = numbers - mean.view(ctx.shape)
        variance = _summed(apart.square().sum(ctx.axes) * ctx.counted) / ctx.count
        steep = torch.rsqrt(variance + eps)
        ctx.save_for_backward(given, scale, mean, steep)
        ctx.mark_non_differentiable(mean, variance)
        made = torch.addcmul(shift.float().view(ctx.shape), apart, (steep * scale.float()).view(ctx.shape))
        return made.to(given.dtype), mean, variance

    @staticmethod
    def backward(ctx: Any, slope: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's own
        given, scale, mean, steep = ctx.saved_tensors
        slope = slope.float()
        standard = (given.float() - mean.view(ctx.shape)) * steep.view(ctx.shape)
        own = torch.stack((slope.sum(ctx.axes), (slope * standard).sum(ctx.axes)))
        level, tilt = (part.view(ctx.shape) / ctx.count for part in _summed(own * ctx.counted))
        back = (slope - level - standard * tilt) * (steep * scale.float()).view(ctx.shape) * ctx.counted
        return back.to(given.dtype), own[1].to(scale.dtype), own[0].to(scale.dtype), None, None, None


def _summed(value: Tensor) -> Tensor:
    dist.all_reduce(value)
    return value


_OWN: Mapping[Any, Callable[..., Any]] = {
    functional.batch_norm: _batch_norm,
    **dict.fromkeys(
        (functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d, torch.dropout), _dropped
    ),
    **dict.fromkeys((torch.rand, torch.randn), _drawn),
    **dict.fromkeys((torch.rand_like, torch.randn_like, torch.bernoulli), _drawn_like),
    **dict.fromkeys((torch.Tensor.bernoulli_, torch.Tensor.uniform_, torch.Tensor.normal_), _drawn_into),
    functional.scaled_dot_product_attention: _refused_at("dropout_p", 4),
    functional.multi_head_attention_forward: _refused_at("dropout_p", 10),
    **dict.fromkeys((torch.lstm, torch.gru), _recurrent),
}
"""What stands in for functions of torch."""
