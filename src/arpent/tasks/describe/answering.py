"""Answers that cite: each statement names the parcels that it rests on, and is held against their measurements.

The parcels that a search has found enter a prompt as numbered facts. Whoever writes the answer, the grammar or a
language model, its sentences are read again: a citation that does not bear its sentence is taken away, and a sentence
that states what no citation bears goes. What is left states nothing that was not measured on a parcel that it names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from arpent.core import Language
from arpent.language import Measured, day, number, percent, say
from arpent.language.axes import AXES, axis_named
from arpent.language.claims import Sentence, check, parse
from arpent.language.grammar import compose
from arpent.language.strange import strange_words

__all__ = ["CitedAnswer", "Removed", "Statement", "answer", "checked_answer", "prompt_of"]

Write = Callable[[str], str]
"""Whoever writes: a prompt in, an answer out."""

Why = Literal["contradicted", "unsupported", "unknown", "uncited"]

_CITATION = re.compile(r"\[\s*(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\s*\]")
_AFTER_STOP = re.compile(r"([.!?]+)((?:\s*\[[\d\s,;]{1,40}\])+)")
_LONGEST = 20_000


@dataclass(frozen=True)
class Statement:
    """A sentence of an answer.

    Attributes:
        text: with its citations.
        cited: numbers of the parcels that bear it, from 1 on; none for a sentence that states nothing.
    """

    text: str
    cited: tuple[int, ...] = ()


@dataclass(frozen=True)
class Removed:
    """What was taken out of an answer.

    Attributes:
        text: the sentence.
        number: of the citation; None for a whole sentence.
        why: the measurements say otherwise, or nothing; no parcel has this number; or nothing is cited.
    """

    text: str
    number: int | None
    why: Why


@dataclass(frozen=True)
class CitedAnswer:
    """An answer.

    Attributes:
        text: the sentences that are left.
        statements: one by one.
        removed: what was taken out.
        by: who wrote it: "grammar", or "model".
    """

    text: str
    statements: tuple[Statement, ...]
    removed: tuple[Removed, ...] = ()
    by: Literal["grammar", "model"] = "grammar"


def answer(
    question: str,
    parcels: Sequence[Measured],
    language: Language,
    *,
    axes: Sequence[str] = (),
    write: Write | None = None,
) -> CitedAnswer:
    """Answers a question from the parcels that were found for it.

    Args:
        question: as asked.
        parcels: what was found, the best first; their places are their numbers.
        language: of the answer.
        axes: that the question speaks of; all if none is given.
        write: a language model; the grammar writes if there is none, or if nothing of what it wrote can stand.
    """
    removed: tuple[Removed, ...] = ()
    if write is not None:
        made = checked_answer(write(prompt_of(question, parcels, language)), parcels, language)
        if any(one.cited for one in made.statements):
            return CitedAnswer(made.text, made.statements, made.removed, "model")
        removed = made.removed
    composed = checked_answer(_composed(parcels, language, axes or AXES), parcels, language)
    return CitedAnswer(composed.text, composed.statements, removed + composed.removed)


def prompt_of(question: str, parcels: Sequence[Measured], language: Language) -> str:
    """The question with the parcels as numbered facts."""
    facts = "\n".join(f"[{place}] {_facts(one, language)}" for place, one in enumerate(parcels, start=1))
    return f"{say('search.prompt', language)}\n\n{facts}\n\n{say('search.question', language)} {question.strip()}"


def _facts(measured: Measured, language: Language) -> str:
    """One line: name, place, day, and what was measured."""
    values = [
        f"{axis_named(axis).index} {number(measured.indices[axis_named(axis).index], language, 2)}"
        for axis in AXES
        if axis_named(axis).index in measured.indices
    ]
    shares = [
        f"{say(f'search.share_{name}', language)} {percent(share, language, 0)}"
        for name, share in measured.shares.items()
    ]
    crop = [] if measured.crop is None else [measured.crop]
    return f"{_name(measured, language)}: {', '.join([*crop, *values, *shares])}"


def _name(measured: Measured, language: Language) -> str:
    known = [measured.parcel, measured.place, "" if measured.taken is None else day(measured.taken, language)]
    return ", ".join(filter(None, known))


def _composed(parcels: Sequence[Measured], language: Language, axes: Sequence[str]) -> str:
    """The grammar's answer: a few sentences on each parcel."""
    lines = []
    for place, one in enumerate(parcels, start=1):
        said = compose(replace(one, taken=None), language, seed=place, axes=axes)  # the day is in the name
        sentences = " ".join(f"{sentence.text.rstrip('.')} [{place}]." for sentence in said)
        lines.append(f"{say('search.on_parcel', language, name=_name(one, language))} {sentences}")
    return "\n".join(lines)


