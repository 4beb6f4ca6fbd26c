"""Figures of what a run holds: the colours and legends are those of the map, the paper is that of every report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from arpent.api.arrays import mapped
from arpent.core import ClassMap, Language, Raster
from arpent.core.classes import LandClass
from arpent.errors import GeoreferenceMissing, InvalidSetting
from arpent.io import open_image, quicklook, recorded_shares
from arpent.language import say
from arpent.report.figures import Panel, Steps, compose
from arpent.report.pictures import ramp
from arpent.store import Product, Run
from arpent.tasks.change.judgement import Judgement, Layer, deciding, noted_thresholds
from arpent.tasks.change.mosaic_style import strength_steps
from arpent.tasks.change.settings import COSINE, PROBABILITY
from arpent.web.headers import entries_of
from arpent.web.layers import Frame, Kind, Legend
from arpent.web.layers import Layer as MapLayer
from arpent.web.products import raster_layer
from arpent.web.styles import titled
from arpent.web.tiles.colours import colour_bands
from arpent.web.timelines import is_timeline, timeline_layers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["drawable", "figure_of", "main_product"]

_LARGEST = 1200  # pixels of the longer side of a map; a figure shows no more
_MOST_DATES = 4
_MOST_BANDS = 4
_STEPS = 10
_MOST_ENTRIES = 255
_STRENGTH = 0.5  # from which on the map, too, draws a series' change in red
_CHANGE: tuple[Layer, ...] = ("change_probability", "cosine_map")


def drawable(run: Run) -> list[Product]:
    """The products that a figure can show, the most telling first."""
    main = _deciding(run)
    found = sorted(mapped(run), key=lambda one: one.name != main)  # stable: all others stay in their order
    return found + [one for one in run.manifest.products if one.kind == "picture"]


def _deciding(run: Run) -> str | None:
    """Of a comparison, or of a mosaic of several: the layer that says what has changed."""
    names = [one.name for one in run.manifest.products]
    if not set(names) & set(_CHANGE):
        return next((name for name in names if name.startswith(f"mosaic_{_CHANGE[0]}")), None)
    asked = run.manifest.settings
    score, limits = asked.get("score", "auto"), (asked.get("threshold"), asked.get("probability"))
    return deciding(names, score, *limits, what="layer of this run")


def main_product(run: Run) -> Product:
    """What a figure of the run shows first.

    Raises:
        InvalidSetting: the run holds nothing that can be drawn.
    """
    found = drawable(run)
    if not found:
        kinds = sorted({one.kind for one in run.manifest.products})
        raise InvalidSetting(
            f"the run {run.place} holds no map and no picture",
            found=", ".join(kinds) or "no product",
            cure="Read its tables with to_table().",
        )
    return found[0]


def figure_of(run: Run, product: Product, language: Language) -> Figure:
    """The figure of one product.

    Args:
        run: that holds it.
        product: a map, a timeline or a picture.
        language: of title, legend and numbers.

    Raises:
        InvalidSetting: it is none of these.
        InputError, RunDamaged: its file is not what it was.
    """
    if product.kind == "picture":
        return _picture(run.locate(product))
    if is_timeline(product):
        layer = timeline_layers(run, product)[0]
        return compose(_dates(layer, language), _title(layer, language), language)
    if product.kind != "raster":
        raise InvalidSetting(
            f"'{product.name}' is no map and no picture",
            found=f"a {product.kind}",
            expected=", ".join(one.name for one in drawable(run)),
            cure="Draw one of these, or read it with to_table().",
        )
    layer = _layer(run, product)
    if layer.kind == "change":
        return _change(run, product, layer, language)
    panels = _bands(layer, language) if layer.bands and layer.kind == "probability" else [_panel(layer, language)]
    return compose(panels, _title(layer, language), language)


def _title(layer: MapLayer, language: Language) -> str:
    return layer.title_fr if language == "fr" else layer.title_en


def _layer(run: Run, product: Product) -> MapLayer:
    """How the map would show it; what lies nowhere on earth the map does not show."""
    try:
        return raster_layer(run, product)
    except GeoreferenceMissing:
        file = run.locate(product)
        with open_image(file) as image:
            legend = Legend(entries_of(image.tags.get("CLASSES", "")))
        title = titled("map.classes") if legend.entries else titled("map.image")
        changed = any(product.name.startswith(name) for name in _CHANGE)
        if changed:
            title = titled(f"change.{next(name for name in _CHANGE if product.name.startswith(name))}")
        kind: Kind = "change" if changed else "classes" if legend.entries else "composite"
        return MapLayer(product.name, product.name, kind, title.en, title.fr, (Frame(None, file),), legend)


@dataclass(frozen=True)
class _Coded:
    """A map whose numbers stand for something, brought to the numbers 1 … n of a nomenclature of its own."""

    raster: Raster
    classes: ClassMap
    shares: Mapping[int, float]


def _panel(layer: MapLayer, language: Language, title: str = "", frame: Frame | None = None) -> Panel:
    """One map of a layer, at one of its dates."""
    file = (frame or layer.frames[0]).file
    if layer.legend.entries and len(layer.legend.entries) <= _MOST_ENTRIES:
        coded = _coded(file, layer.legend)
        return Panel(coded.raster, title, coded.classes, shares=coded.shares)
    raster = _colours(file)
    unit = layer.legend.unit_fr if language == "fr" else layer.legend.unit_en
    return Panel(raster, title, unit=unit or None)


def _coded(file: Path, legend: Legend) -> _Coded:
    small = quicklook(file, _LARGEST, classes=True)
    values = np.array([entry.value for entry in legend.entries])
    order = np.argsort(values)
    at = np.minimum(np.searchsorted(values[order], small.pixels[0]), len(values) - 1)
    known = (values[order][at] == small.pixels[0]) & small.valid
    numbers = np.where(known, order[at] + 1, 0).astype(np.uint8)
    place_of = {entry.value: place for place, entry in enumerate(legend.entries, start=1)}
    shares = {place_of[value]: share for value, share in recorded_shares(file).items() if value in place_of}
    total = sum(shares.values())
    shares = {place: share / total for place, share in shares.items()} if total else {}
    return _Coded(Raster(numbers[None], known, small.grid, ("class",)), _nomenclature(legend), shares)


@lru_cache(maxsize=32)
def _nomenclature(legend: Legend) -> ClassMap:
    """The entries of a legend as classes 1 … n; one and the same for all maps that share the legend."""
    classes = (
        LandClass(id=place, en=entry.en, fr=entry.fr, colour=entry.colour)
        for place, entry in enumerate(legend.entries, start=1)
    )
    return ClassMap(name="legend", classes=tuple(classes))


def _colours(file: Path) -> Raster:
    """The bands of a raster that make its picture, three or one, in small."""
    with open_image(file) as image:
        names = image.bands
    small = quicklook(file, _LARGEST)
    wanted = colour_bands(names) if len(names) <= len(small.bands) else small.bands[:1]
    places = [names.index(name) for name in wanted]
    return Raster(small.pixels[places], small.valid, small.grid, tuple(small.bands[place] for place in places))


def _bands(layer: MapLayer, language: Language) -> list[Panel]:
    """The first bands of a layer side by side."""
    small = quicklook(layer.frames[0].file, _LARGEST // 2)
    unit = layer.legend.unit_fr if language == "fr" else layer.legend.unit_en
    steps = _even(layer.legend)
    return [
        Panel(Raster(small.pixels[place][None], small.valid, small.grid, (name,)), name, unit=unit or None, steps=steps)
        for place, name in enumerate(layer.bands[:_MOST_BANDS])
    ]


def _even(legend: Legend) -> Steps | None:
    """A ramp in ten even steps, the same for all bands, so that they can be held against each other."""
    if legend.low is None or legend.high is None:
        return None
    ends = np.linspace(legend.low, legend.high, _STEPS + 1)
    colours = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in ramp(np.linspace(0, 1, _STEPS))]
    return Steps(legend.low, tuple(map(float, ends[1:-1])), tuple(colours[:-1]), colours[-1], legend.high)


def _dates(layer: MapLayer, language: Language) -> list[Panel]:
    """A layer of several dates: the coming ones, and as many of the last before them as there is room for."""
    observed = [frame for frame in layer.frames if frame.observed]
    coming = [frame for frame in layer.frames if not frame.observed][:_MOST_DATES]
    kept = observed[max(len(observed) + len(coming) - _MOST_DATES, 0) :]
    panels = []
    for frame in (*kept, *coming):
        key = "observed" if frame.observed else "expected"
        title = "" if frame.date is None else say(f"result.{key}", language, day=frame.date, horizon=frame.horizon)
        head = "" if frame.date is None else f"{frame.date:%d.%m.}" if frame.observed else f"t+{frame.horizon}"
        panels.append(replace(_panel(layer, language, title, frame), head=head))
    return panels


def _change(run: Run, product: Product, layer: MapLayer, language: Language) -> Figure:
    """A map of change: white where nothing has changed, the redder the more it has."""
    name = next((one for one in _CHANGE if one in product.name), None)
    below, steps = "", strength_steps(_STRENGTH)
    if name is not None:
        limit = _threshold(run, name)
        below, steps = say(f"result.{name}", language, threshold=limit), Judgement(name, limit).steps
    panel = Panel(quicklook(layer.frames[0].file, _LARGEST), below, steps=steps)
    return compose([panel], _title(layer, language), language)


def _threshold(run: Run, layer: Layer) -> float:
    """From which value on a layer means change."""
    metrics = run.manifest.metrics
    mosaic = metrics.get("mosaic/threshold" if layer == "cosine_map" else "mosaic/probability")
    usual = COSINE if layer == "cosine_map" else PROBABILITY
    return noted_thresholds(metrics).get(layer, usual if mosaic is None else mosaic)


def _picture(file: Path) -> Figure:
    """A picture of the run as a figure of its own size."""
    from matplotlib.image import imread

    from arpent.report.style import DPI, canvas

    pixels = imread(file)
    figure = canvas(pixels.shape[1] / DPI, pixels.shape[0] / DPI)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.imshow(pixels, interpolation="antialiased")
    axes.set_axis_off()
    return figure
