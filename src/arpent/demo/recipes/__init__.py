"""How the small bundles that come with Arpent are made: data from the simulator, then the work that people ask for.

Names are looked up when they are first used, so that what is there can be listed without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand

if TYPE_CHECKING:
    from arpent.demo.recipes.making import judge_bundle, make_bundle
    from arpent.demo.recipes.recipe import Recipe
    from arpent.demo.recipes.table import recipe_named, recipe_names

__all__ = ["Recipe", "judge_bundle", "make_bundle", "recipe_named", "recipe_names"]

__getattr__ = on_demand(
    __name__,
    {
        "making": ("judge_bundle", "make_bundle"),
        "recipe": ("Recipe",),
        "table": ("recipe_named", "recipe_names"),
    },
)
