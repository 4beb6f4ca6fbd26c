"""Texts that a describer writes for its evaluation: of images as they are, and with their near infrared scaled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arpent.core import Grid, Progress, Raster, Silent, Window
from arpent.language import Measured
from arpent.language.checking import abstains
from arpent.tasks.describe.counterfactual_pairs import SCALES, Followed, followed
from arpent.tasks.describe.describer import Describer
from arpent.tasks.describe.embedding_table import visual_of
from arpent.tasks.describe.encoding import Encoder
from arpent.tasks.describe.evaluate_settings import EvaluateSettings
from arpent.tasks.describe.generate_settings import GenerateSettings
from arpent.tasks.describe.generating import Item as Asked
from arpent.tasks.describe.generating import Writer
from arpent.tasks.describe.judging import Item
from arpent.tasks.describe.measuring import indices_of, measure_parcels
from arpent.tasks.describe.parcels import Parcels
from arpent.tasks.describe.seen import Measurable
from arpent.tasks.describe.showing import open_own_encoder, show_images
from arpent.tasks.describe.texts import Described
from arpent.tasks.describe.truth import Key, Truth, Written, opened_scenes

__all__ = ["Brightened", "written_by"]

_INFRARED = "B08"


class Brightened:
    """A scene whose near infrared is another than it was.

    Args:
        scene: the one that was seen.
        factor: that B08 is multiplied by.
    """

    def __init__(self, scene: Measurable, factor: float) -> None:
        self._scene, self._factor = scene, factor
        self.name: str = scene.name
        self.place: str = scene.place
        self.taken: dt.date | None = scene.taken
        self.grid: Grid = scene.grid
        self.bands: tuple[str, ...] = scene.bands

    def read(self, window: Window) -> Raster:
        """Reflectance × 10 000, B08 scaled."""
        raster = self._scene.read(window)
        if _INFRARED not in raster.bands:
            return raster
        pixels = raster.pixels.astype(np.float32)
        pixels[raster.bands.index(_INFRARED)] *= self._factor
        return Raster(pixels, raster.valid, raster.grid, raster.bands)

    def clouds(self, window: Window) -> NDArray[np.bool_] | None:
        """Where there is cloud."""
        return self._scene.clouds(window)


def written_by(bundle: Path, truth: Truth, settings: EvaluateSettings, progress: Progress | None = None) -> Written:
    """Lets a describer write about images; texts of mode grounded are mended as users get them.

    Args:
        bundle: the describer.
        truth: images and parcels.
        settings: mode, languages, whether pixels are scaled.
        progress: who is told how far it is.

    Raises:
        ModelError: the describer, or the encoder that it was trained with, cannot be used.
        InputError: the images.
    """
    describer = Describer.open(bundle, device=settings.device)
    asked = _asked(settings)
    shown = show_images(truth.images, asked, describer, parcels=truth.parcels, progress=progress)
    items = [
        Asked(one.measured, one.image, one.visual, language) for one in shown.parcels for language in asked.languages
    ]
    described = _described(Writer(describer, asked), items, settings, progress or Silent())
    notes = [*shown.notes, *(f"{name}: {error}" for name, error in shown.failed)]
    scaled = _Scaled(describer, truth, settings, progress or Silent()).followed if settings.counterfactual else None
    return Written(described, truth, bundle, scaled, tuple(dict.fromkeys(notes)))


def _asked(settings: EvaluateSettings) -> GenerateSettings:
    known = settings.model_dump()
    return GenerateSettings(**{key: value for key, value in known.items() if key in GenerateSettings.model_fields})


def _described(writer: Writer, items: list[Asked], settings: EvaluateSettings, progress: Progress) -> list[Described]:
    texts: list[Described] = []
    with progress.bar(f"{len(items)} texts", len(items), "texts") as bar:
        for first in range(0, len(items), settings.batch_size):
            batch = items[first : first + settings.batch_size]
            texts += writer.described(batch)
            bar.advance(len(batch))
    return texts


class _Scaled:
    """Texts about changed pixels, from the image alone: facts told in words would be the answer."""

    def __init__(self, describer: Describer, truth: Truth, settings: EvaluateSettings, progress: Progress) -> None:
        self._describer, self._truth, self._settings, self._progress = describer, truth, settings, progress
        self._blind = _asked(settings).model_copy(update={"mode": "blind"})
        self._encoder: Encoder = open_own_encoder(describer, settings.encoder, settings.device)
        self._cells = round(describer.cells**0.5)

    def followed(self, facts: Mapping[Key, Measured]) -> Followed:
        """Writes about some parcels at every scale of the near infrared, and sees whether the texts follow it."""
        chosen = self._chosen(facts)
        items: dict[float, list[Item]] = {scale: [] for scale in SCALES}
        for scene, every in opened_scenes(self._truth):
            here = tuple(parcel for parcel in every.items if (parcel.name, scene.name) in chosen)
            if here:
                for scale in SCALES:
                    items[scale] += self._items(Brightened(scene, scale), Parcels(here, {}))
        return followed(items, draws=self._settings.draws, seed=self._settings.seed)

    def _items(self, scene: Measurable, parcels: Parcels) -> list[Item]:
        table = self._encoder.encode(scene, parcels, cells=self._cells)
        visual = dict(zip(table["parcel"].to_pylist(), visual_of(table), strict=True))
        rows = measure_parcels(scene, parcels.items, indices_of(scene.bands))
        true = {row.measured.parcel: row.measured for row in rows}
        asked = [
            Asked(one, scene.name, visual[name], language)
            for name, one in true.items()
            for language in self._blind.languages
        ]
        written = _described(Writer(self._describer, self._blind), asked, self._settings, self._progress)
        profile = self._describer.facts.profile
        return [Item(one.text, one.language, true[one.parcel], image=one.image, profile=profile) for one in written]

    def _chosen(self, facts: Mapping[Key, Measured]) -> set[Key]:
        """Parcels that are seen, evenly out of all of them."""
        seen = sorted(key for key, one in facts.items() if not abstains(one))
        return set(seen[:: max(1, -(-len(seen) // self._settings.changed))])
