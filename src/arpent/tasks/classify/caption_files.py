"""Captions as the well-known collections write them: Flickr8k's two formats, CSV, Karpathy's JSON and COCO's."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arpent.data import Split
from arpent.errors import DatasetError
from arpent.tasks.classify.text_tables import parse_json, parse_table, read_text

__all__ = ["SIDES", "CaptionFile", "read_captions"]

SIDES: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "restval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
}
"""What collections call the sides of a split."""

_NUMBERED = re.compile(r"(?P<name>[^\t]+?)#(?P<number>\d+)\t(?P<text>.*)")
_NAMES = ("image", "name", "image_name", "file", "file_name", "filename", "picture", "photo", "path", "nom", "fichier")
_TEXTS = ("caption", "captions", "comment", "text", "sentence", "raw", "description", "legende", "légende", "texte")


@dataclass(frozen=True)
class CaptionFile:
    """Captions by the names of pictures, as a file has them.

    Attributes:
        captions: of each picture, in the order of the file; empty ones are kept.
        splits: the side of each picture, where the file says it.
    """

    captions: Mapping[str, tuple[str, ...]]
    splits: Mapping[str, Split] = field(default_factory=dict)


def read_captions(path: Path) -> CaptionFile:
    """The captions in a file, whose format is told by its content.

    Raises:
        FileMissing: nothing is there.
        UnreadableFile: neither text nor JSON, or damaged.
        DatasetError: no captions are in it.
    """
    text = read_text(path, "file of captions")
    if path.suffix.lower() == ".json" or text.lstrip()[:1] in ("{", "["):
        found = _of_json(parse_json(text, path), path)
    else:
        lines = [line.rstrip("\r") for line in text.split("\n")]
        first = next(line for line in lines if line.strip())
        found = _numbered(lines, path) if _NUMBERED.fullmatch(first) else _of_table(text, path)
    if not any(found.captions.values()):
        raise _nothing(path, "no captions at all")
    return found


def _nothing(path: Path, found: str) -> DatasetError:
    return DatasetError(
        f"{path} holds no captions that can be read",
        found=found,
        expected="lines 'name.jpg#0<tab>caption', a CSV of image and caption, or Karpathy's or COCO's JSON",
        cure="Give another file by --captions.",
    )


def _numbered(lines: Iterable[str], path: Path) -> CaptionFile:
    """Lines such as ``1000268201_693b08cb0e.jpg#0<tab>A child in a pink dress .``; captions follow their numbers."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        match = _NUMBERED.fullmatch(line)
        if match is None:
            raise _nothing(path, f"line {number}: {line[:60]!r}")
        found[match["name"].strip()].append((int(match["number"]), match["text"]))
    ordered = {name: sorted(texts, key=lambda one: one[0]) for name, texts in found.items()}
    return CaptionFile({name: tuple(text for _, text in texts) for name, texts in ordered.items()})


def _of_table(text: str, path: Path) -> CaptionFile:
    table = parse_table(text, path)
    columns = [column.casefold() for column in table.columns]
    names, texts = _place(columns, _NAMES), _place(columns, _TEXTS)
    if names is None or texts is None:
        raise _nothing(path, "columns " + ", ".join(table.columns))
    sides = _place(columns, ("split",))
    captions: dict[str, list[str]] = defaultdict(list)
    splits: dict[str, Split] = {}
    for row in table.rows:
        captions[row[names]].append(row[texts])
        if sides is not None and row[sides]:
            splits[row[names]] = _side(row[sides], path)
    return CaptionFile({name: tuple(found) for name, found in captions.items()}, splits)


def _place(columns: list[str], known: Iterable[str]) -> int | None:
    return next((columns.index(name) for name in known if name in columns), None)


def _side(word: str, path: Path) -> Split:
    side = SIDES.get(word.strip().casefold())
    if side is None:
        raise DatasetError(
            f"{path} names a side of the split that is not known",
            found=word,
            expected=", ".join(SIDES),
            cure="Rename it, or leave the column away and let the sides be drawn.",
        )
    return side


def _of_json(document: Any, path: Path) -> CaptionFile:  # noqa: ANN401 - whatever a file holds
    images = document.get("images") if isinstance(document, dict) else document
    if not isinstance(images, list) or not all(isinstance(one, dict) for one in images):
        raise _nothing(path, "JSON without a list of images")
    try:
        if isinstance(document, dict) and "annotations" in document:
            return _coco(images, document["annotations"])
        return _karpathy(images, path)
    except (KeyError, TypeError, AttributeError) as problem:
        raise _nothing(path, f"JSON of another form ({type(problem).__name__}: {problem})") from problem


def _karpathy(images: list[dict[str, Any]], path: Path) -> CaptionFile:
    captions: dict[str, tuple[str, ...]] = {}
    splits: dict[str, Split] = {}
    for image in images:
        folder, name = image.get("filepath", ""), str(image["filename"])
        whole = f"{folder}/{name}" if folder else name
        captions[whole] = tuple(_sentence(one) for one in image["sentences"])
        if image.get("split"):
            splits[whole] = _side(str(image["split"]), path)
    return CaptionFile(captions, splits)


def _sentence(one: dict[str, Any]) -> str:
    raw = one.get("raw")
    return str(raw) if raw is not None else " ".join(one["tokens"])


def _coco(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> CaptionFile:
    names = {image["id"]: str(image["file_name"]) for image in images}
    captions: dict[str, list[str]] = {name: [] for name in names.values()}
    for one in annotations:
        if "caption" in one:
            captions[names[one["image_id"]]].append(str(one["caption"]))
    return CaptionFile({name: tuple(texts) for name, texts in captions.items()})
