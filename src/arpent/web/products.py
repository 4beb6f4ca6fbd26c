"""Which layers a run folder holds: rasters and shapes of every task, the images it looked at, its footprints."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from arpent.errors import InputError, RunDamaged, UnreadableFile
from arpent.store import Product, Run
from arpent.web.headers import RasterHeader, days_in, read_header
from arpent.web.images import Report, around, image_layers
from arpent.web.items import ItemFacts, facts_of
from arpent.web.layers import MOST_BANDS, Frame, Kind, Layer, Legend
from arpent.web.series import by_place
from arpent.web.styles import Title, date_entries, legend_of_change, quality_legend, ramp_legend, titled
from arpent.web.timelines import is_timeline, timeline_layers

__all__ = ["layers_of", "raster_layer"]

_SHAPES: Final[dict[str, Kind]] = {
    "descriptions": "parcels",
    "indices": "parcels",
    "embeddings": "parcels",
    "places": "places",
}
_PERCENT = Title("%", "%")
_OF_THE_FIRST: Final = re.compile(r"(infer|feature_maps)_0")
"""What shows the first date of a pair alone; everything else of it is as of the last."""


@dataclass(frozen=True)
class _Style:
    """What the name of a product says of its layer.

    Attributes:
        pattern: of names; what follows it is the name of a pair.
        kind: of the layer.
        title: key of its phrase.
    """

    pattern: re.Pattern[str]
    kind: Kind
    title: str

    @classmethod
    def of(cls, name: str, kind: Kind, title: str) -> _Style:
        """For names that begin so, and then end or go on with what is no letter or digit."""
        return cls(re.compile(rf"{name}(?![A-Za-z0-9])"), kind, title)


_PAIRS: Final[tuple[tuple[str, Kind, str], ...]] = (
    ("cosine_map", "change", "cosine_map"),
    ("change_probability", "change", "change_probability"),
    ("before_date", "date", "before_date"),
    ("after_date", "date", "after_date"),
    ("quality_fmask", "fmask", "quality_fmask"),
    ("infer_0", "reconstruction", "infer_0"),
    ("infer_1", "reconstruction", "infer_1"),
    ("feature_maps_0", "embedding", "feature_maps_0"),
    ("feature_maps_1", "embedding", "feature_maps_1"),
)
_STYLES: Final = (
    *(_Style.of(f"mosaic_{name}", kind, f"mosaic.{title}") for name, kind, title in _PAIRS),
    _Style.of("mosaic_persistence", "persistence", "mosaic.persistence"),
    _Style.of("mosaic_agreement", "agreement", "mosaic.agreement"),
    _Style.of("mosaic_before_input", "composite", "mosaic.before_input"),
    _Style.of("mosaic_after_input", "composite", "mosaic.after_input"),
    *(
        _Style.of(name, kind, f"mosaic.{title}" if title[-1].isdigit() else f"change.{title}")
        for name, kind, title in _PAIRS
    ),
    _Style.of("infer_[0-9]+", "reconstruction", "change.infer"),
    _Style.of("feature_maps_[0-9]+", "embedding", "change.feature_maps"),
    _Style.of("series_strength", "change", "change.series_strength"),
    _Style.of("series_confidence", "continuous", "change.series_confidence"),
    _Style.of("series_date", "date", "change.series_date"),
    _Style.of("series_before", "date", "change.series_before"),
    _Style.of("probabilities", "probability", "map.probabilities"),
    _Style.of("features", "embedding", "map.features"),
    _Style.of("errors", "classes", "map.errors"),
    _Style.of("classes", "classes", "map.classes"),
)


def layers_of(run: Run, report: Report | None = None) -> list[Layer]:
    """The layers of a run, in the order in which they are best listed.

    Args:
        run: finished.
        report: is told of products that cannot be shown, and the others are; without it the first such ends all.

    Raises:
        InputError, RunDamaged: a product cannot be shown, where nobody is to be told.
    """
    return list(_Collection(run, report).layers())


def raster_layer(run: Run, product: Product) -> Layer:
    """The layer of one raster product alone; nothing else of the run is opened.

    Raises:
        InputError, RunDamaged: it cannot be shown.
    """
    return _Collection(run, None).raster(product)


class _Collection:
    """The layers of one run."""

    def __init__(self, run: Run, report: Report | None) -> None:
        self._run, self._report = run, report
        self._products = run.manifest.products
        self._warnings = run.manifest.warnings

    def layers(self) -> Iterator[Layer]:
        timelines = [product for product in self._products if is_timeline(product)]
        listed: set[Path] = set()
        for product in timelines:
            for layer in self._tried(partial(timeline_layers, self._run, product)):
                listed.update(frame.file for frame in layer.frames)
                yield layer
        whole = any(product.name == "classes" and product.kind == "raster" for product in self._products)
        singles: list[Layer] = []
        for product in self._products:
            if self._run.path / product.file in listed:
                continue
            if product.kind == "raster":
                singles += self._tried(partial(self._raster, product, whole=whole))
            elif product.kind in ("vector", "table"):
                singles += self._tried(partial(self._shapes, product))
        yield from by_place(singles)
        yield from image_layers(self._run, self._report)
        yield from self._footprints()

    def _tried(self, make: Callable[[], Sequence[Layer]]) -> Sequence[Layer]:
        try:
            return make()
        except (InputError, RunDamaged) as problem:
            if self._report is None:
                raise
            self._report(problem)
            return ()

    def _raster(self, product: Product, *, whole: bool) -> list[Layer]:
        made = self.raster(product)
        if whole and made.kind == "classes" and product.name not in ("classes", "errors"):
            return []  # a sheet of the map that is shown as a whole
        return [made]

    def raster(self, product: Product) -> Layer:
        """The layer of a raster product."""
        header, facts = read_header(self._run.locate(product)), facts_of(self._run, product)
        kind, title = self._look_of(product, header)
        legend = self._legend(product, header, kind, facts)
        day = facts.first if _OF_THE_FIRST.fullmatch(product.name) else facts.last
        frame = Frame(day, header.file, observed="forecast:reference_datetime" not in facts.properties)
        bands = header.bands[:MOST_BANDS] if kind in ("embedding", "probability") and len(header.bands) > 1 else ()
        return Layer(
            product.name,
            product.name,
            kind,
            title.en,
            title.fr,
            (frame,),
            legend,
            facts.bounds or header.bounds,
            bands=bands,
            warnings=self._warnings,
        )

    def _look_of(self, product: Product, header: RasterHeader) -> tuple[Kind, Title]:
        """Kind and title, by the product's name, else by what its file holds."""
        for style in _STYLES:
            match = style.pattern.match(product.name)
            if match:
                rest = "" if product.name.startswith("mosaic_") else product.name[match.end() :]
                return style.kind, _of_pair(titled(style.title), rest)
        own = Title(product.name, product.name)
        if header.bands[0] == "feature_0":
            return "embedding", titled("map.features").of(product.name)
        if header.legend.entries:
            return "classes", titled("map.classes").of(product.name)
        if len(header.bands) >= 3 or header.dtype == "uint8":
            return "composite", titled("map.image").of(product.name)
        return "continuous", own

    def _legend(self, product: Product, header: RasterHeader, kind: Kind, facts: ItemFacts) -> Legend:
        low, high = header.low, header.high
        if kind == "classes":
            if not header.legend.entries:
                raise UnreadableFile(
                    f"{product.file} does not say what its numbers mean",
                    expected="metadata CLASSES",
                    cure="Make the map again.",
                )
            return header.legend
        if kind == "date":
            return date_entries(days_in(header.file))
        if kind == "fmask":
            return quality_legend()
        if kind == "change":
            return self._change(product.name)
        if kind == "probability":
            return ramp_legend(kind, 0, 100, unit=_PERCENT) if header.dtype == "uint8" else ramp_legend(kind, 0, 1)
        if kind in ("persistence", "agreement"):
            return ramp_legend(kind, 0, max(math.ceil(high or 1), 1), unit=titled("map.pairs"))
        if kind in ("composite", "reconstruction"):
            return Legend()
        if product.name.startswith("series_confidence"):
            return ramp_legend(kind, 0, 1)
        unit = Title(facts.unit, facts.unit) if facts.unit else None
        return ramp_legend(kind, 0 if low is None else low, 1 if high is None else high, unit=unit)

    def _change(self, name: str) -> Legend:
        layer = next((one for one in ("cosine_map", "change_probability") if one in name), "series_strength")
        limit = "threshold" if layer == "cosine_map" else "probability"
        found = (self._run.manifest.metrics.get(key) for key in (f"threshold/{layer}", f"mosaic/{limit}"))
        threshold = next((number for number in found if number is not None), None)
        if layer == "cosine_map":
            return legend_of_change(-0.2, 1.0, 0.5 if threshold is None else threshold, rising=False)
        if layer == "change_probability":
            return legend_of_change(0.0, 1.0, threshold, rising=True)
        return legend_of_change(0.0, 1.0, None, rising=True)

    def _shapes(self, product: Product) -> list[Layer]:
        """A layer of shapes; none where a table has no geometry, or is one of pixels."""
        suffix = Path(product.file).suffix
        kind = _SHAPES.get(product.name)
        if kind is None and (product.kind != "vector" or suffix not in (".parquet", ".gpkg")):
            return []
        file = self._run.locate(product)
        if suffix == ".parquet" and "geometry" not in _columns(file):
            return []
        name = product.name if kind else "change" if product.name.startswith("change") else "polygons"
        title, facts = titled(f"map.{name}"), facts_of(self._run, product)
        title = _of_pair(title, product.name.removeprefix(name))
        return [
            Layer(
                product.name,
                product.name,
                kind or "polygons",
                title.en,
                title.fr,
                (Frame(facts.last, file),),
                self._classes() if name == "polygons" else Legend(),
                bounds=facts.bounds,
                warnings=self._warnings,
            )
        ]

    def _classes(self) -> Legend:
        """What the numbers of outlined classes mean: the legend of the map that they were drawn from."""
        for product in self._products:
            if product.kind == "raster" and product.name.startswith("classes"):
                return read_header(self._run.locate(product)).legend
        return Legend()

    def _footprints(self) -> Iterator[Layer]:
        """Where the products lie: their STAC items are shapes themselves."""
        frames, boxes = [], []
        for product in self._products:
            if product.stac is None or product.kind not in ("raster", "vector"):
                continue
            facts = facts_of(self._run, product)
            if facts.file is not None and facts.bounds is not None and facts.bounds not in boxes:
                frames.append(Frame(None, facts.file))
                boxes.append(facts.bounds)
        if frames:
            title = titled("map.footprints")
            kind: Kind = "footprints"
            yield Layer(kind, kind, kind, title.en, title.fr, tuple(frames), bounds=around(boxes))


def _of_pair(title: Title, rest: str) -> Title:
    """The title, with the name of the pair that the rest of a product's name gives."""
    name = " → ".join(part for part in rest.strip("!_ ").split("!") if part)
    return title.of(name) if name else title


def _columns(file: Path) -> Sequence[str]:
    try:
        return list(pq.read_schema(file).names)
    except (OSError, ValueError) as problem:
        raise UnreadableFile(f"{file} is no Parquet file", found=problem, cure="Make the run again.") from problem
