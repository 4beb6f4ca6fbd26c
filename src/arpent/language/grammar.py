"""Sentences about land, each bound to the measurements that it states.

A template of ``tables/grammar.toml`` is chosen with a seed and filled with the words of the measured classes and with
numbers; every word and number that asserts something comes with its claim. Nothing is written that was not measured.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from arpent.core import Language
from arpent.language.asserted import Claim, Sentence
from arpent.language.axes import AXES, Axis, Profile, axes_of, word_table
from arpent.language.checking import abstains, direction_of
from arpent.language.measured import Measured
from arpent.language.quantities import day, number, percent
from arpent.language.vocabulary import known_crop

__all__ = ["abstains", "compose", "templates", "text"]

_SLOT = re.compile(r"\{(\w+)\}")
_WORDS = frozenset("mfcl")


@dataclass(frozen=True)
class Slot:
    """What fills a slot: the words, and what they claim; the claim's places are counted from the words' beginning."""

    words: str
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Clause:
    """A piece of a sentence with its claims."""

    text: str
    claims: tuple[Claim, ...] = ()

    def then(self, other: Clause) -> Clause:
        """This and the other, side by side."""
        return Clause(self.text + other.text, (*self.claims, *_moved(other.claims, len(self.text))))


def text(sentences: Iterable[Sentence]) -> str:
    """The whole text of sentences."""
    return " ".join(sentence.text for sentence in sentences)


def templates(language: Language) -> int:
    """How many templates the grammar has in a language."""
    table = word_table("grammar")

    def count(node: object) -> int:
        if isinstance(node, list):
            return len(node)
        return (
            sum(count(child) for key, child in node.items() if key not in _other(language))
            if isinstance(node, dict)
            else 0
        )

    return sum(count(part) for name, part in table.items() if name != "words")


def _other(language: Language) -> tuple[str, ...]:
    return ("en",) if language == "fr" else ("fr",)


def compose(
    measured: Measured,
    language: Language,
    *,
    seed: int = 0,
    axes: Sequence[str] = AXES,
    before: Sequence[Measured] = (),
    profile: Profile = "arpent",
) -> tuple[Sentence, ...]:
    """Describes a parcel on one date.

    Args:
        measured: the parcel.
        language: of the sentences.
        seed: chooses templates and their order; the same seed gives the same text.
        axes: to speak of, in the order of their importance.
        before: the parcel on earlier dates, in order; with them growth is told by its direction.
        profile: whose axes and thresholds.
    """
    return _Composer(measured, language, random.Random(f"{seed}"), profile, before).sentences(axes)


class _Composer:
    def __init__(
        self,
        measured: Measured,
        language: Language,
        chance: random.Random,
        profile: Profile,
        before: Sequence[Measured],
    ) -> None:
        self.measured = measured
        self.language: Language = language
        self.chance = chance
        self.axes = axes_of(profile)
        self.before = before
        self.table = word_table("grammar")

    def sentences(self, names: Sequence[str]) -> tuple[Sentence, ...]:
        if abstains(self.measured):
            return laid_out([self._abstention()])
        clauses = [clause for name in self._ordered(names) if (clause := self._axis(self.axes[name]))]
        if not clauses:
            return laid_out([self._filled(self.table["abstention"]["nothing"][self.language], {})])
        opening = self._opening()
        if self.before and (change := self._change()):
            clauses.append(change)
        return laid_out(self._joined(clauses, opening))

    def _ordered(self, names: Sequence[str]) -> list[str]:
        """The first axis stays first three times out of four; the others come in any order."""
        order = [name for name in names if name in self.axes]
        if self.chance.random() < 0.75:
            rest = order[1:]
            self.chance.shuffle(rest)
            return order[:1] + rest
        self.chance.shuffle(order)
        return order

    def _joined(self, clauses: list[Clause], opening: Clause | None) -> list[Clause]:
        """Clauses as sentences of one or two, with a connective here and there."""
        sentences: list[Clause] = []
        while clauses:
            clause = clauses.pop(0)
            if opening is not None:
                clause, opening = opening.then(clause), None
            elif sentences and self.chance.random() < 0.25:
                clause = self._led(clause, last=not clauses)
            if clauses and self.chance.random() < 0.35 and ":" not in clause.text + clauses[0].text:
                clause = clause.then(Clause(self.chance.choice(self.table["joining"][self.language])))
                clause = clause.then(clauses.pop(0))
            sentences.append(clause)
        return sentences

    def _led(self, clause: Clause, *, last: bool) -> Clause:
        words = [entry.split("|") for entry in self.table["leading"][self.language]]
        fitting = [entry[0] for entry in words if len(entry) == 1 or last]
        return Clause(self.chance.choice(fitting)).then(clause)

    def _abstention(self) -> Clause:
        cloudy = self.measured.cloud is not None and self.measured.cloud > 0.6
        name = "cloud" if cloudy else "valid"
        share = (self.measured.cloud if cloudy else self.measured.valid) or 0.0
        slots = {name: self._share(name, share, None)}
        return self._filled(self.table["abstention"][name][self.language], slots)

    def _opening(self) -> Clause | None:
        if self.chance.random() < 0.5:
            return None
        slots: dict[str, Slot] = {}
        if self.measured.taken is not None:
            slots["day"] = self._day(self.measured.taken)
        crop = known_crop(self.measured.crop or "", self.language)
        if crop is not None and self.measured.crop is not None:
            slots["crop"] = self._crop(crop)
        return self._filled(self.table["opening"][self.language], slots)

    def _crop(self, crop: str) -> Slot:
        name = (self.measured.crop or "").strip().casefold()
        prefix = ("d'" if name[0] in "aeiouyhéèêœ" else "de ") if self.language == "fr" else ""
        return Slot(prefix + name, (Claim("crop", None, None, None, crop, len(prefix), len(prefix) + len(name)),))

    def _axis(self, axis: Axis) -> Clause | None:
        """The clause of an axis, or None where nothing of it was measured."""
        value = self.measured.indices.get(axis.index)
        deciding = axis.deciding(self.measured)
        slots = self._index_slots(axis, value)
        kinds = [axis.name]
        if axis.share and deciding is not None:
            slots["share"] = self._share(axis.share, deciding, "soil")
        for share in ("vegetation", "water"):
            if share in self.measured.shares:
                slots[share] = self._share(
                    share, self.measured.shares[share], "soil" if share == "vegetation" else None
                )
        if deciding is None:
            return self._filled(self.table["number"][self.language], slots) if "value" in slots else None
        if axis.name == "vigour" and self.chance.random() < 0.25:
            kinds = ["vegetation"]
        key = axis.class_of(deciding)
        for form, words in self.table["words"][kinds[0]][self.language].items():
            slots[form] = self._class(axis, key, self.chance.choice(words[key]))
        entries = self.table["axis"][kinds[0]][self.language]
        fitting = [entry.split("|")[0] for entry in entries if "|" not in entry or entry.endswith(f"|{key}")]
        return self._filled(fitting, slots) or self._filled(self.table["share"][self.language], slots)

    def _class(self, axis: Axis, key: str, words: str) -> Slot:
        return Slot(words, (Claim("class", axis.name, axis.index_word, None, key, 0, len(words)),))

    def _index_slots(self, axis: Axis, value: float | None) -> dict[str, Slot]:
        if value is None:
            return {}
        word = axis.index_word
        if self.language == "fr":
            vowel = word[0] in "AEIO"
            names = {"the": f"l'{word}" if vowel else f"le {word}", "of": f"d'{word}" if vowel else f"de {word}"}
        else:
            names = {"the": f"the {word}", "an": f"an {word}" if word[0] in "AEIMN" else f"a {word}"}
        slots = {name: Slot(words) for name, words in names.items()}
        return slots | {"index": Slot(word), "value": self._value(axis, value)}

    def _value(self, axis: Axis, value: float, named: str | None = None, **dates: date | None) -> Slot:
        words = number(value, self.language, 2)
        stated = float(f"{value:.2f}")
        claim = Claim("value", axis.name, axis.index_word, stated, named, 0, len(words), step=0.01, **dates)
        return Slot(words, (claim,))

    def _share(self, name: str, share: float, axis: str | None) -> Slot:
        words = percent(share, self.language, 0)
        stated = float(f"{share * 100:.0f}") / 100
        return Slot(words, (Claim("extent", axis, None, stated, name, 0, len(words), step=0.01),))

    def _day(self, when: date) -> Slot:
        words = day(when, self.language)
        return Slot(words, (Claim("other", None, None, None, when.isoformat(), 0, len(words), when=when),))

    def _change(self) -> Clause | None:
        """What the index of vigour has done since the date before."""
        return None

    def _filled(self, entries: Sequence[str], slots: Mapping[str, Slot]) -> Clause | None:
        """One of the templates that ask for nothing that is not there; None if there is none."""
        fitting = [entry for entry in entries if set(_SLOT.findall(entry)) <= set(slots)]
        return filled(self.chance.choice(fitting), slots) if fitting else None


def filled(template: str, slots: Mapping[str, Slot]) -> Clause:
    """A template with its slots filled."""
    clause, place = Clause(""), 0
    for match in _SLOT.finditer(template):
        slot = slots[match[1]]
        clause = clause.then(Clause(template[place : match.start()])).then(Clause(slot.words, slot.claims))
        place = match.end()
    return clause.then(Clause(template[place:]))


def laid_out(clauses: Iterable[Clause | None]) -> tuple[Sentence, ...]:
    """Clauses as sentences, with capital and stop, at their places in the whole text."""
    sentences: list[Sentence] = []
    start = 0
    for clause in clauses:
        if clause is None:
            continue
        words = clause.text[0].upper() + clause.text[1:] + "."
        claims = tuple(sorted(_moved(clause.claims, start), key=lambda claim: claim.start))
        sentences.append(Sentence(words, start, start + len(words), claims))
        start += len(words) + 1
    return tuple(sentences)


def _moved(claims: Iterable[Claim], places: int) -> tuple[Claim, ...]:
    return tuple(replace(claim, start=claim.start + places, end=claim.end + places) for claim in claims)
