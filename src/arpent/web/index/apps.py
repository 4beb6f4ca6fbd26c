"""The index as Django knows it."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["IndexConfig"]


class IndexConfig(AppConfig):
    """Runs, layers, frames and features of the map."""

    name = "arpent.web.index"
    label = "index"
    verbose_name = "Map"
