"""Pictures cut from simulated communes, with captions that tell some of what they show, and labels that tell all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Progress, Raster, Silent, Strip, write_file
from arpent.data import Split
from arpent.io import CogWriter, RasterSpec
from arpent.testing.worlds import Commune

__all__ = ["FRENCH", "LABELS", "SceneSettings", "Scenes", "write_scenes"]

_SENSOR: Final = "bd-ortho"
_COLOURS: Final = ("red", "green", "blue")

_COARSE: Final = 8.0
"""Metres between the points that places are chosen by."""

_CANDIDATES: Final = 4
"""Places that are looked at before one is taken: that which shows what is rarest so far."""


@dataclass(frozen=True)
class _Label:
    """What counts as showing a thing, and how people speak of it.

    Attributes:
        fr: its French name.
        classes: numbers of the nomenclature ``commune``.
        least: share of the picture from which on it is shown.
        said: ways of saying so, plain ones first.
    """

    fr: str
    classes: tuple[int, ...]
    least: float
    said: tuple[str, ...]


_LABELS: Final[Mapping[str, _Label]] = {
    "houses": _Label("maisons", (1,), 0.01, ("some houses", "a hamlet", "roofs and gardens", "homes")),
    "road": _Label("route", (3,), 0.025, ("a road", "a paved lane", "a street", "asphalt")),
    "water": _Label("eau", (5,), 0.03, ("water", "a pond", "a river bank", "a stretch of river")),
    "conifers": _Label("conifères", (6,), 0.08, ("conifers", "a pine stand", "dark needle trees", "a fir wood")),
    "broad-leaved trees": _Label(
        "feuillus", (7,), 0.25, ("broad-leaved trees", "an oak wood", "leafy woodland", "a grove")
    ),
    "vineyard": _Label("vigne", (9,), 0.05, ("a vineyard", "rows of vines", "grape vines", "a plot of vines")),
    "meadow": _Label("prairie", (10,), 0.30, ("a meadow", "grass", "a pasture", "grazing land")),
    "crops": _Label("cultures", (11,), 0.15, ("crops", "a cereal field", "growing wheat", "a green field of maize")),
    "ploughed land": _Label(
        "labour", (12,), 0.08, ("ploughed land", "tilled soil", "a ploughed field", "brown furrows")
    ),
    "bare soil": _Label("sol nu", (4,), 0.05, ("bare soil", "a gravel pit", "pale bare ground", "a quarry floor")),
}

LABELS: Final = tuple(_LABELS)
"""Names of all labels, in the order of the table."""

FRENCH: Final[Mapping[str, str]] = {name: one.fr for name, one in _LABELS.items()}
"""What each is called in French."""

_SILENT: Final = 0.45
"""Share of what a picture shows that a caption leaves out."""

_MISTAKEN: Final = 0.04
"""Share of captions that name something that is not there, as people do who write many of them."""

_FRAMES: Final = (
    "{} seen from above",
    "an aerial view of {}",
    "{}",
    "the image shows {}",
    "countryside with {}",
    "from the air one sees {}",
)
_VAGUE: Final = ("open countryside", "a piece of land", "a rural scene", "the commune on a summer day")


@dataclass(frozen=True)
class SceneSettings:
    """Which pictures are cut.

    Attributes:
        seed: of the landscape, and of places and words.
        count: of pictures.
        families: of landscapes, in turn.
        side: of a picture, in pixels.
        pixel: in metres.
        reach: metres from the middle of the commune within which pictures lie.
        captions: of each picture.
        side_of_split: that all pictures are on; not said if None, so that sides are drawn when they are prepared.
    """

    seed: int
    count: int
    families: tuple[str, ...] = ("bocage", "coteaux")
    side: int = 64
    pixel: float = 1.5
    reach: float = 4000.0
    captions: int = 2
    side_of_split: Split | None = None


@dataclass(frozen=True)
class Scenes:
    """What lies on the disk.

    Attributes:
        pictures: folder of GeoTIFFs with red, green and blue.
        captions: table of image, caption and, where it is settled, side of the split; several rows per picture.
        labels: table with a column of 0 and 1 for each label.
    """

    pictures: Path
    captions: Path
    labels: Path


def write_scenes(folder: Path, settings: SceneSettings, *, progress: Progress | None = None) -> Scenes:
    """Cuts pictures from a commune and writes them with their captions and labels.

    Labels are what the truth says; captions leave out much of it, as captions do, and are wrong at times.

    Args:
        folder: made if it is not there; tables in it are replaced.
        settings: which pictures.
        progress: told about each picture.
    """
    found = Scenes(folder / "pictures", folder / "captions.csv", folder / "labels.csv")
    rng = np.random.default_rng((settings.seed, settings.count))
    side = (settings.side_of_split,) if settings.side_of_split else ()
    captions: list[Sequence[str]] = [("image", "caption", *(("split",) if side else ()))]
    labels: list[Sequence[object]] = [("image", *LABELS)]
    with (progress or Silent()).bar("scenes", settings.count, "pictures") as bar:
        for number, (commune, grid) in enumerate(_places(settings, rng)):
            name = f"{commune.family}-{settings.seed}-{number:04d}.tif"
            scene = commune.scene(_SENSOR, grid, bands=_COLOURS)
            _write(found.pictures / name, scene.image)
            shown = _shown(scene.truth)
            labels.append((name, *shown.astype(int)))
            captions += [(name, _caption(shown, rng), *side) for _ in range(settings.captions)]
            bar.advance(1)
    write_file(found.captions, _text(captions))
    write_file(found.labels, _text(labels))
    return found


def _places(settings: SceneSettings, rng: np.random.Generator) -> Iterator[tuple[Commune, Grid]]:
    """Where pictures lie: what is rare in the landscapes is looked for."""
    communes = [Commune(seed=settings.seed, family=family) for family in settings.families]
    seen = np.ones(len(LABELS))
    points = max(2, round(settings.side * settings.pixel / _COARSE))
    for number in range(settings.count):
        commune = communes[number % len(communes)]
        spots = rng.uniform(-settings.reach, settings.reach, (_CANDIDATES, 2))
        coarse = (
            commune.grid(_SENSOR, size=points, east=east, north=north, resolution=_COARSE) for east, north in spots
        )
        shown = [_shown(commune.truth(grid)) for grid in coarse]
        best = int(np.argmax([(one / seen).sum() for one in shown]))
        seen += shown[best]
        east, north = spots[best]
        yield commune, commune.grid(_SENSOR, size=settings.side, east=east, north=north, resolution=settings.pixel)


def _shown(truth: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which labels a picture bears, ``(labels,)``."""
    shares = np.bincount(truth.ravel(), minlength=256) / truth.size
    return np.array([shares[list(one.classes)].sum() >= one.least for one in _LABELS.values()])


def _caption(shown: NDArray[np.bool_], rng: np.random.Generator) -> str:
    """What somebody says of it."""
    named = [int(at) for at in np.flatnonzero(shown) if rng.random() >= _SILENT]
    if rng.random() < _MISTAKEN:
        named.append(int(rng.integers(len(LABELS))))
    ways = [_LABELS[LABELS[at]].said for at in rng.permutation(np.array(named, int))]
    things = [way[int(rng.integers(len(way)))] for way in ways] or [_VAGUE[int(rng.integers(len(_VAGUE)))]]
    listed = " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)
    return _FRAMES[int(rng.integers(len(_FRAMES)))].format(listed)


def _write(path: Path, image: Raster) -> None:
    spec = RasterSpec(image.grid, _COLOURS, "uint8", None, title="Simulated scene", tags={"SIMULATED": "yes"})
    with CogWriter(path, spec) as writer:
        writer.write(Strip(0, image.pixels))


def _text(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
