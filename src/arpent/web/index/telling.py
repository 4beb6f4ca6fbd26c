"""What is said of a parcel in French and English, sentence by sentence, with what was measured behind each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from arpent.core import Language
from arpent.language import say
from arpent.language.axes import SHARES, axes_of
from arpent.language.claims import parse

__all__ = ["is_told", "texts_of"]

LANGUAGES: tuple[Language, ...] = get_args(Language)


def is_told(row: Mapping[str, Any]) -> bool:
    """Whether a row of a table has texts."""
    return any(row.get(f"text_{language}") for language in LANGUAGES)


def texts_of(row: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """By language, the sentences: ``text``, and ``measured``, numbers by the name of their index or kind of ground."""
    return {language: _sentences(row, language) for language in LANGUAGES}


def _sentences(row: Mapping[str, Any], language: Language) -> list[dict[str, Any]]:
    text = row.get(f"text_{language}") or ""
    told = row.get(f"claims_{language}")
    if isinstance(told, str):  # seasons: the sentences stand there as they are
        return [{"text": one["text"], "measured": _measured(one["claims"], language)} for one in json.loads(told)]
    claims = [claim for claim in row.get("claims") or () if claim["language"] == language]
    sentences = []
    for place, sentence in enumerate(parse(text, language)):
        own = [claim for claim in claims if claim["sentence"] == place]
        sentences.append({"text": sentence.text, "measured": _measured(own, language)})
    return sentences


def _measured(claims: list[dict[str, Any]], language: Language) -> dict[str, float]:
    found = {}
    for claim in claims:
        value, share = claim.get("measured"), _share_of(claim)
        if not isinstance(value, int | float) or value != value:
            continue
        if share:
            found[f"{say(f'parcels.share_{share}', language)} (%)"] = round(100 * float(value), 2)
        elif name := claim.get("index") or claim.get("axis"):
            found[str(name)] = round(float(value), 6)
    return found


def _share_of(claim: Mapping[str, Any]) -> str | None:
    """The kind of ground whose share was measured; None where it was an index."""
    if claim.get("kind") == "class":  # which some axes decide by a share, whatever index they are named after
        axis = axes_of().get(str(claim.get("axis")))
        return axis.share if axis else None
    named = claim.get("named") if claim.get("kind") == "extent" else None
    return named if named in SHARES else None
