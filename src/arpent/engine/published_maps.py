"""Maps that a task has written itself, described and handed to their run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from arpent.io import RasterSpec, recorded_statistics, stac_item
from arpent.store import RunFolder

__all__ = ["publish_map"]


def publish_map(
    run: RunFolder,
    file: Path,
    spec: RasterSpec,
    *,
    taken: datetime | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Publishes a finished raster under its own name, with its STAC item; where it lies then.

    Args:
        run: whose product it becomes.
        file: in the scratch folder.
        spec: that it was written by.
        taken: when its image was; without it the item has the moment of `RunFolder.undated`, and says so.
        facts: more of its properties.
    """
    name = file.name.removesuffix(".tif")
    item = stac_item(
        f"{run.name}-{name}",
        f"./{file.name}",
        grid=spec.grid,
        start=taken or run.undated(),
        raster=spec,
        statistics=recorded_statistics(file),
        properties={"arpent:task": run.task, "arpent:acquired": taken is not None, **(facts or {})},
    )
    return run.path / run.publish(file, kind="raster", name=name, stac=item).file
