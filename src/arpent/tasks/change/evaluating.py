"""How good a map of change is, against a mask of what truly changed; whatever the size of the map, in little memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from arpent.core import ClassMap, Contract, LandClass, Language, Settings, Strip
from arpent.errors import ArpentError, DatasetError, FileMissing, UnknownName
from arpent.io import CogWriter, RasterSpec, quicklook, recorded_classes, recorded_shares
from arpent.language import say
from arpent.metrics import BlockCounts, Curve, Detection, Interval, Reliability, ScoreHistogram, reliability
from arpent.report import DetectionLine, detection, figures
from arpent.store import Place, Run, RunFolder, open_run
from arpent.store.bundle import read_contract
from arpent.tasks.change.baselines import ImageDifference, title_of
from arpent.tasks.change.evidence import Evidence, Piece, Tally
from arpent.tasks.change.judgement import deciding
from arpent.tasks.change.polygons import ChangeLayers, layers_in
from arpent.tasks.change.settings import Qualities

__all__ = ["EvaluateSettings", "Evaluation", "evaluate"]

_MISS, _ALARM, _HIT = 2, 3, 1
_QUIET, _NOTHING = 0, 255
_EDGES = 200
"""Scores between which blocks are counted: quantiles of all scores."""
_BLOCKS = 24
"""Blocks along the longer side of the map, where no size is given."""
_LEAST_BLOCK = 16
_USUAL = ("cloud", "shadow")


class EvaluateSettings(Settings):
    """How a map of change is evaluated."""

    comparison: str = ""
    """Which comparison of a run with several: what follows the layer in its products' names."""
    score: Literal["auto", "cosine_map", "change_probability"] = "auto"
    """Layer that is judged: cosine_map, change_probability, or auto for the probability where there is one."""
    exclude: Qualities | None = None
    """Qualities that do not count, for the map and the baselines alike; empty to count everything. If not given, cloud
    and shadow, where the run has a quality layer."""
    baselines: bool = True
    """Also score the difference of the two images: as change-vector analysis, and band by band."""
    block: Annotated[int, Field(ge=0)] = 0
    """Side in pixels of the blocks that are drawn for intervals; 0 for a 24th of the map."""
    draws: Annotated[int, Field(ge=1)] = 1000
    """How often blocks are drawn."""
    seed: int = 0
    """Of the draws."""
    bins: Annotated[int, Field(ge=2, le=100)] = 15
    """Bins of the reliability of probabilities."""
    language: Language = "en"
    """Language of figures: en or fr."""


@dataclass(frozen=True)
class Evaluation:
    """What was found.

    Attributes:
        run: of the evaluation.
        layer: "change_probability" or "cosine_map"; of a cosine, thresholds are those of 1 − cosine.
        best: at the threshold of greatest F1 on this very truth, which flatters it a little.
        own: at the threshold that the model's own validation chose; None where the model names none.
        roc_auc: area under the ROC curve.
        average_precision: area under the precision-recall curve.
        intervals: 95 %, by name of the figure, at the threshold of `best`.
        reliability: of probabilities; None for cosines, which are none.
        recall_by_kind: at the threshold of `best`, by name of the kind of change, in the language asked for.
        baselines: each at its own best threshold, which flatters it too.
        tally: what counted.
    """

    run: Run
    layer: str
    best: Detection
    own: Detection | None
    roc_auc: float
    average_precision: float
    intervals: Mapping[str, Interval]
    reliability: Reliability | None
    recall_by_kind: Mapping[str, float]
    baselines: Mapping[str, Detection]
    tally: Tally


@dataclass
class _Counted:
    """Histograms of one pass over the map."""

    score: ScoreHistogram = field(default_factory=ScoreHistogram)
    baselines: dict[str, ScoreHistogram] = field(default_factory=dict)

    def update(self, piece: Piece, names: Sequence[str]) -> None:
        truth = piece.truth[piece.counted]
        self.score.update(piece.score[piece.counted], truth)
        for name, scores in zip(names, piece.baselines, strict=True):
            self.baselines.setdefault(name, ScoreHistogram()).update(scores[piece.counted], truth)


