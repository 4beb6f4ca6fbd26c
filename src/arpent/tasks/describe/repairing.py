"""Sentences held against the measurements, and what takes the place of those that fail.

A model's answer is read sentence by sentence. One that states what was not measured, or otherwise than it was measured,
is asked for once more; if that fails too, the grammar writes it. What is left is supported, claim by claim.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from arpent.core import Language
from arpent.language import Measured
from arpent.language.axes import AXES, LAKE, Profile, axes_of
from arpent.language.claims import Finding, Sentence, check, parse
from arpent.language.grammar import compose
from arpent.language.strange import strange_words
from arpent.tasks.describe.texts import Checked, Source

__all__ = ["Draft", "Failing", "checked_text", "finished_sentence"]

_END = re.compile(r"[.!?](?=\s|$)")


@dataclass
class _Piece:
    """A sentence of the text to be, and who wrote it."""

    text: str
    axes: tuple[str, ...]
    findings: tuple[Finding, ...]
    source: Source = "model"
    first: str | None = None
    strange: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether it says something, all that it says was measured, and no word of it is beyond the reader."""
        supported = all(one.verdict == "supported" for one in self.findings)
        return bool(self.findings) and supported and not self.strange


@dataclass(frozen=True)
class Failing:
    """A sentence to be asked for again.

    Attributes:
        place: its number in the text.
        before: the text before it, as far as it stands.
    """

    place: int
    before: str


@dataclass
class Draft:
    """A model's answer on its way to a text that stands.

    Args:
        text: as the model has written it.
        measured: what is known.
        language: of the text.
        profile: whose axes and thresholds.
        ended: the model came to its end; otherwise its last sentence is a fragment.
        seed: of what the grammar writes.
    """

    text: str
    measured: Measured
    language: Language
    profile: Profile = "arpent"
    ended: bool = True
    seed: int = 0
    regenerated: int = 0
    repairs: int = 0
    _pieces: list[_Piece] = field(init=False)

    def __post_init__(self) -> None:
        self.text = unicodedata.normalize("NFC", self.text)
        self._pieces = [self._piece(one) for one in parse(self.text, self.language, self.profile)]
        if self._pieces and not self.ended and not _END.search(self._pieces[-1].text[-1:]):
            self._pieces.pop()

    def failing(self) -> list[Failing]:
        """Sentences that say what was not measured, with what stands before each."""
        found, standing = [], self._standing()
        for place, piece in enumerate(self._pieces):
            if piece not in standing:
                before = " ".join(one.text for one in self._pieces[:place] if one in standing)
                found.append(Failing(place, before))
        return found

    def again(self, failing: Failing, text: str) -> None:
        """Takes another sentence of the model's for one that failed, if it stands and speaks of the same."""
        self.regenerated += 1
        sentences = parse(text, self.language, self.profile)
        if not sentences:
            return
        old, new = self._pieces[failing.place], self._piece(sentences[0])
        if new.stands and set(new.axes) == set(old.axes):
            self._pieces[failing.place] = replace(new, source="again", first=old.text)

    def repair(self) -> None:
        """The grammar writes what still fails, and of what nothing is said; what nobody can back goes."""
        standing = self._standing()
        said = {axis for piece in standing for axis in piece.axes}
        kept: list[_Piece] = []
        for piece in self._pieces:
            if piece in standing:
                kept.append(piece)
                continue
            wanted = [axis for axis in piece.axes if axis not in said]
            said.update(wanted)
            self.repairs += 1
            kept += [replace(one, first=piece.text) for one in self._by_grammar(wanted)]
        missing = [axis for axis in AXES if axis in axes_of(self.profile) and axis not in said]
        added = self._by_grammar(missing)
        lake = [] if self.measured.shares.get("water", 0.0) <= LAKE or _tells_water(standing) else self._water()
        self.repairs += len(added) + len(lake)
        self._pieces = lake + kept + added

    def _standing(self) -> list[_Piece]:
        """The sentences that stay: those that stand, and that leave no axis with a number but without its class."""
        standing = [piece for piece in self._pieces if piece.stands]
        classed = {one.claim.axis for piece in standing for one in piece.findings if one.claim.kind == "class"}
        axes = axes_of(self.profile)
        open_ones = {
            name for name, axis in axes.items() if name not in classed and axis.deciding(self.measured) is not None
        }
        return [piece for piece in standing if not open_ones & set(piece.axes)]

    def finished(self) -> tuple[str, tuple[Checked, ...]]:
        """The text, and its sentences with their places in it."""
        text = " ".join(piece.text for piece in self._pieces)
        starts, place = [], 0
        for piece in self._pieces:
            starts.append(place)
            place += len(piece.text) + 1
        checked = checked_text(text, self.measured, self.language, self.profile)
        named = []
        for one in checked:
            piece = self._pieces[max(n for n, start in enumerate(starts) if start <= one.start)]
            named.append(replace(one, source=piece.source, first=piece.first))
        return text, tuple(named)

    def _piece(self, sentence: Sentence) -> _Piece:
        findings = check([sentence], self.measured, profile=self.profile)
        known = self.measured
        names = [name for name in (known.parcel, known.place, known.crop) if name]
        strange = strange_words(sentence.text, self.language, names)
        return _Piece(sentence.text, _axes(sentence), findings, strange=strange)

    def _water(self) -> list[_Piece]:
        """The sentence of a lake about its water."""
        written = compose(self.measured, self.language, seed=self.seed, axes=(), profile=self.profile)
        return [replace(self._piece(one), source="grammar") for one in written]

    def _by_grammar(self, axes: Sequence[str]) -> list[_Piece]:
        """Sentences about axes, as far as they were measured."""
        if not axes:
            return []
        written = compose(self.measured, self.language, seed=self.seed, axes=axes, profile=self.profile, water=False)
        return [replace(self._piece(one), source="grammar") for one in written if _axes(one)]


def checked_text(text: str, measured: Measured, language: Language, profile: Profile = "arpent") -> tuple[Checked, ...]:
    """The sentences of a text as it stands, each with what the measurements say to its claims."""
    sentences = parse(text, language, profile)
    return tuple(
        Checked(
            text=one.text,
            start=one.start,
            end=one.end,
            findings=check([one], measured, profile=profile),
            axis=next(iter(_axes(one)), None),
        )
        for one in sentences
    )


def finished_sentence(text: str) -> bool:
    """Whether a text holds a whole sentence: a stop that is no decimal mark, followed by a space or by nothing."""
    return bool(_END.search(text))


def _axes(sentence: Sentence) -> tuple[str, ...]:
    return tuple(dict.fromkeys(claim.axis for claim in sentence.claims if claim.axis))


def _tells_water(pieces: Sequence[_Piece]) -> bool:
    return any(one.claim.named == "water" for piece in pieces for one in piece.findings)
