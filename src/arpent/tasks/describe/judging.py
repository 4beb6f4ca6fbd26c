"""Texts against pixels, and beside them what every text is held against: baselines, and the texts of other images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.errors import DatasetError
from arpent.language import Measured
from arpent.language.axes import AXES, Profile, axes_of
from arpent.language.checking import abstains, check
from arpent.language.claims import Sentence, parse
from arpent.language.grammar import compose, text
from arpent.metrics import FaithfulnessTally, TextScores, Told, compare_texts, numbers_of
from arpent.tasks.describe.baselines import LinearProbe, constant_facts, nearest_facts, probed_facts
from arpent.tasks.describe.texts import Mode

__all__ = [
    "METHODS",
    "ROUNDS",
    "Item",
    "Judged",
    "Method",
    "Point",
    "Repairs",
    "Training",
    "judge",
    "pairs_of",
    "split_of",
]

Method = Literal["model", "draft", "permuted", "oracle", "constant", "nearest", "probe"]
METHODS: tuple[Method, ...] = get_args(Method)
"""What is judged: the model's texts as they stand, as it first wrote them, those of other images, and baselines."""

ROUNDS = 8
"""How often texts are given to other parcels; one round would hang on chance."""
_REFERENCES = 5
"""Captions of the truth that a text is compared with, word by word."""
_UNTRAINED = "all"

Vectors = NDArray[np.floating]


@dataclass(frozen=True)
class Item:
    """One text to be judged.

    Attributes:
        text: as it stands.
        language: of it.
        measured: the truth, from the pixels.
        split: "dates", "places", "training" or "all"; see `split_of`.
        image: that it is about.
        draft: as the model first wrote it; None where nothing tells.
        before: the truth of earlier dates, where the text may speak of them.
        mode: how it was written.
        sentences: it has.
        repairs: how many of them the grammar wrote.
        vector: embedding of the parcel, where there is one.
        profile: whose axes and thresholds the text goes by.
    """

    text: str
    language: Language
    measured: Measured
    split: str = _UNTRAINED
    image: str = ""
    draft: str | None = None
    before: tuple[Measured, ...] = ()
    mode: Mode = "blind"
    sentences: int = 0
    repairs: int = 0
    vector: Vectors | None = None
    profile: Profile = "arpent"


@dataclass(frozen=True)
class Training:
    """What a model has learnt from, as far as it is known.

    Attributes:
        measured: the facts of its parcels.
        vectors: ``(n, width)``, embeddings of some of them; None where there are none.
        embedded: which of them; all in their order if not given.
    """

    measured: Sequence[Measured]
    vectors: Vectors | None = None
    embedded: Sequence[int] | None = None

    @property
    def neighbours(self) -> list[Measured]:
        """The facts of those that have an embedding, in the order of `vectors`."""
        return [self.measured[place] for place in (self.embedded or range(len(self.measured)))]


@dataclass(frozen=True)
class Point:
    """A number that a text states, beside the true one.

    Attributes:
        axis: that it is stated of.
        index: or the name of a share.
        true: from the pixels.
        stated: the number; None where the text states none.
        split: of the text.
    """

    axis: str
    index: str
    true: float
    stated: float | None
    split: str


@dataclass(frozen=True)
class Repairs:
    """How many sentences the grammar had to write."""

    sentences: int = 0
    repaired: int = 0

    @property
    def rate(self) -> float:
        """Their share; 0 without sentences."""
        return self.repaired / self.sentences if self.sentences else 0.0


@dataclass
class Judged:
    """What was counted.

    Attributes:
        mode: of the texts.
        items: how many texts.
        tallies: by method; without those that lack what they need.
        likeness: to captions of the truth, by method and language.
        points: every number due in the model's texts.
        repairs: by split.
        lacking: methods that could not be judged, with a key that says why.
    """

    mode: Mode
    items: int
    tallies: dict[Method, FaithfulnessTally] = field(default_factory=dict)
    likeness: dict[tuple[Method, Language], TextScores] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    repairs: dict[str, Repairs] = field(default_factory=dict)
    lacking: dict[Method, str] = field(default_factory=dict)


def split_of(measured: Measured, training: Sequence[Measured] | None) -> str:
    """Whether a model has seen a parcel's place and date: "places" and "dates" are held out, "training" is not."""
    if training is None:
        return _UNTRAINED
    dates = {one.taken for one in training if one.place == measured.place}
    if not dates:
        return "places"
    return "training" if measured.taken in dates else "dates"


def judge(items: Sequence[Item], training: Training | None, *, seed: int = 0) -> Judged:
    """Judges texts and everything that they are held against.

    Args:
        items: the texts.
        training: of the model that wrote them; without it there are no baselines that learn.
        seed: of the grammar and of the permutations.

    Raises:
        DatasetError: there is no text.
    """
    if not items:
        raise DatasetError("there is no text to judge", cure="Give a run with texts, or other images.")
    judged = Judged(items[0].mode, len(items))
    texts = _texts_of_methods(items, training, judged, seed)
    references = [_references(item, seed) for item in items]
    for method, told in texts.items():
        judged.tallies[method] = _tally(items, told)
        _compare(judged, method, items, told, references)
    judged.tallies["permuted"] = _permuted(items, seed)
    judged.tallies = {method: judged.tallies[method] for method in METHODS if method in judged.tallies}
    for item in items:
        judged.points += _points(item)
        before = judged.repairs.get(item.split, Repairs())
        count = 0 if abstains(item.measured) else item.sentences
        judged.repairs[item.split] = Repairs(before.sentences + count, before.repaired + item.repairs)
    return judged