def evaluate(run: Path, truth: Path, place: Place, settings: EvaluateSettings) -> Evaluation:
    """Evaluates one comparison of a finished run; figures and metrics go into a run folder of their own.

    Args:
        run: the run folder with the map of change.
        truth: mask of change on any grid; 0 for none, any other number for a kind of change.
        place: where the evaluation goes.
        settings: how to do it.

    Raises:
        UnknownName: the run holds no such comparison.
        FileMissing: the images are not there any more that the baselines need.
        DatasetError: truth and map cannot be compared, or the truth shows no change, or nothing else.
        NoOverlap: they lie apart.
        InvalidSetting: qualities are to be excluded that nobody knows.
    """
    judged = open_run(run)
    layers = _comparison(judged, settings.comparison)
    layer = layers.scores[deciding(layers.scores, settings.score, what="layer of this comparison")]
    contract = _contract(judged)
    kept = settings.model_dump(mode="json") | {"run": str(run), "truth": str(truth)}
    with ExitStack() as opened:
        evidence = opened.enter_context(Evidence(layers, layer, str(truth), _excluded(layers, settings)))
        difference: ImageDifference | None = None
        if settings.baselines:
            difference = opened.enter_context(_difference(judged, layers.label, evidence, contract))
        made = opened.enter_context(
            place.begin("change-evaluate", judged.manifest.name, kept, [run, truth], language=settings.language)
        )
        if settings.exclude is None and layers.quality is None:
            made.warn(say("change.all_counted", settings.language))
        try:
            return _evaluated(made, evidence, difference, truth, settings, contract)
        except ArpentError:
            made.abandon()  # an evaluation is not gone on with: it begins anew
            raise


def _evaluated(
    made: RunFolder,
    evidence: Evidence,
    difference: ImageDifference | None,
    truth: Path,
    settings: EvaluateSettings,
    contract: Contract | None,
) -> Evaluation:
    """Both passes over the map, in a run that has begun."""
    made.add_input(truth, role="truth")
    made.add_input(evidence.layer, role="map")
    names = () if difference is None else difference.names
    counted = _Counted()
    with made.timed("count"):
        for piece in evidence.pieces(difference):
            counted.update(piece, names)
    curve = _curve(counted.score, truth)
    best = curve.best()
    blocks = BlockCounts(_edges(counted.score), best.threshold)
    with made.timed("map"):
        _map_errors(made, evidence, difference, best.threshold, blocks, settings)
    found = _Found(curve, best, _own(contract, evidence, curve), counted, blocks)
    return _concluded(made, found, evidence, truth, settings)


@dataclass(frozen=True)
class _Found:
    """What both passes have counted."""

    curve: Curve
    best: Detection
    own: Detection | None
    counted: _Counted
    blocks: BlockCounts


def _comparison(run: Run, label: str) -> ChangeLayers:
    files = {product.name: run.locate(product) for product in run.manifest.products if product.kind == "raster"}
    known = {layers.label: layers for layers in layers_in(files)}
    if not known:
        raise UnknownName.among("cosine_map", files, f"product of run {run.manifest.name}")
    if not label and len(known) == 1:
        return next(iter(known.values()))
    if label not in known:
        raise UnknownName.among(label, known, f"comparison of run {run.manifest.name}")
    return known[label]


def _excluded(layers: ChangeLayers, settings: EvaluateSettings) -> tuple[str, ...]:
    """What is asked for, or the usual where it can be known."""
    if settings.exclude is not None:
        return settings.exclude
    return () if layers.quality is None else _USUAL


def _contract(run: Run) -> Contract | None:
    """The contract of the model that made the map, if it is still where it was."""
    bundle = run.manifest.bundle
    path = None if bundle is None else Path(bundle.source)
    return read_contract(path) if path is not None and path.exists() else None


