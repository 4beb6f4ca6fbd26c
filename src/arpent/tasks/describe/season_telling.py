"""What is told of a season, and that each sentence of it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from zlib import crc32

import pyarrow as pa

from arpent.core import Language
from arpent.language import LANGUAGES
from arpent.language.claims import Finding, check, parse
from arpent.language.season import compose_season
from arpent.tasks.describe.seasons import Season, Turn, turns_of

__all__ = ["CHARTED", "SEASON_SCHEMA", "SeasonText", "Told", "seasons_table", "tell"]

CHARTED = ("NDVI", "NDMI")
"""Indices whose turns are kept and drawn."""

_TURN = pa.struct([("index", pa.string()), ("kind", pa.string()), ("taken", pa.date32()), ("value", pa.float64())])

SEASON_SCHEMA = pa.schema(
    [
        pa.field("parcel", pa.string(), nullable=False),
        pa.field("place", pa.string()),
        pa.field("first", pa.date32()),
        pa.field("last", pa.date32()),
        pa.field("dates", pa.int32()),
        pa.field("seen", pa.int32()),
        pa.field("crop", pa.string()),
        pa.field("crop_from", pa.string()),
        pa.field("crop_probability", pa.float64()),
        pa.field("turns", pa.list_(_TURN)),
        *(pa.field(f"text_{language}", pa.string()) for language in LANGUAGES),
        *(pa.field(f"claims_{language}", pa.string()) for language in LANGUAGES),
        pa.field("chart", pa.string()),
        pa.field("geometry", pa.binary()),
    ]
)
"""Columns of the table of seasons; ``claims_…`` are JSON: the sentences, their claims, and what was measured."""


@dataclass(frozen=True)
class SeasonText:
    """The text of a season in one language.

    Attributes:
        text: sentences that hold, and no other.
        sentences: each with the findings on what it claims.
        dropped: sentences that did not hold.
    """

    text: str
    sentences: tuple[tuple[str, tuple[Finding, ...]], ...]
    dropped: int


@dataclass(frozen=True)
class Told:
    """A season with what is told of it.

    Attributes:
        season: its days.
        turns: of the charted indices.
        texts: by language.
        crop_from: who names the crop: "column", "probe", or nobody.
        probability: of the crop, where a probe has named it.
    """

    season: Season
    turns: tuple[Turn, ...]
    texts: Mapping[Language, SeasonText]
    crop_from: str | None = None
    probability: float | None = None

    @property
    def crop(self) -> str | None:
        """What grows there, where somebody knows."""
        return self.season.days[-1].measured.crop

    def to_row(self, chart: str | None = None) -> dict[str, Any]:
        """As a row of `SEASON_SCHEMA`."""
        season = self.season
        row: dict[str, Any] = {
            "parcel": season.parcel,
            "place": season.place,
            "first": season.days[0].taken,
            "last": season.days[-1].taken,
            "dates": len(season.days),
            "seen": len(season.seen),
            "crop": self.crop,
            "crop_from": self.crop_from,
            "crop_probability": self.probability,
            "turns": [asdict(turn) for turn in self.turns],
            "chart": chart,
            "geometry": season.geometry,
        }
        for language, told in self.texts.items():
            row[f"text_{language}"] = told.text
            row[f"claims_{language}"] = json.dumps([_documented(*one) for one in told.sentences], default=str)
        return row


def _documented(text: str, findings: Iterable[Finding]) -> dict[str, Any]:
    claims = [
        asdict(one.claim) | {"verdict": one.verdict, "measured": one.measured, "expected": one.expected}
        for one in findings
    ]
    return {"text": text, "claims": claims}


def tell(season: Season, *, seed: int = 0, crop_from: str | None = None, probability: float | None = None) -> Told:
    """Tells a season in both languages, and holds every sentence against the pixels of its dates.

    The sentences are read again as if somebody else had written them; one that does not hold is left out.

    Args:
        season: with its crop, if that is known.
        seed: of the choice of words.
        crop_from: see `Told`.
        probability: see `Told`.
    """
    turns = tuple(turn for index in CHARTED for turn in turns_of(season, index))
    chosen = crc32(f"{seed} {season.place} {season.parcel}".encode())
    texts = {language: _text(season, language, chosen) for language in LANGUAGES}
    return Told(season, turns, texts, crop_from, probability)


def _text(season: Season, language: Language, seed: int) -> SeasonText:
    series = season.told
    composed = " ".join(sentence.text for sentence in compose_season(series, language, seed=seed))
    kept, dropped = [], 0
    for sentence in parse(composed, language):
        findings = check((sentence,), series[-1], before=series[:-1])
        if all(finding.verdict == "supported" for finding in findings):
            kept.append((sentence.text, findings))
        else:
            dropped += 1
    return SeasonText(" ".join(text for text, _ in kept), tuple(kept), dropped)


def seasons_table(told: Sequence[Told], charts: Mapping[int, str]) -> pa.Table:
    """Seasons as rows.

    Args:
        told: in the order of the rows.
        charts: names of files by the place of the season.
    """
    rows = [one.to_row(charts.get(place)) for place, one in enumerate(told)]
    return pa.Table.from_pylist(rows, SEASON_SCHEMA)
