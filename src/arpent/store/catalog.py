"""Runs as a static STAC catalog: files that any STAC tool reads, with links that hold wherever the folder is moved."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from arpent.core import object_address, write_file, writing
from arpent.core.small_files import read_small
from arpent.errors import InvalidSetting, RunDamaged, UnreadableFile
from arpent.store.manifest import MANIFEST, Product
from arpent.store.reading import Run, runs_under

if TYPE_CHECKING:
    import pystac

__all__ = ["CatalogMade", "collection_of", "make_catalog"]

_WORLD = [-180.0, -90.0, 180.0, 90.0]
_MOST_ITEM = 16 << 20


@dataclass(frozen=True)
class CatalogMade:
    """A catalog that has been written.

    Attributes:
        place: of its ``catalog.json``: a path or an address.
        runs: how many it lists.
        items: how many products with a place and a time.
        damaged: runs that it leaves out, each with the reason.
    """

    place: str
    runs: int
    items: int
    damaged: tuple[str, ...] = ()


def make_catalog(root: str | Path, output: str | Path | None = None) -> CatalogMade:
    """Writes the catalog of all finished runs in a folder, on this machine or in an object store.

    Every run becomes a collection, every product with a STAC item an item of it; other products are assets of the
    collection. The runs themselves are left as they are. The catalog's own file is written last.

    Args:
        root: folder that holds the runs, or its address.
        output: folder of the catalog, or its address; ``catalog`` in `root` if not given.

    Raises:
        FileMissing: there is no such folder.
        InvalidSetting: no run in it is finished.
        NetworkMissing: an object store cannot be reached, or refuses.
    """
    import pystac

    home = _place(output) if output is not None else f"{_place(root)}/catalog"
    entries = runs_under(root)
    found = [entry for entry in entries if entry.run is not None]
    if not found:
        raise InvalidSetting(f"no run in {root} is finished", cure="Give the folder that holds the runs.")
    catalog = pystac.Catalog("arpent", "Runs of Arpent: maps, forecasts, tables and texts.", title="Arpent")
    damaged = [f"{entry.title}: {entry.problem}" for entry in entries if entry.state == "damaged"]
    items = 0
    for entry in found:
        assert entry.run is not None  # chosen above
        try:
            collection = collection_of(entry.run, entry.title)
        except (RunDamaged, UnreadableFile) as problem:
            damaged.append(f"{entry.title}: {problem}")
            continue
        catalog.add_child(collection)
        items += sum(1 for _ in collection.get_items())
    documents = _documents(catalog, home)
    for place, document in sorted(documents.items(), key=lambda pair: pair[0] == f"{home}/catalog.json"):
        _write(place, document)
    return CatalogMade(f"{home}/catalog.json", len(list(catalog.get_children())), items, tuple(damaged))


def collection_of(run: Run, name: str) -> pystac.Collection:
    """A run as a STAC collection with its items; files by whole paths or addresses.

    Args:
        run: finished.
        name: of the collection, unique among those that it will stand with.
    """
    import pystac

    from arpent.io.media import media_type

    manifest = run.manifest
    items = [_item(run, product, name) for product in manifest.products if product.stac is not None]
    boxes = [list(item.bbox) for item in items if item.bbox is not None]
    collection = pystac.Collection(
        id=name,
        description=f"{manifest.task} '{manifest.name}', made by Arpent on {manifest.finished:%Y-%m-%d}.",
        title=manifest.name,
        license="other",
        keywords=["arpent", manifest.task],
        extent=pystac.Extent(
            pystac.SpatialExtent([_around(boxes), *(boxes if len(boxes) > 1 else [])]),
            pystac.TemporalExtent([_span(items, manifest.created)]),
        ),
        extra_fields={"arpent:task": manifest.task, "arpent:status": manifest.status},
    )
    base = _place(run.place)
    collection.add_asset(
        "manifest", pystac.Asset(f"{base}/{MANIFEST}", roles=["metadata"], media_type=media_type(MANIFEST))
    )
    for product in manifest.products:
        if product.stac is None:
            roles = ["overview"] if product.kind == "picture" else ["data"]
            collection.add_asset(
                product.name, pystac.Asset(f"{base}/{product.file}", media_type=media_type(product.file), roles=roles)
            )
    collection.add_items(items)
    return collection


def _item(run: Run, product: Product, collection: str) -> pystac.Item:
    """The item of a product, which says where it lies in whole."""
    import pystac

    assert product.stac is not None  # the caller has looked
    path = run.locate(product.stac)
    document = _read(path)
    try:
        item = pystac.Item.from_dict(document)
    except (pystac.STACError, KeyError, TypeError, ValueError) as problem:
        raise UnreadableFile(f"{path} is not a STAC item", found=problem, cure="Make the run again.") from problem
    item.id = f"{collection}-{product.name}"
    item.clear_links()
    beside = PurePosixPath(product.stac.file).parent
    for asset in item.assets.values():
        if "://" not in asset.href and not asset.href.startswith("/"):
            asset.href = f"{_place(run.place)}/{beside / asset.href}"
    return item


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_small(path, "STAC item", most=_MOST_ITEM))
    except (ValueError, RecursionError) as problem:
        raise UnreadableFile(f"{path} is not JSON", found=problem, cure="Make the run again.") from problem
    if not isinstance(document, dict):
        raise UnreadableFile(f"{path} is not a STAC item", cure="Make the run again.")
    return document


def _around(boxes: Iterable[list[float]]) -> list[float]:
    """One box around all; the world where nothing is known."""
    kept = list(boxes)
    if not kept:
        return _WORLD
    west, south, east, north = zip(*kept, strict=True)
    if any(left > right for left, right in zip(west, east, strict=True)):  # one of them crosses the antimeridian
        return [-180.0, min(south), 180.0, max(north)]
    return [min(west), min(south), max(east), max(north)]


def _span(items: Iterable[pystac.Item], otherwise: datetime) -> list[datetime | None]:
    moments = [
        moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        for item in items
        for moment in (
            item.datetime,
            item.common_metadata.start_datetime,
            item.common_metadata.end_datetime,
        )
        if moment is not None
    ]
    return [min(moments, default=otherwise), max(moments, default=otherwise)]


def _documents(catalog: pystac.Catalog, home: str) -> dict[str, Mapping[str, Any]]:
    """Every file of the catalog, by its place."""
    import pystac

    catalog.normalize_hrefs(home, skip_unresolved=False)
    catalog.make_all_asset_hrefs_relative()
    catalog.catalog_type = pystac.CatalogType.SELF_CONTAINED
    found: dict[str, Mapping[str, Any]] = {}
    for child in catalog.get_children():
        assert isinstance(child, pystac.Collection)  # all that was added
        child.catalog_type = pystac.CatalogType.SELF_CONTAINED
        found[child.self_href] = child.to_dict(include_self_link=False)
        for item in child.get_items():
            found[item.self_href] = item.to_dict(include_self_link=False)
    found[catalog.self_href] = catalog.to_dict(include_self_link=False)
    return found


def _place(place: str | Path) -> str:
    return object_address(place) or Path(place).absolute().as_posix()


def _write(place: str, document: Mapping[str, Any]) -> None:
    text = f"{json.dumps(document, indent=2, ensure_ascii=False)}\n"
    if object_address(place):
        from arpent.io.objects import put_text

        put_text(text, place)
        return
    path = Path(place)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, text)
