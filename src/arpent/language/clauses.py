"""Templates filled with words and numbers that know what they claim, and laid out as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random

from arpent.core import Language
from arpent.language.asserted import Claim, Sentence
from arpent.language.axes import Axis
from arpent.language.quantities import day, number, percent

__all__ = [
    "Clause",
    "Slot",
    "change_slot",
    "chosen",
    "class_slot",
    "count_slot",
    "counted_from",
    "crop_slot",
    "day_slot",
    "filled",
    "index_slots",
    "laid_out",
    "moved",
    "said_on",
    "share_slot",
    "value_slot",
]

_SLOT = re.compile(r"\{(\w+)\}")
_PIECE = re.compile(r"\{(?P<slot>\w+)\}|\[(?P<marked>[^\]]+)\]")


@dataclass(frozen=True)
class Slot:
    """What fills a slot: words, and what they claim at places counted from their beginning."""

    words: str
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Clause:
    """A piece of a sentence with its claims."""

    text: str
    claims: tuple[Claim, ...] = ()

    def then(self, other: Clause) -> Clause:
        """This and the other, side by side."""
        return Clause(self.text + other.text, (*self.claims, *moved(other.claims, len(self.text))))


def value_slot(axis: Axis, value: float, language: Language) -> Slot:
    """The mean of the axis's index with two decimals."""
    words = number(value, language, 2)
    stated = float(f"{value:.2f}")
    return Slot(words, (Claim("value", axis.name, axis.index_word, stated, None, 0, len(words), step=0.01),))


def change_slot(axis: Axis, change: float, language: Language) -> Slot:
    """By how much the mean of the axis's index has moved; the words leave the sign to the verb."""
    words = number(abs(change), language, 2)
    return Slot(words, (Claim("value", axis.name, axis.index_word, change, "change", 0, len(words), step=0.01),))


def share_slot(name: str, share: float, language: Language) -> Slot:
    """A share of the ground in whole percent."""
    words = percent(share, language, 0)
    stated = float(f"{share * 100:.0f}") / 100
    axis = "soil" if name in ("soil", "vegetation") else None
    return Slot(words, (Claim("extent", axis, None, stated, name, 0, len(words), step=0.01),))


def class_slot(axis: Axis, key: str, words: str) -> Slot:
    """A word that stands for a class."""
    return Slot(words, (Claim("class", axis.name, axis.index_word, None, key, 0, len(words)),))


def day_slot(when: date, language: Language) -> Slot:
    """A date in words."""
    words = day(when, language)
    return Slot(words, (Claim("other", None, None, None, when.isoformat(), 0, len(words), when=when),))


def count_slot(count: int, language: Language) -> Slot:
    """A number of dates."""
    words = number(count, language, 0)
    return Slot(words, (Claim("value", None, None, float(count), "dates", 0, len(words), step=1.0),))


def crop_slot(crop: str, name: str, language: Language) -> Slot:
    """The name of a crop, in French with the word that goes before it."""
    name = name.strip().casefold()
    if language == "fr":
        name = name.replace("'", "’")
    prefix = "" if language == "en" else "d’" if name[0] in "aeiouyhéèêœ" else "de "
    return Slot(prefix + name, (Claim("crop", None, None, None, crop, len(prefix), len(prefix) + len(name)),))


def index_slots(axis: Axis, language: Language) -> dict[str, Slot]:
    """The name of the axis's index: alone and with its article."""
    word = axis.index_word
    if language == "fr":
        names = {"the": f"l’{word}" if word[0] in "AEIO" else f"le {word}"}
    else:
        names = {"the": f"the {word}", "an": f"an {word}" if word[0] in "AEIMN" else f"a {word}"}
    return {"index": Slot(word)} | {name: Slot(words) for name, words in names.items()}


def chosen(
    entries: Sequence[str], slots: Mapping[str, Slot], chance: Random, marked: Claim | None = None
) -> Clause | None:
    """One of the templates that ask for nothing that is not there, filled; None if there is none."""
    fitting = [entry for entry in entries if set(_SLOT.findall(entry)) <= set(slots)]
    return filled(chance.choice(fitting), slots, marked) if fitting else None


def filled(template: str, slots: Mapping[str, Slot], marked: Claim | None = None) -> Clause:
    """A template with its slots filled; what it has in brackets is what `marked` claims."""
    clause, place = Clause(""), 0
    for match in _PIECE.finditer(template):
        clause = clause.then(Clause(template[place : match.start()]))
        if match["slot"]:
            clause = clause.then(Clause(slots[match["slot"]].words, slots[match["slot"]].claims))
        else:
            claims = (replace(marked, start=0, end=len(match["marked"])),) if marked else ()
            clause = clause.then(Clause(match["marked"], claims))
        place = match.end()
    return clause.then(Clause(template[place:]))


def said_on(clause: Clause, when: date | None) -> Clause:
    """The clause with all that it states of a day said of this one."""
    dated = ("value", "class", "extent", "direction")
    said = [replace(claim, when=when) if claim.kind in dated else claim for claim in clause.claims]
    return replace(clause, claims=tuple(said))


def counted_from(clause: Clause, since: date | None) -> Clause:
    """The clause with its movement counted from a date."""
    moving = [
        replace(claim, since=since) if claim.kind == "direction" or claim.named in ("change", "before") else claim
        for claim in clause.claims
    ]
    return replace(clause, claims=tuple(moving))


def laid_out(clauses: Iterable[Clause | None]) -> tuple[Sentence, ...]:
    """Clauses as sentences, with capital and stop, at their places in the whole text."""
    sentences: list[Sentence] = []
    start = 0
    for clause in clauses:
        if clause is None:
            continue
        words = clause.text[0].upper() + clause.text[1:] + "."
        claims = tuple(sorted(moved(clause.claims, start), key=lambda claim: claim.start))
        sentences.append(Sentence(words, start, start + len(words), claims))
        start += len(words) + 1
    return tuple(sentences)


def moved(claims: Iterable[Claim], places: int) -> tuple[Claim, ...]:
    """The claims of a text that begins so many places later."""
    return tuple(replace(claim, start=claim.start + places, end=claim.end + places) for claim in claims)
