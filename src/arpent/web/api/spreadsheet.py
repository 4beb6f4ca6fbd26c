"""Areas as a table that a spreadsheet opens by a double click, in the language of its reader."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from arpent.web.index.models import Layer

__all__ = ["area_csv"]

_HEADS = {
    "en": ("layer", "date", "class", "area (m²)", "area (ha)", "share (%)", "mean"),
    "fr": ("couche", "date", "classe", "surface (m²)", "surface (ha)", "part (%)", "moyenne"),
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def area_csv(rows: Iterable[Mapping[str, Any]], layers: Sequence[Layer], language: Literal["en", "fr"]) -> str:
    """CSV with a byte-order mark; in French with semicolons and decimal commas."""
    titles = {layer.id: layer.title_fr if language == "fr" else layer.title_en for layer in layers}
    text = io.StringIO()
    text.write("\ufeff")
    lines = csv.writer(text, delimiter=";" if language == "fr" else ",", lineterminator="\r\n")
    lines.writerow(_HEADS[language])
    for row in rows:
        entry = row["class"]
        lines.writerow(
            [
                _harmless(titles[row["layer"]]),
                row["date"].isoformat() if row["date"] else "",
                _harmless(entry[language]) if entry else "",
                _number(row["area_m2"], 1, language),
                _number(row["area_m2"] / 1e4, 4, language),
                _number(row["share"] * 100, 2, language),
                _number(row["mean"], 6, language),
            ]
        )
    return text.getvalue()


def _harmless(text: str) -> str:
    """The text; one that a spreadsheet would take for a formula gets a sign before it that keeps it text."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _number(value: float | None, digits: int, language: str) -> str:
    if value is None:
        return ""
    written = f"{value:.{digits}f}"
    return written.replace(".", ",") if language == "fr" else written
