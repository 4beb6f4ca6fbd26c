"""A class map as polygons, in the words of IGN's CoSIA where the nomenclature has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from arpent.core import ClassMap, Window
from arpent.io import open_image, polygonise, stac_item
from arpent.store import RunFolder
from arpent.tasks.landcover.settings import MapSettings

__all__ = ["ClassFields", "outline"]

_COSIA = "cosia"


@dataclass
class ClassFields:
    """What is said of each polygon: ``numero``, ``classe`` (French), ``class_en``; satisfies `io.Attributes`.

    ``numero`` is that of CoSIA's vectors, empty for classes that CoSIA lacks; where it has none of the nomenclature's,
    the number on the map.

    Attributes:
        classes: what numbers on the map mean.
        written: polygons so far.
    """

    classes: ClassMap
    written: int = 0

    @property
    def fields(self) -> Sequence[pa.Field]:
        """Names and types of the columns."""
        return pa.field("numero", pa.int32()), pa.field("classe", pa.string()), pa.field("class_en", pa.string())

    def chosen(self, classes: NDArray[np.uint8], areas: NDArray[np.float64] | None) -> NDArray[np.bool_]:
        """All patches are written."""
        del areas
        return np.ones(len(classes), bool)

    def add(self, window: Window, patches: NDArray[np.int32]) -> None:
        """The class says it all."""

    def columns(self, patches: NDArray[np.int32], classes: NDArray[np.uint8]) -> Sequence[pa.Array]:
        """The columns of patches of these classes."""
        self.written += len(patches)
        known = {entry.id: entry for entry in self.classes.classes}
        has_codes = any(entry.numbers(_COSIA) for entry in known.values())
        numbers: dict[int, int | None] = {}
        for number, entry in known.items():
            codes = entry.numbers(_COSIA)
            numbers[number] = (codes[0] if len(codes) == 1 else None) if has_codes else number
        ids = classes.tolist()
        return (
            pa.array([numbers[number] for number in ids], pa.int32()),
            pa.array([known[number].fr for number in ids], pa.string()),
            pa.array([known[number].en for number in ids], pa.string()),
        )


def outline(run: RunFolder, classes: ClassMap, settings: MapSettings, taken: datetime | None) -> None:
    """Publishes the finished class map of a run as polygons, and notes how many there are."""
    source = run.path / "classes.tif"
    target = run.scratch / ("polygons.gpkg" if settings.form == "gpkg" else "polygons.parquet")
    fields = ClassFields(classes)
    made = polygonise(
        source, target, classes=classes, min_area=settings.min_area, simplify=settings.simplify, attributes=fields
    )
    with open_image(source) as image:
        grid = image.grid
    item = stac_item(
        f"{run.name}-polygons",
        f"./{made.name}",
        grid=grid,
        start=taken or run.undated(),
        properties={"arpent:task": run.task, "arpent:acquired": taken is not None},
    )
    run.publish(made, kind="vector", name="polygons", stac=item)
    run.add_metrics({"polygons": fields.written})
