"""Arpent reads the land from above.

Files become windows, windows tensors, tensors maps; see ``docs/architecture.md`` for the flow. Importing this
package does nothing but define its version: each room is imported by name, and torch only by those that need it.
The functions for notebooks and scripts live in `arpent.api`, and are looked up when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.version import __version__

if TYPE_CHECKING:
    from arpent.api import Place, Run, change, classify, describe, forecast, landcover, open_run

__all__ = ["Place", "Run", "__version__", "change", "classify", "describe", "forecast", "landcover", "open_run"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from arpent import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
