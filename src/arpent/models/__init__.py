"""Networks as plain modules, the registry, bundles with weights, importers of published ones.

Names are looked up when they are first used, so that the catalog of published models opens without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arpent.models.load import Bundle, load_bundle, load_state, save_bundle
    from arpent.models.registry import Architecture, architecture, architectures, build
    from arpent.models.unet import UNet, UNetSettings

__all__ = [
    "Architecture",
    "Bundle",
    "UNet",
    "UNetSettings",
    "architecture",
    "architectures",
    "build",
    "load_bundle",
    "load_state",
    "save_bundle",
]

_HOMES = {
    "Architecture": "registry",
    "Bundle": "load",
    "UNet": "unet",
    "UNetSettings": "unet",
    "architecture": "registry",
    "architectures": "registry",
    "build": "registry",
    "load_bundle": "load",
    "load_state": "load",
    "save_bundle": "load",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
