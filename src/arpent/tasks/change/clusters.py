"""Embeddings clustered: a map and a table of groups that nobody has named, for any number of dates at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from arpent.core import ClassMap, Language, Progress, Silent
from arpent.errors import InvalidSetting
from arpent.io import RowWriter
from arpent.language import say
from arpent.report import lines
from arpent.store import Place, Run, RunFolder
from arpent.tasks.change.cell_maps import CellMap, class_map
from arpent.tasks.change.embedding_settings import ClusterSettings
from arpent.tasks.change.embedding_sources import Embeddings, open_embeddings, same_dimensions
from arpent.tasks.change.kmeans import Centres, KMeans, draw_sample, fit_kmeans, fit_sample, silhouette
from arpent.tasks.change.parcel_embeddings import ParcelEmbeddings
from arpent.tasks.change.vectors import Vectors

__all__ = ["ClusterCurve", "Clustering", "cluster_classes", "cluster_embeddings", "named_apart", "warn_of_random"]

_TRIED = (2, 3, 4, 6, 8, 12, 16, 24, 32)
_CURVE_SAMPLE = 4_000


@dataclass(frozen=True)
class ClusterCurve:
    """How well a sample falls into more and more clusters.

    Attributes:
        counts: numbers of clusters tried.
        inertia: mean squared distance to the centre, for each; it always falls.
        silhouette: see `KMeans`, for each; higher is better told apart.
    """

    counts: tuple[int, ...]
    inertia: tuple[float, ...]
    silhouette: tuple[float, ...]


@dataclass(frozen=True)
class Clustering:
    """Finished clusters.

    Attributes:
        run: the run folder.
        found: centres, sizes and how well they are told apart.
        maps: the class map of each source.
        curve: of other numbers of clusters, where it was asked for.
    """

    run: Run
    found: KMeans
    maps: tuple[Path, ...]
    curve: ClusterCurve | None


def cluster_classes(count: int) -> ClassMap:
    """The nomenclature of that many clusters: numbers from 1, the largest cluster first."""
    numbers = range(1, count + 1)
    english = tuple(say("embed.cluster", "en", number=number) for number in numbers)
    return class_map("clusters", english, tuple(say("embed.cluster", "fr", number=number) for number in numbers))


def cluster_embeddings(
    sources: Sequence[str | Path], place: Place, settings: ClusterSettings, *, progress: Progress | None = None
) -> Clustering:
    """Clusters the embeddings of one or more runs, all together, and maps each of them.

    Args:
        sources: see `open_embeddings`.
        place: where the run goes.
        settings: how to do it.
        progress: who is told how far it is.

    Raises:
        BandMismatch: sources with other dimensions than the first.
        InvalidSetting: fewer different embeddings than clusters.
    """
    opened = [entry for source in sources for entry in open_embeddings(source)]
    same_dimensions(opened)
    names = named_apart(opened, "clusters")
    shown = progress or Silent()

    def stream() -> Iterator[NDArray[np.float32]]:
        with shown.bar(say("embed.pass", settings.language), unit="embeddings") as bar:
            for batch in chain.from_iterable(entry.batches() for entry in opened):
                yield batch.values
                bar.advance(len(batch.values))

    kept = settings.model_dump(mode="json") | {"sources": [str(source) for source in sources]}
    read = [*sources, *(entry.path for entry in opened)]
    with place.begin("embed-cluster", Path(sources[0]).stem, kept, read, language=settings.language) as run:
        for path in dict.fromkeys(entry.path for entry in opened):
            run.add_input(path, role="embeddings")
        warn_of_random(run, opened, settings.language)
        with run.timed("cluster"):
            found = fit_kmeans(
                stream,
                settings.clusters,
                seed=settings.seed,
                scaling=settings.scaling,
                sample=settings.sample,
                passes=settings.passes,
            )
        classes = cluster_classes(settings.clusters)
        maps = []
        for number, (entry, name) in enumerate(zip(opened, names, strict=True)):
            with run.timed("map"):
                cells = CellMap(entry.grid, run.scratch, name)
                table = _Table(entry, run.scratch / f"{name}.parquet") if settings.table else None
                _label(entry, found.centres, cells, table)
                picture = "preview" if number == 0 else f"{name}_view"
                title = say("embed.clusters", settings.language)
                maps.append(cells.publish(run, classes, title=title, language=settings.language, picture=picture))
                if table is not None:
                    run.publish(table.writer.close(), kind="table", name=f"{name}_table")
        curve = _curve(stream, settings) if settings.curve else None
        if curve is not None:
            drawn = run.scratch / "curve.png"
            run.publish(_draw(curve, settings, drawn), kind="picture")
        run.add_metrics(_metrics(found, curve))
        return Clustering(run.finish(), found, tuple(maps), curve)


def warn_of_random(run: RunFolder, sources: Sequence[Embeddings], language: Language) -> None:
    """Notes from which encoders with random weights embeddings come."""
    names = [entry.random for entry in sources if isinstance(entry, ParcelEmbeddings)]
    for name in filter(None, dict.fromkeys(names)):
        run.warn(say("embedding.random", language, name=name))


def named_apart(sources: Sequence[Embeddings], product: str) -> list[str]:
    """Product names: that word alone for one source, with the source's own name, numbered if need be, for several."""
    if len(sources) == 1:
        return [product]
    names = [f"{product}_{entry.name}" for entry in sources]
    if len(set(names)) < len(names):
        names = [f"{name}_{number}" for number, name in enumerate(names, 1)]
    return names


