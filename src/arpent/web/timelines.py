"""The layers of a forecast: what its timeline lists, observed and foretold, in one layer each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from arpent.core import Language
from arpent.core.bundle import FOLDER_HEADER
from arpent.language import say
from arpent.store import Product, Run
from arpent.web.headers import read_header
from arpent.web.items import read_document
from arpent.web.layers import Bounds, Frame, Kind, Layer, Legend
from arpent.web.styles import Title, ramp_legend, titled

__all__ = ["is_timeline", "name_of_bundle", "timeline_layers"]

_PERCENT = Title("%", "%")


def is_timeline(product: Product) -> bool:
    """Whether a product is the timeline of a forecast."""
    return product.kind == "text" and product.name.startswith("timeline") and product.file.endswith(".json")


def timeline_layers(run: Run, product: Product) -> list[Layer]:
    """The layers that a timeline lists: classes, probabilities, outlines.

    Raises:
        InputError, RunDamaged: a file that it names is missing or damaged.
    """
    document = read_document(run.locate(product))
    known = {one.file: one for one in run.manifest.products}
    dates = [one for one in _list(document.get("dates")) if isinstance(one, Mapping) and _day(one.get("date"))]
    suffix = product.name.removeprefix("timeline")
    place = str(document.get("place", ""))[:80]
    made: list[Layer] = []
    forms: tuple[tuple[str, Kind, str], ...] = (
        ("classes", "classes", "map.forecast"),
        ("probabilities", "probability", "map.probabilities"),
        ("polygons", "polygons", "map.polygons"),
    )
    for name, kind, key in forms:
        frames = tuple(_frames(run, known, dates, name))
        if not frames:
            continue
        title = titled(key).of(place) if place else titled(key)
        bounds, legend, bands = _shown(frames[0].file, kind)
        if kind == "polygons" and made and made[0].kind == "classes":
            legend = made[0].legend  # outlines have the numbers of the classes that they were drawn from
        made.append(
            Layer(
                f"{name}{suffix}",
                name,
                kind,
                title.en,
                title.fr,
                frames,
                legend,
                bounds,
                issue=_day(document.get("issue")),
                skill=_skill(run, document, dates) if kind == "classes" else None,
                bands=bands,
                warnings=run.manifest.warnings,
            )
        )
    return made


def _shown(file: Path, kind: Kind) -> tuple[Bounds | None, Legend, tuple[str, ...]]:
    """Bounds, legend and bands of a layer, by its first file."""
    if kind == "polygons":
        return None, Legend(), ()
    header = read_header(file)
    if kind == "classes":
        return header.bounds, header.legend, ()
    return header.bounds, ramp_legend("probability", 0, 100, unit=_PERCENT), header.bands


def _frames(run: Run, known: Mapping[str, Product], dates: Sequence[Mapping[str, Any]], name: str) -> list[Frame]:
    """One frame per date, of files that the run vouches for."""
    frames = []
    for one in dates:
        # Never a path of the document's: only what the manifest knows by that name.
        product = known.get(str(one.get(name)))
        if product is None:
            continue
        horizon = one.get("horizon")
        frames.append(
            Frame(
                _day(one.get("date")),
                run.locate(product),
                horizon if isinstance(horizon, int) else None,
                observed=one.get("kind") != "forecast",
            )
        )
    return sorted(frames, key=lambda frame: frame.date or dt.date.min)


def _skill(run: Run, document: Mapping[str, Any], dates: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What a forecast is based on, and how right it was where that is known and was not learnt from."""
    observed = [one for one in dates if one.get("kind") == "observed"]
    rows = [
        {"horizon": one.get("horizon"), "model": _mean(one.get("iou")), "persistence": _mean(one.get("persistence"))}
        for one in dates
        if one.get("kind") == "forecast" and one.get("side") != "train"
    ]
    return {
        "based_on": {language: _basis(run, document, observed, language) for language in ("en", "fr")},
        "iou": [row for row in rows if row["model"] is not None],
    }


def _basis(run: Run, document: Mapping[str, Any], observed: Sequence[Mapping[str, Any]], language: Language) -> str:
    issue, step = _day(document.get("issue")), document.get("step_days")
    days = sorted(day for one in observed if (day := _day(one.get("date"))) is not None)
    if issue is None or not days or not isinstance(step, int | float):
        return ""
    text = say("map.forecast_basis", language, issue=issue, count=len(days), first=days[0], step=step)
    bundle = run.manifest.bundle
    if bundle is None:
        return text
    return say("map.forecast_model", language, basis=text, model=name_of_bundle(Path(bundle.source)))


def name_of_bundle(bundle: Path) -> str:
    """What a bundle is called: after its folder, where its file is a training's "model" or the contract of a folder."""
    nameless = bundle.stem == "model" or bundle.name == FOLDER_HEADER
    return bundle.parent.name if nameless and bundle.parent.name else bundle.stem


def _mean(scores: object) -> float | None:
    """The mean over classes; None where there is none."""
    values = [float(one) for one in scores.values() if isinstance(one, int | float)] if isinstance(scores, dict) else []
    return fmean(values) if values else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _day(text: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError:
        return None
