"""The seasons of parcels as charts and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from arpent.core import Language
from arpent.language import day, percent, say
from arpent.report import Picture, Section, Table, Text, write_page
from arpent.report.season_chart import SeasonLine, season_chart
from arpent.tasks.describe.season_telling import CHARTED, Told
from arpent.tasks.describe.seasons import Season
from arpent.version import __version__

__all__ = ["draw_season", "season_page"]

_SHOWN = ("NDVI", "NDMI", "EVI2", "BSI", "NDRE")


def draw_season(told: Told, path: Path, language: Language) -> Path | None:
    """The chart of a season as PNG; None where there is nothing to draw."""
    season = told.season
    lines: list[SeasonLine] = []
    for index in CHARTED:
        hidden = [(one.taken, one.value[index]) for one in season.days if not one.seen and index in one.value]
        points = season.of(index)
        if points or hidden:
            turning = [(turn.taken, turn.value) for turn in told.turns if turn.index == index]
            ends = [points[0], points[-1]] if points else []
            # The values of one line are enough: those of two would cover each other.
            lines.append(SeasonLine(index, points, hidden, () if lines else sorted({*turning, *ends})))
    if not lines:
        return None
    return season_chart(lines, path, title=_title(season), language=language)


def _title(season: Season) -> str:
    return season.parcel if season.place in ("", season.parcel) else f"{season.parcel}, {season.place}"


def season_page(
    path: Path, told: Sequence[Told], charts: Mapping[int, Path], language: Language, notes: Sequence[str] = ()
) -> Path:
    """A page with a section for each parcel: its chart, its text, its dates.

    Args:
        path: of the page.
        told: the seasons.
        charts: by the place of the season; those without get text and table alone.
        language: of the page.
        notes: what readers should know, such as what a probe of crops is worth.
    """
    sections = [Section(say("season.notes", language), [Text(note) for note in notes])] if notes else []
    several = len({one.season.place for one in told}) > 1
    for place, one in enumerate(told):
        title = _title(one.season) if several else one.season.parcel
        sections.append(_section(one, title, charts.get(place), language))
    days = [day.taken for one in told for day in one.season.days]
    lead = say("season.lead", language, parcels=len(told), first=min(days), last=max(days))
    footer = say("season.footer", language, version=__version__)
    return write_page(path, say("season.title", language), sections, language=language, lead=lead, footer=footer)


def _section(told: Told, title: str, chart: Path | None, language: Language) -> Section:
    season = told.season
    parts: list[Picture | Text | Table] = []
    if chart is not None:
        parts.append(Picture.of(chart, say("season.alt", language, name=season.parcel)))
    parts.append(Text(told.texts[language].text))
    if told.crop is not None and told.crop_from == "probe":
        parts.append(Text(say("season.crop_learnt", language, crop=told.crop, share=told.probability or 0.0)))
    parts.append(_dates(season, language))
    return Section(title, parts)


def _dates(season: Season, language: Language) -> Table:
    shown = [index for index in _SHOWN if any(index in one.value for one in season.days)]
    heads = [say(f"season.{word}", language) for word in ("date", "valid", "cloud")]
    rows = []
    for one in season.days:
        cloud = one.measured.cloud
        facts = [
            day(one.taken, language) if one.seen else f"○ {day(one.taken, language)}",
            percent(one.measured.valid, language, 0),
            "–" if cloud is None else percent(cloud, language, 0),
        ]
        rows.append([*facts, *(one.value.get(index) for index in shown)])
    return Table([*heads, *shown], rows, decimals=2)
