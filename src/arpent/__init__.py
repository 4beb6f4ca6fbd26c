"""Arpent reads the land from above.

Files become windows, windows tensors, tensors maps; see ``docs/architecture.md`` for the flow. Importing this
package does nothing but define its version: each room is imported by name, and torch only by those that need it.
`change` is looked up when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.version import __version__

if TYPE_CHECKING:
    from arpent.tasks.change.pairs import change

__all__ = ["__version__", "change"]


def __getattr__(name: str) -> object:
    if name == "change":
        from arpent.tasks.change import pairs

        return pairs.change
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
