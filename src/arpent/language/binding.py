"""What one sentence asserts: every number, class, part, direction, crop and date, bound to what it is said of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from arpent.language.asserted import Claim
from arpent.language.axes import Axis, word_table
from arpent.language.numbers_said import numbers_said
from arpent.language.said import Said, Topic
from arpent.language.tokens import Item
from arpent.language.vocabulary import Meaning

__all__ = ["Reader"]

_INVENTED = re.compile(r"[A-Z]{1,5}(?:I|RE|VI|WI)\d?")
_LEVELS = ("none", "very_low", "low", "moderate", "high", "very_high")
_INDEX_WORDS = frozenset(["indice", "index", "l'indice"])


class Reader:
    """Reads the sentences of one text in their order; a sentence that names nothing speaks of the one before."""

    def __init__(self, text: str, axes: Mapping[str, Axis]) -> None:
        self.text = text
        self.axes = axes
        self._carried: Topic | None = None

    def claims(self, items: Sequence[Item]) -> tuple[Claim, ...]:
        """What a sentence asserts, in the order of its words."""
        said = Said([self._noticed(items, place) for place in range(len(items))], self.axes)
        found = list(numbers_said(said, self._carried))
        for place, item in enumerate(said.items):
            found.extend(self._word(said, place, item))
        found.extend(self._alone(said))
        if said.topics:
            self._carried = said.topics[max(said.topics)]
        places = {item.start: place for place, item in enumerate(said.items)}
        dated = [
            replace(claim, when=said.said_on(places[claim.start])) if claim.kind in ("class", "extent") else claim
            for claim in found
        ]
        return tuple(sorted(dated, key=lambda claim: (claim.start, claim.end)))

    def _noticed(self, items: Sequence[Item], place: int) -> Item:
        """A word that looks like the name of an index and is none is taken for one, so that inventing is seen."""
        item = items[place]
        if item.kind != "word" or item.meanings:
            return item
        word = self.text[item.start : item.end]
        after_index = place > 0 and items[place - 1].text in _INDEX_WORDS and word.isupper()
        if _INVENTED.fullmatch(word) or after_index:
            return replace(item, meanings=(Meaning("index", named=word),))
        return item

    def _word(self, said: Said, place: int, item: Item) -> Iterator[Claim]:
        meaning = item.means("level", "class", "direction", "move", "extent", "crop", "unmeasured", "abstention")
        if item.kind == "date":
            yield Claim("other", None, None, None, item.day, item.start, item.end, when=said.day(place))
        if meaning is None:
            yield from self._more(said, place)
        if meaning is None or place in said.bound:
            return
        if meaning.kind == "level":
            yield from self._level(said, place, meaning)
        elif meaning.kind == "class":
            yield from self._class(said, place)
        elif meaning.kind in ("direction", "move") and not _limits(said, place):
            yield self._direction(said, place, meaning)
        elif meaning.kind == "extent":
            yield self._extent(said, place, meaning)
        elif meaning.kind == "crop":
            yield Claim("crop", None, None, None, meaning.named, item.start, item.end, negated=said.negated(place))
        elif meaning.kind in ("unmeasured", "abstention"):
            named = meaning.named or "abstention"
            yield Claim("other", None, None, None, named, item.start, item.end)

    def _more(self, said: Said, place: int) -> Iterator[Claim]:
        """Says that there is more or less of what is named right after."""
        compared = said.items[place].means("more", "less")
        if compared is not None and place + 1 in said.topics:
            said.bound.add(place + 1)
            yield _moving(said, place, said.topics[place + 1], "rise" if compared.kind == "more" else "fall")

    def _level(self, said: Said, place: int, meaning: Meaning) -> Iterator[Claim]:
        item = said.items[place]
        if _is_mean(said, place):
            return
        found = said.topic_for(place)
        topic = said.topics[found] if found is not None else self._carried if _is_pronoun(said) else None
        if topic is None:
            if place and said.items[place - 1].means("copula"):
                yield Claim("other", None, None, None, "quantity", item.start, item.end)
            return
        if found is not None:
            said.bound.add(found)
        level = meaning.named
        if topic.inverse:
            level = _LEVELS[len(_LEVELS) - 1 - _LEVELS.index(level)] if level != "moderate" else level
        compared = _compared(said, place)
        if compared and meaning.named != "moderate":
            upward = (level in ("high", "very_high")) == (compared == "more")
            yield _moving(said, place, topic, "rise" if upward else "fall")
        elif topic.axis is None:
            yield Claim("class", None, topic.index, None, level, item.start, item.end, negated=said.negated(place))
        else:
            named = topic.axis.levels[level]
            yield _classed(item, topic.axis, named, said.negated(place))

    def _class(self, said: Said, place: int) -> Iterator[Claim]:
        item = said.items[place]
        found = said.topic_for(place)
        near = said.topics[found] if found is not None and said.close(found, place) else None
        meanings = [meaning for meaning in item.meanings if meaning.kind == "class" and meaning.axis in self.axes]
        chosen = next((m for m in meanings if m.near and near and near.axis and near.axis.name == m.axis), None)
        chosen = chosen or next((m for m in meanings if not m.near), None)
        if chosen is None or chosen.axis is None:
            return
        axis = self.axes[chosen.axis]
        if found is not None and said.topics[found].axis == axis:
            said.bound.add(found)
        compared = _compared(said, place)
        if compared:
            high = axis.keys.index(chosen.named.split("|")[0]) * 2 >= len(axis.keys) - 1
            topic = Topic(axis, None if axis.share else axis.index_word)
            yield _moving(said, place, topic, "rise" if high == (compared == "more") else "fall")
        else:
            known = "|".join(name for name in chosen.named.split("|") if name in axis.keys)
            if known:
                yield _classed(item, axis, known, said.negated(place))

    def _direction(self, said: Said, place: int, meaning: Meaning) -> Claim:
        axis = self.axes.get(meaning.axis or "")
        if meaning.kind == "move" and axis is not None:
            return _moving(said, place, Topic(axis, axis.index_word), meaning.named)
        after = said.topic_after(place)
        found = said.topic_before(place)
        if after is not None and said.linked(place, after, 3) and said.together(place, after):
            found = after
        elif found is None or not said.together(found, place):
            found = after if after is not None and said.together(place, after) else found
        if found is not None:
            said.bound.add(found)
        return _moving(said, place, said.topics[found] if found is not None else self._carried, meaning.named)

    def _extent(self, said: Said, place: int, meaning: Meaning) -> Claim:
        item = said.items[place]
        cover = said.cover_for(place)
        if cover is None or not said.together(cover, place):
            return Claim("extent", None, None, meaning.value, None, item.start, item.end, step=meaning.width)
        said.bound.add(cover)
        name = said.covers[cover]
        axis = "soil" if name in ("soil", "vegetation") else None
        return Claim("extent", axis, None, meaning.value, name, item.start, item.end, step=meaning.width)

    def _alone(self, said: Said) -> Iterator[Claim]:
        """What the mere mention of a thing claims: bare soil, water stress, an index that does not exist."""
        for place, item in enumerate(said.items):
            if place in said.bound:
                continue
            noun = item.means("noun")
            negated = said.negated(place)
            axis = self.axes.get(noun.axis or "") if noun is not None else None
            if noun is not None and axis is not None:
                alone = "|".join(name for name in (noun.alone or "").split("|") if name in axis.keys)
                if alone:
                    yield _classed(item, axis, alone, negated)
                elif negated and not noun.inverse:
                    yield _classed(item, axis, axis.levels["none"], negated=False)
            elif (index := item.means("index")) is not None and index.named not in word_table("words")["indices"]:
                yield Claim("other", None, index.named, None, "index", item.start, item.end)


def _classed(item: Item, axis: Axis, named: str, negated: bool) -> Claim:
    return Claim("class", axis.name, axis.index_word, None, named, item.start, item.end, negated=negated)


def _moving(said: Said, place: int, topic: Topic | None, named: str) -> Claim:
    item = said.items[place]
    axis = topic.axis.name if topic and topic.axis else None
    if topic and topic.inverse and named in ("rise", "fall"):
        named = "fall" if named == "rise" else "rise"
    return Claim(
        "direction", axis, topic.index if topic else None, None, named, item.start, item.end,
        when=said.moved_by(place), since=said.since(place), negated=said.negated(place),
    )  # fmt: skip


def _limits(said: Said, place: int) -> bool:
    """Whether "higher than" stands before a number, and so is no movement."""
    after = said.items[place + 1 : place + 2]
    return bool(after and after[0].kind == "number" and said.items[place].means("above", "below"))


def _is_mean(said: Said, place: int) -> bool:
    """Whether "moyen" or "average" is said of a number or an index, and so is no class."""
    item = said.items[place]
    if not item.text.startswith(("moyen", "average")):
        return False
    around = [said.items[other] for other in (place - 1, place + 1) if 0 <= other < len(said.items)]
    beyond = said.items[place + 2 : place + 3]
    if beyond and said.items[place + 1].text in ("de", "d", "du", "of", "l"):
        around += beyond
    return any(other.kind == "number" or other.means("index") for other in around)


def _is_pronoun(said: Said) -> bool:
    return any(item.means("pronoun") for item in said.items[:2])


def _compared(said: Said, place: int) -> str | None:
    """Says "more" or "less" where the word before compares; "n'est plus dense" denies instead."""
    if place == 0:
        return None
    found = said.items[place - 1].means("more", "less")
    if found is None:
        return None
    denies = any(item.text in ("n", "ne") for item in said.items[max(0, place - 4) : place - 1])
    return None if denies else found.kind
