"""One sentence laid out for reading: its clauses, the things that it names, the days that it speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from arpent.language.axes import Axis
from arpent.language.tokens import Item

__all__ = ["LINKS", "Said", "Topic"]

LINKS = frozenset(
    [
        *("de", "d", "du", "des", "la", "le", "l", "les", "un", "une", "en", "pour", "a", "au", "sous", "soit", "sur"),
        *("par", "surface", "superficie", "parcelle", "couvert", "couverte", "couvertes", "recouverte", "occupe"),
        *("of", "the", "a", "an", "in", "for", "under", "its", "this", "area", "parcel", "field", "covered", "by"),
        "with",
    ]
)
"""Words that may stand between a number and what it is said of."""

_BREAKS = frozenset(",;:()[]–—/|•")
_JOINS = frozenset(["et", "ou", "and", "or"])


@dataclass(frozen=True)
class Topic:
    """Something that quantities are said of.

    Attributes:
        axis: the axis; None for an index that is of no axis.
        index: as texts write it; None for an axis that is a share.
        inverse: much of it is little of the axis.
        by_index: whether the text names the index, not the axis.
    """

    axis: Axis | None
    index: str | None
    inverse: bool = False
    by_index: bool = False


class Said:
    """The items of a sentence with the clause that each is in, and the topics by their places."""

    def __init__(self, items: Sequence[Item], axes: Mapping[str, Axis]) -> None:
        self.items = items
        self.axes = axes
        self.by_index = {axis.index_word: axis for axis in axes.values()}
        self.clauses = self._clauses()
        self.topics = {place: topic for place, item in enumerate(items) if (topic := self._topic(item))}
        self.covers = {
            place: cover
            for place, item in enumerate(items)
            if (cover := next((meaning.cover for meaning in item.meanings if meaning.cover), None))
        }
        self.bound: set[int] = set()
        dates = [place for place, item in enumerate(items) if item.kind == "date"]
        since = [place for place in dates if self._is_since(place)]
        self._date_before, self._date_after = _neighbours(len(items), set(dates) - set(since))
        self._since = frozenset(since)
        self._since_before, self._since_after = _neighbours(len(items), since)
        self._topic_before, self._topic_after = _neighbours(len(items), self.topics)
        self._cover_before, self._cover_after = _neighbours(len(items), self.covers)

    def _clauses(self) -> list[int]:
        number, clauses = 0, []
        for item in self.items:
            breaks = item.text in _BREAKS or (item.means("conjunction") is not None and item.text not in _JOINS)
            number += breaks
            clauses.append(number)
        return clauses

    def _topic(self, item: Item) -> Topic | None:
        for meaning in item.meanings:
            if meaning.kind == "index":
                return Topic(self.by_index.get(meaning.named), meaning.named, by_index=True)
            axis = self.axes.get(meaning.axis or "")
            if meaning.kind == "noun" and axis is not None:
                return Topic(axis, None if axis.share else axis.index_word, inverse=meaning.inverse)
        return None

    def together(self, one: int, other: int) -> bool:
        """Whether two places are in one clause."""
        return self.clauses[one] == self.clauses[other]

    def close(self, one: int, other: int) -> bool:
        """Whether two places are in one clause or in neighbouring ones: "growth: active"."""
        return abs(self.clauses[one] - self.clauses[other]) <= 1

    def linked(self, start: int, end: int, most: int = 4) -> bool:
        """Whether only a few linking words stand between two places."""
        if end - start - 1 > most:
            return False
        between = self.items[start + 1 : end]
        return all(item.text in LINKS or item.means("copula") for item in between)

    def topic_before(self, place: int) -> int | None:
        """The last place before this one where something is named."""
        return self._topic_before[place]

    def topic_after(self, place: int) -> int | None:
        """The next place after this one where something is named."""
        return self._topic_after[place]

    def cover_for(self, place: int) -> int | None:
        """The place of the kind of ground that a share is said of: the one beside it, else the nearest."""
        before, after = self._cover_before[place], self._cover_after[place]
        if after is not None and self.linked(place, after, 2) and self.together(place, after):
            return after
        if before is not None and self.together(before, place):
            return before
        if after is not None and self.together(place, after):
            return after
        return before if before is not None else after

    def topic_for(self, place: int) -> int | None:
        """The place of what a word of quantity is said of: right after it, else before it, else anywhere after."""
        before, after = self.topic_before(place), self.topic_after(place)
        if after is not None and self.together(place, after) and self._leads_to(place, after):
            return after
        return before if before is not None else after

    def _leads_to(self, place: int, after: int) -> bool:
        """Whether nothing but linking words and other quantities ("moderate to high vigour") stands between."""
        return after - place <= 5 and all(
            item.text in LINKS or item.text in ("to", "ou", "or") or item.means("level", "class", "mean")
            for item in self.items[place + 1 : after]
        )

    def negated(self, place: int) -> bool:
        """Whether a word that denies stands shortly before, or around the verb at this place."""
        for item in reversed(self.items[max(0, place - 3) : place]):
            if item.means("negation") or (item.text == "plus" and self._denies_before(place)):
                return True
            if item.kind != "word" or item.means("noun", "index", "level", "class", "direction", "conjunction"):
                break
        after = self.items[place + 1 : place + 2]
        return bool(after and after[0].means("negation") and any(self._says(place - 1, word) for word in ("n", "ne")))

    def _denies_before(self, place: int) -> bool:
        """Whether "n'est plus" stands before: what was is no more."""
        return any(item.text in ("n", "ne") for item in self.items[max(0, place - 4) : place])

    def _says(self, place: int, text: str) -> bool:
        return 0 <= place < len(self.items) and self.items[place].text == text

    def _is_since(self, place: int) -> bool:
        """Whether the date at this place is the one that a change is counted from."""
        before = [item for item in self.items[max(0, place - 2) : place] if item.text not in ("le", "the")]
        return bool(before and before[-1].means("since"))

    def since(self, place: int) -> date | None:
        """The day that a movement is counted from: that of the last such date before it, else of the next."""
        before = self._since_before[place]
        if self.span_end(place) is not None:
            return self.day(self._date_after[place])
        return self.day(before if before is not None else self._since_after[place])

    def day(self, place: int | None) -> date | None:
        """The day of a date; None for one without day, or that no calendar has."""
        if place is None or len(self.items[place].day) != 10:
            return None
        try:
            return date.fromisoformat(self.items[place].day)
        except ValueError:
            return None

    def date_after(self, place: int) -> int | None:
        """The date right after a number or word: "0.42 on 3 March 2021"."""
        for other in range(place + 1, min(place + 6, len(self.items))):
            item = self.items[other]
            if item.kind == "date":
                return None if other in self._since else other
            if item.kind == "number" or item.text in ",;:)" or item.means("conjunction"):
                return None
        return None

    def leading_date(self, place: int) -> int | None:
        """The last date before a place that no change is counted from."""
        return self._date_before[place]

    def said_on(self, place: int) -> date | None:
        """The day that a word or number is said of: that of the date right after it, else of the last before it."""
        following = self.date_after(place)
        return self.day(following if following is not None else self.leading_date(place))

    def moved_by(self, place: int) -> date | None:
        """The day that a movement ends on: that of the next date, else of the last before it.

        In "rose from 0.30 on 15 March to 0.72 on 3 June" it is the second of the next dates.
        """
        following = self._date_after[place]
        second = self.span_end(place)
        return self.day(second or (following if following is not None else self.leading_date(place)))

    def span_end(self, place: int) -> int | None:
        """The second date after a movement that goes from one to the other."""
        first = self._date_after[place]
        second = self._date_after[first] if first is not None else None
        if first is None or second is None or second - first > 8 or self._since_before[place] is not None:
            return None
        return second if any(item.text in ("a", "to", "au") for item in self.items[first + 1 : second]) else None


def _neighbours(length: int, places: Iterable[int]) -> tuple[list[int | None], list[int | None]]:
    """For each place the last of `places` before it, and the next after it."""
    marked = set(places)
    before: list[int | None] = []
    last: int | None = None
    for place in range(length):
        before.append(last)
        last = place if place in marked else last
    after: list[int | None] = []
    last = None
    for place in reversed(range(length)):
        after.append(last)
        last = place if place in marked else last
    return before, after[::-1]
