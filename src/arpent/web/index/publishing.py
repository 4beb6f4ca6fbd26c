"""Runs to a PostgreSQL database: to the map's own index, and to pgstac where that is installed there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from arpent.core import Progress
from arpent.store import Run, open_run
from arpent.store.catalog import collection_of
from arpent.web.index.failing import database_told
from arpent.web.index.gathering import Gathered, gather

__all__ = ["Published", "publish_runs"]

_NAMING = 0x73746163  # "stac": the lock of those who name collections in one database


@dataclass(frozen=True)
class Published:
    """What came of publishing some runs.

    Attributes:
        gathered: what the map's index has taken.
        items: products that pgstac has taken; None where it is not installed.
    """

    gathered: Gathered
    items: int | None


def publish_runs(places: Iterable[Path], progress: Progress | None = None) -> Published:
    """Puts run folders, and the finished runs in folders of runs, into the database of the map.

    Raises:
        FileMissing: there is no such folder.
        DeviceMissing: the database cannot be used.
    """
    with database_told():
        gathered = gather(places, progress)
        if not _has_pgstac():
            return Published(gathered, None)
        items = sum(_to_pgstac(open_run(done.path)) for done in gathered.done)
        return Published(gathered, items)


def _has_pgstac() -> bool:
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('pgstac.upsert_items(jsonb)') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def _to_pgstac(run: Run) -> int:
    """A run as a collection with its items and no others, whole or not at all; how many items."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path TO pgstac, public")
        # Two that publish at once would else find the same name free.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_NAMING])
        collection = _named(run, cursor)
        items = list(_documents(collection))
        cursor.execute("SELECT pgstac.upsert_collection(%s::jsonb)", [json.dumps(_own(collection))])
        cursor.execute("SELECT id FROM items WHERE collection = %s", [collection.id])
        gone = {name for (name,) in cursor.fetchall()} - {item["id"] for item in items}
        for name in sorted(gone):
            cursor.execute("SELECT pgstac.delete_item(%s, %s)", [name, collection.id])
        cursor.execute("SELECT pgstac.upsert_items(%s::jsonb)", [json.dumps(items)])
    return len(items)


def _named(run: Run, cursor: Any) -> Any:  # noqa: ANN401 - see below
    """A run as a collection under the name of its folder, or with a mark of its path where another has that name."""
    collection = collection_of(run, run.path.name)
    place = collection.assets["manifest"].href
    marked = f"{collection.id}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
    cursor.execute(
        "SELECT id, content #>> '{assets,manifest,href}' FROM collections WHERE id IN (%s, %s)", [collection.id, marked]
    )
    taken = dict(cursor.fetchall())
    own = [name for name, held in taken.items() if held == place]
    name = own[0] if own else marked if collection.id in taken else collection.id
    return collection if name == collection.id else collection_of(run, name)


def _documents(collection: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - pystac is not loaded with the map
    # pgstac finds items by their ground: those without have no place in it.
    for item in [item for item in collection.get_items() if item.geometry is not None]:
        item.clear_links()
        document = item.to_dict(include_self_link=False, transform_hrefs=False)
        # Who serves them makes the links; an item of a collection is not valid without this one.
        own = {"rel": "collection", "href": collection.id, "type": "application/json"}
        yield document | {"collection": collection.id, "links": [own]}


def _own(collection: Any) -> dict[str, Any]:  # noqa: ANN401 - see above
    collection.clear_links()
    document: dict[str, Any] = collection.to_dict(include_self_link=False, transform_hrefs=False)
    return document
