"""The places of the study: what is learnt from, what chooses the epoch, and what is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import nomenclature
from arpent.data import SampleIndex, Split
from arpent.io import open_image
from arpent.testing.simulation import Simulation, simulate

__all__ = ["Sides", "places"]


@dataclass(frozen=True)
class Sides:
    """How many places there are, and what for.

    Attributes:
        width: pixels on a side of each.
        pool: places that are simulated; they lie in a row, and after some 290 of them a pixel of the map projection
            is no longer as wide on the ground as it is called.
        test: to judge by; they are taken as they come.
        learnt: to learn from, chosen among the others.
        validation: to choose the epoch by, likewise.
    """

    width: int
    pool: int
    test: int
    learnt: int
    validation: int


def places(folder: Path, camera: str, landscape: int, sides: Sides, variant: Mapping[str, str]) -> SampleIndex:
    """Simulates the places of one camera, and says which side each of them is on."""
    wish = Simulation(sensor=(camera,), size=sides.width, scenes=sides.pool, seed=landscape, **variant)
    simulate(folder / "places", wish, force=True)
    index = SampleIndex.read(folder / "places" / "index.csv")
    return index.with_splits(_chosen(index, sides))


def _chosen(index: SampleIndex, sides: Sides) -> list[Split | None]:
    """Test places as they come; to learn from and to choose by, places that hold the classes still rarest.

    So do those who choose places to annotate.
    """
    ids = nomenclature("commune").ids
    found: list[Split | None] = ["test" if place < sides.test else None for place in range(len(index))]
    pool = {}
    for place in range(sides.test, len(index)):
        with open_image(index[place].mask or "") as reader:
            pixels = reader.read(reader.grid.window).pixels[0]
        pool[place] = np.bincount(pixels.ravel(), minlength=256)[ids].astype(np.int64)
    held: dict[Split, NDArray[np.int64]] = {side: np.zeros(len(ids), np.int64) for side in ("train", "val")}
    for side in _turns(sides):
        there = np.sum(list(pool.values()), axis=0) > 0
        rarest = int(np.argmin(np.where(there, held[side], np.iinfo(np.int64).max)))
        best = max(pool, key=lambda place: (int(pool[place][rarest]), -place))
        held[side] += pool.pop(best)
        found[best] = side
    return found


def _turns(sides: Sides) -> Sequence[Split]:
    """Which side takes the next place: both fill up together, so that neither takes all that is rare."""
    turns: list[tuple[float, Split]] = [((n + 0.5) / sides.learnt, "train") for n in range(sides.learnt)]
    turns += [((n + 0.5) / sides.validation, "val") for n in range(sides.validation)]
    return [side for _, side in sorted(turns)]
