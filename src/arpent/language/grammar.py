"""Sentences about land, each bound to the measurements that it states.

Templates of ``tables/grammar.toml`` are chosen with a seed and filled with the words of the measured classes and with
numbers; every word and number that asserts something comes with its claim. Nothing is written that was not measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from random import Random

from arpent.core import Language
from arpent.language.asserted import Claim, Sentence
from arpent.language.axes import ABSTENTION, AXES, LAKE, Axis, Profile, axes_of, word_table
from arpent.language.checking import abstains, direction_of
from arpent.language.clauses import (
    Clause,
    Slot,
    change_slot,
    chosen,
    class_slot,
    counted_from,
    crop_slot,
    day_slot,
    index_slots,
    laid_out,
    said_on,
    share_slot,
    value_slot,
)
from arpent.language.measured import Measured
from arpent.language.vocabulary import crop_name, fold, known_crop

__all__ = ["abstains", "compose", "templates", "text"]

_FIRST = 0.75
"""How often the axis that matters most is spoken of first."""
_OPENED = 0.5
_JOINED = 0.35
_LED = 0.25
_WET = 0.05
"""Open water is spoken of from this share of the ground on."""
_WORTH_NAMING = 0.01
_NUMBER_FIRST = re.compile(r"(?!\{(?:share|water)\})(?:(?!\{[mfcl]\}).)*\{(?:value|share|water)\}")
"""A template that says what it speaks of, then a number, then the word of its class."""
_GREEN = 0.25
"""How often the vegetation is called dense or sparse where its vigour could be called high or low."""


def text(sentences: Iterable[Sentence]) -> str:
    """The whole text of sentences."""
    return " ".join(sentence.text for sentence in sentences)


def templates(language: Language) -> int:
    """How many templates the grammar has in a language."""
    other = "en" if language == "fr" else "fr"

    def count(node: object) -> int:
        if isinstance(node, dict):
            return sum(count(child) for key, child in node.items() if key not in (other, "words"))
        return len(node) if isinstance(node, list) else 0

    return count(word_table("grammar"))


def compose(
    measured: Measured,
    language: Language,
    *,
    seed: int = 0,
    axes: Sequence[str] = AXES,
    before: Sequence[Measured] = (),
    profile: Profile = "arpent",
    number_first: bool = False,
    water: bool = True,
) -> tuple[Sentence, ...]:
    """Describes a parcel on one date.

    Where too little of it is seen the text says so instead.

    Args:
        measured: the parcel.
        language: of the sentences.
        seed: chooses templates and their order; the same seed gives the same text.
        axes: to speak of, in the order of their importance.
        before: the parcel on earlier dates, in order; with them the text tells how the vegetation has moved.
        profile: whose axes and thresholds.
        number_first: state each number before the word of the class that follows from it, and after the words that say
            what it is; how things are worded then hangs on the seed alone, never on what was measured.
        water: speak of open water too, where there is some.
    """
    composer = _Composer(measured, language, seed, profile, number_first=number_first)
    return composer.sentences(axes, before, water=water)


class _Composer:
    def __init__(
        self, measured: Measured, language: Language, seed: int, profile: Profile, *, number_first: bool
    ) -> None:
        self.measured = measured
        self.language: Language = language
        self.seed = seed
        self.chance = Random(seed)  # noqa: S311 - chooses words
        self.profile: Profile = profile
        self.axes = axes_of(profile)
        self.number_first = number_first
        self.table = word_table("grammar")

    def sentences(self, names: Sequence[str], before: Sequence[Measured], *, water: bool) -> tuple[Sentence, ...]:
        if abstains(self.measured, self.profile):
            return laid_out([self._abstention()])
        clauses = [clause for name in self._ordered(names) if (clause := self._axis(self.axes[name]))]
        share = self.measured.shares.get("water", 0.0)
        if water and share >= _WET and (wet := self._water(share)):
            clauses.insert(0 if share > LAKE else len(clauses), wet)
        if change := self._change(before):
            clauses.append(change)
        return laid_out(self._joined(clauses, self._opening()))

    def _chance(self, topic: str) -> Random:
        """What chooses the words of a topic: the same for all of a text, or its own, which no other topic moves on."""
        return Random(f"{self.seed} {topic}") if self.number_first else self.chance  # noqa: S311 - chooses words

    def _fitting(self, entries: Sequence[str]) -> Sequence[str]:
        """The templates with the number first, where that is asked for and there are such."""
        return [entry for entry in entries if not self.number_first or _NUMBER_FIRST.match(entry)] or entries

    def _ordered(self, names: Sequence[str]) -> list[str]:
        order, chance = [name for name in names if name in self.axes], self._chance("order")
        kept = 1 if chance.random() < _FIRST else 0
        rest = order[kept:]
        chance.shuffle(rest)
        return order[:kept] + rest

    def _joined(self, clauses: list[Clause], opening: Clause | None) -> list[Clause]:
        """Clauses as sentences of one or two, with a connective here and there."""
        sentences: list[Clause] = []
        leading, chance = list(self.table["leading"][self.language]), self._chance("joints")
        chance.shuffle(leading)
        while clauses:
            clause = clauses.pop(0)
            today = None
            if opening is not None:
                today = next((claim.when for claim in opening.claims if claim.when), None)
                clause, opening = opening.then(clause), None
            elif sentences and chance.random() < _LED:
                words = self.table["closing"][self.language] if not clauses else leading
                clause = Clause(words.pop() if words is leading else words[0]).then(clause) if words else clause
            if clauses and chance.random() < _JOINED and ":" not in clause.text + clauses[0].text:
                clause = clause.then(self._joint(clause.text, clauses[0].text, chance)).then(clauses.pop(0))
            sentences.append(said_on(clause, today) if today else clause)
        return sentences

    def _joint(self, one: str, other: str, chance: Random) -> Clause:
        """What stands between two clauses; not a second "and", and "qu’" before a vowel."""
        clauses = one + other
        joining = self.table["joining"][self.language]
        fitting = [words for words in joining if words.strip(" ,") not in clauses.split() or words.strip() == ";"]
        words = chance.choice(fitting)
        return Clause(
            f"{words.removesuffix('e ')}’" if words.endswith(" que ") and fold(other)[0] in "aeiouy" else words
        )

    def _abstention(self) -> Clause | None:
        cloud = self.measured.cloud
        if cloud is not None and cloud > ABSTENTION.cloud:
            return self._marked("cloud", {"cloud": share_slot("cloud", cloud, self.language)})
        if self.measured.valid >= ABSTENTION.valid:
            return self._marked("nothing", {})
        return self._marked("valid", {"valid": share_slot("valid", self.measured.valid, self.language)})

    def _marked(self, reason: str, slots: dict[str, Slot]) -> Clause | None:
        claim = Claim("other", None, None, None, "abstention", 0, 0)
        return chosen(self.table["abstention"][reason][self.language], slots, self.chance, claim)

    def _opening(self) -> Clause | None:
        chance = self._chance("opening")
        if chance.random() >= _OPENED:
            return None
        slots: dict[str, Slot] = {}
        if self.measured.taken is not None:
            slots["day"] = day_slot(self.measured.taken, self.language)
        crop = known_crop(self.measured.crop or "")
        if crop is not None and self.measured.crop is not None:
            slots["crop"] = crop_slot(crop, crop_name(self.measured.crop, self.language), self.language)
        return chosen(self.table["opening"][self.language], slots, chance)

    def _axis(self, axis: Axis) -> Clause | None:
        """The clause of an axis, or None where nothing of it was measured."""
        slots = self._measured_slots(axis)
        deciding = axis.deciding(self.measured)
        if deciding is None:
            return chosen(self.table["number"][self.language], slots, self._chance(f"number {axis.name}"))
        green = axis.name == "vigour" and self.chance.random() < _GREEN and not self.number_first
        spoken = "vegetation" if green else axis.name
        key = axis.class_of(deciding)
        for form, words in self.table["words"][spoken][self.language].items():
            slots[form] = class_slot(axis, key, self._chance(f"{axis.name} {form}").choice(words[key]))
        entries = self.table["axis"][spoken]
        fitting = entries[self.language]
        if "share" in slots and deciding >= _WORTH_NAMING and not self.number_first:  # "only 0%" is said by nobody
            fitting = fitting + entries.get(key, {}).get(self.language, [])
        if not axis.share:
            fitting = entries.get("index", entries)[self.language]
        return chosen(self._fitting(fitting), slots, self._chance(axis.name))

    def _measured_slots(self, axis: Axis) -> dict[str, Slot]:
        """The slots for what was measured of an axis."""
        slots: dict[str, Slot] = {}
        value = self.measured.indices.get(axis.index)
        if value is not None:
            slots |= index_slots(axis, self.language) | {"value": value_slot(axis, value, self.language)}
        for slot, share in (("share", axis.share), ("vegetation", "vegetation"), ("water", "water")):
            if axis.share and share is not None and share in self.measured.shares:
                slots[slot] = share_slot(share, self.measured.shares[share], self.language)
        return slots

    def _water(self, share: float) -> Clause | None:
        slots = {"water": share_slot("water", share, self.language)}
        return chosen(self._fitting(self.table["water"][self.language]), slots, self._chance("water"))

    def _change(self, before: Sequence[Measured]) -> Clause | None:
        """What the index of vigour has done since the last date on which the parcel was seen."""
        axis = self.axes["vigour"]
        today = self.measured.taken
        seen = [one for one in before if one.taken not in (None, today) and not abstains(one, self.profile)]
        if not seen or not (axis.index in self.measured.indices and axis.index in seen[-1].indices):
            return None
        then, since = seen[-1].indices[axis.index], seen[-1].taken
        change = round(round(self.measured.indices[axis.index], 2) - round(then, 2), 2)
        direction = direction_of(change)
        slots = index_slots(axis, self.language)
        slots["change"] = change_slot(axis, change, self.language)
        if since is not None:
            slots["since"] = day_slot(since, self.language)
        claim = Claim("direction", axis.name, axis.index_word, None, direction, 0, 0)
        clause = chosen(self.table["change"][direction][self.language], slots, self.chance, claim)
        return counted_from(clause, since) if clause else None