def _difference(run: Run, label: str, evidence: Evidence, contract: Contract | None) -> ImageDifference:
    """The two images that were compared, on the grid of the map."""
    sources = {role: _of_mosaic(run, role, label) or _inputs(run, role, label) for role in ("before", "after")}
    missing = [role for role, found in sources.items() if len(found) != 1]
    if missing:
        raise FileMissing(
            f"the run {run.path} does not name one image {' and one '.join(missing)}",
            found=", ".join(f"{len(sources[role])} {role}" for role in missing),
            cure="Leave the baselines out (--no-baselines).",
        )
    bands = None if contract is None else contract.band_names
    return ImageDifference(
        sources["before"][0], sources["after"][0], evidence.grid, bands, run.manifest.settings.get("sensor")
    )


def _of_mosaic(run: Run, role: str, label: str) -> list[str]:
    """The image of that role which a mosaic was made with; none for a pair."""
    if not label.startswith("_mosaic"):
        return []
    name = f"mosaic_{role}_input{label.removeprefix('_mosaic')}"
    return [str(run.locate(product)) for product in run.manifest.products if product.name == name]


def _inputs(run: Run, role: str, label: str) -> list[str]:
    """Images of that role; in a run of many pairs those whose names are in the label of the comparison."""
    found = [one.source for one in run.manifest.inputs if one.role == role]
    return found if len(found) < 2 else [source for source in found if Path(source).stem in label]


def _curve(histogram: ScoreHistogram, truth: Path) -> Curve:
    curve = histogram.curve()
    if not curve.positives or not curve.negatives:
        kind = "no change" if not curve.positives else "nothing but change"
        raise DatasetError(
            f"where it counts, {truth} shows {kind}", cure="Give a mask with both, or exclude fewer qualities."
        )
    return curve


