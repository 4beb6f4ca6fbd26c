"""titiler, asked for the same tiles of the same rasters over loopback."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from arpent.web.layers import Kind, Legend
from tile_server.asking import CLIENTS, Asked, started, timed

__all__ = ["asked_of_titiler", "is_installed"]

_APP = Path(__file__).with_name("peer_app.py")
_ENVIRONMENT = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_CACHEMAX": "200"}
"""As its manual advises."""


def is_installed() -> bool:
    """Whether there is a titiler, and a server for it."""
    return all(importlib.util.find_spec(name) for name in ("titiler", "uvicorn"))


def asked_of_titiler(rasters: Mapping[Path, tuple[Kind, Legend]], asked: Asked) -> dict[str, dict[str, float]]:
    """As `asked_over_loopback`: processor time of the server per tile and times at the clients, by kind.

    Args:
        rasters: with the kind and the legend of the layer that each is.
        asked: what is wanted; its tiles alone are asked for.
    """
    found = {}
    with started(lambda port: [sys.executable, str(_APP), str(port)], _ENVIRONMENT) as server:
        found["start"] = {"memory_mib": server.memory()}
        for raster, (kind, legend) in rasters.items():
            query = urlencode({"url": str(raster), **_colours(kind, legend)})
            paths = [f"/tiles/WebMercatorQuad/{one.z}/{one.x}/{one.y}.png?{query}" for one in asked.tiles]
            for name in ("first", "again"):
                found[f"{kind}: {name}"] = timed(server, paths, CLIENTS)
    return found


def _colours(kind: Kind, legend: Legend) -> dict[str, str]:
    if kind == "classes":
        colours = {entry.value: (*bytes.fromhex(entry.colour[1:]), 255) for entry in legend.entries}
        return {"colormap": json.dumps(colours)}
    if kind == "continuous":
        return {"rescale": "0,1", "colormap_name": "viridis"}
    return {"rescale": "0,3000"}
