"""From a recipe to a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from arpent.core import Progress
from arpent.demo.recipes.table import recipe_named

__all__ = ["judge_bundle", "make_bundle"]


def make_bundle(
    name: str, output: Path, folder: Path, *, small: bool = False, progress: Progress | None = None
) -> Path:
    """Trains one of the small bundles anew, judges it, and writes it with both in its contract.

    Args:
        name: of the bundle.
        output: file or folder of the bundle.
        folder: for data and runs; what is there is replaced.
        small: a try that learns next to nothing, in seconds.
        progress: who is told how far it is.

    Raises:
        UnknownName: there is no recipe of that name.
    """
    chosen = recipe_named(name)
    taught = chosen.teach(folder, small=small, progress=progress)
    made = {
        "made_by": list(taught.steps),
        "data": taught.data,
        "seed": chosen.seed,
        "judged_by": chosen.judged_by,
        "stored_as": "f16",
        **taught.says,
    }
    packed = chosen.pack(taught.bundle, folder / "packed" / output.name, made, {})  # judged as it will be handed round
    figures = chosen.judge(packed, folder / "judged", small=small, progress=progress)
    return chosen.pack(taught.bundle, output, made, figures)


def judge_bundle(
    name: str, bundle: Path, folder: Path, *, small: bool = False, progress: Progress | None = None
) -> Mapping[str, float]:
    """The figures of a bundle on land that it has not learnt from: those that its contract records.

    Args:
        name: of the recipe.
        bundle: to be judged.
        folder: for data and runs; what is there is replaced.
        small: on next to nothing.
        progress: who is told how far it is.

    Raises:
        UnknownName: there is no recipe of that name.
    """
    return recipe_named(name).judge(bundle, folder, small=small, progress=progress)
