"""Crops, learnt from labelled series and named only where that can be trusted.

A linear probe weighs indices on evenly spaced days. What it is worth is measured on ground held out from it, and said;
where it is worth too little it names nothing, and a season that it is not sure of keeps its crop to itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import shapely
from numpy.typing import NDArray

from arpent.errors import DatasetError, InvalidSetting, UnreadableFile
from arpent.models.linear_probe import LinearProbe, best_penalty, fit_probe
from arpent.tasks.describe.seasons import Season, seasons_of
from arpent.tasks.describe.table import Measurement, measured_of, read_rows

__all__ = ["CropProbe", "CropScore", "Guess", "learn_crops", "read_labelled"]

F32 = NDArray[np.float32]

_INDICES = ("NDVI", "NDMI", "EVI2", "BSI", "NDRE", "NDWI")
"""What a crop is known by, as far as both sides have it."""
_STEP = 15
"""Days between the days that are looked at."""
_MOST_DAYS = 30
_LEAST_SPAN = 60
"""Days that the labelled and the asked series must share."""
_LEAST_SEEN = 4
"""Days of a season on which enough must be seen, within that span."""
_LEAST_PARCELS = 5
"""Parcels that a crop must have to be learnt."""
_FOLDS = 5
_BLOCKS = 4
_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
_YEAR = 365.25


@dataclass(frozen=True)
class CropScore:
    """What a probe is worth, on ground that it has not learnt from.

    Attributes:
        parcels: labelled ones.
        crops: how many kinds.
        right: share of all held-out parcels whose likeliest crop is the true one.
        balanced: the same, as the mean over crops.
        commonest: share of the commonest crop, which who always names it gets right.
        named: share of the held-out parcels that would be named.
        precise: share of these that are right; None where none would be.
        by: what was held out together: whole places, blocks of ground, or single parcels.
        trusted: whether it may name crops.
    """

    parcels: int
    crops: int
    right: float
    balanced: float
    commonest: float
    named: float
    precise: float | None
    by: Literal["place", "ground", "parcel"]
    trusted: bool


@dataclass(frozen=True)
class Guess:
    """The likeliest crop of a season.

    Attributes:
        crop: its name; None where it is not sure enough, or the season is seen too seldom.
        likeliest: the crop that it would be.
        probability: of that.
    """

    crop: str | None
    likeliest: str | None
    probability: float


@dataclass(frozen=True)
class CropProbe:
    """What has been learnt.

    Attributes:
        crops: names, in the order of the probe's classes.
        probe: weighs indices.
        days: that are looked at, in the time of the labelled series.
        indices: that are looked at.
        years: by which asked series are moved back to be compared.
        score: see `CropScore`.
        confidence: least probability at which a crop is named.
        left_out: crops that too few parcels have.
    """

    crops: tuple[str, ...]
    probe: LinearProbe
    days: tuple[date, ...]
    indices: tuple[str, ...]
    years: int
    score: CropScore
    confidence: float
    left_out: tuple[str, ...] = ()

    def guess(self, season: Season) -> Guess:
        """The crop of a season, where it can be told."""
        vector = _vector(season, self.days, self.indices, self.years)
        if vector is None:
            return Guess(None, None, 0.0)
        chances = _softmax(self.probe.scores(vector[None]))[0]
        best = int(chances.argmax())
        sure = self.score.trusted and float(chances[best]) >= self.confidence
        return Guess(self.crops[best] if sure else None, self.crops[best], float(chances[best]))


def read_labelled(path: Path) -> list[Season]:
    """The series of a table, Parquet or CSV, whose parcels have a crop.

    Raises:
        FileMissing, UnreadableFile: no table of measurements.
        DatasetError: none of its parcels has a crop.
    """
    table = _read_csv(path) if path.suffix.lower() == ".csv" else read_rows(path)
    rows = [
        Measurement(measured_of(row), row.get("image") or "", row.get("pixels") or 0, geometry=row.get("geometry"))
        for row in table.to_pylist()
        if row.get("crop")
    ]
    found = seasons_of(rows, by_name=False)
    if not found:
        raise DatasetError(
            f"{path} has no series with a crop",
            expected="the columns parcel, taken, crop, valid and indices such as ndvi_mean",
            cure="Make it with 'arpent describe indices IMAGES --parcels FIELDS --crop-column CROP -o LABELS.parquet'.",
        )
    return found


def _read_csv(path: Path) -> pa.Table:
    try:
        table = arrow_csv.read_csv(path)
    except (pa.ArrowException, OSError) as problem:
        raise UnreadableFile(
            f"{path} is no table", found=str(problem).partition("\n")[0], cure="Give a CSV with a line of names."
        ) from problem
    if "geometry" in table.column_names:  # as text it is of no use here
        table = table.drop_columns(["geometry"])
    if "parcel" not in table.column_names or "taken" not in table.column_names:
        raise UnreadableFile(
            f"{path} has no columns parcel and taken", found=", ".join(table.column_names[:8]), cure="Name them so."
        )
    if "valid" not in table.column_names:
        table = table.append_column("valid", pa.array(np.ones(len(table))))
    return table


def learn_crops(
    labelled: Sequence[Season], asked: Sequence[Season], *, confidence: float = 0.8, seed: int = 0
) -> CropProbe:
    """Learns crops from labelled series, to name those of others.

    Args:
        labelled: each with its crop.
        asked: the series that will be named: only days that both sides cover can be compared.
        confidence: see `CropProbe`.
        seed: of what is held out.

    Raises:
        DatasetError: too few labelled series, or crops.
        InvalidSetting: the labelled series and the asked ones share too few days of the year.
    """
    days, years = _shared_days(labelled, asked)
    indices = tuple(name for name in _INDICES if _has(labelled, name) and _has(asked, name))
    counts = Counter(_crop(season) for season in labelled)
    kept = {crop for crop, count in counts.items() if count >= _LEAST_PARCELS}
    usable = [season for season in labelled if _crop(season) in kept]
    vectors = [_vector(season, days, indices) for season in usable]
    known = [(season, vector) for season, vector in zip(usable, vectors, strict=True) if vector is not None]
    crops = tuple(sorted({_crop(season) for season, _ in known}))
    if len(crops) < 2 or not indices:
        raise DatasetError(
            "crops cannot be learnt from these series",
            found=f"{len(known)} usable parcels of {len(crops)} crops, {len(indices)} indices",
            expected=f"two crops or more, each on {_LEAST_PARCELS} parcels, seen on {_LEAST_SEEN} days",
            cure="Label more parcels, or give more dates.",
        )
    x = np.stack([vector for _, vector in known])
    y = np.array([crops.index(_crop(season)) for season, _ in known], np.int64)
    folds, by = _folds([season for season, _ in known], seed)
    score = _score(x, y, crops, folds, by, confidence)
    penalty = best_penalty(x, y, len(crops), _PENALTIES, folds == 0)
    probe = fit_probe(x, y, len(crops), penalty)
    left_out = tuple(sorted(set(counts) - set(crops)))
    return CropProbe(crops, probe, days, indices, years, score, confidence, left_out)


def _crop(season: Season) -> str:
    return season.days[0].measured.crop or ""


def _has(seasons: Iterable[Season], index: str) -> bool:
    """Whether nearly all seasons know an index."""
    known = [bool(season.of(index)) for season in seasons if season.seen]
    return bool(known) and sum(known) >= 0.9 * len(known)


def _shared_days(labelled: Sequence[Season], asked: Sequence[Season]) -> tuple[tuple[date, ...], int]:
    """Evenly spaced days that both sides cover, once the asked ones are moved back by whole years; and by how many."""
    ends = []
    for side in (labelled, asked):
        taken = [day.taken for season in side for day in season.seen]
        if not taken:
            raise DatasetError("no date of the series sees the ground", cure="Give images with less cloud.")
        ends.append((min(taken), max(taken)))
    (first, last), (begun, ended) = ends
    middle = (first + (last - first) / 2) - (begun + (ended - begun) / 2)
    years = -round(middle.days / _YEAR)
    back = timedelta(days=round(years * _YEAR))
    start, end = max(first, begun - back), min(last, ended - back)
    span = (end - start).days
    if span < _LEAST_SPAN:
        raise InvalidSetting(
            "the labelled series and the images cover other parts of the year",
            found=f"{first} to {last}, and {begun} to {ended}",
            expected=f"{_LEAST_SPAN} days of the year or more in common",
            cure="Give dates of the same season.",
        )
    count = int(np.clip(round(span / _STEP), 4, _MOST_DAYS))
    return tuple(start + timedelta(days=round(day)) for day in np.linspace(0, span, count)), years


def _vector(season: Season, days: Sequence[date], indices: Sequence[str], years: int = 0) -> F32 | None:
    """The indices of a season on some days, between its own; None where it is seen too seldom around them."""
    back = timedelta(days=round(years * _YEAR))
    wanted = np.array([day.toordinal() for day in days], float)
    edge = timedelta(days=_STEP)
    parts = []
    for index in indices:
        points = [(taken - back, value) for taken, value in season.of(index)]
        if sum(days[0] - edge <= taken <= days[-1] + edge for taken, _ in points) < _LEAST_SEEN:
            return None
        when, values = zip(*points, strict=True)
        parts.append(np.interp(wanted, [day.toordinal() for day in when], values))
    return np.concatenate(parts).astype(np.float32)


def _folds(seasons: Sequence[Season], seed: int) -> tuple[NDArray[np.int64], Literal["place", "ground", "parcel"]]:
    """Which fold each parcel is held out with: those of a place together, else those of a block of ground."""
    chance = np.random.default_rng(seed)
    by: Literal["place", "ground", "parcel"]
    places = sorted({season.place for season in seasons})
    if len(places) >= 3:
        groups, by = np.array([places.index(season.place) for season in seasons]), "place"
    elif all(season.geometry is not None for season in seasons):
        middles = shapely.get_coordinates(shapely.centroid(shapely.from_wkb([season.geometry for season in seasons])))
        low, size = middles.min(axis=0), np.maximum(np.ptp(middles, axis=0), 1e-9)
        cells = np.minimum(((middles - low) / size * _BLOCKS).astype(int), _BLOCKS - 1)
        groups, by = cells[:, 0] * _BLOCKS + cells[:, 1], "ground"
    else:
        groups, by = np.arange(len(seasons)), "parcel"
    names, numbers = np.unique(groups, return_inverse=True)
    order = chance.permutation(len(names))
    return (order[numbers] % min(_FOLDS, max(len(names), 2))).astype(np.int64), by


def _score(
    x: F32,
    y: NDArray[np.int64],
    crops: Sequence[str],
    folds: NDArray[np.int64],
    by: Literal["place", "ground", "parcel"],
    confidence: float,
) -> CropScore:
    """Each fold named by a probe that has learnt from the others."""
    chances = np.zeros((len(y), len(crops)), np.float32)
    for fold in np.unique(folds):
        held = folds == fold
        if held.all():
            continue
        inner = folds[~held] == folds[~held][0]
        penalty = best_penalty(x[~held], y[~held], len(crops), _PENALTIES, inner) if not inner.all() else _PENALTIES[-1]
        probe = fit_probe(x[~held], y[~held], len(crops), penalty)
        chances[held] = _softmax(probe.scores(x[held]))
    right = chances.argmax(axis=1) == y
    named = chances.max(axis=1) >= confidence
    precise = float(right[named].mean()) if named.any() else None
    commonest = float(np.bincount(y).max() / len(y))
    share = float(right.mean())
    trusted = precise is not None and precise >= confidence and share > commonest
    balanced = float(np.mean([right[y == crop].mean() for crop in np.unique(y)]))
    return CropScore(len(y), len(crops), share, balanced, commonest, float(named.mean()), precise, by, trusted)


def _softmax(scores: F32) -> F32:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)
