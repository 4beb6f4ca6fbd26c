"""Places and words in PostgreSQL with PostGIS: columns that the database makes from those of the models."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from arpent.web.index.boxes import Box
from arpent.web.index.in_order import MEETS, WIDE, meeting

__all__ = ["SCHEMA", "UNDONE", "PostgisRepository"]

SCHEMA = (
    "CREATE EXTENSION IF NOT EXISTS postgis",
    "ALTER TABLE index_feature ADD COLUMN shape geometry(Geometry, 4326) "
    "GENERATED ALWAYS AS (ST_GeomFromWKB(wkb, 4326)) STORED",
    "CREATE INDEX feature_by_shape ON index_feature USING gist (shape)",
    "ALTER TABLE index_feature ADD COLUMN wanted tsvector GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED",
    "CREATE INDEX feature_by_words ON index_feature USING gin (wanted)",
)
"""What the tables of the models need beside them."""

UNDONE = ("ALTER TABLE index_feature DROP COLUMN shape", "ALTER TABLE index_feature DROP COLUMN wanted")
"""The way back."""

_BY_TREE = f"""
SELECT f.id FROM index_feature AS f WHERE f.shape && ST_MakeEnvelope(%s, %s, %s, %s, 4326) AND {MEETS}
"""  # noqa: S608 - made of what is written here
"""An outline on both sides of the antimeridian has a box around the globe; what comes behind it looks again."""

_IN_ORDER = f"SELECT f.id FROM index_feature AS f WHERE {MEETS}"  # noqa: S608 - the same

_MATCHING = """
SELECT f.id FROM index_feature AS f, to_tsquery('simple', %s) AS question
WHERE f.wanted @@ question ORDER BY f.texts = '', ts_rank(f.wanted, question) DESC, f.id LIMIT %s
"""


class PostgisRepository:
    """Finds features in PostGIS; satisfies `Repository`."""

    def within(self, frame: int, box: Box, *, share: float, after: int, limit: int) -> list[int]:
        """See `Repository`."""
        meets = meeting(frame, box, after, limit)
        with connection.cursor() as cursor:
            if share > WIDE:
                cursor.execute(_IN_ORDER, meets)
            else:
                cursor.execute(_BY_TREE, (box.west, box.south, box.east, box.north, *meets))
            return [row[0] for row in cursor.fetchall()]

    def matching(self, terms: Sequence[str], limit: int) -> list[int]:
        """See `Repository`."""
        question = " & ".join(f"{term}:*" for term in terms)
        with connection.cursor() as cursor:
            cursor.execute(_MATCHING, (question, limit))
            return [row[0] for row in cursor.fetchall()]
