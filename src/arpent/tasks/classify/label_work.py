"""What is done with one picture and its caption: read both, ask the network, write a row. See `engine.ItemWork`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from arpent.core import Language
from arpent.engine import Product, Rows
from arpent.errors import InputError
from arpent.io.photo_place import place_of
from arpent.language import say
from arpent.tasks.classify.picture_list import ListedPicture

if TYPE_CHECKING:
    from arpent.tasks.classify.asking import Asked

Number = TypeVar("Number", np.float32, np.int64)

__all__ = ["LINES", "NOTES_APART", "PLACES", "TABLE", "LabelWork", "label_schemas"]

TABLE, LINES, PLACES = "labels.csv", "labels.jsonl", "places.parquet"
"""Files of a run: a row for each picture, the same as JSON, and those that have a place on earth."""

NOTES_APART: Mapping[Language, str] = {"en": "; ", "fr": "\N{NARROW NO-BREAK SPACE}; "}
"""What stands between two notes."""


@dataclass(frozen=True)
class _Ready:
    """A picture and its caption as the network takes them."""

    of: ListedPicture
    image: NDArray[np.float32] | None
    codes: NDArray[np.int64] | None
    notes: tuple[str, ...]
    place: shapely.Geometry | None


@dataclass(frozen=True)
class LabelWork:
    """Gives labels to pictures: satisfies `engine.ItemWork`.

    Attributes:
        labeller: that gives them.
        language: of the notes.
        schemas: of the rows, by product.
    """

    labeller: Asked
    language: Language = "en"
    schemas: Mapping[str, pa.Schema] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "schemas", label_schemas(self.labeller.labels))

    def products(self) -> Sequence[Product]:
        """The tables."""
        names = (("table", TABLE), ("lines", LINES), ("places", PLACES))
        return tuple(Product(name, name, kind="table", file=file) for name, file in names)

    def name(self, item: ListedPicture) -> str:
        """What people call it."""
        return item.name

    def prepare(self, item: ListedPicture) -> _Ready:
        """Reads a picture, codes its caption, and looks where it lies.

        Raises:
            InputError: the picture cannot be read, or the model takes neither of the two.
        """
        image, place, notes = None, None, []
        if item.path is not None:
            if self.labeller.reads_images:
                image = self.labeller.opened.read(item.path)
            else:
                notes.append(say("classify_report.picture_unread", self.language))
            place = place_of(item.path)
        codes = self._codes(item.caption, notes)
        if image is None and codes is None:
            raise InputError(
                f"there is nothing of {item.name} that the model reads",
                expected="a picture" if self.labeller.reads_images else "a caption",
                cure="Give what it reads, or a model that was trained on pictures and captions.",
            )
        return _Ready(item, image, codes, tuple(notes), place)

    def _codes(self, caption: str | None, notes: list[str]) -> NDArray[np.int64] | None:
        """The words of a caption; None where there are none. What people should know of them goes to the notes."""
        if caption is None:
            return None
        if not self.labeller.reads_text:
            notes.append(say("classify_report.caption_unread", self.language))
            return None
        codes = self.labeller.opened.codes(caption)
        if not codes.present:
            notes.append(say(f"classify_report.{'all_unknown' if codes.unknown else 'no_words'}", self.language))
            return None
        if codes.cut:
            notes.append(say("classify_report.cut", self.language, kept=len(codes.ids), cut=codes.cut))
        if codes.unknown:
            notes.append(say("classify_report.some_unknown", self.language, count=codes.unknown))
        return codes.ids

    def alike(self, ready: _Ready) -> None:
        """All pictures are brought to one size, and all may share a batch."""
        return

    def answer(self, batch: Sequence[_Ready]) -> Mapping[str, Rows]:
        """The rows of a batch."""
        seen, read = [one.image for one in batch], [one.codes for one in batch]
        present = np.array([[image is not None, codes is not None] for image, codes in zip(seen, read, strict=True)])
        images = _stacked(seen)
        features = None if images is None else self.labeller.features(images)
        chances = self.labeller.chances(features, _stacked(read), present)
        cuts = self.labeller.opened.thresholds_for(present)
        rows = [self._row(*one) for one in zip(batch, chances, cuts, strict=True)]
        placed = [row for row in rows if row["geometry"] is not None]
        tables = {"table": rows, "lines": rows, "places": placed}
        return {name: Rows(_table(self.schemas[name], own)) for name, own in tables.items()}

    def _row(self, ready: _Ready, chances: NDArray[np.float64], thresholds: NDArray[np.float64]) -> dict[str, object]:
        labels = self.labeller.labels
        given = np.flatnonzero(chances >= thresholds)
        ranked = [labels[place] for place in sorted(given, key=lambda place: -chances[place])]
        spot = None if ready.place is None else shapely.point_on_surface(ready.place)
        told, cuts = (
            {name: round(float(value), 6) for name, value in zip(labels, own, strict=True)}
            for own in (chances, thresholds)
        )
        return {
            "picture": ready.of.name,
            "labels": ranked,
            "given": "; ".join(ranked),
            "caption": ready.of.caption,
            "notes": NOTES_APART[self.language].join(ready.notes),
            "longitude": None if spot is None else float(spot.x),
            "latitude": None if spot is None else float(spot.y),
            "chances": told,
            "thresholds": cuts,
            "geometry": None if ready.place is None else shapely.to_wkb(ready.place),
        }


def label_schemas(labels: Sequence[str]) -> dict[str, pa.Schema]:
    """Columns of the tables of a model with these labels, by product."""
    text, number = pa.string(), pa.float64()
    first = [("picture", text)]
    rest = [("caption", text), ("notes", text)]
    spot = [("longitude", number), ("latitude", number)]
    each = pa.struct([(name, number) for name in labels])
    chances, cuts = [("chances", each)], [("thresholds", each)]
    listed = [("labels", pa.list_(text))]
    return {
        "table": pa.schema([*first, ("labels", text), *rest, *spot, *((f"chance_{name}", number) for name in labels)]),
        "lines": pa.schema([*first, *listed, *rest, *spot, *chances, *cuts]),
        "places": pa.schema([*first, ("labels", text), *rest, *chances, ("geometry", pa.binary())]),
    }


def _table(schema: pa.Schema, rows: Sequence[dict[str, object]]) -> pa.Table:
    """Rows as the columns of a table; text for lists where the table has text."""
    columns = []
    for column in schema:
        if column.name.startswith("chance_"):
            name = column.name.removeprefix("chance_")
            values = [row["chances"][name] for row in rows]  # type: ignore[index]
        else:
            name = "given" if column.name == "labels" and pa.types.is_string(column.type) else column.name
            values = [row[name] for row in rows]
        columns.append(pa.array(values, column.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _stacked(parts: Sequence[NDArray[Number] | None]) -> NDArray[Number] | None:
    """Arrays of one shape in one; zeros for those that are absent, None where all are."""
    example = next((part for part in parts if part is not None), None)
    if example is None:
        return None
    return np.stack([np.zeros_like(example) if part is None else part for part in parts])
