"""``describe embed``: embeddings and visual tokens of many parcels on many images, as a run folder."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from odc.geo.crs import CRS

from arpent.core import Closing, Progress, Silent, writing
from arpent.engine import ItemJob, ItemOptions, fingerprint, run_items, settings_there
from arpent.engine.items import OF_ONE_ITEM
from arpent.errors import InvalidSetting, NoValidPixels, PartialFailure
from arpent.language import say
from arpent.store import Place, Run, RunFolder, content_of
from arpent.tasks.describe.embed_settings import EmbedSettings
from arpent.tasks.describe.embedding_table import EMBEDDINGS, vectors_of
from arpent.tasks.describe.encoding import Encoder
from arpent.tasks.describe.encoding_work import Encoding
from arpent.tasks.describe.indexing import Notes
from arpent.tasks.describe.parcels import left_out_note
from arpent.tasks.describe.scene_names import SceneNames
from arpent.tasks.describe.scene_parcels import SceneParcels
from arpent.tasks.describe.scene_plan import EncodedScene, Tiling
from arpent.tasks.describe.scenes import Scene, open_scene
from arpent.tasks.describe.seen import Seen
from arpent.tasks.describe.sharing import ScenesElsewhere
from arpent.tasks.describe.stretched import Stretched

__all__ = ["Embedded", "embed_images"]

_DEGREES = CRS("EPSG:4326")
_KEPT_OPEN = 16
"""Scenes that stay open between planning and encoding."""


@dataclass(frozen=True)
class Embedded:
    """A finished run.

    Attributes:
        run: its folder.
        file: the table.
        rows: how many it has.
        images: how many were encoded.
        encoder: that saw them.
        notes: what people should know.
    """

    run: Run
    file: Path
    rows: int
    images: int
    encoder: Encoder
    notes: tuple[str, ...]


def embed_images(
    images: Sequence[str],
    place: Place,
    settings: EmbedSettings,
    *,
    parcels: str | Path | None = None,
    progress: Progress | None = None,
) -> Embedded:
    """Encodes images, and pools their tokens on parcels, on squares, or on whole images.

    An image that cannot be read is noted, and the others go on; the run is then partial.

    Args:
        images: anything that `open_scene` reads.
        place: where the run goes.
        settings: which encoder, and how images are read.
        parcels: a vector file; the images themselves, or squares of them, if not given.
        progress: who is told how far it is.

    Raises:
        WeightsMissing: a published encoder that is not on this machine.
        InvalidSetting: parcels of images that are to be brought to another size, or images too large for that.
        NoValidPixels: no parcel lies on an image.
        ContractMismatch, InputError: no image could be encoded; the first reason.
        PartialFailure: likewise, of several.
    """
    encoder = Encoder.asked_for(settings)
    _require_whole(settings, parcels)
    on_scenes = SceneParcels(parcels, settings)
    kept = settings.model_dump(mode="json", exclude={"language", "read_threads"})
    kept |= {"images": list(images), "parcels": None if parcels is None else str(parcels)}
    inputs = [*images, *([] if parcels is None else [parcels]), *([] if encoder.source is None else [encoder.source])]
    with place.begin("describe-embed", Path(images[0]).stem, kept, inputs, language=settings.language) as run:
        content = [content_of(run.add_input(image)) for image in images]
        if parcels is not None:
            content.append(content_of(run.add_input(parcels, "parcels")))
        if encoder.random:
            run.warn(say("embedding.random", settings.language, name=encoder.name))
        _note_encoder(run, encoder)
        work = _Work(run, encoder, settings, on_scenes, progress or Silent())
        try:
            with Shelf(images, settings) as shelf:
                work.plan(images, shelf)
                return work.done(shelf, content)
        except (*OF_ONE_ITEM, PartialFailure):
            if not place.resume:
                run.abandon()  # nothing of it is of use: once the cause is mended, the same command is to begin anew
            raise


def _require_whole(settings: EmbedSettings, parcels: str | Path | None) -> None:
    """Refuses to bring parts of images to another size."""
    if settings.resize is not None and (parcels is not None or settings.chip):
        raise InvalidSetting(
            "only whole images are brought to another size",
            found="--parcels" if parcels is not None else f"--chip {settings.chip}",
            cure="Leave out --resize, or embed the images as a whole.",
        )


def _note_encoder(run: RunFolder, encoder: Encoder) -> None:
    """The encoder in the manifest; one with random weights by the word that tells how to make them again."""
    if encoder.source is None:
        run.use_bundle(encoder.identity, sha256(encoder.identity.encode()).hexdigest())
    else:
        run.use_bundle(encoder.source, encoder.identity)


class Shelf(Closing):
    """Open scenes by their number, for several threads; each is closed once its last tile has been read."""

    def __init__(self, images: Sequence[str], settings: EmbedSettings) -> None:
        self.images, self._settings = tuple(images), settings
        self._open: dict[int, Scene] = {}
        self._left: Counter[int] = Counter()
        self._lock = threading.Lock()

    def scene(self, number: int) -> Scene:
        """An open scene."""
        with self._lock:
            if number not in self._open:
                self._open[number] = open_scene(self.images[number], self._settings)
            return self._open[number]

    def expect(self, number: int, tiles: int) -> None:
        """Says how many tiles of a scene will be read; those without any are closed."""
        self._left[number] = tiles
        if not tiles or len(self._open) > _KEPT_OPEN:
            self._drop(number)

    def read(self, number: int) -> None:
        """Says that one more has been."""
        with self._lock:
            self._left[number] -= 1
            over = not self._left[number]
        if over:
            self._drop(number)

    def _drop(self, number: int) -> None:
        with self._lock:
            scene = self._open.pop(number, None)
        if scene is not None:
            scene.close()

    def close(self) -> None:
        """Closes all that are open."""
        for number in list(self._open):
            self._drop(number)


@dataclass
class _Work:
    """A run under way."""

    run: RunFolder
    encoder: Encoder
    settings: EmbedSettings
    parcels: SceneParcels
    progress: Progress
    planned: list[EncodedScene] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)  # of the planned scenes on the shelf
    notes: Notes = field(init=False)
    left: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.notes = Notes(self.settings.language)

    @property
    def tiling(self) -> Tiling:
        """How scenes are cut."""
        return Tiling(self.settings.tile, self.settings.halo, self.settings.cells)

    def plan(self, images: Sequence[str], shelf: Shelf) -> None:
        """Looks at every scene; one that cannot be used is noted, unless it is the only one."""
        failed: list[Exception] = []
        title = say("embedding.looking", self.settings.language)
        with self.run.timed("plan"), self.progress.bar(title, len(images), "images") as bar:
            names = SceneNames(images, self.settings)
            for number, image in enumerate(images):
                try:
                    self._one(number, shelf, names)
                except OF_ONE_ITEM as problem:
                    failed.append(problem)
                    shelf.expect(number, 0)
                    self.run.add_failure(image, problem)
                bar.advance()
        if failed and not self.planned:
            raise failed[0]
        self._tell()
        if not any(scene.tiles for scene in self.planned):
            raise NoValidPixels(
                f"none of the {len(self.left)} parcels lies on the images",
                found=next(iter(self.left.values()), None),
                cure="Give the images of their place.",
            )

    def _one(self, number: int, shelf: Shelf, names: SceneNames) -> None:
        scene = shelf.scene(number)
        names.settle(scene, number)
        self.encoder.check(scene)
        seen = self._seen(scene)
        here = self.parcels.on(seen.grid, seen.name)
        planned = EncodedScene.of(seen, here, self.tiling, self.encoder.patch)
        self.planned.append(planned)
        self.numbers.append(number)
        self.left |= here.left_out
        for note in scene.notes:
            self.notes.add(note, scene.name)
        for parcel in here.items:
            for note in parcel.warnings:
                self.notes.add(note, parcel.name)
        shelf.expect(number, len(planned.tiles))

    def _seen(self, scene: Scene) -> Seen:
        """A scene as the encoder sees it."""
        side = self.settings.side_for(*scene.grid.shape) if self.parcels.whole else None
        return scene if side is None else Stretched(scene, side)

    def _tell(self) -> None:
        """Notes what people should know of scenes and parcels."""
        reached = {parcel.name for scene in self.planned for parcel in scene.parcels}
        for name, why in self.left.items():
            if name not in reached:
                self.notes.add(left_out_note(why, self.settings.language), name)
        for note in self.notes:
            self.run.warn(note)

    def done(self, shelf: Shelf, content: Sequence[str]) -> Embedded:
        """Encodes what is planned, and publishes it."""
        run, settings, encoder = self.run, self.settings, self.encoder
        work = Encoding(
            encoder,
            self.planned,
            self.tiling,
            lambda place: self._seen(shelf.scene(self.numbers[place])),
            lambda place: shelf.read(self.numbers[place]),
        )
        network = encoder.start(len(work.items))
        there = settings_there(settings, network)
        images = tuple(shelf.images[number] for number in self.numbers)
        elsewhere = ScenesElsewhere(images, tuple(self.planned), self.tiling, encoder.identity, there)
        options = ItemOptions(
            settings.batch_size,
            settings.read_threads,
            fingerprint=self._identity(network.name, content),
            title=say("embedding.encoding", settings.language),
            unit="tiles",
            progress=self.progress,
            opener=elsewhere.opened,
        )
        with run.timed("encode"):
            made = run_items(ItemJob(work, work.items, run, options, {"embeddings": work.schema}, _DEGREES, work))
        file = run.path / EMBEDDINGS
        valid = pq.read_table(file, columns=["valid"])["valid"].to_numpy()
        if not len(valid) and made.failures:
            raise made.failures[0].error
        if not valid.any():
            raise NoValidPixels(
                "no pixel of any parcel has a value",
                found=f"{len(valid)} parcels that are all no-data, left out by --exclude, or as bright as cloud",
                cure="Give images that see them, or --quality no if what is bright is no cloud.",
            )
        if settings.profile == "xvision":
            self._write_array(file)
        lost = {failed.name for failed in made.failures}
        seen = len(self.planned) - len(lost)
        counts = {"rows": len(valid), "images": seen, "unseen": int((valid == 0).sum()), "tiles": made.count}
        run.add_metrics({f"embed/{name}": count for name, count in counts.items()})
        return Embedded(run.finish(), file, len(valid), seen, encoder, tuple(self.notes))

    def _identity(self, runtime: str, content: Sequence[str]) -> str:
        """Hash of all that decides the rows, for the ledger."""
        return fingerprint(
            content=list(content),
            encoder=self.encoder.identity,
            runtime=runtime,
            settings=self.settings.model_dump(mode="json", exclude={"language", "read_threads", "runtime"}),
            tiles=[(scene.name, scene.place, len(scene.tiles), len(scene.parcels)) for scene in self.planned],
        )

    def _write_array(self, file: Path) -> None:
        """The embeddings alone, image by image in the order of the parcels, under the name that XVision gives them."""
        table = pq.read_table(file, columns=["image", "parcel", "embedding"])
        named = [(scene.name, parcel.name) for scene in self.planned for parcel in scene.parcels]
        places = {name: place for place, name in enumerate(named)}
        keys = zip(table["image"].to_pylist(), table["parcel"].to_pylist(), strict=True)
        vectors = vectors_of(table)[np.argsort([places[key] for key in keys])]
        target = self.run.scratch / f"sentinel_embeddings_{self.encoder.width}.npy"
        with writing(target):
            np.save(target, vectors)
        self.run.publish(target, kind="table")
