"""``describe series``: many dates of parcels in, the season of each told with its dates, directions and turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from odc.geo.crs import CRS

from arpent.core import Progress, Silent
from arpent.errors import ArpentError, DatasetError, InputError, InvalidSetting
from arpent.io import RowWriter
from arpent.language import percent, say
from arpent.pixels import index_names
from arpent.store import Place, Run, RunFolder
from arpent.store.manifest import MANIFEST
from arpent.tasks.describe.measuring import indices_of, measure_parcels
from arpent.tasks.describe.scene_names import SceneNames
from arpent.tasks.describe.scene_parcels import SceneParcels
from arpent.tasks.describe.scenes import open_scene
from arpent.tasks.describe.season_page import draw_season, season_page
from arpent.tasks.describe.season_telling import Told, seasons_table, tell
from arpent.tasks.describe.seasons import Season, seasons_of
from arpent.tasks.describe.series_settings import SeriesSettings
from arpent.tasks.describe.table import Measurement, measured_of, read_rows, table_of

if TYPE_CHECKING:
    from arpent.tasks.describe.crops import CropProbe, CropScore

__all__ = ["SeriesMade", "series_run"]

_DEGREES = CRS("EPSG:4326")
_WET = 0.2
"""Share of water from which on a parcel is no good example of a season."""
_TABLES = (".parquet", ".geoparquet")


@dataclass(frozen=True)
class SeriesMade:
    """A finished series.

    Attributes:
        run: its folder, with ``seasons.parquet``, ``seasons.jsonl``, ``indices.parquet``, ``report.html``,
            ``preview.png`` and the charts.
        told: the seasons.
        score: what the probe of crops is worth, where one was learnt.
    """

    run: Run
    told: tuple[Told, ...]
    score: CropScore | None = None


def series_run(
    images: Sequence[str],
    place: Place,
    settings: SeriesSettings,
    *,
    parcels: str | Path | None = None,
    progress: Progress | None = None,
) -> SeriesMade:
    """Measures parcels on many dates and tells their seasons.

    Args:
        images: dates of a place; or one table, or run, of `describe indices` that holds them.
        place: where the run goes.
        settings: how images are read, and what is told.
        parcels: a vector file; whole images, or squares of them, if not given.
        progress: who is told how far it is.

    Raises:
        InputError: no image can be read.
        DatasetError: fewer than two days are known.
    """
    kept = settings.model_dump(mode="json")
    kept |= {"images": list(images), "parcels": None if parcels is None else str(parcels)}
    inputs = [*images, *(file for file in (parcels, settings.crops) if file is not None)]
    with place.begin(
        "describe-series", f"{Path(images[0]).stem}-and-more", kept, inputs, language=settings.language
    ) as run:
        for image in images:
            run.add_input(image, "table" if _is_table(images) else "image")
        for role, file in (("parcels", parcels), ("crops", settings.crops)):
            if file is not None:
                run.add_input(file, role)
        try:
            with run.timed("measure"):
                rows = _rows(images, parcels, settings, run, progress or Silent())
            seasons = _checked(seasons_of(rows, by_name=parcels is not None), rows)
            with run.timed("tell"):
                told, probe = _told(seasons, settings)
        except ArpentError:
            run.abandon()
            raise
        notes = [] if probe is None else _score_notes(probe, settings)
        _publish(run, rows, told, notes, settings)
        for note in notes:
            run.warn(note)
        dropped = sum(text.dropped for one in told for text in one.texts.values())
        run.add_metrics({"parcels": len(told), "days": len(_days(seasons)), "dropped": dropped})
        score = None if probe is None else probe.score
        return SeriesMade(run.finish(), tuple(told), score)


def _is_table(images: Sequence[str]) -> bool:
    """Whether a table is given, or the run that holds it."""
    first = Path(images[0])
    return len(images) == 1 and (first.suffix.lower() in _TABLES or (first / MANIFEST).is_file())


def _rows(
    images: Sequence[str], parcels: str | Path | None, settings: SeriesSettings, run: RunFolder, progress: Progress
) -> list[Measurement]:
    """What is measured of all parcels on all images; an image that cannot be read is noted and passed over."""
    if _is_table(images):
        if parcels is not None:
            raise InvalidSetting("a table has its parcels already", cure="Leave --parcels out, or give images.")
        return [
            Measurement(measured_of(row), row.get("image") or "", row.get("pixels") or 0, geometry=row.get("geometry"))
            for row in read_rows(images[0]).to_pylist()
        ]
    on_scenes = SceneParcels(parcels, settings)
    rows: list[Measurement] = []
    failed: list[tuple[str, ArpentError]] = []
    names = SceneNames(images, settings)
    for number, image in enumerate(images):
        try:
            with open_scene(image, settings) as scene:
                names.settle(scene, number)
                here = on_scenes.on(scene.grid, scene.place)
                rows += measure_parcels(scene, here.items, indices_of(scene.bands), progress)
                for note in scene.warnings:
                    run.warn(note)
        except InputError as problem:
            failed.append((image, problem))
    if failed and not rows:
        raise failed[0][1]
    for image, fault in failed:
        run.add_failure(image, fault)
    return rows


def _days(seasons: Sequence[Season]) -> set[object]:
    return {day.taken for season in seasons for day in season.days}


def _checked(seasons: list[Season], rows: Sequence[Measurement]) -> list[Season]:
    """The seasons, which must be of two days or more."""
    days = len(_days(seasons))
    if days < 2:
        undated = sum(row.measured.taken is None for row in rows)
        raise DatasetError(
            "a season needs two days or more",
            found=f"{days} of {len(rows)} measurements" + (f", {undated} of them without a date" if undated else ""),
            cure="Give images of several days; --date-regex tells their dates where names and metadata do not.",
        )
    return seasons


def _told(seasons: Sequence[Season], settings: SeriesSettings) -> tuple[list[Told], CropProbe | None]:
    """All seasons told; those without a crop named by a probe where that is asked for and can be trusted."""
    probe = None
    if settings.crops is not None:
        from arpent.tasks.describe.crops import learn_crops, read_labelled

        labelled = read_labelled(settings.crops)
        probe = learn_crops(labelled, seasons, confidence=settings.confidence, seed=settings.seed)
    told = []
    for season in seasons:
        known = next((day.measured.crop for day in season.days if day.measured.crop), None)
        if known is not None:
            told.append(tell(season.growing(known), seed=settings.seed, crop_from="column"))
            continue
        guess = None if probe is None else probe.guess(season)
        if guess is None or guess.crop is None:
            told.append(tell(season, seed=settings.seed))
        else:
            named = season.growing(guess.crop)
            told.append(tell(named, seed=settings.seed, crop_from="probe", probability=guess.probability))
    return told, probe


def _score_notes(probe: CropProbe, settings: SeriesSettings) -> list[str]:
    """What the probe is worth, in a line or two."""
    score, language = probe.score, settings.language
    facts = {
        "parcels": score.parcels,
        "crops": score.crops,
        "right": score.right,
        "commonest": score.commonest,
        "by": say(f"season.held_{score.by}", language),
    }
    notes = [say("season.crop_score", language, **facts)]
    if not score.trusted:
        return [*notes, say("season.crop_untrusted", language, confidence=probe.confidence)]
    precise = percent(score.precise or 0.0, language, 0)
    return [*notes, say("season.crop_named", language, share=score.named, precise=precise, least=probe.confidence)]


def _publish(
    run: RunFolder, rows: Sequence[Measurement], told: Sequence[Told], notes: Sequence[str], settings: SeriesSettings
) -> None:
    """Charts, tables and the page."""
    charts: dict[int, Path] = {}
    with run.timed("draw"):
        for number, one in enumerate(told[: settings.charts]):
            drawn = draw_season(one, run.scratch / f"season-{number + 1:03d}.png", settings.language)
            if drawn is not None:
                charts[number] = run.path / run.publish(drawn, kind="picture").file
    if told:
        first = draw_season(max(told, key=_movement), run.scratch / "preview.png", settings.language)
        if first is not None:
            run.publish(first, kind="picture")
    table = seasons_table(told, {number: path.name for number, path in charts.items()})
    for name in ("seasons.parquet", "seasons.jsonl"):
        run.publish(_written(table, run.scratch / name), kind="table", name=name.replace(".", "_"))
    there = {name for row in rows for name in row.measured.indices}
    measured = table_of(rows, [name for name in index_names() if name in there])
    run.publish(_written(measured, run.scratch / "indices.parquet"), kind="table")
    page = season_page(run.scratch / "report.html", told, charts, settings.language, notes)
    run.publish(page, kind="page")


def _movement(told: Told) -> float:
    """How much vegetation moves over a season: what moves most is looked at first, and what is no lake."""
    water = [day.measured.shares.get("water", 0.0) for day in told.season.days]
    if max(water, default=0.0) > _WET:
        return -1.0
    values = [value for _, value in told.season.of("NDVI")]
    return max(values) - min(values) if values else -1.0


def _written(table: pa.Table, file: Path) -> Path:
    with RowWriter(file, schema=table.schema, crs=_DEGREES) as writer:
        writer.write(table)
    return file
