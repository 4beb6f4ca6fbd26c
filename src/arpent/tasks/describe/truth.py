"""The truth that texts are judged by: measured anew from the images, whatever a run says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from arpent.core import Progress, parse
from arpent.errors import FileMissing, UnreadableFile
from arpent.language import Measured
from arpent.store import Run
from arpent.tasks.describe.counterfactual_pairs import Followed
from arpent.tasks.describe.embedding_table import read_embeddings, vectors_of
from arpent.tasks.describe.measuring import indices_of, measure_parcels
from arpent.tasks.describe.parcels import Parcels
from arpent.tasks.describe.scene_names import SceneNames
from arpent.tasks.describe.scene_parcels import SceneParcels
from arpent.tasks.describe.scene_settings import SceneSettings
from arpent.tasks.describe.scenes import Scene, open_scene
from arpent.tasks.describe.texts import Described

__all__ = [
    "Key",
    "Truth",
    "Vectors",
    "Written",
    "earlier",
    "measured_again",
    "opened_scenes",
    "read_vectors",
    "sources_of",
]

Key = tuple[str, str]
"""Name of a parcel and of its image."""

Vectors = Mapping[Key, NDArray[np.float32]]
"""Embeddings by parcel and image."""


@dataclass(frozen=True)
class Truth:
    """What images, parcels and how they are read, for texts to be judged by.

    Attributes:
        images: where they are.
        parcels: the vector file; None for squares or whole images.
        settings: how images are read.
    """

    images: tuple[str, ...]
    parcels: str | None
    settings: SceneSettings


@dataclass(frozen=True)
class Written:
    """Texts to be judged, and how they came to be.

    Attributes:
        described: the texts.
        truth: what they are about.
        bundle: the describer that wrote them; None where nobody knows.
        followed: what came of scaled pixels; None where nothing was scaled.
        notes: what people should know.
    """

    described: Sequence[Described]
    truth: Truth
    bundle: Path | None = None
    followed: Callable[[Mapping[Key, Measured]], Followed] | None = None
    notes: tuple[str, ...] = ()


def sources_of(run: Run) -> Truth:
    """The images and parcels of a run, and how it has read them.

    Raises:
        FileMissing: it names no image.
    """
    inputs = run.manifest.inputs
    images = tuple(one.source for one in inputs if one.role == "image")
    if not images:
        raise FileMissing(
            f"the run {run.path} does not say which images its texts are about",
            cure="Give a run of 'arpent describe generate'.",
        )
    known = {key: value for key, value in run.manifest.settings.items() if key in SceneSettings.model_fields}
    parcels = next((one.source for one in inputs if one.role == "parcels"), None)
    return Truth(images, parcels, parse(SceneSettings, known, f"the settings of {run.path.name}"))


def opened_scenes(truth: Truth) -> Iterator[tuple[Scene, Parcels]]:
    """Every image with the parcels on it, open until the next one is asked for.

    Raises:
        InputError: an image or the parcels cannot be read (any more).
    """
    names = SceneNames(truth.images, truth.settings)
    parcels = SceneParcels(truth.parcels, truth.settings)
    for number, image in enumerate(truth.images):
        with open_scene(image, truth.settings) as scene:
            names.settle(scene, number)
            yield scene, parcels.on(scene.grid, scene.name)


def measured_again(truth: Truth, progress: Progress | None = None) -> dict[Key, Measured]:
    """The facts of every parcel on every image, from the pixels.

    Raises:
        InputError: an image or the parcels cannot be read (any more).
    """
    found: dict[Key, Measured] = {}
    for scene, parcels in opened_scenes(truth):
        for row in measure_parcels(scene, parcels.items, indices_of(scene.bands), progress):
            found[row.measured.parcel, row.image] = row.measured
    return found


def earlier(facts: Iterable[Measured], than: Measured) -> tuple[Measured, ...]:
    """Of the facts of a parcel, those on the dates before, in order."""
    if than.taken is None:
        return ()
    before = {one.taken: one for one in facts if one.taken is not None and one.taken < than.taken}
    return tuple(before[day] for day in sorted(before))


def read_vectors(sources: Sequence[str | Path], known: Vectors | None = None) -> Vectors:
    """The embeddings of runs of ``describe embed``, or of their tables; the later one wins.

    Args:
        sources: runs or tables.
        known: embeddings that have been read already, and come first.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: no table of embeddings of parcels, or two that are of different encoders.
    """
    found: dict[Key, NDArray[np.float32]] = dict(known or {})
    for source in sources:
        table = read_embeddings(source, ["parcel", "image", "embedding"])
        table = table.filter(pc.is_valid(table["embedding"]))  # of a parcel that nobody sees there is none
        keys = zip(table["parcel"].to_pylist(), table["image"].to_pylist(), strict=True)
        found |= dict(zip(keys, vectors_of(table, source), strict=True))
    widths = {vector.size for vector in found.values()}
    if len(widths) > 1:
        raise UnreadableFile(
            "the embeddings come from different encoders",
            found=f"{', '.join(map(str, sorted(widths)))} numbers each",
            cure="Make all of them with one encoder.",
        )
    return found
