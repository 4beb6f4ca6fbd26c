"""One batch that several processes share: sums and means over all of it, whichever process has which of its rows.

A loss that is made of these is that of the whole batch, the same in every process; where one process has all rows, they
are plain sums and means.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function

from arpent.core import BatchPart

__all__ = ["batch_mean", "batch_rows", "batch_total", "largest", "one_batch", "shared_part"]


_SHARED: ContextVar[BatchPart | None] = ContextVar("shared", default=None)


@contextmanager
def one_batch(part: BatchPart) -> Iterator[None]:
    """While this lasts, the sums below go over the rows of all processes; all of them must ask for the same sums.

    The slopes of what is made of the sums are `part.world` times as steep: their mean over the processes, as training
    in several processes takes it, is then the slope of the whole batch.
    """
    before = _SHARED.set(part)
    try:
        yield
    finally:
        _SHARED.reset(before)


def shared_part() -> BatchPart | None:
    """What this process has of the batch; None where it has the batch to itself."""
    return _SHARED.get()


def batch_total(value: Tensor) -> Tensor:
    """The sum over the processes of a sum over the rows of each."""
    part = _SHARED.get()
    return value if part is None else cast(Tensor, _Total.apply(value, part.counted, part.world))


def batch_mean(values: Tensor) -> Tensor:
    """The mean over the batch of `values`, one row or more of them per sample."""
    total, count = batch_total(torch.stack((values.sum(), values.new_tensor(values.numel()))))
    return cast(Tensor, total / count)


def batch_rows(values: Tensor) -> Tensor:
    """Rows ``(n, …)`` of every process, one process's after another's; n may differ between them.

    Of integers, or of numbers whose slopes are followed to the rows of this process.
    """
    part = _SHARED.get()
    if part is None:
        return values
    if not part.counted:
        values = values[:0]
    counts = [torch.zeros(1, dtype=torch.int64, device=values.device) for _ in range(part.world)]
    dist.all_gather(counts, torch.tensor([len(values)], device=values.device))
    longest = int(max(counts))
    sent = values.new_zeros(longest, *values.shape[1:])
    sent[: len(values)] = values.detach()
    found = [torch.empty_like(sent) for _ in range(part.world)]
    dist.all_gather(found, sent)
    parts = [rows[: int(count)] for rows, count in zip(found, counts, strict=True)]
    if values.requires_grad:
        parts[dist.get_rank()] = cast(Tensor, _Steeper.apply(values, part.world))
    return torch.cat(parts)


def largest(value: Tensor) -> int:
    """The largest that any process has of a whole number."""
    if _SHARED.get() is not None:
        value = value.detach().clone()
        dist.all_reduce(value, dist.ReduceOp.MAX)
    return int(value)


class _Total(Function):
    """A sum over processes at the end of a network: what it is made into is the same in all of them."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, counted: bool, world: int) -> Tensor:  # noqa: ANN401 - torch's own context
        ctx.steep = world * counted
        total = value.detach().clone() if counted else torch.zeros_like(value)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401 - torch's own context
        return slope * ctx.steep, None, None


class _Steeper(Function):
    """Numbers as they are, with slopes that are so many times as steep."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, world: int) -> Tensor:  # noqa: ANN401 - torch's own context
        ctx.steep = world
        return value.clone()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch's own context
        return slope * ctx.steep, None
