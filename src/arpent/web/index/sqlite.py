"""Places and words in SQLite: an R*Tree of boxes and a full-text table, kept up to date by triggers."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from arpent.web.index.boxes import Box
from arpent.web.index.in_order import MEETS, WIDE, meeting

__all__ = ["SCHEMA", "UNDONE", "SqliteRepository"]

_UNIT = 1e7
_LOW_BITS = 0x7FFFFFFF

_DELETED = "INSERT INTO feature_words (feature_words, rowid, words) VALUES ('delete', old.id, old.words)"


def _box(number: str, west: str, east: str) -> str:
    """SQL that puts a box of the new feature into the tree, in whole units of 1e-7 degrees and never too small."""
    values = (
        f"{number}, CAST({west} * 1e7 AS INTEGER) - 1, CAST({east} * 1e7 AS INTEGER) + 1, "
        "CAST(new.south * 1e7 AS INTEGER) - 1, CAST(new.north * 1e7 AS INTEGER) + 1, "
        "new.frame_id & 0x7fffffff, new.frame_id & 0x7fffffff"
    )
    return f"INSERT INTO feature_box VALUES ({values})"  # noqa: S608 - of what is written here, never of what is asked


SCHEMA = (
    # The third dimension is the frame: what lies on the same ground on other dates is not even looked at.
    "CREATE VIRTUAL TABLE feature_box USING rtree_i32 (id, west, east, south, north, frame_low, frame_high)",
    "CREATE TRIGGER feature_box_inserted AFTER INSERT ON index_feature WHEN new.west <= new.east BEGIN "
    f"{_box('2 * new.id', 'new.west', 'new.east')}; END",
    # One that crosses the antimeridian has a box on either side of it.
    "CREATE TRIGGER feature_box_divided AFTER INSERT ON index_feature WHEN new.west > new.east BEGIN "
    f"{_box('2 * new.id', 'new.west', '180')}; {_box('2 * new.id + 1', '-180', 'new.east')}; END",
    "CREATE TRIGGER feature_box_deleted AFTER DELETE ON index_feature BEGIN "
    "DELETE FROM feature_box WHERE id IN (2 * old.id, 2 * old.id + 1); END",
    "CREATE VIRTUAL TABLE feature_words USING fts5 (words, content='index_feature', content_rowid='id')",
    "CREATE TRIGGER feature_words_inserted AFTER INSERT ON index_feature WHEN new.words <> '' BEGIN "
    "INSERT INTO feature_words (rowid, words) VALUES (new.id, new.words); END",
    f"CREATE TRIGGER feature_words_deleted AFTER DELETE ON index_feature WHEN old.words <> '' BEGIN {_DELETED}; END",
)
"""What the tables of the models need beside them."""


UNDONE = (
    "DROP TABLE feature_box",
    "DROP TABLE feature_words",
    *(f"DROP TRIGGER feature_{name}" for name in ("box_inserted", "box_divided", "box_deleted")),
    *(f"DROP TRIGGER feature_{name}" for name in ("words_inserted", "words_deleted")),
)
"""The way back."""

_IN_TREE = """
SELECT DISTINCT f.id FROM feature_box AS b CROSS JOIN index_feature AS f ON f.id = b.id / 2
WHERE b.west <= %s AND b.east >= %s AND b.south <= %s AND b.north >= %s AND b.frame_low <= %s AND b.frame_high >= %s AND
"""
"""The tree, and then what it has found: ``CROSS JOIN`` is SQLite's word for "in this order". It finds a few more than
asked for, since its numbers are whole; what comes behind it looks again."""

_BY_TREE = _IN_TREE + MEETS
_IN_ORDER = f"SELECT f.id FROM index_feature AS f INDEXED BY feature_by_frame WHERE {MEETS}"  # noqa: S608

_MATCHING = """
SELECT f.id FROM feature_words CROSS JOIN index_feature AS f ON f.id = feature_words.rowid
WHERE feature_words MATCH %s ORDER BY f.texts = '', feature_words.rank, f.id LIMIT %s
"""


class SqliteRepository:
    """Finds features in SQLite; satisfies `Repository`."""

    def within(self, frame: int, box: Box, *, share: float, after: int, limit: int) -> list[int]:
        """See `Repository`."""
        meets = meeting(frame, box, after, limit)
        with connection.cursor() as cursor:
            if share > WIDE:
                cursor.execute(_IN_ORDER, meets)
            else:
                east, west, north, south = (
                    round(value * _UNIT) for value in (box.east, box.west, box.north, box.south)
                )
                number = frame & _LOW_BITS
                cursor.execute(_BY_TREE, (east + 1, west - 1, north + 1, south - 1, number, number, *meets))
            return [row[0] for row in cursor.fetchall()]

    def matching(self, terms: Sequence[str], limit: int) -> list[int]:
        """See `Repository`."""
        question = " AND ".join(f'"{term}"*' for term in terms)
        with connection.cursor() as cursor:
            cursor.execute(_MATCHING, (question, limit))
            return [row[0] for row in cursor.fetchall()]
