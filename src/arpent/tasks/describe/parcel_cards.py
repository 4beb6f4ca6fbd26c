"""Texts and measurements as the cards of a page of parcels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from arpent.core import Language
from arpent.language import area, number, percent, say
from arpent.language.claims import Finding
from arpent.pixels import index_names
from arpent.report.parcels import Card, Mark, Measure, ParcelPage, Passage
from arpent.report.small_pictures import SmallPicture
from arpent.tasks.describe.table import SHARES
from arpent.tasks.describe.texts import Described

__all__ = ["Shown", "parcel_page"]

_FIRST = ("ndvi", "ndmi", "evi2", "bsi", "ndre", *SHARES)
"""Measurements that people look for first."""


@dataclass(frozen=True)
class Shown:
    """What a page of parcels is made of.

    Attributes:
        described: the texts.
        measured: rows of the table of measurements, at least those of the texts.
        pictures: by name of the parcel and of its image.
    """

    described: Sequence[Described]
    measured: pa.Table
    pictures: Mapping[tuple[str, str], SmallPicture]


def parcel_page(shown: Shown, language: Language, *, title: str, footer: str = "") -> ParcelPage:
    """The page, one card for each parcel and image in the order of the texts."""
    rows = {(row["parcel"], row["image"]): row for row in shown.measured.to_pylist()}
    told: dict[tuple[str, str], list[Described]] = {}
    for one in shown.described:
        told.setdefault((one.parcel, one.image), []).append(one)
    cards = [
        _card(f"p{place}", texts, rows[key], shown.pictures.get(key), language)
        for place, (key, texts) in enumerate(told.items(), 1)
    ]
    modes = list(dict.fromkeys(one.mode for one in shown.described))
    how = ", ".join(say(f"parcels.{mode}", language) for mode in modes)
    return ParcelPage(title, cards, say("parcels.lead", language, how=how), _facts(shown, language), footer)


def _facts(shown: Shown, language: Language) -> list[tuple[str, str]]:
    """The figures at the head of the page."""
    findings = [one for text in shown.described for sentence in text.sentences for one in sentence.findings]
    sentences = sum(text.due for text in shown.described if not text.abstained)
    repairs = sum(text.repairs for text in shown.described)
    parcels = len({(text.place, text.parcel) for text in shown.described})
    dates = len({text.taken or text.image for text in shown.described})
    facts = [
        (number(parcels, language), say("parcels.parcels_of", language, count=parcels)),
        (number(dates, language), say("parcels.dates", language, count=dates)),
        (number(len(findings), language), say("parcels.claims", language)),
    ]
    for verdict, key in (("contradicted", "contradictions"), ("unsupported", "unsupporteds")):
        count = sum(one.verdict == verdict for one in findings)
        facts.append((number(count, language), say(f"parcels.{key}", language)))
    if sentences:
        facts.append((percent(repairs / sentences, language), say("parcels.repairs", language)))
    return facts


def _card(
    anchor: str, texts: Sequence[Described], row: Mapping[str, Any], picture: SmallPicture | None, language: Language
) -> Card:
    ordered = sorted(texts, key=lambda one: one.language != language)
    findings = [finding for text in texts for sentence in text.sentences for finding in sentence.findings]
    stated = {_key_of(finding, row) for finding in findings}
    return Card(
        anchor,
        str(row["parcel"]),
        _about(row, language),
        picture,
        [_passage(one, row, language) for one in ordered],
        _measures(row, stated, language),
        _notes(ordered[0], language),
        row.get("ndvi_mean"),
    )


def _about(row: Mapping[str, Any], language: Language) -> list[str]:
    """What a parcel is, in a few words each."""
    facts = [str(row["place"])] if row.get("place") and row["place"] != row["parcel"] else []
    if row.get("taken") is not None:
        facts.append(say("parcels.taken", language, day=row["taken"]))
    if row.get("crop"):
        facts.append(str(row["crop"]))
    if row.get("area_m2") is not None:
        facts.append(area(row["area_m2"], language))
    if row.get("pixels") is not None:
        facts.append(say("parcels.pixels", language, count=row["pixels"]))
    facts.append(say("parcels.valid", language, share=row["valid"]))
    if row.get("cloud"):
        facts.append(say("parcels.clouds", language, share=row["cloud"]))
    return facts


def _passage(text: Described, row: Mapping[str, Any], language: Language) -> Passage:
    marks = [_mark(finding, row, language) for sentence in text.sentences for finding in sentence.findings]
    sources = [(one.start, one.end, one.source) for one in text.sentences if one.source != "model"]
    return Passage(text.text, text.language, marks, sources)


def _mark(finding: Finding, row: Mapping[str, Any], language: Language) -> Mark:
    key = _key_of(finding, row)
    return Mark(finding.claim.start, finding.claim.end, finding.verdict, key, _tip(finding, key, row, language))


def _key_of(finding: Finding, row: Mapping[str, Any]) -> str:
    """The measurement that decides a claim: an index or a share; empty for none.

    That is the one that the text names, unless another was looked at: XVision calls the burn ratio NDWI, and the class
    of bare ground goes by its share.
    """
    claim = finding.claim
    named = (claim.index or "").casefold() or (claim.named or "" if claim.kind == "extent" else "")
    if finding.measured is None or claim.kind == "direction":
        return named if _value_of(named, row) is not None else ""
    keys = [named, *(name.casefold() for name in index_names()), *SHARES]
    return next((key for key in keys if _value_of(key, row) == finding.measured), "")


def _value_of(key: str, row: Mapping[str, Any]) -> float | None:
    value = row.get(key) if key in SHARES else row.get(f"{key}_mean")
    return None if value is None else float(value)


def _tip(finding: Finding, key: str, row: Mapping[str, Any], language: Language) -> str:
    """What is shown when somebody points at a claim."""
    if finding.verdict == "unsupported":
        return say("parcels.unbacked", language)
    parts = []
    if finding.measured is not None:
        parts.append(say("parcels.ask", language, value=_measured_words(finding, key, language)))
        if key:
            name = say(f"parcels.share_{key}", language) if key in SHARES else key.upper()
            parts[0] = f"{name[:1].upper()}{name[1:]} {parts[0]}"
    if row.get("pixels") is not None:
        parts.append(say("parcels.pixels", language, count=row["pixels"]))
    if finding.verdict == "contradicted":
        parts.append(say("parcels.contradicted", language))
    return " · ".join(parts)


def _measured_words(finding: Finding, key: str, language: Language) -> str:
    value, claim = finding.measured or 0.0, finding.claim
    if key in SHARES or claim.kind == "extent":
        return percent(value, language)
    if claim.named == "area":
        return area(value, language)
    return number(value, language, 3)


def _measures(row: Mapping[str, Any], stated: set[str], language: Language) -> list[Measure]:
    """Everything that was measured, what texts speak of first."""
    found = []
    for name in index_names():
        key = name.casefold()
        if row.get(f"{key}_mean") is not None:
            spread = row.get(f"{key}_std")
            told = "" if spread is None else f"± {number(spread, language, 3)}"
            found.append(Measure(key, name, number(row[f"{key}_mean"], language, 3), told, told=key in stated))
    for share in SHARES:
        if row.get(share) is not None:
            name = say(f"parcels.share_{share}", language)
            value = percent(row[share], language)
            found.append(Measure(share, name[:1].upper() + name[1:], value, told=share in stated))
    order = {key: place for place, key in enumerate(_FIRST)}
    return sorted(found, key=lambda one: order.get(one.key, len(order)))


def _notes(text: Described, language: Language) -> list[str]:
    """What a reader should know of how a text came to be."""
    notes = []
    if text.repairs:
        notes.append(say("parcels.repaired", language, count=text.repairs))
    if not text.ended:
        notes.append(say("parcels.cut", language))
    return notes
