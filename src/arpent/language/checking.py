"""Whether the measurements support what a text asserts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from arpent.language.asserted import Claim, Finding, Sentence
from arpent.language.axes import ABSTENTION, STEADY, Axis, Profile, axes_of
from arpent.language.measured import Measured
from arpent.language.vocabulary import known_crop

__all__ = ["TOLERANCE", "abstains", "check", "contradictions"]

TOLERANCE = 0.005
"""A number may be off by this, or by half a unit of its last digit where that is more: half of the last digit of the
two decimals that texts are asked to write, which is all that rounding explains, and a tenth of STEADY, the least change
that counts as one. A text may be less precise ("0.4"), and is then held to what it wrote."""

_COARSEST = 0.05
"""Of an index a number without decimals says nothing: "NDVI 0" is not what rounding makes of 0.42."""

_SLACK = 1e-6


def abstains(measured: Measured, profile: Profile = "arpent") -> bool:
    """Whether too little of the ground is seen for it to be described, or nothing that the axes speak of is known."""
    cloudy = measured.cloud is not None and measured.cloud > ABSTENTION.cloud
    if cloudy or measured.valid < ABSTENTION.valid:
        return True
    axes = axes_of(profile).values()
    return not any(axis.index in measured.indices or axis.deciding(measured) is not None for axis in axes)


def check(
    sentences: Iterable[Sentence],
    measured: Measured,
    *,
    before: Sequence[Measured] = (),
    profile: Profile = "arpent",
) -> tuple[Finding, ...]:
    """What the measurements say to each claim of a text, in the order of the claims.

    Args:
        sentences: as `parse` gives them.
        measured: the parcel on the day that the text is about.
        before: the same parcel on earlier days, in order; without them no direction is supported.
        profile: whose thresholds decide the classes.
    """
    judge = _Judge(measured, before, profile)
    return tuple(judge.finding(claim) for sentence in sentences for claim in sentence.claims)


class _Judge:
    def __init__(self, measured: Measured, before: Sequence[Measured], profile: Profile) -> None:
        self.measured = measured
        self.series = (*before, measured)
        self.profile: Profile = profile
        self.axes = axes_of(profile)
        self.columns = {axis.index_word: axis.index for axis in self.axes.values()}

    def finding(self, claim: Claim) -> Finding:
        if claim.kind == "value":
            return self._value(claim)
        if claim.kind == "class":
            return self._class(claim)
        if claim.kind == "extent":
            return self._extent(claim)
        if claim.kind == "direction":
            return self._direction(claim)
        if claim.kind == "crop":
            return self._crop(claim)
        return self._other(claim)

    def _at(self, when: date | None) -> Measured | None:
        if when is None:
            return self.measured
        that_day = [one for one in reversed(self.series) if one.taken == when]
        return next((one for one in that_day if not abstains(one, self.profile)), that_day[0] if that_day else None)

    def _earlier(self, claim: Claim, than: Measured) -> Measured | None:
        """The date that a change is counted from: the one named, else the one before."""
        if claim.since is not None:
            return self._at(claim.since)
        place = next(place for place, one in enumerate(self.series) if one is than)
        seen = [one for one in self.series[:place] if not abstains(one, self.profile)]
        return seen[-1] if seen else None

    def _index(self, claim: Claim, measured: Measured | None) -> float | None:
        value = measured.indices.get(self.columns.get(claim.index or "", claim.index or "")) if measured else None
        return value if value is not None and math.isfinite(value) else None

    def _value(self, claim: Claim) -> Finding:
        if claim.named == "area":
            return _compare(claim, self.measured.area, decimals=0)
        if claim.named in ("days", "dates"):
            return self._count(claim)
        now = self._at(claim.when)
        if claim.named == "before":
            earlier = self._earlier(claim, now) if now else None
            return _compare(claim, self._index(claim, earlier))
        if claim.named == "change":
            earlier = self._earlier(claim, now) if now else None
            return self._change(claim, self._index(claim, earlier), self._index(claim, now))
        return _compare(claim, self._index(claim, now))

    def _change(self, claim: Claim, then: float | None, now: float | None) -> Finding:
        if then is None or now is None:
            return Finding(claim, "unsupported")
        exact = _compare(claim, now - then)
        as_written = _compare(claim, round(now, 2) - round(then, 2))
        return as_written if as_written.verdict == "supported" else exact

    def _count(self, claim: Claim) -> Finding:
        """Days between the last date and one before it; dates, all or those on which the parcel was seen."""
        if claim.named == "dates":
            counts = {len(self.series), sum(not abstains(one, self.profile) for one in self.series)}
        else:
            days = [one.taken for one in self.series if one.taken is not None]
            counts = {(days[-1] - day).days for day in days[:-1]}
        if claim.value in counts:
            return Finding(claim, "supported", claim.value)
        return Finding(claim, "contradicted" if counts else "unsupported")

    def _class(self, claim: Claim) -> Finding:
        axis = self.axes.get(claim.axis or "")
        now = self._at(claim.when)
        value = axis.deciding(now) if axis and now else None
        if axis is None or value is None or claim.named is None:
            return Finding(claim, "unsupported")
        true = axis.class_of(value)
        named = claim.named.split("|")
        if (true in named) != claim.negated:
            return Finding(claim, "supported", value, true)
        return Finding(claim, "contradicted", value, true, _steps(axis, named, true))

    def _extent(self, claim: Claim) -> Finding:
        now = self._at(claim.when)
        if now is None:
            share = None
        elif claim.named == "cloud":
            share = now.cloud
        elif claim.named == "valid":
            share = now.valid
        else:
            share = now.shares.get(claim.named or "")
        return _compare(claim, share)

    def _direction(self, claim: Claim) -> Finding:
        axis = self.axes.get(claim.axis or "")
        if claim.named in ("peak", "trough"):
            return self._turn(claim)
        now = self._at(claim.when)
        then = self._earlier(claim, now) if now else None
        if axis is not None and axis.share:
            pair = [axis.deciding(one) if one else None for one in (then, now)]
        else:
            pair = [self._index(claim, one) for one in (then, now)]
        if pair[0] is None or pair[1] is None:
            return Finding(claim, "unsupported")
        change = round(round(pair[1], 2) - round(pair[0], 2), 2)
        true = direction_of(change)
        if (true == claim.named) != claim.negated:
            return Finding(claim, "supported", change, true)
        return Finding(claim, "contradicted", change, true, 2.0 if {true, claim.named} == {"rise", "fall"} else 1.0)

    def _turn(self, claim: Claim) -> Finding:
        """A peak or trough: no other date of the season goes beyond the one named."""
        seen = [one for one in self.series if not abstains(one, self.profile)]
        values = [value for one in seen if (value := self._index(claim, one)) is not None]
        there = self._index(claim, self._at(claim.when))
        if there is None or len(values) < 2:
            return Finding(claim, "unsupported")
        best = max(values) if claim.named == "peak" else min(values)
        holds = round(there, 2) == round(best, 2)
        return Finding(
            claim, "supported" if holds != claim.negated else "contradicted", there, f"{best:.2f}", abs(best - there)
        )

    def _crop(self, claim: Claim) -> Finding:
        if self.measured.crop is None:
            return Finding(claim, "unsupported")
        true = known_crop(self.measured.crop)
        if true is None:
            return Finding(claim, "unsupported", expected=self.measured.crop)
        holds = (true == claim.named) != claim.negated
        return Finding(claim, "supported" if holds else "contradicted", expected=true, off=0.0 if holds else 1.0)

    def _other(self, claim: Claim) -> Finding:
        if claim.named == "abstention":
            return Finding(claim, "supported" if abstains(self.measured, self.profile) else "contradicted")
        days = [one.taken.isoformat() for one in self.series if one.taken is not None]
        if claim.named and claim.named[:1].isdigit():
            if any(day.startswith(claim.named) for day in days):
                return Finding(claim, "supported")
            return Finding(claim, "contradicted" if days else "unsupported", expected=days[-1] if days else None)
        if claim.named and claim.named.startswith("--") and any(day.endswith(claim.named[2:]) for day in days):
            return Finding(claim, "supported")
        return Finding(claim, "unsupported")


def direction_of(change: float) -> str:
    """What a change is called: "rise", "fall", or "steady" where it is too small to count."""
    if abs(change) < STEADY - _SLACK:
        return "steady"
    return "rise" if change > 0 else "fall"


def _compare(claim: Claim, true: float | None, decimals: int = 2) -> Finding:
    if true is None or claim.value is None or not math.isfinite(true):
        return Finding(claim, "unsupported")
    off = abs(claim.value - true)
    if (claim.bound == "above" and true > claim.value) or (claim.bound == "below" and true < claim.value):
        off = 0.0
    room = 0.0 if claim.bound else (claim.step or 0.0) / 2
    tolerance = max(TOLERANCE, min(room, _COARSEST) if claim.index is not None else room) + _SLACK
    expected = f"{true:.{decimals}f}"
    return (
        Finding(claim, "supported", true, expected)
        if off <= tolerance
        else Finding(claim, "contradicted", true, expected, off)
    )


def _steps(axis: Axis, named: Sequence[str], true: str) -> float:
    """How many classes lie between the nearest class named and the true one; 1 for a true one that is denied."""
    place = axis.keys.index(true)
    return float(max(1, min(abs(axis.keys.index(name) - place) for name in named)))


def contradictions(sentences: Iterable[Sentence], profile: Profile = "arpent") -> Iterator[tuple[Claim, Claim]]:
    """Pairs of claims of one text that cannot both hold, whatever was measured.

    A number and the word beside it, two numbers of one index, two classes of one axis, two crops.
    """
    axes = axes_of(profile)
    said: dict[tuple[str, str, date | None], list[Claim]] = {}
    for sentence in sentences:
        for claim in sentence.claims:
            for key in _keys(claim, axes.get(claim.axis or "")):
                others = said.setdefault(key, [])
                for other in others:
                    if _clash(key[0], other, claim, axes.get(claim.axis or "")):
                        yield other, claim
                        break
                if len(others) < 8:
                    others.append(claim)


def _keys(claim: Claim, axis: Axis | None) -> Iterator[tuple[str, str, date | None]]:
    if claim.kind == "crop":
        yield "crop", "", None
    if claim.bound is not None:
        return
    if claim.kind in ("value", "extent") and claim.named not in ("before", "change"):
        yield f"{claim.kind} of", claim.index or claim.named or "", claim.when
    if axis is not None and (claim.kind == "class" or _decides(claim, axis)):
        yield "axis", axis.name, claim.when


def _decides(claim: Claim, axis: Axis) -> bool:
    """Whether the number is the one that the class of its axis hangs on."""
    if axis.share:
        return claim.kind == "extent" and claim.named == axis.share
    return claim.kind == "value" and claim.named is None


def _clash(key: str, one: Claim, other: Claim, axis: Axis | None) -> bool:
    if one.kind == "crop" or (one.kind == other.kind == "class"):
        return _sets_clash(one, other)
    if one.value is not None and other.value is not None:
        if key == "axis":
            return False
        room = max(TOLERANCE, (one.step or 0) / 2) + max(TOLERANCE, (other.step or 0) / 2)
        return (one.index, one.named, one.when) == (other.index, other.named, other.when) and (
            abs(one.value - other.value) > room + _SLACK
        )
    word, number = (one, other) if one.kind == "class" else (other, one)
    if axis is None or number.value is None or word.named is None:
        return False
    room = max(TOLERANCE, (number.step or 0) / 2)
    possible = {axis.class_of(number.value + shift) for shift in (-room, 0, room)}
    named = set(word.named.split("|"))
    return possible <= named if word.negated else not possible & named


def _sets_clash(one: Claim, other: Claim) -> bool:
    first, second = (set((claim.named or "").split("|")) for claim in (one, other))
    if one.negated and other.negated:
        return False
    if one.negated or other.negated:
        return second <= first if one.negated else first <= second
    return not first & second
