"""The bands of a STAC item: which asset holds which, under which names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from arpent.core import Sensor, sensor, shown_address
from arpent.errors import BandMismatch, UnreadableFile
from arpent.io.bands import Layer, is_quality, named_by
from arpent.io.documents import beside, document_at, web_parts
from arpent.io.gdal import address_of

__all__ = [
    "Listed",
    "asset_layers",
    "checked_item",
    "checked_links",
    "checked_list",
    "is_image",
    "is_item",
    "load_items",
]

_IMAGES = ("image/tiff", "image/jp2", "image/vnd.stac.geotiff", "image/x.geotiff")
_PICTURES = frozenset({"thumbnail", "overview", "visual", "metadata"})
_CONSTELLATIONS = {"sentinel-2": "sentinel-2-l2a", "sentinel-1": "sentinel-1", "landsat-8": "landsat-8-9"}
_CONSTELLATIONS |= {"landsat-9": "landsat-8-9"}

Item = Mapping[str, Any]


def is_item(source: str) -> bool:
    """Whether a source is named like a STAC item."""
    path = web_parts(source).path if "://" in source else source
    return path.lower().endswith((".json", ".geojson"))


@dataclass(frozen=True)
class Listed:
    """An item and where it was found.

    Attributes:
        content: the item.
        source: its path or address, which those of its assets may be relative to.
    """

    content: Item
    source: str

    @property
    def name(self) -> str:
        """What errors call it."""
        return _name(self.content, self.source)


def load_items(source: str) -> tuple[Listed, ...]:
    """The item at a path or an address, or all those of a collection or an item collection.

    Raises:
        FileMissing: nothing there.
        NetworkMissing: the address cannot be reached.
        UnreadableFile: no STAC item, or none in the list.
    """
    document = document_at(source)
    kind = document.get("type") if isinstance(document, dict) else type(document).__name__
    found: tuple[Listed, ...] = ()
    if kind == "FeatureCollection":
        found = tuple(Listed(checked_item(item, source), source) for item in checked_list(document, "features", source))
    elif kind in ("Collection", "Catalog"):
        links = checked_links(document, source)
        places = [beside(link["href"], source) for link in links if link.get("rel") == "item"]
        found = tuple(Listed(checked_item(document_at(place), place), place) for place in places)
    else:
        return (Listed(checked_item(document, source), source),)
    if not found:
        raise UnreadableFile(
            f"{shown_address(source)} lists no item",
            found=kind,
            cure="Name an item, or a collection that has some.",
        )
    return found


def checked_item(item: object, source: str) -> Item:
    """What should be an item, if it is one.

    Raises:
        UnreadableFile: it is not.
    """
    if not isinstance(item, dict) or item.get("type") != "Feature" or not isinstance(item.get("assets"), dict):
        raise UnreadableFile(
            f"{shown_address(source)} is not a STAC item",
            found=str(item.get("type")) if isinstance(item, dict) else type(item).__name__,
            expected="a GeoJSON Feature with assets, or a collection of them",
            cure="Give an item, a collection with links to its items, or an item collection.",
        )
    return item


def checked_list(document: Mapping[str, Any], key: str, source: str) -> list[Any]:
    """What a document lists under a name; nothing where it has none such.

    Raises:
        UnreadableFile: what it has there is no list.
    """
    listed = document.get(key)
    if listed is not None and not isinstance(listed, list):
        raise UnreadableFile(
            f"'{key}' in {shown_address(source)} is not a list",
            found=type(listed).__name__,
            expected="a STAC item, collection or catalog",
            cure="Correct the document, or name another.",
        )
    return listed or []


def checked_links(document: object, source: str) -> list[Mapping[str, Any]]:
    """The links of a document that lead somewhere.

    Raises:
        UnreadableFile: it keeps them in no list.
    """
    listed = checked_list(document, "links", source) if isinstance(document, dict) else []
    return [
        link for link in listed if isinstance(link, dict) and isinstance(link.get("href"), str) and link.get("href")
    ]


def asset_layers(item: Item, source: str, declared: Sensor | None) -> tuple[Layer, ...]:
    """Every band of an item's image assets; those that are spectral bands of the instrument are the default.

    Raises:
        BandMismatch: no asset is an image that can be read.
        UnreadableFile: none of its images may be opened by who lists them.
    """
    known = declared or _instrument(item)
    ranked: dict[str, tuple[tuple[bool, float], Layer]] = {}
    refused: UnreadableFile | None = None
    for key, asset in item["assets"].items():
        if not is_image(asset):
            continue
        rank = _rank_of_asset(asset)
        try:
            offered = _layers_of(key, asset, source, known)
        except UnreadableFile as error:
            refused = refused or error  # the same band may be offered at another place
            continue
        for layer in offered:
            name = layer.name.casefold()
            if name not in ranked or rank < ranked[name][0]:
                ranked[name] = (rank, layer)
    layers = [layer for _, layer in ranked.values()]
    if not layers and refused:
        raise refused
    if not layers:
        raise BandMismatch(
            f"the STAC item {_name(item, source)} has no image asset",
            found=f"assets {', '.join(item['assets']) or 'none'}",
            cure="Name an image instead.",
        )
    if not any(layer.default for layer in layers):
        layers = [replace(layer, default=not layer.quality) for layer in layers]
    if known is None:
        return tuple(layers)
    return tuple(sorted(layers, key=lambda layer: _place(layer, known)))


def _name(item: Item, source: str) -> str:
    identifier = item.get("id")
    return identifier if isinstance(identifier, str) and identifier else shown_address(source)


def _instrument(item: Item) -> Sensor | None:
    given = item.get("properties")
    properties = given if isinstance(given, Mapping) else {}
    for key in ("constellation", "platform"):
        name = str(properties.get(key, "")).lower()
        if name in _CONSTELLATIONS:
            return sensor(_CONSTELLATIONS[name])
    return None


def is_image(asset: object) -> bool:
    """Whether an asset of an item is an image of the ground, and not a picture of one."""
    if not isinstance(asset, Mapping) or not isinstance(asset.get("href"), str):
        return False
    if _PICTURES & {str(role) for role in _listed(asset.get("roles"))}:
        return False
    kind = str(asset.get("type", ""))
    path = re.split("[?#]", asset["href"])[0].lower()
    return kind.startswith(_IMAGES) or (not kind and path.endswith((".tif", ".tiff", ".jp2", ".vrt")))


def _listed(value: object) -> list[Any]:
    """What should be a list; none of it where it is something else."""
    return value if isinstance(value, list) else []


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _rank_of_asset(asset: Mapping[str, Any]) -> tuple[bool, float]:
    """Some catalogs offer a band several times: a GeoTIFF reads faster than a JPEG 2000, then finer comes first."""
    gsd = asset.get("gsd")
    return "jp2" in str(asset.get("type", "")), float(gsd) if isinstance(gsd, int | float) else 0.0


def _layers_of(key: str, asset: Mapping[str, Any], source: str, known: Sensor | None) -> list[Layer]:
    listed = _listed(asset.get("bands")) or _listed(asset.get("eo:bands"))
    bands = [band for band in listed if isinstance(band, Mapping)] or [{}]
    address = address_of(beside(str(asset["href"]), source))
    layers = []
    for index, band in enumerate(bands, start=1):
        common = _word(band.get("eo:common_name")) or _word(band.get("common_name"))
        name = _word(band.get("name")) or common or (key if len(bands) == 1 else f"{key}_{index}")
        words = [common, *named_by(known, name), *(named_by(known, common) if common else ())]
        if len(bands) == 1:
            words.append(key)
        aliases = tuple(dict.fromkeys(word for word in words if word and word.casefold() != name.casefold()))
        spectral = bool(common or named_by(known, name) or band.get("eo:center_wavelength"))
        quality = is_quality(name) or is_quality(key)
        layers.append(Layer(address, index, name, aliases, default=spectral and not quality))
    return layers


def _place(layer: Layer, known: Sensor) -> int:
    """Where the sensor has the band; after all of its bands when it has none such."""
    for place, band in enumerate(known.bands):
        if layer.answers_to(band.name):
            return place
    return len(known.bands)
