"""``arpent change``: all that compares dates of a place. Each command has a file of its own beside this one."""

from __future__ import annotations

from arpent.cli import (
    change_embed,
    change_evaluate,
    change_mosaic,
    change_pair,
    change_photo,
    change_polygons,
    change_run,
    change_series,
    change_train,
)
from arpent.cli.groups import grouped

__all__ = ["app"]

app = grouped(
    "Change: two dates of a place, and what really changed.",
    change_pair,
    change_run,
    change_series,
    change_photo,
    change_mosaic,
    change_polygons,
    change_embed,
    change_train,
    change_evaluate,
)
