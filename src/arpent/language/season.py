"""The season of a parcel in sentences: dated values, directions and turning points, all measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from random import Random

from arpent.core import Language
from arpent.language.asserted import Claim, Sentence
from arpent.language.axes import STEADY, Axis, axes_of, word_table
from arpent.language.checking import abstains, direction_of
from arpent.language.clauses import (
    Clause,
    Slot,
    chosen,
    count_slot,
    counted_from,
    crop_slot,
    day_slot,
    index_slots,
    laid_out,
    moved,
    said_on,
    value_slot,
)
from arpent.language.grammar import compose
from arpent.language.measured import Measured
from arpent.language.vocabulary import crop_name, known_crop

__all__ = ["Moment", "compose_season", "turning_points"]

MOST_LEGS = 4
"""A season is told in so many stretches at most; where it wavers more, small turns are passed over."""


@dataclass(frozen=True)
class Moment:
    """A date and what an index was on it, with two decimals."""

    when: date
    value: float


def turning_points(moments: Sequence[Moment], least: float = 2 * STEADY) -> list[Moment]:
    """The first date, those on which the index turns, and the last.

    Args:
        moments: in order of time.
        least: the index turns where it has moved by so much each way; raised until at most `MOST_LEGS` legs remain.
    """
    while len(turns := _turns(moments, least)) > MOST_LEGS + 1:
        least *= 1.25
    return turns


def _turns(moments: Sequence[Moment], least: float) -> list[Moment]:
    turns = [moments[0]]
    extreme = lowest = highest = moments[0]
    upward = 0
    for moment in moments[1:]:
        step = round(moment.value - extreme.value, 2)
        if upward == 0:
            lowest = min(lowest, moment, key=lambda one: one.value)
            highest = max(highest, moment, key=lambda one: one.value)
            start = lowest if moment is highest else highest
            if round(highest.value - lowest.value, 2) >= least:
                upward, extreme = (1 if moment is highest else -1), moment
                if abs(round(start.value - moments[0].value, 2)) >= STEADY:
                    turns.append(start)
        elif step * upward >= 0:
            extreme = moment
        elif abs(step) >= least:
            turns.append(extreme)
            extreme, upward = moment, -upward
    if upward and extreme is not turns[-1] and abs(round(moments[-1].value - extreme.value, 2)) >= STEADY:
        turns.append(extreme)
    if moments[-1] is not turns[-1]:
        turns.append(moments[-1])
    return turns


def compose_season(series: Sequence[Measured], language: Language, seed: int = 0) -> tuple[Sentence, ...]:
    """Tells the season of one parcel; each claim holds by ``check(…, series[-1], before=series[:-1])``.

    Dates on which too little was seen are passed over. With fewer than two others the parcel is described on the last
    date instead.

    Args:
        series: the parcel on its dates, in order of time.
        language: of the sentences.
        seed: chooses the words; the same seed gives the same text.
    """
    axis = axes_of()["vigour"]
    seen = [one for one in series if one.taken is not None and axis.index in one.indices and not abstains(one)]
    moments = [Moment(one.taken, round(one.indices[axis.index], 2)) for one in seen if one.taken is not None]
    if len({moment.when for moment in moments}) < 2 or len(moments) != len({one.taken for one in seen}):
        return compose(series[-1], language, seed=seed, before=series[:-1])
    return _Teller(axis, language, seed).season(series, seen, moments)


class _Teller:
    def __init__(self, axis: Axis, language: Language, seed: int) -> None:
        self.axis = axis
        self.language: Language = language
        self.seed = seed
        self.chance = Random(seed)  # noqa: S311 - chooses words
        self.table = word_table("grammar")["season"]

    def season(
        self, series: Sequence[Measured], seen: Sequence[Measured], moments: Sequence[Moment]
    ) -> tuple[Sentence, ...]:
        turns = turning_points(moments)
        clauses = [self._crop(series[-1].crop), self._span(len(series), moments)]
        clauses += [self._leg(self.axis, first, last) for first, last in pairwise(turns)]
        clauses += [self._extreme("peak", max(moments, key=lambda moment: moment.value))]
        if len(moments) > 2:
            clauses += [self._extreme("trough", min(moments, key=lambda moment: moment.value))]
        moisture = axes_of()["moisture"]
        wet = [one for one in seen if moisture.index in one.indices and one.taken is not None]
        if len(wet) > 1:
            ends = [Moment(one.taken, round(one.indices[moisture.index], 2)) for one in (wet[0], wet[-1]) if one.taken]
            clauses += [self._leg(moisture, ends[0], ends[1])]
        sentences = laid_out(clauses)
        return (*sentences, *self._today(series[-1], after=sentences[-1].end + 1))

    def _today(self, last: Measured, after: int) -> tuple[Sentence, ...]:
        """The last date, axis by axis, or that too little was seen on it."""
        found = compose(last, self.language, seed=self.seed)
        return tuple(Sentence(one.text, one.start + after, one.end + after, moved(one.claims, after)) for one in found)

    def _crop(self, crop: str | None) -> Clause | None:
        """What grows there, where somebody knows and both languages have a word for it."""
        known = known_crop(crop or "")
        if known is None:
            return None
        name = crop_name(crop or "", self.language)
        return chosen(self.table["crop"][self.language], {"crop": crop_slot(known, name, self.language)}, self.chance)

    def _span(self, count: int, moments: Sequence[Moment]) -> Clause | None:
        slots = self._days(moments[0].when, moments[-1].when) | {"count": count_slot(count, self.language)}
        return chosen(self.table["span"][self.language], slots, self.chance)

    def _leg(self, axis: Axis, first: Moment, last: Moment) -> Clause | None:
        direction = direction_of(round(last.value - first.value, 2))
        then = value_slot(axis, first.value, self.language)
        before = replace(then, claims=tuple(replace(claim, named="before") for claim in then.claims))
        slots = {
            **self._days(first.when, last.when),
            **index_slots(axis, self.language),
            "then": before,
            "value": value_slot(axis, last.value, self.language),
        }
        claim = Claim("direction", axis.name, axis.index_word, None, direction, 0, 0)
        clause = chosen(self.table[direction][self.language], slots, self.chance, claim)
        return counted_from(said_on(clause, last.when), first.when) if clause else None

    def _extreme(self, kind: str, moment: Moment) -> Clause | None:
        slots: Mapping[str, Slot] = {
            "day": day_slot(moment.when, self.language),
            **index_slots(self.axis, self.language),
            "value": value_slot(self.axis, moment.value, self.language),
        }
        claim = Claim("direction", self.axis.name, self.axis.index_word, None, kind, 0, 0)
        clause = chosen(self.table[kind][self.language], slots, self.chance, claim)
        return said_on(clause, moment.when) if clause else None

    def _days(self, since: date, until: date) -> dict[str, Slot]:
        return {"since": day_slot(since, self.language), "day": day_slot(until, self.language)}
