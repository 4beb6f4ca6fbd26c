"""``arpent stats``: what the pixels of a set of images are like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arpent.cli.console import progress, show, table, where_to_find
from arpent.core import Language
from arpent.language import language_named, number, say

if TYPE_CHECKING:
    from rich.table import Table

    from arpent.data import MeasuredImages, Sample

__all__ = ["app"]

app = typer.Typer(help="Statistics of images, band by band: mean, deviation, percentiles, histogram.")

_BARS = 256
_INDEX = {".csv", ".parquet"}


@app.command(name="stats")
def stats(
    images: Annotated[
        list[str], typer.Argument(help="Images, folders of bands, or an index (CSV, Parquet).", metavar="IMAGES")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON file to write.")],
    bands: Annotated[
        str | None, typer.Option("--bands", metavar="A,B,…", help="Bands, by name; all if left out.")
    ] = None,
    sensor: Annotated[str | None, typer.Option("--sensor", help="Whose images, where neither says so.")] = None,
    picture: Annotated[bool, typer.Option("--picture/--no-picture", help="Draw the histograms beside it.")] = True,
    language: Annotated[str, typer.Option("--language", help="Language of the table: en or fr.")] = "en",
) -> None:
    """Measures images of any size, in bounded memory, without their no-data pixels; by domain where an index names any.

    The file can stand for measuring in a training: 'statistics: stats.json'.
    """
    from arpent.data import measure_images

    spoken = language_named(language)
    wanted = [band.strip() for band in bands.split(",") if band.strip()] if bands else None
    samples = [sample for image in images for sample in _samples(image, sensor)]
    measured = measure_images(samples, wanted, progress=progress())
    written = measured.write(output)
    document: dict[str, Any] = {
        "statistics": written,
        "images": measured.images,
        "bands": {name: band.model_dump() for name, band in measured.bands.items()},
        "domains": sorted(measured.domains),
    }
    places = [(say("stats.file", spoken), written)]
    if picture:
        drawn = _draw(measured, output.with_suffix(".png"), spoken)
        document["picture"] = drawn
        places.append((say("stats.picture", spoken), drawn))
    show(document, _table(measured, spoken), *where_to_find(places))


def _samples(image: str, sensor: str | None) -> list[Sample]:
    """The samples of an index, or the one image."""
    from arpent.data import Sample, SampleIndex

    if Path(image).suffix.lower() in _INDEX:
        return list(SampleIndex.read(image))
    return [Sample(image, sensor=sensor or "")]


def _table(measured: MeasuredImages, language: Language) -> Table:
    heads = [
        say(f"stats.{key}", language) for key in ("band", "valid", "mean", "std", "low", "p2", "median", "p98", "high")
    ]
    rows = []
    for name, band in measured.bands.items():
        at = band.percentiles
        values = (band.mean, band.std, band.low, at["2"], at["50"], at["98"], band.high)
        rows.append([name, number(band.valid, language), *(number(value, language) for value in values)])
    return table(heads, rows)


def _draw(measured: MeasuredImages, path: Path, language: Language) -> Path:
    """The histograms of all bands on one axis that reaches from their lowest to their highest 1 %."""
    import numpy as np

    from arpent.report.histogram import BandHill, histograms

    statistics = measured.statistics
    low = min(band.percentiles["1"] for band in measured.bands.values())
    high = max(band.percentiles["99"] for band in measured.bands.values())
    margin = max((high - low) * 0.08, 1.0 if statistics.kind != "float32" else abs(high) * 1e-3 + 1e-6)
    if statistics.kind == "float32":
        edges = np.linspace(low - margin, high + margin, _BARS // 2 + 1)
    else:
        # Bars as wide as whole numbers are, or some bars would hold one number more than their neighbours.
        step = max(1, round((high - low + 2 * margin) / _BARS))
        start = max(float(np.floor(low - margin)), float(statistics.low.min()))
        edges = np.arange(start - 0.5, high + margin + step, step)
    hills = [
        BandHill(
            name, edges, statistics.histogram(name, edges), band.mean, band.percentiles["2"], band.percentiles["98"]
        )
        for name, band in measured.bands.items()
    ]
    title = say("stats.title", language, count=measured.images)
    return histograms(hills, path, title=title, language=language)
