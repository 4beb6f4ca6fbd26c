"""``describe caption``: the rows of a table of measurements in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arpent.core import Language, writing
from arpent.core.writing import publish_file
from arpent.errors import InvalidSetting, NoValidPixels
from arpent.language import (
    LANGUAGES,
    Diversity,
    Measured,
    Profile,
    Sentence,
    abstains,
    axes_of,
    check,
    compose,
    diversity,
    text,
)
from arpent.tasks.describe.caption_settings import CaptionSettings
from arpent.tasks.describe.table import measured_of, read_rows

__all__ = ["XVISION_INDICES", "XVISION_TEXTS", "Captioned", "caption_table", "captions_of"]

XVISION_TEXTS = "sentinel_indices.jsonl"
"""The file that XVision's training reads."""
XVISION_INDICES = {"NDVI": "NDVI", "NDWI": "NBR", "SAVI": "SAVI", "EVI": "EVI", "ARVI": "ARVI", "DVI": "DVI"}
"""Its names of indices, and ours."""
_MOST_TRIES = 16
"""Wordings tried before a text is written a second time for the same parcel."""


@dataclass(frozen=True)
class Captioned:
    """What was written.

    Attributes:
        file: of the texts.
        rows: of the table.
        texts: written.
        abstained: rows of which too little is seen.
        first: some of the texts, by language.
        variety: of the texts, by language; abstentions are left out.
    """

    file: Path
    rows: int
    texts: int
    abstained: int
    first: Mapping[Language, Sequence[str]]
    variety: Mapping[Language, Diversity]


def caption_table(table: str | Path, output: Path, settings: CaptionSettings) -> Captioned:
    """Writes one line of JSON for each text; the file is there when all of them are.

    Args:
        table: of measurements, or the run that holds it.
        output: file of the texts; in the xvision profile a folder, unless it ends in .jsonl.
        settings: of the texts.

    Raises:
        NoValidPixels: the table is empty.
    """
    rows = read_rows(table).to_pylist()
    if not rows:
        raise NoValidPixels(f"{table} has no rows", cure="Measure images that show the parcels.")
    file = _file_of(output, settings.profile)
    languages = _languages(settings)
    told: dict[Language, list[str]] = {language: [] for language in languages}
    texts = 0
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.partial")
        try:
            with beside.open("w", encoding="utf-8") as stream:
                for line, measured in captions_of(rows, settings):
                    texts += 1
                    if not abstains(measured, settings.profile):
                        told[line.get("language", "fr")].append(line.get("text") or line["caption"])
                    stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            publish_file(beside, file)
        finally:
            beside.unlink(missing_ok=True)
    return Captioned(
        file=file,
        rows=len(rows),
        texts=texts,
        abstained=sum(abstains(measured_of(row), settings.profile) for row in rows),
        first={language: known[:2] for language, known in told.items()},
        variety={language: diversity(known) for language, known in told.items()},
    )


def captions_of(
    rows: Sequence[Mapping[str, Any]], settings: CaptionSettings
) -> Iterator[tuple[dict[str, Any], Measured]]:
    """The lines of a file of texts, each with the facts that it is about.

    Every text is read back and held against the measurements before it is given.
    """
    series = _series(rows) if settings.changes else {}
    languages = _languages(settings)
    for row in rows:
        measured = measured_of(row)
        before = _before(series.get((measured.place, measured.parcel), ()), measured)
        for language in languages:
            written: set[str] = set()
            for number in range(settings.per_parcel):
                words, seed = _new_text(row, measured, before, (language, number, settings), written)
                written.add(words)
                yield _line(row, measured, words, language, seed, settings.profile), measured


def _new_text(
    row: Mapping[str, Any],
    measured: Measured,
    before: Sequence[Measured],
    what: tuple[Language, int, CaptionSettings],
    written: set[str],
) -> tuple[str, int]:
    """A text that this parcel does not have yet, if the grammar finds one, and its seed."""
    language, number, settings = what
    axes = tuple(axes_of(settings.profile))
    words, seed = "", 0
    for attempt in range(_MOST_TRIES):
        key = [
            settings.seed,
            language,
            number,
            attempt,
            measured.place,
            measured.parcel,
            row.get("image"),
            str(measured.taken),
        ]
        seed = int.from_bytes(hashlib.sha256(json.dumps(key).encode()).digest()[:4]) >> 1
        seed %= settings.wordings or 1 << 31
        said = compose(
            measured if settings.days else replace(measured, taken=None),
            language,
            seed=seed,
            axes=axes,
            before=before,
            profile=settings.profile,
            number_first=settings.number_first,
        )
        _vouch(said, measured, before, settings.profile)
        words = text(said)
        if words not in written:
            break
    return words, seed


def _vouch(said: Sequence[Sentence], measured: Measured, before: Sequence[Measured], profile: Profile) -> None:
    """The grammar cannot contradict the pixels; where it did, no training set may hold the text."""
    wrong = [one for one in check(said, measured, before=before, profile=profile) if one.verdict != "supported"]
    if wrong:
        raise InvalidSetting(
            f"the text of parcel {measured.parcel} states what was not measured",
            found=f"{wrong[0].claim.kind} {wrong[0].claim.value or wrong[0].claim.named}",
            expected=wrong[0].expected or "nothing",
            cure="This is a mistake in Arpent's grammar: please report it with the table.",
        )


def _line(
    row: Mapping[str, Any], measured: Measured, words: str, language: Language, seed: int, profile: Profile
) -> dict[str, Any]:
    if profile == "xvision":
        known = {name: measured.indices.get(index) for name, index in XVISION_INDICES.items()}
        return {"image": row.get("image") or measured.parcel, **known, "caption": words}
    return {
        "parcel": measured.parcel,
        "place": measured.place,
        "image": row.get("image") or "",
        "taken": None if measured.taken is None else measured.taken.isoformat(),
        "language": language,
        "text": words,
        "seed": seed,
    }


def _languages(settings: CaptionSettings) -> tuple[Language, ...]:
    if settings.profile == "xvision":
        if settings.lang in ("en", "both"):
            raise InvalidSetting(
                "XVision's texts are French",
                found=f"lang {settings.lang}",
                expected="fr",
                cure="Leave 'lang' out, or use the arpent profile.",
            )
        return ("fr",)
    if settings.lang is None or settings.lang == "both":
        return LANGUAGES
    return (settings.lang,)


def _file_of(output: Path, profile: Profile) -> Path:
    if profile == "xvision" and output.suffix.lower() != ".jsonl":
        return output / XVISION_TEXTS
    if output.is_dir() or output.suffix.lower() != ".jsonl":
        raise InvalidSetting(
            f"texts are lines of JSON, and {output} does not end in .jsonl",
            expected="a file that ends in .jsonl",
            cure=f"Write '-o {output / 'captions.jsonl' if output.is_dir() else output.with_suffix('.jsonl')}'.",
        )
    return output


def _series(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[Measured]]:
    series: dict[tuple[str, str], list[Measured]] = {}
    for row in rows:
        measured = measured_of(row)
        if measured.taken is not None:
            series.setdefault((measured.place, measured.parcel), []).append(measured)
    return series


def _before(series: Sequence[Measured], measured: Measured) -> tuple[Measured, ...]:
    day = measured.taken
    if day is None:
        return ()
    earlier = [one for one in series if one.taken is not None and one.taken < day]
    return tuple(sorted(earlier, key=lambda one: one.taken or day))
