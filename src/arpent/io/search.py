"""Items of a STAC catalog by place and time: of files that lie anywhere, or of an API that is asked."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Any

from arpent.core import Bounds, shown_address, write_file, writing
from arpent.errors import FileMissing, InvalidSetting, UnreadableFile
from arpent.io.assets import Item, Listed, checked_item, checked_links, checked_list, is_image
from arpent.io.copies import searches_folder
from arpent.io.documents import beside, document_at, is_web
from arpent.io.kept import keep_documents

__all__ = ["Wanted", "items_as_files", "items_as_one_file", "search_items"]

_MOST = 1000
"""Items of one search; who finds more has asked too little."""

_DOCUMENTS = 20_000
"""Of one catalog; one that is larger is for an API to search, and one may be made to have no end."""

_PAGE = 100
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Wanted:
    """Which items are wanted.

    Attributes:
        bbox: in degrees; left is east of right where it crosses the antimeridian. None: everywhere.
        start: the first moment; None: all that came before `end`.
        end: the last moment; None: all that came after `start`.
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
        """Whether an item is among them; one that names no place or no time is where it is asked for none.

        Raises:
            UnreadableFile: its box is no box.
        """
        return self._fits_place(item) and self._fits_time(_properties(item))

    def question(self) -> dict[str, Any]:
        """The same for an API."""
        asked: dict[str, Any] = {"limit": _PAGE}
        if self.bbox is not None:
            asked["bbox"] = [self.bbox.left, self.bbox.bottom, self.bbox.right, self.bbox.top]
        if self.start is not None or self.end is not None:
            asked["datetime"] = f"{_told(self.start)}/{_told(self.end)}"
        return asked

    def _fits_place(self, item: Item) -> bool:
        if self.bbox is None:
            return True
        box = item.get("bbox")
        if not box:
            return False
        if not isinstance(box, list) or len(box) not in (4, 6) or not all(map(_is_number, box)):
            raise UnreadableFile(
                f"the box of the item {item.get('id')} cannot be used",
                found=str(box)[:80],
                expected="four numbers, or six",
                cure="Correct the item, or leave out --bbox.",
            )
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
        InvalidSetting: too many items, or documents.
        NetworkMissing: an address cannot be reached.
        UnreadableFile: no STAC, or broken.
    """
    found: list[Listed] = []
    for item in _everything(source, wanted):
        if wanted.fits(item.content):
            found.append(item)
        if len(found) > _MOST:
            raise InvalidSetting(
                f"more than {_MOST:,} items of {shown_address(source)} lie in the place and time asked for",
                cure="Narrow --bbox or --datetime.",
            )
    if not found:
        raise FileMissing(
            f"no item of {shown_address(source)} lies in the place and time asked for",
            cure="Widen --bbox or --datetime.",
        )
    return tuple(sorted(found, key=_order))


def _order(item: Listed) -> tuple[datetime, str]:
    return _taken(item) or datetime.min.replace(tzinfo=UTC), str(item.content.get("id", ""))


def _taken(item: Listed) -> datetime | None:
    properties = _properties(item.content)
    return _moment(properties.get("datetime") or properties.get("start_datetime"))


def _properties(item: Item) -> Mapping[str, Any]:
    given = item.get("properties")
    return given if isinstance(given, Mapping) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < math.inf


def _everything(source: str, wanted: Wanted) -> Iterator[Listed]:
    if is_web(source) and source.rstrip("/").endswith("/search"):
        yield from _asked(source, wanted.question())
        return
    document = document_at(source)
    links = _links(document, source)
    address = links.get("search")
    if is_web(source) and address:
        yield from _asked(beside(address[0], source), wanted.question())
    elif is_web(source) and links.get("items") and links.get("root"):
        root = beside(links["root"][0], source)
        search = _links(document_at(root), root).get("search")
        if not search:
            raise UnreadableFile(
                f"{shown_address(root)} cannot be searched",
                cure="Give the address of a STAC API, or of its search.",
            )
        yield from _asked(beside(search[0], root), wanted.question() | {"collections": [str(document.get("id"))]})
    else:
        yield from _walked(document, source)


def _walked(document: object, source: str) -> Iterator[Listed]:
    """The items of a document, and of those that it links to, near ones first."""
    yield from _own_items(document, source)
    seen = {source}
    waiting = deque(_below(document, source, seen))
    while waiting:
        place = waiting.popleft()
        here = document_at(place)
        yield from _own_items(here, place)
        waiting.extend(_below(here, place, seen))
        if len(seen) > _DOCUMENTS:
            raise InvalidSetting(
                f"{shown_address(source)} leads to more than {_DOCUMENTS:,} documents",
                cure="Name a catalog or a collection below it, or the address of a STAC API.",
            )


def _is_list(document: object) -> bool:
    """Whether a document is no item, but may hold some or lead to some."""
    return isinstance(document, dict) and document.get("type") in ("FeatureCollection", "Collection", "Catalog")


def _own_items(document: Any, source: str) -> Iterator[Listed]:  # noqa: ANN401 - whatever the JSON holds
    for item in checked_list(document, "features", source) if _is_list(document) else [document]:
        yield Listed(checked_item(item, source), source)


def _below(document: object, source: str, seen: set[str]) -> list[str]:
    """Where the documents are that this one leads to, but for those that were seen; they are seen from now on."""
    links = _links(document, source) if _is_list(document) else {}
    places = dict.fromkeys(beside(href, source) for href in (*links.get("item", ()), *links.get("child", ())))
    fresh = [place for place in places if place not in seen]
    seen.update(fresh)
    return fresh


def _asked(address: str, question: dict[str, Any]) -> Iterator[Listed]:
    """The items that an API answers with, page after page."""
    place = address
    asked: dict[str, Any] | None = question
    for _ in range(_MOST):
        answer = document_at(place, asked)
        if not isinstance(answer, dict) or answer.get("type") != "FeatureCollection":
            raise UnreadableFile(
                f"{shown_address(place)} does not answer with items", cure="Give the address of a STAC API."
            )
        features = checked_list(answer, "features", place)
        for item in features:
            yield Listed(checked_item(item, place), place)
        following = next((link for link in checked_links(answer, place) if link.get("rel") == "next"), None)
        if following is None or not features:
            return
        place = beside(following["href"], place)
        body = following.get("body")
        body = body if isinstance(body, dict) else {}
        is_posted = str(following.get("method", "GET")).upper() == "POST"
        asked = ({**question, **body} if following.get("merge") else body) if is_posted else None
    raise UnreadableFile(
        f"{shown_address(address)} answers without end",
        found=f"more than {_MOST:,} pages",
        cure="Narrow --bbox or --datetime, or ask another STAC API.",
    )


def _links(document: object, source: str) -> dict[str, list[str]]:
    """The addresses in a document by what they are for."""
    found: dict[str, list[str]] = {}
    for link in checked_links(document, source):
        found.setdefault(str(link.get("rel")), []).append(link["href"])
    return found


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
    """The item with assets that are found from anywhere, but for those that it may not open.

    Raises:
        UnreadableFile: it may open none of its images.
    """
    assets: dict[str, Any] = {}
    refused: UnreadableFile | None = None
    for key, asset in item.content["assets"].items():
        if not isinstance(asset, Mapping) or not isinstance(asset.get("href"), str) or not asset["href"]:
            continue
        try:
            assets[key] = {**asset, "href": beside(asset["href"], item.source)}
        except UnreadableFile as error:  # once written down here, nobody knows any more that it came from elsewhere
            refused = refused or error
    if refused and not any(map(is_image, assets.values())):
        raise refused
    return {**item.content, "assets": assets, "links": []}


def _kept(document: Mapping[str, Any], name: str) -> Path:
    """The document as a file of the cache; the same one for the same document."""
    try:
        text = json.dumps(document, indent=1, sort_keys=True)
    except RecursionError as error:  # what can be read is not always flat enough to be written
        raise UnreadableFile(f"an item of {name} is nested too deeply", cure="Name other items.") from error
    plain = re.sub(r"[^\w.\-]+", "-", name).strip(".-") or "found"
    path = searches_folder() / sha256(text.encode()).hexdigest()[:16] / f"{plain[:120]}.json"
    if not path.is_file():
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text)
    keep_documents({str(path): text})
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
