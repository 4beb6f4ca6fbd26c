"""The numbers of a sentence: of which index, which share of the ground, which day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from arpent.language.asserted import Claim
from arpent.language.said import LINKS, Said, Topic
from arpent.language.tokens import Item

__all__ = ["numbers_said"]

_AREAS = {"m2": 1.0, "ha": 1e4, "hectare": 1e4, "hectares": 1e4, "km2": 1e6}
_COUNTED = {"jour": "days", "jours": "days", "day": "days", "days": "days", "date": "dates", "dates": "dates"}
_SIGNS = frozenset("°#º")
_TO = frozenset(["a", "to"])
_FROM = frozenset(["de", "from"])
_BY = frozenset(["de", "by", "of", "d"])


def numbers_said(said: Said, carried: Topic | None) -> Iterator[Claim]:
    """A claim for every number that is no identifier and no date.

    Args:
        said: the sentence.
        carried: what the sentence before spoke of last, for one that names nothing.
    """
    for claim, place in _read(said, carried):
        yield replace(claim, bound=_bound(said, place))


def _bound(said: Said, place: int) -> str | None:
    """Whether the number only limits what is said: "more than 90%"."""
    for item in reversed(said.items[max(0, place - 2) : place]):
        found = item.means("above", "below")
        if found is not None:
            return found.kind
        if item.text not in LINKS:
            return None
    return None


def _read(said: Said, carried: Topic | None) -> Iterator[tuple[Claim, int]]:
    plain: list[int] = []
    for place, item in enumerate(said.items):
        if item.kind != "number" or _identifies(said, place):
            continue
        unit = said.items[place + 1] if place + 1 < len(said.items) else None
        unit_text = _folded_unit(unit)
        if item.percent:
            yield _share(said, place), place
        elif unit_text in _AREAS:
            yield _measure(item, "area", _AREAS[unit_text]), place
        elif unit_text in _COUNTED:
            yield _measure(item, _COUNTED[unit_text]), place
        else:
            plain.append(place)
    for place, topic in _assigned(said, plain):
        yield _value(said, place, topic or (carried if not said.topics else None)), place


def _folded_unit(item: Item | None) -> str:
    return item.text.replace("²", "2") if item is not None and item.kind == "word" else ""


def _identifies(said: Said, place: int) -> bool:
    """Whether a number only names something: "parcel 12", "parcelle n° 12"."""
    before = place - 1
    if before >= 0 and said.items[before].text in _SIGNS:
        before -= 1
    item = said.items[place]
    return before >= 0 and item.step == 1 and not item.percent and said.items[before].means("identity") is not None


def _measure(item: Item, named: str, factor: float = 1.0) -> Claim:
    """A number of no index: an area, or how many days or dates."""
    value = (item.value or 0.0) * factor
    return Claim("value", None, None, value, named, item.start, item.end, step=item.step * factor)


def _share(said: Said, place: int) -> Claim:
    """A percentage: of a kind of ground, else of an index in its clause, else of nothing."""
    item = said.items[place]
    cover = said.cover_for(place)
    if cover is not None:
        said.bound.add(cover)
        name = said.covers[cover]
        axis = "soil" if name in ("soil", "vegetation") else None
        return Claim("extent", axis, None, item.value, name, item.start, item.end, step=item.step)
    for topic in (said.topic_before(place), said.topic_after(place)):
        if topic is not None and said.together(topic, place) and said.topics[topic].by_index:
            return _value(said, place, said.topics[topic])
    return Claim("other", None, None, item.value, "number", item.start, item.end, step=item.step)


def _assigned(said: Said, plain: list[int]) -> Iterator[tuple[int, Topic | None]]:
    """The topic of each plain number: indices in a row go to numbers in a row; else the one before, else after."""
    numbers = set(plain)
    row: list[int] = []
    named: set[str | None] = set()
    last: int | None = None
    taken: set[int] = set()
    waiting: list[int] = []
    for place in sorted(numbers | set(said.topics)):
        if place not in numbers:
            topic = said.topics[place]
            if topic.by_index and place not in taken and topic.index not in named:
                row.append(place)
                named.add(topic.index)
            continue
        if not waiting and len(row) > 1 and _in_a_row(said, place, numbers, len(row)):
            waiting = row
        if waiting:
            chosen: int | None = waiting.pop(0)
        else:
            chosen = _nearest(said, place, row, last)
        if chosen is not None:
            taken.add(chosen)
            said.bound.add(chosen)
            last = chosen
        row, named = [], set()
        yield place, said.topics[chosen] if chosen is not None else None


def _in_a_row(said: Said, place: int, numbers: set[int], count: int) -> bool:
    """Whether as many numbers follow as indices were named, with no name between them."""
    found = 0
    for other in range(place, len(said.items)):
        if other in said.topics or found == count:
            break
        found += other in numbers
    return found == count


def _nearest(said: Said, place: int, row: list[int], last: int | None) -> int | None:
    before, after = said.topic_before(place), said.topic_after(place)
    linked = after is not None and said.topics[after].by_index and said.linked(place, after, 3)
    beside = before is not None and said.together(before, place) and (before != last or not linked)
    if before is not None and beside and (said.topics[before].by_index or not (row and said.together(row[-1], place))):
        return before
    if linked and not row:
        return after
    if row:
        return row[-1]
    if before is not None and (last is None or before > last):
        return before
    return last if last is not None else after


def _value(said: Said, place: int, topic: Topic | None) -> Claim:
    item = said.items[place]
    negative = place > 0 and said.items[place - 1].means("minus") is not None and (item.value or 0) > 0
    if topic is None:
        return Claim("other", None, None, item.value, "number", item.start, item.end, step=item.step)
    if topic.index is None:  # a share, written as a number from 0 to 1
        share = "vegetation" if topic.inverse else "soil"
        return Claim("extent", "soil", None, item.value, share, item.start, item.end, step=item.step)
    axis = topic.axis.name if topic.axis else None
    role = _role(said, place)
    if role.named == "change":
        change = abs(item.value or 0.0) * role.sign
        return Claim(
            "value", axis, topic.index, change, "change", item.start, item.end,
            step=item.step, when=said.said_on(place), since=said.since(place),
        )  # fmt: skip
    named = role.named if said.date_after(place) is None else None
    value = -(item.value or 0.0) if negative else item.value
    return Claim(
        "value", axis, topic.index, value, named, item.start, item.end,
        step=item.step, when=said.said_on(place), since=said.since(place) if named else None,
    )  # fmt: skip


@dataclass(frozen=True)
class _Role:
    """What a number is to its index: its value (None), that of an earlier date, or a change with its sign."""

    named: str | None = None
    sign: int = 1


def _role(said: Said, place: int) -> _Role:
    items = said.items
    before = items[max(0, place - 3) : place]
    for item in reversed(before):
        if item.means("before"):
            return _Role("before")
        if item.kind != "word" or item.text not in LINKS:
            break
    preposition = before[-1].text if before else ""
    goes_on = _goes_on(said, place)
    direction = _direction_before(said, place)
    if preposition in _FROM and goes_on and direction is not None:
        return _Role("before")
    signed = items[place].text[:1] == "+"
    if direction in ("rise", "fall") and not goes_on and (preposition in _BY or signed):
        return _Role("change", -1 if direction == "fall" else 1)
    return _Role()


def _goes_on(said: Said, place: int) -> bool:
    """Whether "to" and another number follow."""
    for other in range(place + 1, min(place + 8, len(said.items) - 1)):
        item = said.items[other]
        if item.text in _TO and said.items[other + 1].kind == "number":
            return True
        if item.kind == "number" or item.text in ",;:":
            return False
    return False


def _direction_before(said: Said, place: int) -> str | None:
    """The direction said since the last name or number before a place; "reach" for "goes from … to …"."""
    for other in range(place - 1, max(-1, place - 12), -1):
        item = said.items[other]
        if item.kind == "number" or item.means("index") or (item.text in ",;:" and other != place - 2):
            return None
        meaning = item.means("direction", "move")
        if meaning is not None:
            return meaning.named
        if item.means("reach"):
            return "reach"
    return None
