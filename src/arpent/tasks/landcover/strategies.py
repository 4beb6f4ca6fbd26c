"""The ways to fine-tune a network, as data: what of it is trained, in which order, and how fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arpent.engine import FitSettings, Tuning
from arpent.models import Parts
from arpent.tasks.landcover.settings import FinetuneSettings, PartName, Stage, StrategyName

__all__ = ["STRATEGIES", "Leg", "Strategy", "legs_of"]


@dataclass(frozen=True)
class Strategy:
    """One way to fine-tune.

    Attributes:
        frozen: parts that stand still.
        anew: whether the weights of the model are left aside for new ones.
        staged: whether parts are freed one after the other.
        by_depth: whether levels move the slower, the farther they are from the head.
        labelled: whether masks are learnt from.
    """

    frozen: tuple[PartName, ...] = ()
    anew: bool = False
    staged: bool = False
    by_depth: bool = False
    labelled: bool = True

    @property
    def whole(self) -> bool:
        """Whether all parts are treated alike, so that nobody has to know them."""
        return not (self.frozen or self.staged or self.by_depth)


STRATEGIES: Mapping[StrategyName, Strategy] = {
    "app-scratch": Strategy(anew=True),
    "ft-initialisation": Strategy(),
    "ft-freeze-encoder": Strategy(frozen=("encoder",)),
    "ft-finetune-head": Strategy(frozen=("encoder", "decoder")),
    "staged": Strategy(staged=True),
    "discriminative": Strategy(by_depth=True),
    "bn-only": Strategy(labelled=False),
}
"""All strategies, by name."""

_INWARDS: tuple[PartName, ...] = ("head", "decoder", "encoder")
_SHARES: Mapping[PartName, int] = {"head": 1, "decoder": 1, "encoder": 3}
"""Of the epochs, where no stages are given: a new head settles soon."""
_SLOWER: Mapping[PartName, float] = {"head": 1.0, "decoder": 1.0, "encoder": 0.5}
"""Learning rates of those stages, over that of the settings."""


@dataclass(frozen=True)
class Leg:
    """A part of a training with one tuning.

    Attributes:
        name: of its folder.
        tuning: what moves; None for everything alike.
        fit: how it is trained.
    """

    name: str
    tuning: Tuning | None
    fit: FitSettings


def legs_of(settings: FinetuneSettings, parts: Parts | None) -> tuple[Leg, ...]:
    """The legs of a fine-tuning, one after the other; most strategies have one.

    Args:
        settings: name the strategy.
        parts: of the network; may be None for strategies that treat it as a whole.
    """
    strategy = STRATEGIES[settings.strategy]
    if not strategy.labelled:
        return ()
    if strategy.whole or parts is None:
        return (Leg("", None, settings.fit),)
    if strategy.by_depth:
        return (Leg("", Tuning(_by_depth(parts, settings.decay)), settings.fit),)
    if strategy.staged:
        stages = settings.stages or _usual_stages(settings.fit)
        return tuple(_leg(number, stage, settings.fit, parts) for number, stage in enumerate(stages, start=1))
    return (Leg("", _frozen(parts, strategy.frozen), settings.fit),)


def _frozen(parts: Parts, names: Sequence[PartName]) -> Tuning:
    """Freezes these parts; what the network names nowhere else goes with the decoder."""
    factors = {prefix: 0.0 for name in names for prefix in parts.prefixes(name)}
    if "decoder" in names:
        factors[""] = 0.0
        factors |= {prefix: 1.0 for name in _INWARDS if name not in names for prefix in parts.prefixes(name)}
    return Tuning(factors)


def _by_depth(parts: Parts, decay: float) -> dict[str, float]:
    """Rates that fall step by step: head, decoder, then the encoder from its deepest level out to the image."""
    factors = {"": decay} | dict.fromkeys(parts.head, 1.0) | dict.fromkeys(parts.decoder, decay)
    for steps, level in enumerate(reversed(parts.levels), start=2):
        factors |= dict.fromkeys(level, decay**steps)
    return factors


def _usual_stages(fit: FitSettings) -> tuple[Stage, ...]:
    """Head, decoder, all: with the epochs and the rate of the settings."""
    total = sum(_SHARES.values())
    epochs = {part: max(1, fit.epochs * share // total) for part, share in _SHARES.items()}
    epochs["encoder"] = max(1, fit.epochs - epochs["head"] - epochs["decoder"])
    return tuple(Stage(train=part, epochs=epochs[part], rate=fit.optimiser.rate * _SLOWER[part]) for part in _INWARDS)


def _leg(number: int, stage: Stage, fit: FitSettings, parts: Parts) -> Leg:
    frozen = _INWARDS[_INWARDS.index(stage.train) + 1 :]
    optimiser = fit.optimiser.model_copy(update={"rate": stage.rate})
    # Another seed, or each stage would see the very squares that the one before saw.
    own = {"epochs": stage.epochs, "optimiser": optimiser, "seed": fit.seed + number - 1}
    return Leg(f"{number}-{stage.train}", _frozen(parts, frozen), fit.model_copy(update=own))
