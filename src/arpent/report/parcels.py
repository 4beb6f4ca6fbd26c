"""A page of parcels: for each its pictures beside its text, and every number of the text tied to its measurement."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from arpent.core import Language, write_file
from arpent.errors import InvalidSetting
from arpent.language import number, say
from arpent.report.small_pictures import NDVI_ENDS, SmallPicture, ndvi_colours
from arpent.report.templates import filled, own

__all__ = ["Card", "Mark", "Measure", "ParcelPage", "Passage", "parcel_page_html", "write_parcel_page"]

State = Literal["supported", "contradicted", "unsupported"]

_WORDS = (
    *(
        "backed",
        "by_grammar",
        "by_model_again",
        "colours",
        "contradicted",
        "filter",
        "how_to_read",
        "index",
        "measured",
    ),
    *("ndvi", "no_picture", "nothing_found", "others", "parcels", "sort", "sort_name", "sort_ndvi", "spread"),
    *("unsupported",),
)
_TICKS = (-0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Mark:
    """A claim in a text.

    Attributes:
        start, end: of its words, in characters of the text.
        state: what came of holding it against the pixels.
        key: of the measurement that it is tied to; empty for none.
        tip: what is shown when it is pointed at.
    """

    start: int
    end: int
    state: State
    key: str = ""
    tip: str = ""


class Piece(NamedTuple):
    """Words of a text between two changes of what they are."""

    text: str
    mark: Mark | None
    source: str


@dataclass(frozen=True)
class Passage:
    """A text with what is claimed in it.

    Attributes:
        text: plain.
        language: of the text.
        marks: its claims; of two that overlap the first counts.
        sources: who wrote each sentence: start, end, and "model", "again" or "grammar".
    """

    text: str
    language: Language
    marks: Sequence[Mark] = ()
    sources: Sequence[tuple[int, int, str]] = ()

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The text in pieces; together they are the text."""
        size = len(self.text)
        owner: list[Mark | None] = [None] * size
        for mark in sorted(self.marks, key=lambda one: (one.start, -one.end)):
            for at in range(max(0, mark.start), min(size, mark.end)):
                owner[at] = owner[at] or mark
        source = ["model"] * size
        for start, end, name in self.sources:
            source[max(0, start) : max(0, min(size, end))] = [name] * (min(size, end) - max(0, start))
        found, begun = [], 0
        for at in range(1, size + 1):
            if at == size or owner[at] is not owner[begun] or source[at] != source[begun]:
                found.append(Piece(self.text[begun:at], owner[begun], source[begun]))
                begun = at
        return tuple(found)


@dataclass(frozen=True)
class Measure:
    """A measurement that sentences can be tied to.

    Attributes:
        key: short, of letters and digits ("ndvi").
        name: for people.
        value: as text.
        spread: as text; empty if none.
        about: a word on what it is; empty if none.
        told: whether a text speaks of it: such measurements stand first and open.
    """

    key: str
    name: str
    value: str
    spread: str = ""
    about: str = ""
    told: bool = False


@dataclass(frozen=True)
class Card:
    """A parcel on a date.

    Attributes:
        anchor: unique on its page, fit for an address ("p12").
        title: name of the parcel.
        facts: a few words each: place, date, area.
        picture: of it; None where there is none.
        passages: texts, that of the page's language first.
        measures: what was measured.
        notes: what the reader should know, such as repairs.
        order: the value that cards are sorted by beside their names; None for none.
    """

    anchor: str
    title: str
    facts: Sequence[str] = ()
    picture: SmallPicture | None = None
    passages: Sequence[Passage] = ()
    measures: Sequence[Measure] = ()
    notes: Sequence[str] = ()
    order: float | None = None

    @property
    def told(self) -> list[Measure]:
        """Measurements that a text speaks of."""
        return [one for one in self.measures if one.told]

    @property
    def others(self) -> list[Measure]:
        """The rest of them."""
        return [one for one in self.measures if not one.told]


@dataclass(frozen=True)
class ParcelPage:
    """What a page of parcels shows.

    Attributes:
        title: above all.
        lead: a sentence or two below it.
        cards: in their order.
        facts: figures about all of them: a number as text, and what it counts.
        footer: small print.
    """

    title: str
    cards: Sequence[Card]
    lead: str = ""
    facts: Sequence[tuple[str, str]] = ()
    footer: str = ""


def parcel_page_html(page: ParcelPage, language: Language = "en") -> str:
    """The page as one HTML file. Everything given is text: markup in it is shown, not obeyed.

    Raises:
        InvalidSetting: two cards have one anchor.
    """
    anchors = [card.anchor for card in page.cards]
    if len(set(anchors)) < len(anchors):
        raise InvalidSetting("two parcels of a page have one anchor", cure="Number the cards.")
    keys = sorted({measure.key for card in page.cards for measure in card.measures if measure.key.isalnum()})
    return filled(
        "parcels.html",
        page=page,
        language=language,
        style=own("page.css") + own("parcels.css"),
        script=own("parcels.js"),
        keys=keys,
        address=_address,
        ramp=_ramp(),
        ticks=[number(tick, language, 1) for tick in _TICKS],
        words={name: say(f"parcels.{name}", language) for name in _WORDS},
    )


def write_parcel_page(path: Path, page: ParcelPage, language: Language = "en") -> Path:
    """Writes the `parcel_page_html`, whole or not at all."""
    return write_file(path, parcel_page_html(page, language))


def _address(content: bytes) -> str:
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _ramp() -> str:
    """The colours of NDVI as stops of a gradient."""
    colours = ndvi_colours(np.linspace(*NDVI_ENDS, 25))
    return ", ".join(f"rgb({red} {green} {blue})" for red, green, blue in colours.tolist())
