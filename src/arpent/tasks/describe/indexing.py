"""``describe indices``: indices of many images on many parcels, as one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from odc.geo.crs import CRS

from arpent.core import Language, Progress
from arpent.errors import ArpentError, InputError, NoValidPixels
from arpent.io import RowWriter
from arpent.language import say
from arpent.pixels import index_names
from arpent.store import Place, Run
from arpent.tasks.describe.measuring import bands_for, indices_of, measure_parcels, require_indices
from arpent.tasks.describe.overview import Sighting, overview
from arpent.tasks.describe.parcels import left_out_note
from arpent.tasks.describe.scene_names import SceneNames
from arpent.tasks.describe.scene_parcels import SceneParcels
from arpent.tasks.describe.scene_settings import IndexSettings
from arpent.tasks.describe.scenes import Scene, open_scene
from arpent.tasks.describe.table import Measurement, schema_of, table_of

__all__ = ["TABLE_FILES", "Failed", "Indexed", "Notes", "index_run", "index_table"]

TABLE_FILES = (".csv", ".geoparquet", ".gpkg", ".jsonl", ".parquet")
"""Endings of a table that is written without a run folder."""

_DEGREES = CRS("EPSG:4326")
_SHOWN = 20
_NAMED = 3
_TABLE = "indices.parquet"


@dataclass(frozen=True)
class Failed:
    """An image that could not be measured."""

    image: str
    error: ArpentError


@dataclass
class Notes:
    """What people should know, each thing once with the names that it is true of."""

    language: Language = "en"
    of: dict[str, list[str]] = field(default_factory=dict)

    def add(self, note: str, name: str) -> None:
        """Notes a thing of an image or a parcel."""
        names = self.of.setdefault(note, [])
        if name not in names:
            names.append(name)

    def __iter__(self) -> Iterator[str]:
        for note, names in self.of.items():
            named = ", ".join(names[:_NAMED])
            if len(names) > _NAMED:
                named = say("scene.and_more", self.language, names=named, count=len(names) - _NAMED)
            yield f"{named}: {note}"


@dataclass(frozen=True)
class Indexed:
    """A table that was made.

    Attributes:
        file: the table.
        rows: how many it has.
        images: how many were measured.
        parcels: how many of them have a row.
        outside: parcels that no image reaches, and those without area, with the reason.
        unseen: rows without a valid pixel.
        indices: that were measured.
        notes: what people should know.
        failed: images that could not be measured.
        first: the first rows.
        run: its folder, where it is part of one.
    """

    file: Path
    rows: int
    images: int
    parcels: int
    outside: dict[str, str]
    unseen: int
    indices: tuple[str, ...]
    notes: tuple[str, ...]
    failed: tuple[Failed, ...]
    first: tuple[Measurement, ...]
    run: Run | None = None


def index_table(
    images: Sequence[str],
    file: Path,
    settings: IndexSettings,
    *,
    parcels: str | Path | None = None,
    progress: Progress | None = None,
) -> Indexed:
    """Measures images and writes a table, in the format that the suffix of `file` names.

    Args:
        images: anything that `open_scene` reads.
        file: one of `TABLE_FILES`.
        settings: what to measure, and how images are read.
        parcels: a vector file; the images themselves, or squares of them, if not given.
        progress: who is told how far it is.

    Raises:
        InputError: no image could be measured; the first reason.
        NoValidPixels: no parcel lies on an image, or none has a pixel that was seen.
        UnknownName, InvalidSetting: a setting that means nothing.
    """
    RowWriter(file, schema=schema_of(()), crs=_DEGREES).abandon()  # fails now where nothing can be written
    work = _Work(settings, parcels)
    work.measure(images, progress)
    return work.told(_written(work.table(), file))


def index_run(
    images: Sequence[str],
    place: Place,
    settings: IndexSettings,
    *,
    parcels: str | Path | None = None,
    progress: Progress | None = None,
) -> Indexed:
    """The same, in a run folder that keeps its inputs, its settings and what was noted."""
    kept = settings.model_dump(mode="json", exclude={"language"})
    kept |= {"images": list(images), "parcels": None if parcels is None else str(parcels)}
    inputs = [*images, *([] if parcels is None else [parcels])]
    with place.begin("describe-indices", Path(images[0]).stem, kept, inputs, language=settings.language) as run:
        for image in images:
            run.add_input(image)
        if parcels is not None:
            run.add_input(parcels, "parcels")
        try:
            work = _Work(settings, parcels)
            with run.timed("measure"):
                work.measure(images, progress)
            table = work.table()
        except ArpentError:
            run.abandon()  # nothing of it will ever be of use
            raise
        run.publish(_written(table, run.scratch / _TABLE), kind="table")
        seen = overview(work.sightings(), run.scratch / "preview.png", settings.language)
        if seen is not None:
            run.publish(seen, kind="picture")
        made = work.told(run.path / _TABLE)
        for note in made.notes:
            run.warn(note)
        for one in made.failed:
            run.add_failure(one.image, one.error)
        run.add_metrics({"rows": made.rows, "images": made.images, "parcels": made.parcels, "unseen": made.unseen})
        finished = run.finish()
    return Indexed(**{**vars(made), "run": finished})


def _written(table: pa.Table, file: Path) -> Path:
    with RowWriter(file, schema=table.schema, crs=_DEGREES) as writer:
        writer.write(table)
    return file


class _Work:
    """Images measured one after the other."""

    def __init__(self, settings: IndexSettings, parcels: str | Path | None) -> None:
        self._settings = settings
        self._path = parcels
        self._parcels = SceneParcels(parcels, settings)
        self._bands = bands_for(settings.indices)
        self._rows: list[Measurement] = []
        self._indices: set[str] = set()
        self._reached: set[str] = set()
        self._counted: set[tuple[str, str]] = set()
        self._left: dict[str, str] = {}
        self._notes = Notes(settings.language)
        self._failed: list[Failed] = []
        self._images = 0

    def measure(self, images: Sequence[str], progress: Progress | None) -> None:
        """All images; one that cannot be measured is passed over, unless it is the only one."""
        names = SceneNames(images, self._settings)
        for number, image in enumerate(images):
            try:
                with open_scene(image, self._settings, only=self._bands) as scene:
                    names.settle(scene, number)
                    self._one(scene, progress)
            except InputError as problem:
                if len(images) == 1:
                    raise
                self._failed.append(Failed(image, problem))
        if self._failed and not self._images:
            raise self._failed[0].error

    def _one(self, scene: Scene, progress: Progress | None) -> None:
        wanted = self._settings.indices
        names = indices_of(scene.bands) if wanted is None else require_indices(wanted, scene.bands, scene.name)
        here = self._parcels.on(scene.grid, scene.name)
        rows = measure_parcels(scene, here.items, names, progress)
        self._images += 1
        self._indices.update(names)
        self._reached.update(row.measured.parcel for row in rows)
        # Squares have the same names in every place; what a file holds is itself, whichever image shows it.
        self._counted.update((scene.place if self._path is None else "", row.measured.parcel) for row in rows)
        self._left |= here.left_out
        self._rows += rows
        for note in scene.notes:
            self._notes.add(note, scene.name)
        for parcel in here.items:
            for note in parcel.warnings:
                self._notes.add(note, parcel.name)

    def table(self) -> pa.Table:
        """All rows.

        Raises:
            NoValidPixels: there is none, or nothing was seen on any.
        """
        if not self._rows:
            raise NoValidPixels(
                f"none of the {len(self._left)} parcels of {self._path} lies on the images",
                found=next(iter(self._left.values()), None),
                cure="Give the images of their place.",
            )
        if not any(row.measured.valid or row.measured.cloud for row in self._rows):
            raise NoValidPixels(
                "no pixel of any parcel has a value",
                found=f"{len(self._rows)} parcels that are all no-data, left out by --exclude, or as bright as cloud",
                cure="Give images that see them, or --quality no if what is bright is no cloud.",
            )
        return table_of(self._rows, self._ordered())

    def _ordered(self) -> tuple[str, ...]:
        return tuple(name for name in index_names() if name in self._indices)

    def sightings(self) -> Iterator[Sighting]:
        """The rows, with where they lie."""
        return (Sighting(row.measured, row.geometry) for row in self._rows)

    def told(self, file: Path) -> Indexed:
        """What was made."""
        outside = {name: why for name, why in self._left.items() if name not in self._reached}
        for name, why in outside.items():
            self._notes.add(left_out_note(why, self._settings.language), name)
        unseen = [row for row in self._rows if not row.measured.valid]
        for row in unseen:
            self._notes.add(say("scene.no_valid_pixel", self._settings.language, image=row.image), row.measured.parcel)
        return Indexed(
            file=file,
            rows=len(self._rows),
            images=self._images,
            parcels=len(self._counted),
            outside=outside,
            unseen=len(unseen),
            indices=self._ordered(),
            notes=tuple(self._notes),
            failed=tuple(self._failed),
            first=tuple(self._rows[:_SHOWN]),
        )
