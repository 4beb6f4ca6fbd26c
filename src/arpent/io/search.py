"""Items of a STAC catalog by place and time: of files that lie anywhere, or of an API that is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Any

from arpent.core import Bounds, write_file, writing
from arpent.errors import FileMissing, InvalidSetting, UnreadableFile
from arpent.io.assets import Item, Listed, checked_item
from arpent.io.copies import cache_folder
from arpent.io.documents import beside, document_at, is_web

__all__ = ["Wanted", "items_as_files", "items_as_one_file", "search_items"]

_MOST = 1000
"""Items of one search; who finds more has asked too little."""

_PAGE = 100
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Wanted:
    """Which items are wanted.

    Attributes:
        bbox: in degrees; left is east of right where it crosses the antimeridian. None: everywhere.
        start: the first moment; None: from ever.
        end: the last moment; None: for ever.
    """

    bbox: Bounds | None = None
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def of(cls, bbox: str | None, when: str | None) -> Wanted:
        """As people write it: ``3.0,43.3,3.1,43.4`` and ``2024-06-01/2024-06-30``, with ``..`` for an open end.

        Raises:
            InvalidSetting: it says no place, or no time.
        """
        start, end = _interval(when) if when else (None, None)
        return cls(_bounds(bbox) if bbox else None, start, end)

    def fits(self, item: Item) -> bool:
        """Whether an item is among them; one that names no place or no time is where it is asked for none."""
        return self._fits_place(item.get("bbox")) and self._fits_time(item.get("properties") or {})

    def question(self) -> dict[str, Any]:
        """The same for an API."""
        asked: dict[str, Any] = {"limit": _PAGE}
        if self.bbox is not None:
            asked["bbox"] = [self.bbox.left, self.bbox.bottom, self.bbox.right, self.bbox.top]
        if self.start is not None or self.end is not None:
            asked["datetime"] = f"{_told(self.start)}/{_told(self.end)}"
        return asked

    def _fits_place(self, box: object) -> bool:
        if self.bbox is None:
            return True
        if not isinstance(box, Sequence) or len(box) not in (4, 6):
            return False
        west, south, east, north = box[0], box[1], box[len(box) // 2], box[len(box) // 2 + 1]
        if south > self.bbox.top or north < self.bbox.bottom:
            return False
        return any(
            left <= there[1] and right >= there[0]
            for left, right in _spans(self.bbox.left, self.bbox.right)
            for there in _spans(west, east)
        )

    def _fits_time(self, properties: Mapping[str, Any]) -> bool:
        if self.start is None and self.end is None:
            return True
        first = _moment(properties.get("datetime") or properties.get("start_datetime"))
        last = _moment(properties.get("datetime") or properties.get("end_datetime")) or first
        if first is None or last is None:
            return False
        return (self.end is None or first <= self.end) and (self.start is None or last >= self.start)


def search_items(source: str, wanted: Wanted) -> tuple[Listed, ...]:
    """The items of a catalog that are wanted, the earliest first.

    Args:
        source: an item, an item collection, a catalog or collection whose links are followed, as file or address; or
            the address of a STAC API, of one of its collections, or of its search.
        wanted: where and when.

    Raises:
        FileMissing: nothing there, or nothing that is wanted.
        InvalidSetting: too many items.
        NetworkMissing: an address cannot be reached.
        UnreadableFile: no STAC.
    """
    found: list[Listed] = []
    for item in _everything(source, wanted):
        if wanted.fits(item.content):
            found.append(item)
        if len(found) > _MOST:
            raise InvalidSetting(
                f"more than {_MOST:,} items of {source} are wanted", cure="Narrow --bbox or --datetime."
            )
    if not found:
        raise FileMissing(f"no item of {source} is wanted", cure="Widen --bbox or --datetime.")
    return tuple(sorted(found, key=_order))


def _order(item: Listed) -> tuple[datetime, str]:
    return _taken(item) or datetime.min.replace(tzinfo=UTC), str(item.content.get("id", ""))


def _taken(item: Listed) -> datetime | None:
    properties = item.content.get("properties") or {}
    return _moment(properties.get("datetime") or properties.get("start_datetime"))


def _everything(source: str, wanted: Wanted) -> Iterator[Listed]:
    if is_web(source) and source.rstrip("/").endswith("/search"):
        yield from _asked(source, wanted.question())
        return
    document = document_at(source)
    links = _links(document)
    address = links.get("search")
    if is_web(source) and address:
        yield from _asked(beside(address[0], source), wanted.question())
    elif is_web(source) and links.get("items") and links.get("root"):
        root = beside(links["root"][0], source)
        search = _links(document_at(root)).get("search")
        if not search:
            raise UnreadableFile(f"{root} cannot be searched", cure="Give the address of a STAC API, or of its search.")
        yield from _asked(beside(search[0], root), wanted.question() | {"collections": [str(document["id"])]})
    else:
        yield from _walked(document, source, {source})


def _walked(document: object, source: str, seen: set[str]) -> Iterator[Listed]:
    """The items of a document, and of those that it links to."""
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(document, dict) or kind not in ("FeatureCollection", "Collection", "Catalog"):
        yield Listed(checked_item(document, source), source)
        return
    for item in document.get("features") or ():
        yield Listed(checked_item(item, source), source)
    links = _links(document)
    for href in (*links.get("item", ()), *links.get("child", ())):
        place = beside(href, source)
        if place not in seen:
            seen.add(place)
            yield from _walked(document_at(place), place, seen)


def _asked(address: str, question: dict[str, Any]) -> Iterator[Listed]:
    """The items that an API answers with, page after page."""
    place = address
    asked: dict[str, Any] | None = question
    for _ in range(_MOST):
        answer = document_at(place, asked)
        if not isinstance(answer, dict) or answer.get("type") != "FeatureCollection":
            raise UnreadableFile(f"{place} does not answer with items", cure="Give the address of a STAC API.")
        features = answer.get("features") or ()
        for item in features:
            yield Listed(checked_item(item, place), place)
        following = next((link for link in _all_links(answer) if link.get("rel") == "next"), None)
        if following is None or not features:
            return
        place = beside(str(following["href"]), place)
        body = following.get("body")
        body = body if isinstance(body, dict) else {}
        is_posted = str(following.get("method", "GET")).upper() == "POST"
        asked = ({**question, **body} if following.get("merge") else body) if is_posted else None


def _links(document: object) -> dict[str, list[str]]:
    """The addresses in a document by what they are for."""
    found: dict[str, list[str]] = {}
    for link in _all_links(document):
        found.setdefault(str(link.get("rel")), []).append(str(link["href"]))
    return found


def _all_links(document: object) -> list[Mapping[str, Any]]:
    listed = document.get("links") if isinstance(document, dict) else None
    return [link for link in listed or () if isinstance(link, dict) and link.get("href")]


def items_as_one_file(items: Sequence[Listed], name: str) -> Path:
    """A file that `open_image` reads as one image, whose items lie side by side."""
    whole = [_absolute(item) for item in items]
    return _kept(whole[0] if len(whole) == 1 else {"type": "FeatureCollection", "features": whole}, name)


def items_as_files(items: Sequence[Listed]) -> list[Path]:
    """A file for each item, named for it and its day."""
    files = []
    for item in items:
        taken = _taken(item)
        name = str(item.content.get("id") or "item")
        files.append(_kept(_absolute(item), f"{name}_{taken:%Y-%m-%d}" if taken else name))
    return files


def _absolute(item: Listed) -> dict[str, Any]:
    """The item with assets that are found from anywhere."""
    assets = {
        key: {**asset, "href": beside(str(asset["href"]), item.source)}
        for key, asset in item.content["assets"].items()
        if isinstance(asset, Mapping) and asset.get("href")
    }
    return {**item.content, "assets": assets, "links": []}


def _kept(document: Mapping[str, Any], name: str) -> Path:
    """The document as a file of the cache; the same one for the same document."""
    text = json.dumps(document, indent=1, sort_keys=True)
    plain = re.sub(r"[^\w.\-]+", "-", name).strip(".-") or "found"
    path = cache_folder() / "searches" / sha256(text.encode()).hexdigest()[:16] / f"{plain[:120]}.json"
    if not path.is_file():
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text)
    return path


def _bounds(text: str) -> Bounds:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise _no_place(text) from None
    sound = -180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90
    if not sound:
        raise _no_place(text)
    return Bounds(west, south, east, north)


def _no_place(text: str) -> InvalidSetting:
    return InvalidSetting(
        "--bbox names no place",
        found=text,
        expected="WEST,SOUTH,EAST,NORTH in degrees",
        cure="Say --bbox 3.0,43.3,3.1,43.4, for example.",
    )


def _spans(west: float, east: float) -> list[tuple[float, float]]:
    return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]


def _interval(text: str) -> tuple[datetime | None, datetime | None]:
    first, slash, last = text.partition("/")
    start, end = _end_of(first, time.min), _end_of(last if slash else first, time.max)
    if (start is None and first not in ("", "..")) or (end is None and slash and last not in ("", "..")):
        raise _no_time(text)
    if (start is None and end is None) or (start is not None and end is not None and start > end):
        raise _no_time(text)
    return start, end


def _no_time(text: str) -> InvalidSetting:
    return InvalidSetting(
        "--datetime names no time",
        found=text,
        expected="a day, or two with a slash between them",
        cure="Say --datetime 2024-06-01/2024-06-30, or 2024-06-01/.. for all since.",
    )


def _end_of(text: str, edge: time) -> datetime | None:
    """The moment that is written; of a day its first or its last."""
    moment = _moment(text.strip())
    return datetime.combine(moment.date(), edge, UTC) if moment and _DAY.fullmatch(text.strip()) else moment


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the first hours of the year 1, seen from the east, lie before all years
        return None


def _told(moment: datetime | None) -> str:
    return ".." if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
