"""Change as polygons: where the cosine is low or the probability high, with what the other layers say there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from arpent.core import ClassMap, LandClass, Strip, band_count
from arpent.errors import BandMismatch, InvalidSetting, UnknownName
from arpent.io import ClassStrips, ImageReader, open_image, polygonise, stac_item
from arpent.pixels import usable
from arpent.store import Place, Run, RunFolder
from arpent.tasks.change.judgement import Layer, deciding, threshold_name
from arpent.tasks.change.outline_settings import OutlineSettings
from arpent.tasks.change.settings import COSINE, PROBABILITY
from arpent.tasks.change.zones import Extremes, Measure, QualityShares, Zones

__all__ = [
    "ChangeLayers",
    "Decision",
    "OutlineSettings",
    "Outlined",
    "decision_of",
    "decisions_of",
    "layers_in",
    "outline_change",
    "outline_in_run",
    "outline_run",
    "threshold_name",
]

_UNCHANGED, _CHANGED = 1, 2
_CLASSES = ClassMap(
    name="change",
    classes=(
        LandClass(id=_UNCHANGED, en="unchanged", fr="inchangé", colour="#f2f2f2"),
        LandClass(id=_CHANGED, en="changed", fr="changé", colour="#a50f15"),
    ),
)
_BAND_PIXELS = 1 << 22


@dataclass(frozen=True)
class ChangeLayers:
    """The files of one comparison, as far as there are any.

    Attributes:
        label: what follows the layers' names in those of the files ("!before!after"); empty for a single pair.
        cosine: cosine of the embeddings, -1 to 1.
        probability: of change, 0 to 1.
        before: date of the image before, as YYYYDDD.
        after: date of the image after.
        quality: codes of `pixels.Quality`, the worse of both dates.
    """

    label: str
    cosine: Path | None = None
    probability: Path | None = None
    before: Path | None = None
    after: Path | None = None
    quality: Path | None = None

    @property
    def scores(self) -> dict[Layer, Path]:
        """The layers that can say what has changed."""
        known: dict[Layer, Path | None] = {"change_probability": self.probability, "cosine_map": self.cosine}
        return {name: path for name, path in known.items() if path is not None}


@dataclass(frozen=True)
class Outlined:
    """Polygons of change.

    Attributes:
        path: of the file.
        changes: how many there are.
    """

    path: Path
    changes: int


@dataclass(frozen=True)
class Decision:
    """What counts as change among the polygons of a comparison.

    Attributes:
        layer: that decides.
        threshold: cosine below which, or probability from which on, ground counts as changed.
        why: "asked" for, "run" for that with which the run was compared (its model's own, unless it was told
            otherwise), or "usual" where neither says one.
    """

    layer: Layer
    threshold: float
    why: Literal["asked", "run", "usual"]


_OF_MOSAIC = {"cosine_map": "mosaic/threshold", "change_probability": "mosaic/probability"}
"""What the thresholds of a mosaic are called among the metrics of its run, which may hold its pairs too."""


def decision_of(layers: ChangeLayers, settings: OutlineSettings, metrics: Mapping[str, float | None]) -> Decision:
    """What counts as change in a comparison.

    Args:
        layers: of the comparison.
        settings: what is asked for.
        metrics: of the run that compared.

    Raises:
        UnknownName: the layer that should decide is missing.
    """
    layer = _deciding(layers, settings)
    asked = settings.threshold if layer == "cosine_map" else settings.probability
    if asked is not None:
        return Decision(layer, asked, "asked")
    of_mosaic = metrics.get(_OF_MOSAIC[layer]) if layers.label.startswith("_mosaic") else None
    own = metrics.get(threshold_name(layer)) if of_mosaic is None else of_mosaic
    if own is not None:
        return Decision(layer, own, "run")
    return Decision(layer, COSINE if layer == "cosine_map" else PROBABILITY, "usual")


_NAMES = {
    "cosine_map": "cosine",
    "change_probability": "probability",
    "before_date": "before",
    "after_date": "after",
    "quality_fmask": "quality",
}


def layers_in(files: Mapping[str, Path]) -> list[ChangeLayers]:
    """The comparisons among a run's products, by product name; mosaics are found too.

    Layers belong together when their names differ in the layer alone: "cosine_map!a!b" and "quality_fmask!a!b", or
    "mosaic_cosine_map_c" and "mosaic_quality_fmask_c".
    """
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for name, path in files.items():
        for layer, role in _NAMES.items():
            before, layer_found, after = name.partition(layer)
            if layer_found and before in ("", "mosaic_"):
                found.setdefault((before, after), {})[role] = path
    return [
        ChangeLayers(label=f"{'_mosaic' if before else ''}{after}", **layers)
        for (before, after), layers in found.items()
        if {"cosine", "probability"} & layers.keys()
    ]


def outline_change(layers: ChangeLayers, destination: Path, settings: OutlineSettings) -> Outlined:
    """Writes each patch of change as a polygon, in memory that does not grow with the map's height.

    The columns are ``pixels``; mean and smallest cosine, mean and greatest probability, earliest ``before_date``,
    latest ``after_date`` and the share of each quality, as far as there are such layers; ``area_m2`` on the
    ellipsoid (empty for pictures), and the geometry.

    Args:
        layers: of one comparison.
        destination: a table; its suffix names the format (``.parquet``, ``.gpkg``).
        settings: what counts as change.

    Raises:
        UnknownName: the layer that should decide is missing.
        InvalidSetting: qualities are to be excluded and there is no layer of them.
    """
    if settings.exclude and layers.quality is None:
        raise InvalidSetting(
            f"there is no quality layer to exclude {', '.join(settings.exclude)} by",
            cure="Compare the images with their quality layers, or exclude nothing.",
        )
    with ExitStack() as opened:
        decider = _decider(layers, settings)
        score = opened.enter_context(_one_band(decider, None))
        others = {
            role: opened.enter_context(_one_band(path, score))
            for role, path in vars(layers).items()
            if isinstance(path, Path)
        }
        zones = Zones(_CHANGED, settings.min_area, _measures(others))
        strips = _strips(score, others.get("quality"), decision_of(layers, settings, {}), settings.exclude)
        polygonise(
            ClassStrips(score.grid, strips),
            destination,
            classes=_CLASSES,
            min_area=settings.min_area,
            simplify=settings.simplify,
            attributes=zones,
        )
    return Outlined(destination, zones.written)


def _deciding(layers: ChangeLayers, settings: OutlineSettings) -> Layer:
    """The layer whose values say what has changed."""
    what = f"score layer of {layers.label or 'the run'}"
    return deciding(layers.scores, settings.score, settings.threshold, settings.probability, what=what)


def _decider(layers: ChangeLayers, settings: OutlineSettings) -> Path:
    """The file of that layer."""
    return layers.scores[_deciding(layers, settings)]


def _one_band(path: Path, like: ImageReader | None) -> ImageReader:
    """A layer, on the grid of another one where it has a different one."""
    image = open_image(path)
    if len(image.bands) != 1:
        image.close()
        raise BandMismatch(
            f"{path} is not a layer of a comparison", found=band_count(len(image.bands)), cure="Give one with one band."
        )
    if like is None or image.grid == like.grid:
        return image
    image.close()
    return open_image(path, grid=like.grid, resampling="nearest")


def _measures(layers: Mapping[str, ImageReader]) -> list[Measure]:
    measures: list[Measure] = []
    figures: dict[str, tuple[dict[str, str], pa.DataType]] = {
        "cosine": ({"mean": "cosine_mean", "min": "cosine_min"}, pa.float32()),
        "probability": ({"mean": "probability_mean", "max": "probability_max"}, pa.float32()),
        "before": ({"min": "before_date"}, pa.int32()),
        "after": ({"max": "after_date"}, pa.int32()),
    }
    for role, (columns, kind) in figures.items():
        if role in layers:
            measures.append(Extremes(layers[role], columns, kind))
    if "quality" in layers:
        measures.append(QualityShares(layers["quality"]))
    return measures


def _strips(
    score: ImageReader, quality: ImageReader | None, decision: Decision, exclude: Sequence[str]
) -> Iterator[Strip]:
    """Rows of the map of change: unchanged, changed, or nothing known."""
    for window in score.grid.window.strips(max(1, _BAND_PIXELS // score.grid.width)):
        raster = score.read(window)
        values, known = raster.pixels[0], raster.valid & np.isfinite(raster.pixels[0])
        changed = values < decision.threshold if decision.layer == "cosine_map" else values >= decision.threshold
        if quality is not None and exclude:
            seen = quality.read(window)
            codes = np.where(seen.valid, seen.pixels[0], 255).astype(np.uint8)
            known &= usable(codes, exclude)
        classes = np.where(known, np.where(changed, _CHANGED, _UNCHANGED), 0).astype(np.uint8)
        yield Strip(window.row, classes[None])


def outline_in_run(run: RunFolder, layers: ChangeLayers, settings: OutlineSettings) -> Outlined:
    """Outlines change as one more product, ``change<label>``, of a run that is being written."""
    made = outline_change(layers, run.scratch / f"change{layers.label}{settings.suffix}", settings)
    with _one_band(_decider(layers, settings), None) as score:
        grid = score.grid
    item = stac_item(
        f"{run.name}-{made.path.stem}",
        f"./{made.path.name}",
        grid=grid,
        start=run.undated(),
        properties={"arpent:task": run.task, "arpent:acquired": False},
    )
    product = run.publish(made.path, kind="vector", name=f"change{layers.label}", stac=item)
    run.add_metrics({f"changes{layers.label}": made.changes})
    return Outlined(run.path / product.file, made.changes)


def decisions_of(run: Run, settings: OutlineSettings) -> dict[str, Decision]:
    """What counts as change in each comparison of a finished run, by label."""
    return {layers.label: decision_of(layers, settings, run.manifest.metrics) for layers in _comparisons(run)}


def _comparisons(run: Run) -> Sequence[ChangeLayers]:
    files = {product.name: run.locate(product) for product in run.manifest.products if product.kind == "raster"}
    pairs = layers_in(files)
    if not pairs:
        raise UnknownName.among("cosine_map", files, f"product of run {run.manifest.name}")
    return pairs


def outline_run(run: Run, place: Place, settings: OutlineSettings) -> Run:
    """Outlines the change of every comparison of a finished run, or of its mosaic, as a run of its own.

    Raises:
        UnknownName: the run holds no map of change.
    """
    pairs = _comparisons(run)
    kept = settings.model_dump(mode="json") | {"run": str(run.path)}
    with place.begin("change-polygons", run.manifest.name, kept, [run.path], language=settings.language) as made:
        for layers in pairs:
            for role, path in vars(layers).items():
                if isinstance(path, Path):
                    made.add_input(path, role=role)
            decision = decision_of(layers, settings, run.manifest.metrics)
            named = "threshold" if decision.layer == "cosine_map" else "probability"
            chosen = settings.model_copy(update={"score": decision.layer, named: decision.threshold})
            made.add_metrics({f"{threshold_name(decision.layer)}{layers.label}": decision.threshold})
            with made.timed("outline"):
                outline_in_run(made, layers, chosen)
        return made.finish()
