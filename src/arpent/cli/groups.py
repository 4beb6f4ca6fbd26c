"""Groups of commands: each command has a file of its own, with an app of its own."""

from __future__ import annotations

from types import ModuleType

import typer

__all__ = ["grouped"]


def grouped(told: str, *parts: ModuleType) -> typer.Typer:
    """One app of the commands of some modules.

    Args:
        told: what the group is for.
        parts: modules with an ``app`` each, in the order in which help lists them.
    """
    app = typer.Typer(help=told, no_args_is_help=True)
    for part in parts:
        app.add_typer(part.app)
    return app
