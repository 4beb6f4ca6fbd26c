"""Search among parcels: by words, by likeness, by conditions, each of which says why a parcel was found."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from arpent.core import Closing, Progress
from arpent.errors import InvalidSetting, UnknownName, UnreadableFile
from arpent.language.wishes import Wish, crop_words, folded, stem, understand
from arpent.store.database import is_fault, open_database
from arpent.store.search_asked import Asked, Hit, Model, Query, Reason
from arpent.store.search_index import Index, make_index
from arpent.store.search_vectors import Vectors
from arpent.store.search_where import Condition, Kind, read_condition

__all__ = ["Hit", "Query", "Reason", "SearchIndex"]

_MOST_TEXTS = 100_000
"""Rows that full text may bring in."""
_NAMED = 5
"""Places that are named where one has to be chosen."""
_STEM = 4
"""Letters from which on the beginning of a word may stand for it."""
_KINDS: Mapping[str, Kind] = {
    "VARCHAR": "text",
    "DATE": "date",
    "DOUBLE": "number",
    "BIGINT": "number",
    "BOOLEAN": "truth",
}


class SearchIndex(Closing):
    """An index, open for questions.

    Args:
        folder: of the index.
        index: what it says of itself.
    """

    def __init__(self, folder: Path, index: Index) -> None:
        self.index = index
        self._words = folder / index.words
        try:
            self._con = open_database(folder / index.database)
            self._columns = _columns_of(self._con)
            self._vectors = Vectors(folder / index.vectors) if index.vectors else None
        except Exception as problem:
            if not (is_fault(problem) or isinstance(problem, (OSError, ValueError))):
                raise
            raise _damaged(folder, problem) from problem

    @classmethod
    def over(
        cls,
        places: Sequence[str | Path],
        folder: Path | None = None,
        *,
        rebuild: bool = False,
        progress: Progress | None = None,
    ) -> SearchIndex:
        """The index of some places, made first where it has to be; see `make_index`.

        Args:
            places: files, runs, folders of runs.
            folder: of the index; ``.search`` in, or beside, the first place if not given.
            rebuild: make it anew in any case.
            progress: who is told how far it is.
        """
        first = Path(places[0])
        home = folder or (first if first.is_dir() else first.parent) / ".search"
        return cls(home, make_index(places, home, rebuild=rebuild, progress=progress))

    def close(self) -> None:
        """Closes the database."""
        self._con.close()

    @property
    def columns(self) -> tuple[str, ...]:
        """What conditions may name."""
        return tuple(self._columns)

    def find(self, query: Query) -> tuple[Hit, ...]:
        """The parcels that fit best, the best first.

        Raises:
            InvalidSetting: nothing is asked, or the words mean nothing; the condition cannot be used.
            UnknownName: no such parcel or column.
        """
        if not (query.words.strip() or query.like.strip() or query.where.strip()):
            raise InvalidSetting("nothing is looked for", cure="Give words, --like PARCEL or --where CONDITION.")
        wish = understand(query.words)
        if query.words.strip() and not wish:
            raise InvalidSetting(
                f"'{query.words.strip()[:80]}' has no word that can be looked for",
                cure="Say what the land is like, such as 'dense vegetation, dry', or name a parcel.",
            )
        condition = self._condition(query.where)
        asked = Asked(wish, query, condition, self._texts(wish), self._model(query.like), self._vectors)
        return asked.run(self._con)

    def _condition(self, text: str) -> Condition:
        if not text.strip():
            return Condition("true", ())
        short = {name.removesuffix("_mean"): name for name in self._columns if name.endswith("_mean")}
        return read_condition(text, self._columns, {"date": "taken", "area": "area_m2"} | short)

    def _texts(self, wish: Wish) -> pa.Table:
        """Rows whose texts hold the words, with how well they do, 0 to 1."""
        found: list[tuple[int, float]] = []
        if wish.words:
            with closing(sqlite3.connect(f"{self._words.resolve().as_uri()}?mode=ro", uri=True)) as words:
                try:
                    found = words.execute(
                        "SELECT rowid, -bm25(words) FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?",
                        (_match(wish.words), _MOST_TEXTS),
                    ).fetchall()
                except sqlite3.DatabaseError as problem:
                    raise _damaged(self._words.parent, problem) from problem
        best = max((rank for _, rank in found), default=1.0)
        # A word that all texts hold has no weight, but is found all the same.
        shares = [max(rank / best, 0.05) if best > 1e-9 else 1.0 for _, rank in found]
        return pa.table(
            {"row": pa.array([row for row, _ in found], pa.int64()), "share": pa.array(shares, pa.float64())}
        )

    def _model(self, like: str) -> Model | None:
        """The row that others shall be like."""
        if not like.strip():
            return None
        if not self.index.width:
            raise InvalidSetting(
                "likeness needs embeddings, and there are none",
                cure="Make them with 'arpent describe embed IMAGES -o EMBEDDINGS' and search there too.",
            )
        name, day = _parcel_and_day(like.strip())
        sql = "SELECT parcel, place, row, taken FROM parcels WHERE ? IN (parcel, place || '/' || parcel)"
        values: list[object] = [name]
        if day is not None:
            sql, values = f"{sql} AND taken = ?", [name, day]
        rows = self._con.execute(f"{sql} ORDER BY coalesce(seen, true) DESC, taken DESC", values).fetchall()
        found = [row for row in rows if self._vectors is not None and self._vectors.has(row[2])]
        places = sorted({row[1] for row in found})
        if len(places) > 1:
            raise InvalidSetting(
                f"a parcel called '{name}' lies in several places",
                found=", ".join(places[:_NAMED]) + (" …" if len(places) > _NAMED else ""),
                cure=f"Name its place too: --like '{places[0]}/{name}'.",
            )
        if not found:
            known = self._con.execute("SELECT DISTINCT parcel FROM parcels JOIN vectors USING (row)").fetchall()
            known_names = [row[0] for row in known]
            if name in known_names:
                raise InvalidSetting(
                    f"the parcel '{name}' has no embedding of {day}", cure="Name another day, or none."
                )
            raise UnknownName.among(name, known_names, "parcel with an embedding")
        return Model(*found[0])


def _match(words: Sequence[str]) -> str:
    """Any of the words, in any number and gender, in the language of FTS5; quoted, so that none is a command there.

    A crop is looked for by its names in both languages.
    """
    terms = []
    for word in words:
        forms = {word, f"{word}s", word.removesuffix("s"), stem(word), *map(folded, crop_words(word))}
        terms += [f'"{form}"' for form in sorted(forms)]
        if len(stem(word)) >= _STEM:
            terms.append(f'"{stem(word)}"*')
    return " OR ".join(terms)


def _parcel_and_day(like: str) -> tuple[str, date | None]:
    name, mark, day = like.rpartition("@")
    try:
        return (name, date.fromisoformat(day)) if mark else (like, None)
    except ValueError:
        return like, None  # the sign is a part of the name


def _columns_of(con: Any) -> dict[str, Kind]:  # noqa: ANN401 - duckdb publishes no types
    """What conditions may name, and what it holds."""
    rows = con.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'parcels'").fetchall()
    return {name: _KINDS[kind] for name, kind in rows if kind in _KINDS and name != "row"}


def _damaged(folder: Path, problem: Exception) -> UnreadableFile:
    return UnreadableFile(
        f"the index {folder} cannot be read",
        found=str(problem).partition("\n")[0],
        cure="Make it anew with --rebuild.",
    )
