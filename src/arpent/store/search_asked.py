"""A question as the database takes it: scores, conditions, the best date of each parcel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import pyarrow as pa

from arpent.language.axes import axis_named
from arpent.language.wishes import Wanted, Wish
from arpent.store.search_tables import class_column, decided_by
from arpent.store.search_where import Condition

__all__ = ["Asked", "Hit", "Model", "Query", "Reason"]

_ORDER = "score DESC NULLS LAST, depth DESC, coalesce(valid, 0) DESC, taken DESC NULLS LAST, parcel, row"


@dataclass(frozen=True)
class Query:
    """What is looked for. With several ways at once, a parcel's score is the mean of what each of them gives.

    Attributes:
        words: in French or English: "végétation dense, sèche".
        like: name of a parcel, perhaps with its day: "field 7@2022-06-01"; the last day on which it is seen, without.
        where: a condition, see `search_where`.
        count: of results, at most.
        each_date: every date of a parcel is a result; without it, a parcel is one, with its best date.
    """

    words: str = ""
    like: str = ""
    where: str = ""
    count: int = 10
    each_date: bool = False


@dataclass(frozen=True)
class Reason:
    """Why a parcel was found.

    Attributes:
        kind: a class of an axis that was asked for, words in the texts, or likeness.
        share: how well it fits, 0 to 1.
        axis: of a class.
        named: the class; the words; the parcel that it is like.
        index: column that decides the class.
        value: of that column.
    """

    kind: Literal["class", "text", "likeness"]
    share: float
    named: str
    axis: str = ""
    index: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Hit:
    """A parcel that was found.

    Attributes:
        row: all that is known of it, by column; the geometry as WKB in longitude and latitude.
        score: 0 to 1, or down to -1 for likeness; None where only a condition was given.
        reasons: why.
        dates: other days on which the same parcel would have been found.
        partly: whether it lacks something that the words ask for.
    """

    row: Mapping[str, Any]
    score: float | None
    reasons: tuple[Reason, ...]
    dates: tuple[date, ...] = ()
    partly: bool = False

    @property
    def parcel(self) -> str:
        """Its name."""
        return str(self.row["parcel"])

    @property
    def taken(self) -> date | None:
        """The day of its image."""
        taken: date | None = self.row["taken"]
        return taken


@dataclass(frozen=True)
class Model:
    """The row that others shall be like."""

    parcel: str
    place: str
    embedding: Sequence[float]
    taken: date | None


@dataclass(frozen=True)
class Asked:
    """A question, ready to be put to the database.

    Attributes:
        wish: what its words ask for.
        query: the question.
        condition: that rows must meet.
        texts: rows whose texts hold its words: ``row`` and ``share``.
        model: the row that others shall be like.
    """

    wish: Wish
    query: Query
    condition: Condition
    texts: pa.Table
    model: Model | None

    def run(self, con: Any) -> tuple[Hit, ...]:  # noqa: ANN401 - duckdb publishes no types
        """The answers, the best first."""
        con.register("texts", self.texts)
        try:
            sql, values = self._sql()
            found = con.execute(sql, values)
            names = [column[0] for column in found.description]
            return tuple(self._hit(dict(zip(names, row, strict=True))) for row in found.fetchall())
        finally:
            con.unregister("texts")

    def _sql(self) -> tuple[str, list[Any]]:
        fit, depth = self._fit()
        source, likeness, vector = "parcels LEFT JOIN texts USING (row)", "NULL::DOUBLE", []
        kept, values = [self.condition.sql], list(self.condition.values)
        if self.wish:
            kept.append(f"{fit} > 0")
        kept += [f"{class_column(no.axis)} NOT IN ({_listed(no)})" for no in self.wish.excluded]
        if self.model is not None:
            width = len(self.model.embedding)
            likeness = f"array_cosine_similarity(embedding, ?::FLOAT[{width}])"
            vector = [list(self.model.embedding)]
            kept.append("coalesce(seen, true) AND NOT (parcel = ? AND place = ?)")
            source += " JOIN vectors USING (row)"
            values += [self.model.parcel, self.model.place]
        parts = [name for name, used in (("fit", bool(self.wish)), ("likeness", self.model is not None)) if used]
        score = f"({' + '.join(parts)}) / {len(parts)}" if parts else "NULL::DOUBLE"
        best = (
            ""
            if self.query.each_date
            else f"QUALIFY row_number() OVER (PARTITION BY place, parcel ORDER BY {_ORDER}) = 1"
        )
        sql = f"""
            WITH kept AS (SELECT row, place, parcel, taken, valid, coalesce(share, 0) AS told, {fit} AS fit,
                {depth} AS depth, {likeness} AS likeness, {score} AS score
                FROM {source} WHERE {" AND ".join(f"({part})" for part in kept)}),
            best AS (SELECT *, list(taken) OVER (PARTITION BY place, parcel) AS dates FROM kept {best}
                ORDER BY {_ORDER} LIMIT ?)
            SELECT p.* EXCLUDE (row), told, fit, likeness, score, dates, depth
            FROM (SELECT row, told, fit, likeness, score, dates, depth FROM best) JOIN parcels p USING (row)
            ORDER BY {_ORDER}
        """  # noqa: S608 - fixed words, fixed columns, and the condition as `search_where` has written it
        return sql, [*vector, *values, self.query.count]

    def _fit(self) -> tuple[str, str]:
        """How well a row has what the words ask for, 0 to 1; and how deep it lies in the classes."""
        parts = [f"coalesce(({class_column(one.axis)} IN ({_listed(one)}))::DOUBLE, 0)" for one in self.wish.wanted]
        depths = [_depth(one) for one in self.wish.wanted]
        if self.wish.words:
            parts.append("coalesce(share, 0)")
        fit = f"({' + '.join(parts)}) / {len(parts)}" if parts else "1.0"
        return fit, " + ".join(depths) if depths else "0.0"

    def _hit(self, row: dict[str, Any]) -> Hit:
        told, likeness, score = row.pop("told"), row.pop("likeness"), row.pop("score")
        dates = tuple(sorted({day for day in row.pop("dates") if day is not None and day != row["taken"]}))
        partly = bool(self.wish) and sum(found in one.keys for one, found in self._classes(row)) < len(self.wish.wanted)
        del row["fit"], row["depth"]
        reasons = []
        for one, found in self._classes(row):
            if found in one.keys:
                index = decided_by(axis_named(one.axis))
                reasons.append(Reason("class", 1.0, found, one.axis, index, row.get(index)))
        if told:
            reasons.append(Reason("text", told, " ".join(self.wish.words)))
        if self.model is not None:
            day = f"@{self.model.taken}" if self.model.taken else ""
            reasons.append(Reason("likeness", likeness, f"{self.model.parcel}{day}"))
        return Hit(row, score, tuple(reasons), () if self.query.each_date else dates, partly)

    def _classes(self, row: Mapping[str, Any]) -> list[tuple[Wanted, Any]]:
        """What is wanted on each axis, and what the row has there."""
        return [(one, row[class_column(one.axis)]) for one in self.wish.wanted]


def _listed(wanted: Wanted) -> str:
    """Classes in the words of SQL; they come from the table of axes alone."""
    return ", ".join(f"'{key}'" for key in wanted.keys)


def _depth(wanted: Wanted) -> str:
    """How far inside the wanted classes a row lies, the more the better: beyond an open end, or near the middle."""
    axis = axis_named(wanted.axis)
    places = [axis.keys.index(key) for key in wanted.keys]
    column = f"coalesce({decided_by(axis)}, 0)"
    if max(places) == len(axis.bounds):
        return column
    if min(places) == 0:
        return f"-{column}"
    return f"-abs({column} - {(axis.bounds[min(places) - 1] + axis.bounds[max(places)]) / 2!r})"