class _Table:
    """The cluster of each embedding, with the middle of its cell."""

    def __init__(self, source: Embeddings, path: Path) -> None:
        self._transform = source.grid.transform
        self.writer = RowWriter(path, crs=source.grid.crs)

    def add(self, batch: Vectors, numbers: NDArray[np.int64], distances: NDArray[np.float32]) -> None:
        t = self._transform
        cols, rows = batch.cols + 0.5, batch.rows + 0.5
        x, y = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
        self.writer.write(
            pa.table(
                {
                    "row": pa.array(batch.rows, pa.int32()),
                    "col": pa.array(batch.cols, pa.int32()),
                    "x": x,
                    "y": y,
                    "geometry": pa.array(shapely.to_wkb(shapely.points(x, y)), pa.binary()),
                    "cluster": pa.array(numbers, pa.uint8()),
                    "distance": distances,
                }
            )
        )


def _label(source: Embeddings, centres: Centres, cells: CellMap, table: _Table | None) -> None:
    for batch in source.batches():
        near = centres.nearest(batch.values)
        cells.put(batch.rows, batch.cols, near.labels + 1)
        if table is not None:
            table.add(batch, near.labels + 1, near.distance)


def _curve(stream: Callable[[], Iterator[NDArray[np.float32]]], settings: ClusterSettings) -> ClusterCurve | None:
    """What other numbers of clusters would give; None where there are too few embeddings to try any."""
    drawn = draw_sample(stream, _CURVE_SAMPLE, settings.seed)
    counts, inertia, shape = [], [], []
    for count in sorted({*_TRIED, settings.clusters}):
        if count >= len(drawn):
            break
        try:
            centres = fit_sample(drawn, count, seed=settings.seed, scaling=settings.scaling)
        except InvalidSetting:  # embeddings that are equal to one another: no more clusters than these
            break
        near = centres.nearest(drawn)
        counts.append(count)
        inertia.append(float(np.square(near.distance, dtype=np.float64).mean()))
        shape.append(silhouette(drawn, centres))
    return ClusterCurve(tuple(counts), tuple(inertia), tuple(shape)) if counts else None


def _draw(curve: ClusterCurve, settings: ClusterSettings, path: Path) -> Path:
    language = settings.language
    series = {
        say("embed.inertia", language): [value / curve.inertia[0] for value in curve.inertia],
        say("embed.silhouette", language): list(curve.silhouette),
    }
    return lines(
        curve.counts,
        series,
        path,
        x=say("embed.count", language),
        title=say("embed.curve", language),
        language=language,
        marked=settings.clusters,
    )


def _metrics(found: KMeans, curve: ClusterCurve | None) -> dict[str, float]:
    shares = found.sizes / found.sizes.sum()
    metrics = {
        "embeddings": float(found.sizes.sum()),
        "inertia": found.inertia[-1],
        "passes": float(len(found.inertia)),
        "silhouette": found.silhouette,
    }
    metrics |= {f"share/cluster {number}": float(share) for number, share in enumerate(shares, 1)}
    if curve is not None:
        metrics |= {f"sample_inertia/{k}": v for k, v in zip(curve.counts, curve.inertia, strict=True)}
        metrics |= {f"sample_silhouette/{k}": v for k, v in zip(curve.counts, curve.silhouette, strict=True)}
    return metrics
