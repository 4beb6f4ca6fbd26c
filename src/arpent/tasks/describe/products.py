"""What a run of descriptions leaves behind: a row for each parcel and date, the same as lines of JSON, and a page.

A row holds the parcel's outline, what was measured, the texts in both languages, every claim with the measurement that
backs it, and how much had to be repaired. The page shows pictures and text side by side.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from odc.geo.crs import CRS

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.io import RowWriter
from arpent.language import LANGUAGES, say
from arpent.report.page import made_by
from arpent.report.parcels import write_parcel_page
from arpent.report.small_pictures import SmallPicture
from arpent.store import RunFolder
from arpent.tasks.describe.parcel_cards import Shown, parcel_page
from arpent.tasks.describe.texts import Described

__all__ = ["DESCRIPTIONS", "Illustrations", "descriptions_table", "publish_products"]

DESCRIPTIONS = "descriptions"
"""Name of the table of descriptions, without its suffix."""

Key = tuple[str, str]
"""Name of a parcel and of its image."""

_CLAIM = pa.struct(
    [
        ("language", pa.string()),
        ("sentence", pa.int32()),
        ("said", pa.string()),
        ("kind", pa.string()),
        ("axis", pa.string()),
        ("index", pa.string()),
        ("value", pa.float64()),
        ("named", pa.string()),
        ("verdict", pa.string()),
        ("measured", pa.float64()),
        ("expected", pa.string()),
        ("written_by", pa.string()),
    ]
)
_OWN = pa.schema(
    [
        pa.field("mode", pa.string()),
        pa.field("embedding", pa.string()),
        *(pa.field(f"text_{language}", pa.string()) for language in LANGUAGES),
        pa.field("claims", pa.list_(_CLAIM)),
        pa.field("sentences", pa.int32()),
        pa.field("repairs", pa.int32()),
        pa.field("regenerated", pa.int32()),
        pa.field("abstained", pa.bool_()),
        pa.field("ended", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Illustrations:
    """What products need beside texts and measurements.

    Attributes:
        pictures: by name of the parcel and of its image, as `thumbnails` gives them.
        encoder: hash of the encoder, by which embeddings are found again; empty where none was used.
        title: of the page; made from the name of the run if empty.
    """

    pictures: Mapping[Key, SmallPicture] = field(default_factory=dict)
    encoder: str = ""
    title: str = ""


def publish_products(
    run: RunFolder,
    described: Sequence[Described],
    measured: pa.Table,
    *,
    extras: Illustrations | None = None,
    language: Language = "en",
) -> dict[str, Path]:
    """Writes ``descriptions.parquet`` (GeoParquet), ``descriptions.jsonl`` and ``report.html`` into a run.

    Args:
        run: that is being written.
        described: the texts, in any order and in one or two languages.
        measured: the rows of the table of measurements that they are about.
        extras: pictures and names.
        language: of the page.

    Returns:
        The files by name of the product.

    Raises:
        InvalidSetting: a text is about a parcel and image that were not measured.
    """
    own = extras or Illustrations()
    table = descriptions_table(described, measured, encoder=own.encoder)
    made = {}
    for suffix in ("parquet", "jsonl"):
        with RowWriter(run.scratch / f"{DESCRIPTIONS}.{suffix}", schema=table.schema, crs=CRS("EPSG:4326")) as writer:
            writer.write(table)
        name = DESCRIPTIONS if suffix == "parquet" else f"{DESCRIPTIONS}_lines"
        made[name] = run.scratch / f"{DESCRIPTIONS}.{suffix}"
    shown = Shown(described, measured, own.pictures)
    title = own.title or say("parcels.title", language, name=_name(run, measured, language))
    page = parcel_page(shown, language, title=title, footer=made_by(language))
    made["report"] = write_parcel_page(run.scratch / "report.html", page, language)
    kinds = {DESCRIPTIONS: "vector" if "geometry" in table.column_names else "table", "report": "page"}
    found = {}
    for name, file in made.items():
        product = run.publish(file, kind=kinds.get(name, "text"), name=name)  # type: ignore[arg-type]
        found[name] = run.path / product.file
    return found


def _name(run: RunFolder, measured: pa.Table, language: Language) -> str:
    """The name of the run; where that is the name of one image of several, it says so."""
    images = {_folded(name) for name in measured["image"].unique().to_pylist()}
    if len(images) > 1 and _folded(run.name) in images:
        return say("scene.and_more", language, names=run.name, count=len(images) - 1)
    return run.name


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def descriptions_table(described: Sequence[Described], measured: pa.Table, *, encoder: str = "") -> pa.Table:
    """One row for each parcel and image of the texts, in the order in which they first come; see the module.

    Raises:
        InvalidSetting: a text is about a parcel and image that were not measured.
    """
    known = {(row["parcel"], row["image"]): row for row in measured.to_pylist()}
    told: dict[Key, list[Described]] = {}
    for one in described:
        told.setdefault((one.parcel, one.image), []).append(one)
    missing = [key for key in told if key not in known]
    if missing:
        raise InvalidSetting(
            f"nothing was measured of parcel {missing[0][0]} on {missing[0][1]}",
            found=f"{len(missing)} of {len(told)} parcels without measurements",
            cure="Give the table of measurements of the same images and parcels.",
        )
    geometry = "geometry" in measured.column_names and measured["geometry"].null_count < len(measured)
    names = [name for name in measured.column_names if name != "geometry"]
    fields = [measured.schema.field(name) for name in names] + list(_OWN)
    if geometry:
        fields.append(pa.field("geometry", pa.binary()))
    rows = [known[key] | _own_columns(own, encoder) for key, own in told.items()]
    return pa.Table.from_pylist([{entry.name: row[entry.name] for entry in fields} for row in rows], pa.schema(fields))


def _own_columns(texts: Sequence[Described], encoder: str) -> dict[str, Any]:
    first = texts[0]
    spoken = {one.language: one.text for one in texts}
    return {
        "mode": first.mode,
        # Names may hold any letter, so the identifier is JSON: three words that find a row of embeddings again.
        "embedding": json.dumps([encoder[:16], first.image, first.parcel], ensure_ascii=False) if encoder else None,
        **{f"text_{language}": spoken.get(language) for language in LANGUAGES},
        "claims": [claim for one in texts for claim in _claims(one)],
        "sentences": sum(len(one.sentences) for one in texts),
        "repairs": sum(one.repairs for one in texts),
        "regenerated": sum(one.regenerated for one in texts),
        "abstained": all(one.abstained for one in texts),
        "ended": all(one.ended for one in texts),
    }


def _claims(text: Described) -> list[dict[str, Any]]:
    found = []
    for place, sentence in enumerate(text.sentences):
        for finding in sentence.findings:
            claim = finding.claim
            found.append(
                {
                    "language": text.language,
                    "sentence": place,
                    "said": text.text[claim.start : claim.end],
                    "kind": claim.kind,
                    "axis": claim.axis,
                    "index": claim.index,
                    "value": claim.value,
                    "named": claim.named,
                    "verdict": finding.verdict,
                    "measured": finding.measured,
                    "expected": finding.expected,
                    "written_by": sentence.source,
                }
            )
    return found