def checked_answer(text: str, parcels: Sequence[Measured], language: Language) -> CitedAnswer:
    """An answer as written, without what its citations do not bear."""
    statements: list[Statement] = []
    removed: list[Removed] = []
    lines = []
    for line in unicodedata.normalize("NFC", text[:_LONGEST]).splitlines():
        kept = []
        for words, sentence, cited in _sentences(line, parcels, language):
            if _strange(sentence, language):
                removed.append(Removed(words, None, "unsupported"))
                continue
            one = _judged(words, sentence, cited, parcels, removed)
            if one is not None:
                kept.append(one)
        statements += kept
        if any(one.cited for one in kept):
            lines.append(" ".join(one.text for one in kept))
    return CitedAnswer("\n".join(lines), tuple(statements), tuple(removed))


def _sentences(
    line: str, parcels: Sequence[Measured], language: Language
) -> Iterator[tuple[str, Sentence, tuple[int, ...]]]:
    """The sentences of a line without their citations, as they stand and as they are read, and what they cite."""
    line = _AFTER_STOP.sub(lambda match: f"{match[2]}{match[1]}", line)
    bare, places = "", []
    end = 0
    for match in _CITATION.finditer(line):
        bare += line[end : match.start()].rstrip()
        places += [(len(bare), int(word)) for word in re.findall(r"\d+", match[1])]
        end = match.end()
    bare += line[end:]
    masked = _without_names(bare, parcels, language)
    before = 0
    for sentence in parse(masked, language):
        cited = dict.fromkeys(number for place, number in places if before <= place <= sentence.end)
        before = sentence.end + 1
        yield bare[sentence.start : sentence.end], sentence, tuple(cited)


def _without_names(text: str, parcels: Sequence[Measured], language: Language) -> str:
    """The text with names blotted out, as far as they would be read as measurements: a parcel may be called "maize".

    Its whole name, with place and day, is blotted out as it stands; a name that holds digits wherever it is.
    """
    names = {_name(one, language) for one in parcels}
    names |= {name for one in parcels for name in (one.parcel, one.place) if any(letter.isdigit() for letter in name)}
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "x" * len(name), text)
    return text


def _judged(
    words: str, sentence: Sentence, cited: tuple[int, ...], parcels: Sequence[Measured], removed: list[Removed]
) -> Statement | None:
    """A sentence with the citations that bear it; None where it states what none does."""
    states = [claim for claim in sentence.claims if not _is_date(claim.named)]
    if not states and not cited:
        return Statement(words)
    bearing = []
    for place in cited:
        why = _fault(sentence, parcels[place - 1]) if 0 < place <= len(parcels) else "unknown"
        if why is None:
            bearing.append(place)
        else:
            removed.append(Removed(words, place, why))
    if not bearing:
        if states and not cited:
            removed.append(Removed(words, None, "uncited"))
        elif states:
            removed.append(Removed(words, None, "unsupported"))
        return Statement(words) if not states else None
    marks = "".join(f"[{place}]" for place in bearing)
    stop = words[-1] if words[-1:] in ".!?" else ""
    return Statement(f"{words.removesuffix(stop).rstrip()} {marks}{stop}", tuple(bearing))


def _strange(sentence: Sentence, language: Language) -> bool:
    """Whether it has words that nothing here can read; names have been blotted out."""
    return any({*word} != {"x"} for word in strange_words(sentence.text, language))


def _is_date(named: str | None) -> bool:
    return bool(named) and named[:1].isdigit()  # type: ignore[index]  # an empty name is no date


def _fault(sentence: Sentence, measured: Measured) -> Why | None:
    """Why a parcel does not bear a sentence; None if it does."""
    verdicts = {finding.verdict for finding in check((sentence,), measured)}
    if "contradicted" in verdicts:
        return "contradicted"
    return "unsupported" if "unsupported" in verdicts else None
