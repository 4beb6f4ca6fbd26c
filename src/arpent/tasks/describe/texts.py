"""The texts of a run as rows of one table: what was said of each parcel, and what each sentence rests on.

``texts.parquet`` has one row per parcel, date and language. Nothing here knows how a text was made, and torch is not
needed to read it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.parquet as pq

from arpent.core import Language
from arpent.errors import FileMissing, UnreadableFile
from arpent.language.claims import Claim, Finding

__all__ = ["TEXTS", "TEXT_SCHEMA", "Checked", "Described", "Mode", "Source", "read_texts", "texts_table"]

TEXTS = "texts.parquet"
"""Name of the table in a run folder."""

Mode = Literal["grounded", "blind"]
"""Whether the model was told what was measured, or saw the image alone."""

Source = Literal["model", "again", "grammar"]
"""Who wrote a sentence: the model, the model when it was asked again, or the grammar in its stead."""

_VERDICT = ("verdict", "measured", "expected", "off")
_DATES = ("when", "since")  # of a claim

TEXT_SCHEMA = pa.schema(
    [
        pa.field("parcel", pa.string(), nullable=False),
        pa.field("place", pa.string(), nullable=False),
        pa.field("image", pa.string(), nullable=False),
        pa.field("taken", pa.date32()),
        pa.field("language", pa.string(), nullable=False),
        pa.field("mode", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("draft", pa.string(), nullable=False),
        pa.field("sentences", pa.string(), nullable=False),
        pa.field("repairs", pa.int32(), nullable=False),
        pa.field("regenerated", pa.int32(), nullable=False),
        pa.field("abstained", pa.bool_(), nullable=False),
        pa.field("ended", pa.bool_(), nullable=False),
        pa.field("tokens", pa.int32(), nullable=False),
    ]
)
"""Columns of the table.

``sentences`` is JSON: a list of objects with ``text``, ``start``, ``end``, ``source``, ``axis``, ``first`` and
``claims``, and of each claim the fields of `language.claims.Claim` and those of its
`Finding`.
"""


@dataclass(frozen=True)
class Checked:
    """A sentence, and what came of holding it against the measurements.

    Attributes:
        text: as it stands in the final text.
        start, end: where it stands there, in characters.
        findings: one per claim that it makes; their places are those in the final text.
        source: who wrote it.
        axis: that it speaks of, where it speaks of one.
        first: what the model had written there, where another sentence stands now.
    """

    text: str
    start: int
    end: int
    findings: tuple[Finding, ...] = ()
    source: Source = "model"
    axis: str | None = None
    first: str | None = None

    def to_document(self) -> dict[str, Any]:
        """As JSON has it: each claim together with its verdict."""
        claims = []
        for one in self.findings:
            claim = {key: _plain(value) for key, value in asdict(one.claim).items()}
            claims.append(claim | {key: getattr(one, key) for key in _VERDICT})
        own = {key: getattr(self, key) for key in ("text", "start", "end", "source", "axis", "first")}
        return own | {"claims": claims}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """From what `to_document` gave."""
        findings = []
        for entry in document["claims"]:
            verdict = {key: entry[key] for key in _VERDICT}
            claim = Claim(**{key: _dated(key, value) for key, value in entry.items() if key not in _VERDICT})
            findings.append(Finding(claim=claim, **verdict))
        own = {key: document[key] for key in ("text", "start", "end", "source", "axis", "first")}
        return cls(**own, findings=tuple(findings))


@dataclass(frozen=True)
class Described:
    """What was said of one parcel on one date, in one language.

    Attributes:
        parcel, place, image, taken: as in the table of measurements.
        language: of the text.
        mode: see `Mode`.
        text: the final one.
        draft: as the model had written it; the same as `text` where no sentence was replaced.
        sentences: of the final text.
        repairs: sentences that the grammar wrote because the model's own failed twice or was missing.
        regenerated: sentences that the model was asked for again.
        abstained: too little of the parcel is seen; the model was not asked.
        ended: the model came to its end by itself; False for a run-on that was cut.
        tokens: that the model wrote.
    """

    parcel: str
    place: str
    image: str
    taken: dt.date | None
    language: Language
    mode: Mode
    text: str
    draft: str = ""
    sentences: tuple[Checked, ...] = ()
    repairs: int = 0
    regenerated: int = 0
    abstained: bool = False
    ended: bool = True
    tokens: int = 0

    @property
    def due(self) -> int:
        """Sentences there were to write: those of the model that stand, and each that was repaired.

        A repair may leave no sentence behind, or several, so that of the sentences of the text they are no share.
        """
        return sum(one.source != "grammar" for one in self.sentences) + self.repairs

    def to_row(self) -> dict[str, Any]:
        """As a row of `TEXT_SCHEMA`."""
        row = {field.name: getattr(self, field.name) for field in TEXT_SCHEMA}
        return row | {"sentences": json.dumps([one.to_document() for one in self.sentences], ensure_ascii=False)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From a row of `TEXT_SCHEMA`."""
        sentences = tuple(Checked.from_document(one) for one in json.loads(row["sentences"]))
        return cls(**{field.name: row[field.name] for field in TEXT_SCHEMA} | {"sentences": sentences})


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.date) else value


def _dated(key: str, value: Any) -> Any:  # noqa: ANN401 - a field of a claim
    return dt.date.fromisoformat(value) if key in _DATES and value else value


def texts_table(described: Iterable[Described]) -> pa.Table:
    """The rows as a table."""
    return pa.Table.from_pylist([one.to_row() for one in described], TEXT_SCHEMA)


def read_texts(path: Path | str) -> list[Described]:
    """The texts of a table, or of the run folder that holds it.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: not a table of texts.
    """
    file = Path(path) / TEXTS if Path(path).is_dir() else Path(path)
    if not file.exists():
        raise FileMissing(f"there are no texts at {file}", cure="Make them with 'arpent describe generate'.")
    try:
        table = pq.read_table(file)
        return [Described.from_row(row) for row in table.select(TEXT_SCHEMA.names).to_pylist()]
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as problem:
        raise UnreadableFile(
            f"{file} is not a table of texts",
            found=str(problem).partition("\n")[0],
            cure="Give a run of 'arpent describe generate'.",
        ) from problem