def _edges(histogram: ScoreHistogram) -> NDArray[np.float64]:
    """Scores that part all pixels evenly, and the changed ones too."""
    curve = histogram.curve()
    shares = np.linspace(0, 1, _EDGES // 2 + 2)[1:-1]
    places = [np.searchsorted(np.asarray(sums) / sums[-1], shares) for sums in (curve.hits, curve.alarms)]
    return np.unique(curve.thresholds[np.concatenate(places)])


def _own(contract: Contract | None, evidence: Evidence, curve: Curve) -> Detection | None:
    """Detection at the threshold that validation chose when the model was trained."""
    metrics = {} if contract is None else contract.metrics
    if evidence.is_probability:
        return curve.at(metrics["threshold"]) if "threshold" in metrics else None
    return curve.at(1 - metrics["cosine_threshold"]) if "cosine_threshold" in metrics else None


def _map_errors(
    run: RunFolder,
    evidence: Evidence,
    difference: ImageDifference | None,
    threshold: float,
    blocks: BlockCounts,
    settings: EvaluateSettings,
) -> None:
    """Second pass: the map of hits, misses and false alarms, and the counts of its blocks."""
    side = settings.block or max(_LEAST_BLOCK, -(-max(evidence.grid.shape) // _BLOCKS))
    across = -(-evidence.grid.width // side)
    classes = _classes()
    spec = RasterSpec(
        evidence.grid, ("outcome",), "uint8", _NOTHING, classes, "mode", title=say("change.errors", settings.language)
    )
    with CogWriter(run.scratch / "errors.tif", spec) as writer:
        for piece in evidence.pieces(difference):
            said, true = piece.score >= threshold, piece.truth > 0
            outcome = np.where(said, np.where(true, _HIT, _ALARM), np.where(true, _MISS, _QUIET))
            writer.write(Strip(piece.window.row, np.where(piece.counted, outcome, _NOTHING).astype(np.uint8)[None]))
            rows = (np.arange(piece.window.row, piece.window.row_end) // side)[:, None] * across
            numbers = rows + np.arange(evidence.grid.width)[None] // side
            for number in np.unique(numbers[piece.counted]):
                here = piece.counted & (numbers == number)
                blocks.update(int(number), piece.score[here], true[here])
    run.publish(run.scratch / "errors.tif", kind="raster")
    raster = quicklook(run.path / "errors.tif", classes=True)
    figures.preview(
        raster,
        run.scratch / "preview.png",
        classes=classes,
        shares=recorded_shares(run.path / "errors.tif"),
        title=say("change.errors", settings.language),
        language=settings.language,
    )
    run.publish(run.scratch / "preview.png", kind="picture")


def _classes() -> ClassMap:
    return ClassMap(
        name="outcome",
        nodata=_NOTHING,
        classes=(
            LandClass(id=_QUIET, en="no change", fr="aucun changement", colour="#d5dcdf"),
            LandClass(id=_HIT, en="found", fr="trouvé", colour="#0072b2"),
            LandClass(id=_MISS, en="missed", fr="manqué", colour="#e69f00"),
            LandClass(id=_ALARM, en="false alarm", fr="fausse alarme", colour="#a50f15"),
        ),
    )


def _concluded(
    run: RunFolder, found: _Found, evidence: Evidence, truth: Path, settings: EvaluateSettings
) -> Evaluation:
    """Figures, metrics and the end of the run."""
    curve, counted = found.curve, found.counted
    recalls = counted.score.recall_by_kind(found.best.threshold)
    names, words = recorded_classes(truth), recorded_classes(truth, settings.language)
    kinds = {words.get(kind, str(kind)): recall for kind, recall in recalls.items()}
    curves = {name: histogram.curve() for name, histogram in counted.baselines.items()}
    calibrated = reliability(counted.score, settings.bins) if evidence.is_probability else None
    layer = "change_probability" if evidence.is_probability else "cosine_map"
    intervals = found.blocks.intervals(settings.draws, settings.seed)
    baselines = {name: one.best() for name, one in curves.items()}
    lines = [_line(title_of(layer, settings.language), curve, found.best)]
    if curves:
        strongest = max(curves, key=lambda name: baselines[name].f1)
        lines.append(_line(title_of(strongest, settings.language), curves[strongest], baselines[strongest]))
    detection(
        lines,
        run.scratch / "curves.png",
        reliability=None if calibrated is None else (calibrated.said, calibrated.seen),
        language=settings.language,
    )
    run.publish(run.scratch / "curves.png", kind="picture")
    run.add_metrics({**found.best.summary(), "roc_auc": curve.roc_auc, "average_precision": curve.average_precision})
    for name, one in intervals.items():
        run.add_metrics({f"{name}/low": one.low, f"{name}/high": one.high})
    if found.own is not None:
        run.add_metrics({f"own/{name}": value for name, value in found.own.summary().items()})
    if calibrated is not None:
        run.add_metrics({"ece": calibrated.expected_error, "mce": calibrated.largest_error})
    run.add_metrics({f"recall/{names.get(kind, str(kind))}": recall for kind, recall in recalls.items()})
    for name, best in baselines.items():
        run.add_metrics({f"baseline/{name}/{key}": value for key, value in best.summary().items()})
    tally = evidence.tally
    run.add_metrics({"pixels": tally.counted, "excluded": tally.excluded / max(tally.pixels, 1)})
    return Evaluation(
        run.finish(),
        layer,
        found.best,
        found.own,
        curve.roc_auc,
        curve.average_precision,
        intervals,
        calibrated,
        kinds,
        baselines,
        tally,
    )


def _line(name: str, curve: Curve, chosen: Detection) -> DetectionLine:
    """A curve to be drawn; of a long one every so many points, its ends included."""
    step = math.ceil(curve.thresholds.size / 2000)
    keep = np.unique(np.append(np.arange(0, curve.thresholds.size, step), curve.thresholds.size - 1))
    return DetectionLine(
        name,
        curve.recall[keep],
        curve.precision[keep],
        curve.false_alarms[keep],
        (chosen.recall, chosen.precision),
    )
