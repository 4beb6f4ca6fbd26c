"""How much a linear probe reads off embeddings, judged on ground that it has not learnt from.

Beside it stand the same probe on the plain bands of the image, and whoever always answers with the most frequent class.
All three are judged on the same cells: blocks of ground are held out fold by fold, with a rim around them from which
nothing is learnt, and the strength of the penalty is chosen on blocks inside the learning side. Embeddings of a patch
do know something of their surroundings, the held-out side too, since patches of one tile attend to one another; labels
they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from arpent.core import Grid, Progress, Silent, ground_sampling_distance
from arpent.errors import InvalidSetting, NoOverlap
from arpent.language import LANGUAGES, say
from arpent.metrics import Interval
from arpent.report import confusion
from arpent.store import Place, Run, open_run
from arpent.tasks.change.cell_maps import CellMap, class_map
from arpent.tasks.change.clusters import warn_of_random
from arpent.tasks.change.embedding_settings import ProbeSettings
from arpent.tasks.change.embedding_sources import Embeddings, open_embeddings
from arpent.tasks.change.parcel_embeddings import ParcelEmbeddings
from arpent.tasks.change.probe_labels import CellLabels, LabelFile, read_labels, titles_of
from arpent.tasks.change.probe_scores import Labelled, ProbeResult, score_probe
from arpent.tasks.change.raw_bands import raw_bands

__all__ = ["Probing", "probe_embeddings"]

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Probing:
    """A finished probe.

    Attributes:
        run: the run folder.
        result: the comparison.
        map: of the classes that the probe, taught with all labels, sees everywhere.
    """

    run: Run
    result: ProbeResult
    map: Path


def probe_embeddings(
    source: str | Path,
    labels: Path,
    place: Place,
    settings: ProbeSettings,
    *,
    held_out: Path | None = None,
    image: str | None = None,
    progress: Progress | None = None,
) -> Probing:
    """Trains linear probes on embeddings, judges them on held-out ground, and maps what they see.

    Args:
        source: see `open_embeddings`.
        labels: points with a class each, or a mask of classes.
        place: where the run goes.
        settings: how to do it.
        held_out: other labels to judge by; without them, blocks of ground are held out in turn.
        image: the image that was embedded, for the probe on its bands; that of the run if not given.
        progress: who is told how far it is.

    Raises:
        SplitLeak: labels to judge by lie on ground that is learnt from.
        EmptySplit: too few blocks of labelled ground.
    """
    entry = _dated(open_embeddings(source), settings)
    picture = image if image is not None else _image_of(Path(source), settings)
    kept = settings.model_dump(mode="json") | {"source": str(source), "labels": str(labels)}
    kept["held_out"] = held_out and str(held_out)
    read = [one for one in (source, entry.path, labels, held_out, picture) if one is not None]
    with place.begin("embed-probe", Path(source).stem, kept, read, language=settings.language) as run:
        run.add_input(entry.path, role="embeddings")
        run.add_input(labels, role="labels")
        warn_of_random(run, [entry], settings.language)
        if held_out is not None:
            run.add_input(held_out, role="held-out labels")
        with run.timed("read"), (progress or Silent()).bar(entry.name, unit="embeddings") as bar:
            known = _labelled(entry, labels, held_out, picture, settings, advance=bar.advance)
        with run.timed("probe"):
            result, probe = score_probe(known, settings)
        classes = class_map("probe", *(titles_of(labels, result.names, told) for told in LANGUAGES))
        with run.timed("map"):
            cells = CellMap(entry.grid, run.scratch, "probe")
            for batch in entry.batches():
                cells.put(batch.rows, batch.cols, probe.predict(batch.values) + 1)
            title = say("embed.labels", settings.language)
            path = cells.publish(run, classes, title=title, language=settings.language, picture="preview")
        drawn = run.scratch / "confusion.png"
        counts = result.embeddings.matrices.total().counts
        run.publish(confusion(counts, classes, drawn, language=settings.language), kind="picture")
        run.add_metrics(_metrics(result))
        return Probing(run.finish(), result, path)


def _dated(found: Sequence[Embeddings], settings: ProbeSettings) -> Embeddings:
    if not -len(found) <= settings.date < len(found):
        raise InvalidSetting(
            "the run does not hold that many dates",
            found=settings.date,
            expected=f"0 to {len(found) - 1}, or -1",
            cure="Set --date.",
        )
    return found[settings.date]


def _image_of(source: Path, settings: ProbeSettings) -> str | None:
    """The image that a run has embedded; None for a lone file of embeddings."""
    if not source.is_dir():
        return None
    roles = {"image", "before", "after"}
    images = [record.source for record in open_run(source).manifest.inputs if record.role in roles]
    return images[settings.date] if -len(images) <= settings.date < len(images) else None


def _labelled(
    entry: Embeddings,
    labels: Path,
    held_out: Path | None,
    image: str | None,
    settings: ProbeSettings,
    advance: Callable[[float], None],
) -> Labelled:
    def read(path: Path) -> CellLabels:
        file = LabelFile(path, settings.column, settings.pure, settings.unlabelled)
        if isinstance(entry, ParcelEmbeddings):
            found = entry.once(read_labels(file, entry.grid, entry.cell_of), settings.pure)
        else:
            found = read_labels(file, entry.grid)
        return _thinned(found, entry.grid, settings)

    said = read(labels)
    held = np.zeros(len(said.rows), bool)
    if held_out is not None:
        more = read(held_out).among(said.names, held_out.name)
        held = np.concatenate([held, np.ones(len(more.rows), bool)])
        said = said.with_more(more)
    vectors, seen = _gathered(entry, said, advance)
    bands = None
    if image is not None:
        bands = raw_bands(image, entry, said.rows, said.cols)
        seen &= np.isfinite(bands).all(axis=1)
        bands = bands[seen]
    if not seen.any():
        raise NoOverlap("no labelled cell has an embedding", cure="Check that labels and image show one place.")
    t, crs = entry.grid.transform, entry.grid.require_crs("the image of these embeddings")
    cols, rows = said.cols[seen] + 0.5, said.rows[seen] + 0.5
    to_lonlat = Transformer.from_crs(crs.to_wkt(), "OGC:CRS84", always_xy=True)
    places = np.column_stack(to_lonlat.transform(t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f))
    cell = entry.spacing if isinstance(entry, ParcelEmbeddings) else ground_sampling_distance(entry.grid) or 1.0
    return Labelled(vectors[seen], bands, said.classes[seen], held[seen], places, cell, said.names)


def _thinned(labels: CellLabels, grid: Grid, settings: ProbeSettings) -> CellLabels:
    """At most as many labels as the settings allow, drawn by the place of their cells."""
    if len(labels.rows) <= settings.sample:
        return labels
    order = np.argsort(labels.rows * grid.width + labels.cols, kind="stable")
    chosen = np.random.default_rng(settings.seed).choice(order, settings.sample, replace=False)
    return labels.only(np.sort(chosen))


def _gathered(entry: Embeddings, labels: CellLabels, advance: Callable[[float], None]) -> tuple[F32, NDArray[np.bool_]]:
    """The embeddings of labelled cells, and which of these have one; a cell may stand there twice."""
    width = entry.grid.width
    wanted = labels.rows * width + labels.cols
    cells, places = np.unique(wanted, return_inverse=True)
    vectors, seen = np.zeros((len(cells), len(entry.dims)), np.float32), np.zeros(len(cells), bool)
    for batch in entry.batches():
        here = batch.rows * width + batch.cols
        at = np.minimum(np.searchsorted(cells, here), len(cells) - 1)
        hit = cells[at] == here
        vectors[at[hit]], seen[at[hit]] = batch.values[hit], True
        advance(len(here))
    return vectors[places.ravel()], seen[places.ravel()]


def _metrics(result: ProbeResult) -> dict[str, float]:
    metrics = {"cells": float(result.cells), "blocks": float(result.blocks)}
    scores = {"embeddings": result.embeddings, "raw": result.raw, "majority": result.majority}
    for name, score in scores.items():
        if score is not None:
            for figure, interval in (("accuracy", score.accuracy), ("f_score", score.f_score)):
                metrics |= _told(f"{name}/{figure}", interval)
    return metrics | ({} if result.difference is None else _told("difference/accuracy", result.difference))


def _told(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
