"""Images as a describer is shown them: parcels measured and encoded, scene by scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from arpent.core import Progress, Silent
from arpent.errors import ArpentError, InputError, NoValidPixels
from arpent.language import Measured, say
from arpent.report.small_pictures import SmallPicture
from arpent.tasks.describe.describer import Describer
from arpent.tasks.describe.embedding_table import RANDOM, visual_of
from arpent.tasks.describe.encoding import Encoder
from arpent.tasks.describe.generate_settings import GenerateSettings
from arpent.tasks.describe.measuring import measure
from arpent.tasks.describe.parcels import Parcels, left_out_note
from arpent.tasks.describe.scene_names import SceneNames
from arpent.tasks.describe.scene_parcels import SceneParcels
from arpent.tasks.describe.scenes import Scene, open_scene
from arpent.tasks.describe.table import measured_of
from arpent.tasks.describe.thumbnails import thumbnails
from arpent.tasks.describe.token_shelf import KeptTokens, TokenShelf

__all__ = ["Shown", "ShownParcel", "open_own_encoder", "show_images"]


@dataclass(frozen=True)
class ShownParcel:
    """A parcel on an image.

    Attributes:
        measured: what is known of it.
        image: name of the image.
        visual: (cells, width), on the disk; None where nothing of it is seen.
    """

    measured: Measured
    image: str
    visual: KeptTokens | None


@dataclass
class Shown:
    """All that is known of the parcels of some images.

    Attributes:
        parcels: image by image.
        tables: their measurements, one table per image.
        pictures: of each, by its name and that of its image.
        notes: what people should know.
        failed: images that could not be read, with the reason.
    """

    parcels: list[ShownParcel] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    pictures: dict[tuple[str, str], SmallPicture] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failed: list[tuple[str, ArpentError]] = field(default_factory=list)

    @property
    def table(self) -> pa.Table:
        """The measurements of all."""
        return pa.concat_tables(self.tables, promote_options="default")


def open_own_encoder(describer: Describer, source: str | None, device: str) -> Encoder:
    """The encoder that a describer was trained with.

    Args:
        describer: knows its encoder.
        source: where that is; its name if not given.
        device: to compute on.

    Raises:
        WeightsMissing: it is not on this machine.
        ContractMismatch: it is another one, or its random weights cannot be drawn again.
    """
    identity, name = describer.facts.encoder, describer.facts.encoder_name
    if identity.startswith(RANDOM):
        # "random:croma-tiny:seed3:…": the same draw again.
        parts = identity.split(":")
        seed = int(parts[2].removeprefix("seed"))
        encoder = Encoder.open(source or parts[1], random_init=True, seed=seed, device=device)
    else:
        encoder = Encoder.open(source or name or "croma-large", device=device)
    describer.require_encoder(encoder.identity, encoder.name)
    describer.require_drawn(encoder.drawn)
    return encoder


def show_images(
    images: Sequence[str],
    settings: GenerateSettings,
    describer: Describer | None,
    *,
    parcels: str | Path | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Shown:
    """Measures and encodes the parcels of images; one that cannot be read is passed over, unless it is the only one.

    Visual tokens are set down on the disk as they come: what is held does not grow with their number.

    Args:
        images: anything that `open_scene` reads.
        settings: how they are read, and with which encoder.
        describer: that is to see them; None where nobody is, and nothing is encoded.
        parcels: a vector file; whole images, or squares of them, if not given.
        folder: on whose disk the tokens lie; that of temporary files if not given.
        progress: who is told how far it is.

    Raises:
        InputError: no image could be read; the first reason.
        NoValidPixels: no parcel lies on the images.
    """
    shown = Shown()
    encoder = None if describer is None else open_own_encoder(describer, settings.encoder, settings.device)
    if encoder is not None and encoder.identity.startswith(RANDOM):
        shown.notes.append(say("embedding.drawn", settings.language, name=encoder.name))
    cells = 0 if describer is None else round(describer.cells**0.5)
    reader = _Reader(settings, encoder, SceneParcels(parcels, settings), cells, TokenShelf(folder))
    with (progress or Silent()).bar(say("embedding.looking", settings.language), len(images), "images") as bar:
        names = SceneNames(images, settings)
        for number, image in enumerate(images):
            try:
                with open_scene(image, settings) as scene:
                    names.settle(scene, number)
                    reader.read(scene, shown)
            except InputError as problem:
                if len(images) == 1:
                    raise
                shown.failed.append((image, problem))
            bar.advance()
    if not shown.parcels:
        if shown.failed:
            raise shown.failed[0][1]
        raise NoValidPixels(
            f"no parcel of {parcels} lies on the images", cure="Give the images of their place, or other parcels."
        )
    shown.notes += reader.nowhere()
    return shown


class _Reader:
    """Reads scenes one after the other."""

    def __init__(
        self,
        settings: GenerateSettings,
        encoder: Encoder | None,
        parcels: SceneParcels,
        cells: int,
        shelf: TokenShelf,
    ) -> None:
        self._settings, self._encoder, self._cells, self._shelf = settings, encoder, cells, shelf
        self._parcels = parcels
        self._left: dict[str, str] = {}
        self._reached: set[str] = set()

    def read(self, scene: Scene, shown: Shown) -> None:
        """Adds what is known of the parcels of a scene."""
        parcels = self._parcels.on(scene.grid, scene.name)
        self._left.update(parcels.left_out)
        self._reached.update(parcel.name for parcel in parcels.items)
        if not parcels.items:
            return
        table = measure(scene, parcels, None)
        visual = {} if self._encoder is None else self._encoded(self._encoder, scene, parcels)
        shown.tables.append(table)
        for row in table.to_pylist():
            shown.parcels.append(ShownParcel(measured_of(row), row["image"], visual.get(row["parcel"])))
        shown.pictures |= thumbnails(scene, parcels.items)
        shown.notes += [f"{scene.name}: {note}" for note in scene.notes]
        shown.notes += [f"{one.name}: {note}" for one in parcels.items for note in one.warnings]

    def _encoded(self, encoder: Encoder, scene: Scene, parcels: Parcels) -> dict[str, KeptTokens]:
        """The visual tokens of those parcels of a scene of which something is seen, by name."""
        visual: dict[str, KeptTokens] = {}
        for rows in encoder.encoded(scene, parcels, cells=self._cells):
            values = visual_of(rows)
            seen = np.isfinite(values[:, 0, 0])
            names = np.asarray(rows["parcel"].to_pylist(), object)[seen]
            visual |= dict(zip(names, self._shelf.keep(values[seen]), strict=True))
        return visual

    def nowhere(self) -> list[str]:
        """What is told of parcels that were on none of the scenes."""
        left = {name: why for name, why in self._left.items() if name not in self._reached}
        return [f"{name}: {left_out_note(why, self._settings.language)}" for name, why in left.items()]
