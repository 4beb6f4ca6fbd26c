"""What a training moves of a network, and how fast: learning rates by part, and parts that stand still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from arpent.errors import InvalidSetting
from arpent.models import under

__all__ = ["Start", "Tuning", "counted"]


@dataclass(frozen=True)
class Tuning:
    """Learning rates by part of a network.

    Attributes:
        factors: of the learning rate, by the name that a part's tensors begin with ("encoder", "encoder.layer1"); the
            longest one that fits counts, and 1 where none does. 0 freezes: neither weights nor the running statistics
            of batch norm move by a bit, and dropout is off.
    """

    factors: Mapping[str, float] = field(default_factory=dict)

    def factor(self, name: str) -> float:
        """The share of the learning rate at which a tensor, or a module, moves."""
        fitting = [prefix for prefix in self.factors if under(name, prefix)]
        return self.factors[max(fitting, key=len)] if fitting else 1.0

    def prepare(self, model: nn.Module) -> None:
        """Lets gradients reach those parameters that move, and no others.

        Raises:
            InvalidSetting: a name that no tensor begins with, a factor below 0, or nothing that moves.
        """
        names = [name for name, _ in model.named_parameters()]
        unknown = [prefix for prefix in self.factors if not any(under(name, prefix) for name in names)]
        negative = [prefix for prefix, factor in self.factors.items() if factor < 0]
        if unknown or negative:
            raise InvalidSetting(
                "a part that is to be tuned is not there" if unknown else "a learning rate is below zero",
                found=", ".join(unknown or negative),
                expected="; ".join(dict.fromkeys(name.partition(".")[0] for name in names)) if unknown else "0 or more",
                cure="Name parts as the network does." if unknown else "Give 0 to freeze a part.",
            )
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(self.factor(name) > 0)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise InvalidSetting("all of the network is frozen", cure="Leave a part free to be trained.")

    def hold(self, model: nn.Module) -> None:
        """Puts frozen parts of a network in training mode back into evaluation mode."""
        for name, module in model.named_modules():
            if self._stands_still(name, module):
                module.training = False

    def _stands_still(self, name: str, module: nn.Module) -> bool:
        """A module whose tensors of its own are frozen; one that has none goes by its own name."""
        own = [part for part, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))]
        if not own:
            return self.factor(name) == 0
        return any(self.factor(f"{name}.{part}" if name else part) == 0 for part in own)

    def groups(self, model: nn.Module, rate: float) -> list[dict[str, Any]]:
        """The parameters that move, by their learning rate, the fastest first: what an optimiser is made from."""
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                groups.setdefault(self.factor(name), []).append(parameter)
        return [{"params": groups[factor], "lr": rate * factor} for factor in sorted(groups, reverse=True)]


@dataclass(frozen=True)
class Start:
    """What a training goes on from.

    Attributes:
        model: its weights are the first ones.
        tuning: what of it moves; all parameters that take gradients, at one rate, if not given.
    """

    model: nn.Module
    tuning: Tuning | None = None

    def trained(self) -> int:
        """How many numbers move."""
        return counted(
            parameter
            for name, parameter in self.model.named_parameters()
            if (parameter.requires_grad if self.tuning is None else self.tuning.factor(name) > 0)
        )


def counted(parameters: Iterable[nn.Parameter]) -> int:
    """Numbers in all of them."""
    return sum(parameter.numel() for parameter in parameters)
