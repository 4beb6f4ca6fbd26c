"""What is learnt from: measurements, visual tokens and texts of the same parcel on the same date, joined."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language
from arpent.errors import DatasetError, EmptySplit, FileMissing, SplitLeak, UnreadableFile
from arpent.language import Measured
from arpent.tasks.describe.embedding_table import EncoderFacts, encoder_of, read_embeddings, visual_of
from arpent.tasks.describe.table import measured_of, read_rows
from arpent.tasks.describe.train_settings import HeldOutSettings

__all__ = ["Example", "Key", "Sides", "VisualTokens", "divided", "joined", "read_captions", "read_visual"]


class Key(NamedTuple):
    """What makes rows of different tables speak of the same: parcel, place, image and day."""

    parcel: str
    place: str
    image: str
    taken: dt.date | None


@dataclass(frozen=True)
class VisualTokens:
    """Visual tokens of parcels.

    Attributes:
        keys: of the rows.
        values: (rows, cells, width) float16.
        encoder: that made them.
    """

    keys: Sequence[Key]
    values: NDArray[np.float16]
    encoder: EncoderFacts


@dataclass(frozen=True)
class Example:
    """A parcel on a date, with all that is known of it.

    Attributes:
        key: which one.
        measured: the facts.
        visual: (cells, width) float16.
        texts: by language.
    """

    key: Key
    measured: Measured
    visual: NDArray[np.float16]
    texts: Mapping[Language, Sequence[str]]


@dataclass(frozen=True)
class Sides:
    """Examples to learn from, and to pick the best epoch by; those held out are in neither."""

    train: Sequence[Example]
    validation: Sequence[Example]
    held_out: int


def read_visual(path: str | Path) -> VisualTokens:
    """Visual tokens of a run of 'arpent describe embed', or of its table; without parcels that nothing is seen of.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: no such table.
        DatasetError: it has no row that can be used.
    """
    table = read_embeddings(path, ["parcel", "place", "image", "taken", "embedding", "visual"])
    columns = [table[name].to_pylist() for name in Key._fields]
    keys = [Key(one, place or "", image or "", day) for one, place, image, day in zip(*columns, strict=True)]
    values = visual_of(table, path)
    seen = np.isfinite(values[:, 0, 0])
    if not seen.any():
        raise DatasetError(f"{path} holds no parcel that is seen", cure="Embed images with fewer clouds.")
    return VisualTokens(
        [key for key, there in zip(keys, seen, strict=True) if there], values[seen], encoder_of(table.schema)
    )


def read_captions(path: str | Path) -> dict[Key, dict[Language, list[str]]]:
    """Texts by what they are of, then by language; one object per line.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: a line that is no caption; says which.
    """
    file = Path(path)
    if not file.is_file():
        raise FileMissing(f"there are no captions at {file}", cure="Make them with 'arpent describe caption TABLE'.")
    found: dict[Key, dict[Language, list[str]]] = {}
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                taken = dt.date.fromisoformat(entry["taken"]) if entry.get("taken") else None
                key = Key(entry["parcel"], entry.get("place") or "", entry.get("image") or "", taken)
                found.setdefault(key, {}).setdefault(entry["language"], []).append(str(entry["text"]))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
                raise UnreadableFile(
                    f"line {number} of {file} is no caption",
                    found=line.strip()[:60],
                    expected='{"parcel": …, "language": …, "text": …}',
                    cure="Make the file with 'arpent describe caption TABLE'.",
                ) from problem
    return found


def joined(table: str | Path, captions: str | Path, visual: VisualTokens) -> list[Example]:
    """The parcels and dates that all three know, in the order of the visual tokens.

    Raises:
        DatasetError: they have none in common.
    """
    texts, place = read_captions(captions), {key: number for number, key in enumerate(visual.keys)}
    rows = read_rows(table).to_pylist()
    measured = {
        Key(row["parcel"], row.get("place") or "", row.get("image") or "", row["taken"]): measured_of(row)
        for row in rows
    }
    common = [key for key in place if key in texts and key in measured]
    if not common:
        raise DatasetError(
            "measurements, captions and embeddings are of different parcels or dates",
            found=f"{len(measured)}, {len(texts)} and {len(place)} of them, none in all three",
            cure="Make all three from the same images and parcels: 'indices', 'caption', 'embed'.",
        )
    return [Example(key, measured[key], visual.values[place[key]], texts[key]) for key in common]


def divided(examples: Sequence[Example], held_out: HeldOutSettings) -> Sides:
    """Examples by side: whole dates, or whole places, and never the same ground on the same day twice.

    Raises:
        EmptySplit: a side without examples.
        SplitLeak: a date or place that is asked for on two sides.
    """
    both = set(held_out.dates) & set(held_out.validation_dates) | set(held_out.places) & set(held_out.validation_places)
    if both:
        raise SplitLeak(
            "what is held out cannot pick the best epoch",
            found=", ".join(sorted(both)),
            cure="Name each date and place on one side only.",
        )
    left = [one for one in examples if not _is_in(one, held_out.dates, held_out.places)]
    dates, places = held_out.validation_dates, held_out.validation_places
    if not dates and not places:
        dates = _last_date(left)
    validation = [one for one in left if _is_in(one, dates, places)]
    train = [one for one in left if not _is_in(one, dates, places)]
    for name, side in (("training", train), ("validation", validation)):
        if not side:
            days = sorted({_day(one) for one in left})
            raise EmptySplit(
                f"there is no {name} example",
                found=f"dates {', '.join(days) or 'none'}",
                cure="Set 'held_out.validation_dates' or 'held_out.validation_places' to some that are there.",
            )
    return Sides(train, validation, len(examples) - len(left))


def _is_in(example: Example, dates: Sequence[str], places: Sequence[str]) -> bool:
    return _day(example) in dates or example.key.place in places


def _day(example: Example) -> str:
    return example.key.taken.isoformat() if example.key.taken else ""


def _last_date(examples: Sequence[Example]) -> tuple[str, ...]:
    """The last day of several."""
    days = sorted({_day(one) for one in examples})
    return (days[-1],) if len(days) > 1 else ()