def _texts_of_methods(
    items: Sequence[Item], training: Training | None, judged: Judged, seed: int
) -> dict[Method, list[str]]:
    """The texts by method, one for each item; notes which cannot be had."""
    texts: dict[Method, list[str]] = {"model": [item.text for item in items]}
    if all(item.draft is not None for item in items) and any(item.draft != item.text for item in items):
        texts["draft"] = [item.draft or "" for item in items]
    texts["oracle"] = _written([item.measured for item in items], items, seed)
    if training is None:
        judged.lacking |= dict.fromkeys(("constant", "nearest", "probe"), "no_training")
        return texts
    constant = constant_facts(training.measured)
    texts["constant"] = _written([_about(constant, item) for item in items], items, seed)
    if training.vectors is None or any(item.vector is None for item in items if not abstains(item.measured)):
        judged.lacking |= dict.fromkeys(("nearest", "probe"), "no_embeddings")
        return texts
    blank = np.zeros(training.vectors.shape[1])  # of parcels that nobody sees, and that no text describes
    stacked = np.stack([blank if item.vector is None else item.vector for item in items])
    nearest = nearest_facts(stacked, training.vectors, training.neighbours)
    texts["nearest"] = _written([_about(one, item) for one, item in zip(nearest, items, strict=True)], items, seed)
    probe = LinearProbe.fit(training.vectors, training.neighbours)
    texts["probe"] = _written(probed_facts(probe, stacked, [item.measured for item in items]), items, seed)
    return texts


def _about(facts: Measured, item: Item) -> Measured:
    """Facts from elsewhere, said of an item's parcel: what it is and how much of it is seen is known to everyone."""
    own = item.measured
    return replace(own, indices=facts.indices, shares=facts.shares, crop=None, area=None)


def _written(facts: Sequence[Measured], items: Sequence[Item], seed: int) -> list[str]:
    return [
        text(compose(one, item.language, seed=seed + place, before=item.before, profile=item.profile))
        for place, (one, item) in enumerate(zip(facts, items, strict=True))
    ]


def _tally(items: Sequence[Item], texts: Sequence[str]) -> FaithfulnessTally:
    tally = FaithfulnessTally()
    for item, words in zip(items, texts, strict=True):
        tally.update(_told(item, words))
    return tally


def _told(item: Item, words: str) -> Told:
    read = _read(words, item.language, item.profile)
    return Told(read, item.measured, item.before, item.split, item.language, item.profile)


@lru_cache(maxsize=4096)
def _read(words: str, language: Language, profile: Profile) -> tuple[Sentence, ...]:
    """The text as the parser reads it; a text is judged many times over."""
    return parse(words, language, profile)


def _permuted(items: Sequence[Item], seed: int) -> FaithfulnessTally:
    """The texts of other images of the same split and language: what a text says without having seen the parcel.

    A text follows from its image and nothing else, so that to swap texts is to swap images.
    """
    groups: dict[tuple[str, Language], list[Item]] = {}
    for item in items:
        groups.setdefault((item.split, item.language), []).append(item)
    tally = FaithfulnessTally()
    rng = np.random.default_rng(seed)
    for group in groups.values():
        seen = [item for item in group if not abstains(item.measured)]
        for item in group:
            if abstains(item.measured):
                tally.update(_told(item, item.text))
        for _ in range(ROUNDS if len(seen) > 1 else 1):
            order = rng.permutation(len(seen))  # in a ring, so that nobody keeps his own
            for place, number in enumerate(order.tolist()):
                other = seen[int(order[place - 1])]
                # A text may name its day; it is not to fail for that, but for what it says of the ground.
                truth = replace(seen[number].measured, taken=other.measured.taken)
                tally.update(_told(replace(seen[number], measured=truth), other.text))
    return tally


def _references(item: Item, seed: int) -> list[str]:
    return [
        text(
            compose(item.measured, item.language, seed=10_000 + seed + number, before=item.before, profile=item.profile)
        )
        for number in range(_REFERENCES)
    ]


def _compare(
    judged: Judged, method: Method, items: Sequence[Item], texts: Sequence[str], references: Sequence[Sequence[str]]
) -> None:
    for language in sorted({item.language for item in items}):
        chosen = [place for place, item in enumerate(items) if item.language == language]
        judged.likeness[method, language] = compare_texts(
            [texts[place] for place in chosen], [references[place] for place in chosen]
        )


def _points(item: Item) -> list[Point]:
    """The number due on each axis, an index or a share of the ground, with what a text says of it."""
    if abstains(item.measured):
        return []
    sentences = _read(item.text, item.language, item.profile)
    findings = check(sentences, item.measured, before=item.before, profile=item.profile)
    points = []
    for axis in (axes_of(item.profile)[name] for name in AXES):
        true = axis.stated(item.measured)
        if true is None:
            continue
        share = axis.share if axis.deciding(item.measured) is not None else None
        numbers = numbers_of(axis, [one for one in findings if one.claim.axis == axis.name], item.measured)
        own = [one.claim.value for one in numbers if (one.claim.kind == "extent") == (share is not None)]
        points.append(Point(axis.name, share or axis.index, true, own[0] if own else None, item.split))
    return points


def pairs_of(items: Sequence[Item], index: str = "NDVI") -> dict[str, list[tuple[float | None, float]]]:
    """What texts state of an index and what is true, by parcel and language: what `metrics.slope` takes."""
    found: dict[str, list[tuple[float | None, float]]] = {}
    for item in items:
        key = f"{item.measured.place}/{item.measured.parcel}/{item.image}/{item.language}"
        for point in _points(item):
            if point.index == index:
                found.setdefault(key, []).append((point.stated, point.true))
    return found
