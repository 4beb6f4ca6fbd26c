"""What carries features of cells on from the past dates to the coming ones: three ways behind one name.

Each takes features ``(B, past, state, h, w)`` and what is told of all dates ``(B, past + future, told)``, and gives how
the features of the coming dates differ from those of the last one ``(B, future, state, h, w)``. The last layer of each
has no bias.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["CORES", "ConvLstmCore", "CoreName", "CoreSizes", "LstmCore", "SimVpCore"]

CoreName = Literal["lstm", "convlstm", "simvp"]


@dataclass(frozen=True)
class CoreSizes:
    """How large a core is.

    Attributes:
        state: features of a cell.
        told: numbers that are told of each date.
        hidden: numbers of its own state in each cell.
        layers: of it.
        past, future: dates.
    """

    state: int
    told: int
    hidden: int
    layers: int
    past: int
    future: int


class LstmCore(nn.Module):
    """An LSTM with the same weights in every cell: its own past is all that a cell knows."""

    def __init__(self, sizes: CoreSizes) -> None:
        super().__init__()
        self._sizes = sizes
        self.lstm = nn.LSTM(sizes.state + sizes.told, sizes.hidden, sizes.layers)
        self.change = nn.Linear(sizes.hidden, sizes.state, bias=False)
        _awaken(self.lstm)
        nn.init.normal_(self.change.weight, std=3 * sizes.hidden**-0.5)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """See the module."""
        batch, past, state, height, width = features.shape
        cells = features.permute(1, 0, 3, 4, 2).reshape(past, -1, state)
        words = told.transpose(0, 1).repeat_interleave(height * width, dim=1)
        answer, memory = self.lstm(torch.cat((cells, words[:past]), 2))
        # The step to the first coming date is the one that begins with its gap: the last feature goes in again.
        now, total, changes = cells[-1], torch.zeros_like(cells[-1]), []
        for step in range(self._sizes.future):
            answer, memory = self.lstm(torch.cat((now + total, words[past + step]), 1).unsqueeze(0), memory)
            total = total + self.change(answer[0])
            changes.append(total)
        return torch.stack(changes, 1).view(batch, height, width, len(changes), state).permute(0, 3, 4, 1, 2)


class ConvLstmCore(nn.Module):
    """An LSTM whose products are convolutions, so that cells tell their neighbours.

    X. Shi et al., "Convolutional LSTM network: a machine learning approach for precipitation nowcasting", NeurIPS 2015.
    """

    def __init__(self, sizes: CoreSizes) -> None:
        super().__init__()
        self._sizes = sizes
        inputs = [sizes.state + sizes.told, *[sizes.hidden] * (sizes.layers - 1)]
        self.gates = nn.ModuleList(nn.Conv2d(one + sizes.hidden, 4 * sizes.hidden, 3, padding=1) for one in inputs)
        self.change = nn.Conv2d(sizes.hidden, sizes.state, 1, bias=False)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """See the module."""
        batch, past, _, height, width = features.shape
        empty = features.new_zeros(batch, self._sizes.hidden, height, width)
        memory = [(empty, empty)] * self._sizes.layers
        for step in range(past):
            memory = self._step(features[:, step], told[:, step], memory)
        now, total, changes = features[:, -1], torch.zeros_like(features[:, -1]), []
        for step in range(past, past + self._sizes.future):
            memory = self._step(now + total, told[:, step], memory)
            total = total + self.change(memory[-1][0])
            changes.append(total)
        return torch.stack(changes, 1)

    def _step(self, seen: Tensor, told: Tensor, memory: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
        """One date further: the answer and the memory of each layer."""
        below, after = torch.cat((seen, _everywhere(told, seen)), 1), []
        for gates, (answer, held) in zip(self.gates, memory, strict=True):
            take, forget, give, new = gates(torch.cat((below, answer), 1)).chunk(4, dim=1)
            kept = torch.sigmoid(forget) * held + torch.sigmoid(take) * torch.tanh(new)
            below = torch.sigmoid(give) * torch.tanh(kept)
            after.append((below, kept))
        return after


class SimVpCore(nn.Module):
    """No recurrence: all past dates at once through blocks of large and small kernels.

    After Z. Gao, C. Tan, L. Wu and S. Z. Li, "SimVP: simpler yet better video prediction", CVPR 2022.
    """

    def __init__(self, sizes: CoreSizes) -> None:
        super().__init__()
        self._sizes = sizes
        told = (sizes.past + sizes.future) * sizes.told
        self.enter = nn.Conv2d(sizes.past * sizes.state + told, sizes.hidden, 1)
        self.blocks = nn.ModuleList(_Block(sizes.hidden) for _ in range(sizes.layers))
        self.change = nn.Conv2d(sizes.hidden, sizes.future * sizes.state, 1, bias=False)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """See the module."""
        seen = features.flatten(1, 2)
        hidden = self.enter(torch.cat((seen, _everywhere(told.flatten(1), seen)), 1))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        changes: Tensor = self.change(hidden).unflatten(1, (self._sizes.future, self._sizes.state))
        return changes.cumsum(1)


class _Block(nn.Module):
    """Kernels of three sizes side by side, one map each, and a mixing of the maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kernels = nn.ModuleList(
            nn.Conv2d(width, width, size, padding=size // 2, groups=width) for size in (3, 5, 7)
        )
        self.mix = nn.Sequential(nn.Conv2d(width, width, 1), nn.GELU(), nn.Conv2d(width, width, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        mixed: Tensor = self.mix(torch.stack([kernel(hidden) for kernel in self.kernels]).sum(0))
        return mixed


def _awaken(lstm: nn.LSTM) -> None:
    """Weights under which what goes in comes out again, which torch's own, as small as its state is wide, hold back.

    Each number has the spread that keeps that of its inputs; states are kept at first, too, by gates that forget little
    (Jozefowicz, Zaremba and Sutskever 2015, An empirical exploration of recurrent network architectures).
    """
    for name, tensor in lstm.named_parameters():
        if name.startswith("weight"):
            nn.init.normal_(tensor, std=tensor.shape[1] ** -0.5)
        else:
            nn.init.zeros_(tensor)
            if name.startswith("bias_ih"):
                nn.init.ones_(tensor[lstm.hidden_size : 2 * lstm.hidden_size])


def _everywhere(told: Tensor, like: Tensor) -> Tensor:
    """Numbers ``(B, n)`` in every cell of maps ``(B, …, h, w)``."""
    return told[:, :, None, None].expand(-1, -1, *like.shape[-2:])


CORES: Mapping[CoreName, Callable[[CoreSizes], nn.Module]] = {
    "lstm": LstmCore,
    "convlstm": ConvLstmCore,
    "simvp": SimVpCore,
}
"""By the name that users give."""
