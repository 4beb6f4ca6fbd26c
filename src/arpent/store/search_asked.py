"""A question as the database takes it: scores, conditions, the best date of each parcel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from arpent.language.axes import axis_named
from arpent.language.wishes import Wanted, Wish
from arpent.store.search_tables import class_column, decided_by
from arpent.store.search_vectors import Vectors
from arpent.store.search_where import Condition

__all__ = ["Asked", "Hit", "Model", "Query", "Reason"]

_DATES = 8
"""Dates that a parcel is taken to have at first, when its best one is looked for."""


@dataclass(frozen=True)
class Query:
    """What is looked for. With several ways at once, a parcel's score is the mean of what each of them gives.

    Attributes:
        words: in French or English: "végétation dense, sèche".
        like: name of a parcel, perhaps with its day: "field 7@2022-06-01"; the last day on which it is seen, without.
            Where several places have a parcel of that name, with its place: "Boadella/field 7".
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
    row: int
    taken: date | None


@dataclass(frozen=True)
class _Scored:
    """A row that was found."""

    row: int
    place: str
    parcel: str
    told: float
    likeness: float | None
    score: float | None
    depth: float


@dataclass(frozen=True)
class Asked:
    """A question, ready to be put to the database.

    Attributes:
        wish: what its words ask for.
        query: the question.
        condition: that rows must meet.
        texts: rows whose texts hold its words: ``row`` and ``share``.
        model: the row that others shall be like.
        vectors: of all rows.
    """

    wish: Wish
    query: Query
    condition: Condition
    texts: pa.Table
    model: Model | None
    vectors: Vectors | None

    def run(self, con: Any) -> tuple[Hit, ...]:  # noqa: ANN401 - duckdb publishes no types
        """The answers, the best first."""
        beside = [("texts", self.texts)] if self.wish.words else []
        try:
            for name, rows in beside:
                con.register(name, rows)
            if self.model is not None:
                beside.append(("likes", self._likes(con, self.model)))
                con.register(*beside[-1])
            best = self._folded(con)
            rows = ", ".join(str(one.row) for one in best) or "-1"
            found = con.execute(f"SELECT * FROM parcels WHERE row IN ({rows})")  # noqa: S608 - whole numbers
            names = [column[0] for column in found.description]
            known = {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in found.fetchall()}
            dates = {} if self.query.each_date else self._dates(con, best, dict(beside).get("likes"))
            return tuple(self._hit(known[one.row], one, dates.get((one.place, one.parcel), ())) for one in best)
        finally:
            for name, _ in beside:
                con.unregister(name)

    def _likes(self, con: Any, model: Model) -> pa.Table:  # noqa: ANN401 - see above
        """How like the model each row is that comes into question."""
        kept, values = self._kept("parcels")
        asked = con.execute(f"SELECT row {kept} ORDER BY row", values)
        rows = np.asarray(asked.fetchnumpy()["row"], np.int64)
        likeness = np.empty(0, np.float32) if self.vectors is None else self.vectors.likeness(model.row, rows)
        known = np.isfinite(likeness)
        return pa.table({"row": rows[known], "likeness": likeness[known].astype(np.float64)})

    def _folded(self, con: Any) -> list[_Scored]:  # noqa: ANN401 - duckdb publishes no types
        """The best rows; of a parcel its best alone, unless each date is asked for."""
        limit = self.query.count if self.query.each_date else self.query.count * _DATES
        sql, values = self._best()
        while True:
            found = [_Scored(*row) for row in con.execute(sql, [*values, limit]).fetchall()]
            best: dict[object, _Scored] = {}
            for one in found:
                best.setdefault(one.row if self.query.each_date else (one.place, one.parcel), one)
            kept = list(best.values())[: self.query.count]
            if len(found) < limit or len(kept) == self.query.count:
                return kept
            limit *= _DATES  # parcels of many dates fill the list with few names

    def _kept(self, source: str = "") -> tuple[str, list[Any]]:
        """The rows that come into question, from FROM on: of those that are like the model, or of a source."""
        source = source or ("parcels" if self.model is None else "parcels JOIN likes USING (row)")
        parts, values = [self.condition.sql], list(self.condition.values)
        if self.wish.words:
            source += " LEFT JOIN texts USING (row)"
        if self.wish:
            parts.append(f"{self._fit()[0]} > 0")
        parts += [f"{class_column(no.axis)} NOT IN ({_listed(no)})" for no in self.wish.excluded]
        if self.model is not None:
            parts.append("coalesce(seen, true) AND NOT (parcel = ? AND place = ?)")
            values += [self.model.parcel, self.model.place]
        return f"FROM {source} WHERE {' AND '.join(f'({part})' for part in parts)}", values

    def _best(self) -> tuple[str, list[Any]]:
        """What finds the best rows, each with its share of words in texts, its likeness, its score and its depth."""
        (fit, depth), (kept, values) = self._fit(), self._kept()
        likeness, scores = "NULL::DOUBLE AS likeness", [fit] if self.wish else []
        if self.model is not None:
            likeness, scores = "likeness", [*scores, "likeness"]
        score = f"({' + '.join(scores)}) / {len(scores)}" if scores else "NULL::DOUBLE"
        told = "coalesce(share, 0)" if self.wish.words else "0.0"
        sql = f"""
            SELECT row, place, parcel, {told} AS told, {likeness}, {score} AS score,
                {depth} AS depth {kept}
            ORDER BY score DESC NULLS LAST, depth DESC, coalesce(valid, 0) DESC, taken DESC NULLS LAST, row LIMIT ?
        """
        return sql, values

    def _dates(
        self,
        con: Any,  # noqa: ANN401 - see above
        best: Sequence[_Scored],
        likes: pa.Table | None,
    ) -> dict[tuple[str, str], list[date]]:
        """All days on which the parcels that were found come into question."""
        kept, values = self._kept("parcels")
        names = [one.parcel for one in best]
        slots = ", ".join("?" * len(names))
        sql = f"SELECT row, place, parcel, taken {kept} AND taken IS NOT NULL AND parcel IN ({slots})"
        rows = con.execute(sql, [*values, *names]).fetchall() if names else []
        if likes is not None:
            known = np.isin([row[0] for row in rows], likes["row"].to_numpy())
            rows = [row for row, there in zip(rows, known, strict=True) if there]
        found: dict[tuple[str, str], list[date]] = {}
        for _, place, parcel, taken in rows:
            found.setdefault((place, parcel), []).append(taken)
        return found

    def _fit(self) -> tuple[str, str]:
        """How well a row has what the words ask for, 0 to 1; and how deep it lies in the classes."""
        parts = [f"coalesce(({class_column(one.axis)} IN ({_listed(one)}))::DOUBLE, 0)" for one in self.wish.wanted]
        depths = [_depth(one) for one in self.wish.wanted]
        if self.wish.words:
            parts.append("coalesce(share, 0)")
        fit = f"({' + '.join(parts)}) / {len(parts)}" if parts else "1.0"
        return fit, " + ".join(depths) if depths else "0.0"

    def _hit(self, row: dict[str, Any], one: _Scored, days: Sequence[date]) -> Hit:
        classes = self._classes(row)
        partly = bool(self.wish) and sum(found in wanted.keys for wanted, found in classes) < len(classes)
        reasons = []
        for wanted, found in classes:
            if found in wanted.keys:
                index = decided_by(axis_named(wanted.axis))
                reasons.append(Reason("class", 1.0, found, wanted.axis, index, row.get(index)))
        if one.told:
            reasons.append(Reason("text", one.told, " ".join(self.wish.words)))
        if self.model is not None:
            day = f"@{self.model.taken}" if self.model.taken else ""
            reasons.append(Reason("likeness", one.likeness or 0.0, f"{self.model.parcel}{day}"))
        return Hit(row, one.score, tuple(reasons), tuple(sorted({*days} - {row["taken"]})), partly)

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
