"""NIFA, numeric-index faithfulness: whether what a text says of a parcel is what its pixels say.

A text is read by `arpent.language.parse`, each of its claims is held against the indices of the parcel, and everything
is counted by parcel, so that counts of parts, processes and machines merge in any order and intervals come from
drawing parcels anew. What each figure is a share of:

====================  ================================================================================================
``coverage``          axes that the text says something about, of the axes due
``stated``            axes with a number, of the axes due: of the axis' index, or of the share that decides it
``hit02``, ``hit05``  axes whose number is within .02 or .05 of the pixels, of the axes due: a number that is missing
                      is a miss, not left out
``classes``           axes whose class is named and right, of the axes that have one
``mae``               mean distance of the numbers that are there from the pixels; read it beside ``stated``
``refused``           claims that fail the strict check by which grounded texts are repaired, of all claims: a number
                      that does not round to what was measured, a class that is not the true one
``contradiction``     claims that no reader could reconcile with the pixels, of all claims: a number further than .15
                      away, a class that is not even the neighbour of the true one, a direction, crop or fact that is
                      otherwise
``unsupported``       claims that nothing measured can back (an invented index, a crop nobody named), of all claims
``consistency``       axes whose number and class say the same, of the axes that have both
``direction``         texts that say rightly what has changed since the date before, of the texts that have such a date
``abstention``        texts that decline to describe, of the parcels that are not to be described (cloud, few pixels)
``needless``          texts that decline, of the parcels that are to be described
====================  ================================================================================================

One of the five axes is due where its number was measured and the parcel is to be described; its class only where the
ground has one (nobody names the moisture of the canopy of a lake). Of several
numbers or classes of one axis the worst counts. A text that declines although it should describe misses everything
that is due.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.errors import DatasetError
from arpent.language import Measured
from arpent.language.axes import AXES, Axis, Profile, axes_of
from arpent.language.checking import abstains, check
from arpent.language.claims import Claim, Finding, Sentence
from arpent.metrics.resampling import Interval, redrawn, within

__all__ = [
    "FIGURES",
    "Faithfulness",
    "FaithfulnessTally",
    "Figure",
    "Told",
    "contradicts",
    "declines",
    "numbers_of",
    "slope",
]

Figure = Literal[
    "coverage", "stated", "hit02", "hit05", "classes", "mae", "refused", "contradiction", "unsupported",
    "consistency", "direction", "abstention", "needless",
]  # fmt: skip
FIGURES: tuple[Figure, ...] = get_args(Figure)
"""Names of the figures, in the order of tables."""

_SHARES: Mapping[Figure, tuple[str, str]] = MappingProxyType(
    {
        "coverage": ("covered", "due"),
        "stated": ("stated", "due"),
        "hit02": ("within02", "due"),
        "hit05": ("within05", "due"),
        "classes": ("named", "classed"),
        "mae": ("distance", "stated"),
        "refused": ("refused", "claims"),
        "contradiction": ("contradicted", "claims"),
        "unsupported": ("unsupported", "claims"),
        "consistency": ("agreeing", "paired"),
        "direction": ("turned", "moved"),
        "abstention": ("declined", "hidden"),
        "needless": ("needless", "visible"),
    }
)
_COUNTS = tuple(sorted({name for pair in _SHARES.values() for name in pair} | {"texts"}))
_PLACE = {name: place for place, name in enumerate(_COUNTS)}
_FAR = 0.15
"""A number further away than this contradicts the pixels; a nearer one may still be a miss."""
_STEPS = 2
"""Classes between what is said and what is true from which on the class contradicts the pixels."""
_TOLERANCES = {"within02": 0.02, "within05": 0.05}
_LEAST_POINTS = 3
"""Numbers below which an order says nothing."""


@dataclass(frozen=True)
class Told:
    """A text and the truth of its parcel.

    Attributes:
        sentences: what the text says, as `arpent.language.parse` reads it.
        measured: the truth.
        before: the truth of earlier dates of the parcel, for texts that say what has changed; the last one counts.
        split: what is judged apart ("dates", "places"); any word.
        language: of the text.
        profile: whose axes and thresholds it goes by.
    """

    sentences: Sequence[Sentence]
    measured: Measured
    before: Sequence[Measured] = ()
    split: str = "all"
    language: Language = "en"
    profile: Profile = "arpent"


@dataclass(frozen=True)
class Faithfulness:
    """The figures of some texts.

    Attributes:
        texts: how many.
        parcels: that they are about.
        figures: by name, with the ends of their 95 % intervals; NaN where nothing is there to be a share of.
    """

    texts: int
    parcels: int
    figures: Mapping[Figure, Interval]

    def __getitem__(self, figure: Figure) -> float:
        return self.figures[figure].value

    def summary(self) -> dict[str, float]:
        """The figures that are known, by name, as they go into manifests and tables."""
        return {name: one.value for name, one in self.figures.items() if math.isfinite(one.value)}


@dataclass
class FaithfulnessTally:
    """Counts of claims against pixels, by split, language and parcel."""

    _counts: dict[tuple[str, Language], dict[tuple[str, str], NDArray[np.float64]]] = field(default_factory=dict)

    def update(self, told: Told) -> None:
        """Adds a text."""
        group = self._counts.setdefault((told.split, told.language), {})
        parcel = (told.measured.place, told.measured.parcel)
        counts = group.setdefault(parcel, np.zeros(len(_COUNTS)))
        for name, count in _counted(told).items():
            counts[_PLACE[name]] += count

    def merge(self, other: FaithfulnessTally) -> FaithfulnessTally:
        """Adds what another tally has counted to this one, which is returned."""
        for key, parcels in other._counts.items():
            group = self._counts.setdefault(key, {})
            for parcel, counts in parcels.items():
                group[parcel] = group.get(parcel, 0) + counts
        return self

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that occur, sorted."""
        return tuple(sorted({split for split, _ in self._counts}))

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages that occur, sorted."""
        return tuple(sorted({language for _, language in self._counts}))

    def has(self, split: str, language: Language) -> bool:
        """Whether a text of that split and language was counted."""
        return (split, language) in self._counts

    def scores(
        self, split: str | None = None, language: Language | None = None, *, draws: int = 1000, seed: int = 0
    ) -> Faithfulness:
        """The figures of a split and language; of all that were counted where they are not given.

        Args:
            split: one of `splits`.
            language: one of `languages`.
            draws: how often as many parcels as there are are drawn, with repetition.
            seed: of the draws.

        Raises:
            DatasetError: nothing of that kind was counted.
        """
        parcels = self._parcels(split, language)
        counts = np.stack([parcels[key] for key in sorted(parcels)])
        whole, drawn = counts.sum(axis=0), redrawn(len(counts), draws, seed) @ counts
        figures = {
            name: _interval(float(_share(whole[None], name)[0]), _share(drawn, name), len(counts)) for name in FIGURES
        }
        return Faithfulness(int(whole[_PLACE["texts"]]), len(counts), figures)

    def gain(
        self,
        other: FaithfulnessTally,
        figure: Figure,
        split: str | None = None,
        language: Language | None = None,
        *,
        draws: int = 1000,
        seed: int = 0,
    ) -> Interval:
        """How much higher a figure is here than in a tally of other texts about the same parcels.

        The parcels are drawn together, so that what makes a parcel hard for both does not widen the interval.

        Raises:
            DatasetError: the tallies are not of the same parcels.
        """
        ours, theirs = self._parcels(split, language), other._parcels(split, language)
        if ours.keys() != theirs.keys():
            raise DatasetError(
                "two sets of texts are not about the same parcels",
                found=f"{len(ours)} and {len(theirs)} parcels, {len(ours.keys() & theirs.keys())} in both",
                cure="Judge both on the same parcels.",
            )
        one, two = (np.stack([parcels[key] for key in sorted(parcels)]) for parcels in (ours, theirs))
        draw = redrawn(len(one), draws, seed)
        value = _share(one.sum(axis=0)[None], figure) - _share(two.sum(axis=0)[None], figure)
        return _interval(float(value[0]), _share(draw @ one, figure) - _share(draw @ two, figure), len(one))

    def _parcels(self, split: str | None, language: Language | None) -> dict[tuple[str, str], NDArray[np.float64]]:
        found: dict[tuple[str, str], NDArray[np.float64]] = {}
        for (its, spoken), parcels in self._counts.items():
            if split in (None, its) and language in (None, spoken):
                for parcel, counts in parcels.items():
                    found[parcel] = found.get(parcel, 0) + counts
        if not found:
            raise DatasetError(
                "no text was judged",
                found=f"splits {', '.join(self.splits) or '–'}; languages {', '.join(self.languages) or '–'}",
                cure="Ask for a split and a language that there are.",
            )
        return found


def declines(sentences: Sequence[Sentence]) -> bool:
    """Whether a text says that it will not describe, and keeps to that."""
    claims = [claim for sentence in sentences for claim in sentence.claims]
    describing = any(claim.kind in ("class", "direction", "crop") or claim.axis is not None for claim in claims)
    return not describing and any(claim.named == "abstention" for claim in claims)


def contradicts(finding: Finding) -> bool:
    """Whether no reader could reconcile a claim with the pixels; see the module."""
    if finding.verdict != "contradicted":
        return False
    if finding.claim.kind in ("value", "extent"):
        return finding.off > _FAR
    return finding.claim.kind != "class" or finding.off >= _STEPS


def _counted(told: Told) -> dict[str, float]:
    """What one text adds to each count."""
    findings = check(told.sentences, told.measured, before=told.before, profile=told.profile)
    declined = declines(told.sentences)
    counts: dict[str, float] = {
        "texts": 1,
        "claims": len(findings),
        "refused": sum(one.verdict == "contradicted" for one in findings),
        "contradicted": sum(contradicts(one) for one in findings),
        "unsupported": sum(one.verdict == "unsupported" for one in findings),
    }
    if abstains(told.measured):
        return counts | {"hidden": 1, "declined": declined}
    counts |= {"visible": 1, "needless": declined}
    if told.before:
        turns = [one for one in findings if one.claim.kind == "direction"]
        counts |= {"moved": 1, "turned": bool(turns) and all(one.verdict == "supported" for one in turns)}
    for axis in (axes_of(told.profile)[name] for name in AXES):
        if axis.stated(told.measured) is not None:
            own = [one for one in findings if one.claim.axis == axis.name]
            for name, count in _of_axis(axis, own, told.measured).items():
                counts[name] = counts.get(name, 0) + count
    return counts


def numbers_of(axis: Axis, findings: Sequence[Finding], measured: Measured) -> list[Finding]:
    """The numbers that a text states of an axis as it is on its date: of its index, or of the share that decides it."""
    return [
        one
        for one in findings
        if one.claim.value is not None
        and one.measured is not None
        and one.claim.when in (None, measured.taken)
        and (_of_index(one, axis) or _of_share(one, axis))
    ]


def _of_index(finding: Finding, axis: Axis) -> bool:
    claim = finding.claim
    return claim.kind == "value" and claim.index == axis.index_word and claim.named is None


def _of_share(finding: Finding, axis: Axis) -> bool:
    return finding.claim.kind == "extent" and axis.share is not None and finding.claim.named == axis.share


def _of_axis(axis: Axis, findings: Sequence[Finding], measured: Measured) -> dict[str, float]:
    """What one axis that is due adds to each count."""
    named = [one for one in findings if one.claim.kind == "class"]
    numbers = numbers_of(axis, findings, measured)
    counts: dict[str, float] = {"due": 1, "covered": bool(findings)}
    if axis.deciding(measured) is not None:
        counts |= {"classed": 1, "named": bool(named) and all(one.verdict == "supported" for one in named)}
    if numbers:
        distance = max(abs((one.claim.value or 0.0) - (one.measured or 0.0)) for one in numbers)
        counts |= {"stated": 1, "distance": distance}
        counts |= {name: distance <= tolerance + 1e-9 for name, tolerance in _TOLERANCES.items()}
    deciding = [one.claim.value for one in numbers if _of_share(one, axis) == (axis.share is not None)]
    if deciding and named:
        fits = (_fits(axis, value, one.claim) for value in deciding if value is not None for one in named)
        counts |= {"paired": 1, "agreeing": all(fits)}
    return counts


def _fits(axis: Axis, value: float, said: Claim) -> bool:
    """Whether a number and a class of one text say the same."""
    return (axis.class_of(value) in (said.named or "").split("|")) != said.negated


def slope(pairs: Mapping[str, Sequence[tuple[float | None, float]]], *, draws: int = 1000, seed: int = 0) -> Interval:
    """How a stated number follows the true one when the pixels are changed: Spearman's rank correlation.

    Args:
        pairs: for each parcel, what was stated (None for nothing) and what was true, once for each change. A parcel
            with fewer than three numbers, or whose number never moves, counts as 0; one that leaves some out counts
            for the share that it states.
        draws: how often parcels are drawn anew for the interval.
        seed: of the draws.

    Raises:
        DatasetError: there is no parcel.
    """
    if not pairs:
        raise DatasetError("no parcel's pixels were changed", cure="Give the pairs of one parcel at least.")
    found = np.array([_followed(pairs[parcel]) for parcel in sorted(pairs)])
    return _interval(float(found.mean()), redrawn(len(found), draws, seed) @ found / len(found), len(found))


def _followed(pairs: Sequence[tuple[float | None, float]]) -> float:
    known = [(stated, true) for stated, true in pairs if stated is not None]
    if len(known) < _LEAST_POINTS:
        return 0.0
    stated, true = (_ranks(np.array(values)) for values in zip(*known, strict=True))
    spread = math.sqrt(float(stated.var() * true.var()))
    if spread == 0:
        return 0.0
    together = float(((stated - stated.mean()) * (true - true.mean())).mean()) / spread
    return together * len(known) / len(pairs)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks, equal values sharing theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return ranks[which]


def _share(counts: NDArray[np.float64], figure: Figure) -> NDArray[np.float64]:
    part, whole = (counts[:, _PLACE[name]] for name in _SHARES[figure])
    shares = np.full(len(counts), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def _interval(value: float, draws: NDArray[np.float64], parcels: int) -> Interval:
    """A figure with its ends; of one parcel alone nobody knows them."""
    if not math.isfinite(value) or parcels < 2:
        return Interval(value, math.nan, math.nan)
    return within(value, draws)
