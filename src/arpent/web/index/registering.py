"""From a run folder to rows of the index and images for the screen. The run folder is never changed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from arpent import store
from arpent.core import Bar, Progress, Silent, file_sha256
from arpent.errors import ArpentError, UnknownName
from arpent.store.manifest import MANIFEST
from arpent.web import layers as shown
from arpent.web.alone import alone, beside_others, undisturbed
from arpent.web.index.folding import folded
from arpent.web.index.imported import IMPORT_TASK, imported_layers
from arpent.web.index.known import forget, remember
from arpent.web.index.likeness import Embeddings, vectors_are_there
from arpent.web.index.models import Feature, Frame, Layer, Matrix, Run, State, Vector, stable_number
from arpent.web.index.preparing import DISPLAYS, Prepared, prepare
from arpent.web.index.restoring import legend_document
from arpent.web.index.rows import store_features
from arpent.web.index.shapes import shape_tables
from arpent.web.index.vectors import VECTORS
from arpent.web.products import layers_of

__all__ = ["Registration", "raise_version", "rebuild", "register", "remove"]


@dataclass(frozen=True)
class Registration:
    """What came of registering a run.

    Attributes:
        number: of the run.
        path: its folder.
        name: of the run.
        layers: how many it has on the map.
        is_new: whether the map did not know it before.
        problems: layers that cannot be shown, each with its reason.
    """

    number: int
    path: Path
    name: str
    layers: int
    is_new: bool
    problems: tuple[str, ...] = ()


def register(path: str | Path, progress: Progress | None = None) -> Registration:
    """Makes a run part of the map; one that is part of it already stays as it is.

    A run is known by the hash of its manifest: one that was made anew replaces the old one, one that was moved is
    found in its new place. A layer that cannot be shown keeps no other from being shown.

    Raises:
        FileMissing, RunDamaged: there is no run, or it cannot be trusted.
    """
    run = store.open_run(path)
    home = run.path.resolve()
    number = stable_number(file_sha256(home / MANIFEST))
    known = Run.objects.filter(id=number, path=str(home)).first()
    if known is not None and _is_whole(known):
        remember(settings.DATA_PATH, home)  # whoever put it there may have been killed before that
        return Registration(number, home, known.name, known.layers.count(), is_new=False)
    with beside_others(Path(settings.DATA_PATH) / DISPLAYS):  # what it makes is swept away by nobody
        return _registered(store.Run(home, run.manifest), number, progress)


def _registered(run: store.Run, number: int, progress: Progress | None) -> Registration:
    home = run.path
    ready: list[Prepared] = []
    problems: list[str] = []
    found = _layers(run, problems)
    frames = sum(len(layer.frames) for layer in found)
    with (progress or Silent()).bar(f"register {home.name}", frames, "frames") as bar:
        for layer in found:
            try:
                ready.append(prepare(run, layer, settings.DATA_PATH, bar))
            except ArpentError as problem:
                problems.append(f"{layer.title_en}: {problem}")
    shapes = sum(count for one in ready for count in one.shapes.values())
    with _writing(), (progress or Silent()).bar(f"index {home.name}", shapes, "shapes") as bar:
        before = Run.objects.filter(Q(id=number) | Q(path=str(home)))
        moved = [Path(path) for path in before.values_list("path", flat=True) if path != str(home)]
        _drop(before)
        layers = _write(run, number, ready, problems, bar)
        raise_version()
    for path in moved:
        forget(settings.DATA_PATH, path)
    remember(settings.DATA_PATH, home)
    return Registration(number, home, run.manifest.name, layers, is_new=True, problems=tuple(problems))


@contextmanager
def _writing() -> Iterator[None]:
    """A transaction that waits for those of other processes; the database alone would give up after five seconds."""
    with alone(Path(settings.DATA_PATH)), transaction.atomic():
        yield


def _layers(run: store.Run, problems: list[str]) -> list[shown.Layer]:
    if run.manifest.task == IMPORT_TASK:
        return imported_layers(run)
    return layers_of(run, lambda problem: problems.append(str(problem)))


def remove(number: int) -> None:
    """Takes a run off the map; its folder stays as it is.

    Raises:
        UnknownName: the map has no such run.
    """
    run: Run | None = Run.objects.filter(id=number).first()
    if run is None:
        raise UnknownName(f"there is no run {number}", cure="Ask /api/layers which there are.")
    with _writing():
        _drop(Run.objects.filter(id=number))
        raise_version()
    forget(settings.DATA_PATH, Path(run.path))
    sweep()


def rebuild(paths: Iterable[Path], progress: Progress | None = None) -> tuple[list[Registration], list[str]]:
    """Empties the index and fills it again from run folders; of those that fail, why."""
    with _writing():
        _drop(Run.objects.all())
        raise_version()
    done, failed = [], []
    for path in dict.fromkeys(path.resolve() for path in paths):
        try:
            done.append(register(path, progress))
        except ArpentError as problem:
            failed.append(f"{path}: {problem}")
    sweep()
    return done, failed


def sweep() -> None:
    """Removes images for the screen that no frame shows, and vectors of no layer; later, if somebody makes such now."""
    with undisturbed(Path(settings.DATA_PATH) / DISPLAYS) as nobody_else:
        if not nobody_else:
            return
        shown_images = Frame.objects.exclude(display="").values_list("display", flat=True)
        vectors = Matrix.objects.values_list("file", flat=True)
        for folder, pattern, used in ((DISPLAYS, "*.tif", set(shown_images)), (VECTORS, "*.f32", set(vectors))):
            for file in (Path(settings.DATA_PATH) / folder).glob(pattern):
                if file.name not in used:
                    file.unlink(missing_ok=True)


def raise_version() -> None:
    """Tells everybody who asks that the index has changed."""
    if not State.objects.filter(pk=1).update(version=F("version") + 1):
        # One that is built anew must not count the same numbers once more: pages that are open would not notice.
        State.objects.create(pk=1, version=int(time.time()))


def _is_whole(run: Run) -> bool:
    names = Frame.objects.filter(layer__run=run).exclude(display="").values_list("display", flat=True)
    shown_well = all((Path(settings.DATA_PATH) / DISPLAYS / name).is_file() for name in set(names))
    # A migration empties the digest of what must be looked at again.
    return bool(run.digest) and shown_well and vectors_are_there(run.layers.all())


def _drop(runs: object) -> None:
    """Deletes runs and all they hold, the many rows without looking at each."""
    features = Feature.objects.filter(layer__in=Layer.objects.filter(run__in=runs))
    for many in (Vector.objects.filter(feature__in=features), features):
        many._raw_delete(many.db)
    Run.objects.filter(pk__in=runs).delete()


def _write(run: store.Run, number: int, ready: Sequence[Prepared], problems: list[str], bar: Bar) -> int:
    """Writes a run; gives the number of its layers, since one whose shapes are damaged on the way is left out."""
    manifest = run.manifest
    row = Run.objects.create(
        id=number,
        path=str(run.path),
        digest=file_sha256(run.path / MANIFEST),
        name=manifest.name,
        task=manifest.task,
        language=manifest.language,
        created=manifest.created,
    )
    written = 0
    for one in ready:
        layer = Layer(run=row, place=written, **_layer_fields(number, one, manifest.name))
        try:
            with transaction.atomic():
                _write_layer(layer, one, bar)
            written += 1
        except ArpentError as problem:
            problems.append(f"{one.layer.title_en}: {problem}")
    return written


def _write_layer(layer: Layer, one: Prepared, bar: Bar) -> None:
    layer.save(force_insert=True)
    frames = [
        Frame(
            id=stable_number(layer.id, position, frame.date, frame.horizon),
            layer=layer,
            place=position,
            date=frame.date,
            horizon=frame.horizon,
            observed=frame.observed,
            band=frame.band,
            file=str(frame.file),
            display=one.displays[position],
            digest=one.digests[position],
        )
        for position, frame in enumerate(one.layer.frames)
    ]
    Frame.objects.bulk_create(frames)
    for file in one.shapes:
        own = [frame for frame in frames if frame.file == str(file)]
        with Embeddings(layer, own[0].digest) as embeddings:
            for table in shape_tables(file):
                store_features(layer, own, table, one.layer.legend, bar)
                embeddings.add(table)


def _layer_fields(number: int, one: Prepared, run_name: str) -> dict[str, object]:
    layer: shown.Layer = one.layer
    return {
        "id": stable_number(number, layer.key),
        "key": layer.key,
        "name": layer.name,
        "kind": layer.kind,
        "source": layer.source,
        "title_en": layer.title_en,
        "title_fr": layer.title_fr,
        "west": one.bounds.west,
        "south": one.bounds.south,
        "east": one.bounds.east,
        "north": one.bounds.north,
        "minzoom": one.zooms[0],
        "maxzoom": one.zooms[1],
        "issue": layer.issue,
        "bands": list(layer.bands),
        "legend": legend_document(layer.legend),
        "skill": dict(layer.skill) if layer.skill is not None else None,
        "warnings": list(layer.warnings),
        "words": folded(f"{run_name} {layer.name} {layer.kind} {layer.title_en} {layer.title_fr}"),
    }
