"""All recipes, by the names of their bundles."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from arpent.demo.recipes.recipe import Recipe
from arpent.errors import UnknownName

__all__ = ["recipe_named", "recipe_names"]

_MODULES: Final[Mapping[str, str]] = {
    "change-nano": "change",
    "classify-nano": "classify",
    "describe-nano": "describe",
    "forecast-nano": "forecast",
}
"""Where each recipe lies; it is opened when it is asked for, since it needs its task."""


def recipe_names() -> tuple[str, ...]:
    """Bundles that can be made anew."""
    return tuple(_MODULES)


def recipe_named(name: str) -> Recipe:
    """The recipe of a bundle.

    Raises:
        UnknownName: there is none of that name.
    """
    if name not in _MODULES:
        raise UnknownName.among(name, recipe_names(), "bundle that has a recipe")
    found: Recipe = import_module(f"arpent.demo.recipes.{_MODULES[name]}").RECIPE
    return found
