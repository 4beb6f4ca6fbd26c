"""Names that a package offers without importing the modules they come from, so that importing it stays light."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module

__all__ = ["on_demand"]


def on_demand(package: str, homes: Mapping[str, Iterable[str]]) -> Callable[[str], object]:
    """A ``__getattr__`` for a package, which imports a module when one of its names is first used.

    ::

        __getattr__ = on_demand(__name__, {"training": ("Fit", "fit"), "settings": ("FitSettings",)})

    Args:
        package: its ``__name__``.
        homes: by module of the package, the public names that live there.
    """
    home_of = {name: module for module, names in homes.items() for name in names}

    def found(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home_of[name]}"), name)

    return found
