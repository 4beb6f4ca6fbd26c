"""What a text asserts, and what the pixels say to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

__all__ = ["Claim", "ClaimKind", "Finding", "Sentence", "Verdict"]

ClaimKind = Literal["value", "class", "extent", "direction", "crop", "other"]
Verdict = Literal["supported", "contradicted", "unsupported"]


@dataclass(frozen=True)
class Claim:
    """One thing that a text asserts.

    Attributes:
        kind: "value": a number, of an index or of the area; "class": a word that stands for a class of an axis;
            "extent": a share of the ground; "direction": that something rises, falls, is steady, or has its peak or
            trough; "crop": the name of one; "other": anything else that a measurement would have to carry.
        axis: that it speaks of; None where it has none.
        index: the spectral index that it speaks of; also one that does not exist.
        value: the number; shares are 0 to 1, areas in square metres.
        named: the class or classes ("dry", "partly|bare"), the kind of ground of an extent, the direction, the crop,
            "area", "before" and "change" for values of an area, of an earlier date and of a difference; for other
            claims what it is about, or the date that the text states ("2021-07-21", "2021-07", "2021").
        start: where it begins in the text; the first character of the word or number.
        end: where it ends.
        step: what one unit of the last digit is worth: "0.42" has 0.01. For a word that stands for a part ("a third")
            its width.
        when: the day that it is said of, where the text names one.
        since: the day that a change is counted from, where the text names one.
        negated: the text denies it.
        bound: "above" or "below" where the number only limits: "more than 90% vegetation".
    """

    kind: ClaimKind
    axis: str | None
    index: str | None
    value: float | None
    named: str | None
    start: int
    end: int
    step: float | None = None
    when: date | None = None
    since: date | None = None
    negated: bool = False
    bound: str | None = None


@dataclass(frozen=True)
class Sentence:
    """One sentence and what it asserts.

    Attributes:
        text: as it stands, without the space around it.
        start: where it begins in the whole text.
        end: where it ends.
        claims: in the order of their places.
    """

    text: str
    start: int
    end: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Finding:
    """What the measurements say to a claim.

    Attributes:
        claim: the claim.
        verdict: "supported"; "contradicted": it was measured and is otherwise; "unsupported": nothing measured says so.
        measured: the value that decides it, if there is one.
        expected: what the text should say instead: a class, a direction, or a number with a decimal point.
        off: how far it is away: of numbers the difference, of classes the number of steps between; 0 where supported.
    """

    claim: Claim
    verdict: Verdict
    measured: float | None = None
    expected: str | None = None
    off: float = 0.0
