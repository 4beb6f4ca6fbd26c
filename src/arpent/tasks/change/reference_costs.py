"""What a configuration of Planaura will cost, pair by pair, before anything is compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from arpent.core import Progress, Silent
from arpent.tasks.change.many_pairs import OF_ONE_PAIR
from arpent.tasks.change.planning import PairPlan, plan_pair
from arpent.tasks.change.reference_model import model_fit, reference_model
from arpent.tasks.change.reference_plan import ReferencePlan
from arpent.tasks.change.weights import load_model

__all__ = ["PairCost", "costs_of"]


@dataclass(frozen=True)
class PairCost:
    """What one pair will cost.

    Attributes:
        item: what people call it.
        plan: of one prediction; None where the pair cannot be compared.
        seconds: in the network, for all predictions.
        problem: why it cannot be compared.
    """

    item: str
    plan: PairPlan | None
    seconds: float | None = None
    problem: str = ""


def costs_of(
    plan: ReferencePlan, *, reset_patch_embedding: bool = False, progress: Progress | None = None
) -> tuple[PairCost, ...]:
    """Opens every image of a configuration and times one tile; nothing is compared.

    Args:
        plan: what is asked for.
        reset_patch_embedding: accept other bands than those of the checkpoint.
        progress: who is told how far it is.

    Raises:
        ModelError, EnvironmentLack: the weights cannot be had or used.
    """
    return tuple(_costs(plan, reset_patch_embedding, progress or Silent()))


def _costs(plan: ReferencePlan, reset_patch_embedding: bool, progress: Progress) -> Iterator[PairCost]:
    for refused in plan.refused:
        yield PairCost(refused.item, None, problem=str(refused.error))
    fit = model_fit(plan.file, reset_patch_embedding=reset_patch_embedding)
    bundle = load_model(reference_model(plan.file, progress), fit)
    of_a_tile: float | None = None
    with progress.bar(plan.file.path.name, len(plan.pairs), "pairs") as bar:
        for planned in plan.pairs:
            try:
                found = plan_pair(planned.pair, bundle, plan.settings, timed=of_a_tile is None)
            except OF_ONE_PAIR as problem:
                yield PairCost(planned.pair.name, None, problem=str(problem))
            else:
                # All tiles of a list are of one size: one of them is timed for all.
                of_a_tile = found.seconds / found.tiles if found.seconds is not None else of_a_tile
                seconds = None if of_a_tile is None else of_a_tile * found.tiles * len(plan.shifts)
                yield PairCost(planned.pair.name, found, seconds)
            bar.advance()
