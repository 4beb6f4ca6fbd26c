"""Labels that people gave: a wide table of 0 and 1, a long table of names, or COCO's categories."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arpent.errors import DatasetError, UnknownName
from arpent.tasks.classify.text_tables import TextTable, parse_json, parse_table, read_text

__all__ = ["LabelTable", "read_labels"]

_TRUE, _FALSE = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "", "false", "no"})
_JOINED = re.compile(r"[;|]")


@dataclass(frozen=True)
class LabelTable:
    """Labels by the names of pictures.

    Attributes:
        labels: all that there are, in the order of the file; by alphabet where it has none.
        given: those of each picture.
    """

    labels: tuple[str, ...]
    given: Mapping[str, frozenset[str]]

    def only(self, kept: Iterable[str]) -> LabelTable:
        """With these labels alone.

        Raises:
            UnknownName: there is none of that name; says which one may be meant.
        """
        wanted = tuple(dict.fromkeys(kept))
        for name in wanted:
            if name not in self.labels:
                raise UnknownName.among(name, self.labels, "label")
        labels = tuple(name for name in self.labels if name in wanted)
        return LabelTable(labels, {name: own & frozenset(wanted) for name, own in self.given.items()})


def read_labels(path: Path) -> LabelTable:
    """The labels in a file, whose format is told by its content.

    Raises:
        FileMissing: nothing is there.
        UnreadableFile: neither text nor JSON, or damaged.
        DatasetError: it holds no labels, or cells that are no labels.
    """
    text = read_text(path, "file of labels")
    if path.suffix.lower() == ".json" or text.lstrip()[:1] in ("{", "["):
        found = _coco(parse_json(text, path), path)
    else:
        table = parse_table(text, path)
        if len(table.columns) < 2:
            raise _nothing(path, f"the single column {table.columns[0]}")
        found = _long(table) if _is_long(table) else _wide(table, path)
    if not found.labels:
        raise _nothing(path, "no label at all")
    return found


def _nothing(path: Path, found: str) -> DatasetError:
    return DatasetError(
        f"{path} holds no labels that can be read",
        found=found,
        expected="a column of 0 and 1 for each label, or the columns name and labels, or COCO's JSON",
        cure="Give another file by --labels.",
    )


def _is_long(table: TextTable) -> bool:
    return len(table.columns) == 2 and any(row[1].casefold() not in _TRUE | _FALSE for row in table.rows)


def _long(table: TextTable) -> LabelTable:
    """Names and labels joined by ; or |; a picture may have several rows."""
    given: dict[str, set[str]] = defaultdict(set)
    for name, joined in table.rows:
        given[name] |= {label.strip() for label in _JOINED.split(joined) if label.strip()}
    labels = sorted({label for own in given.values() for label in own})
    return LabelTable(tuple(labels), {name: frozenset(own) for name, own in given.items()})


def _wide(table: TextTable, path: Path) -> LabelTable:
    labels = table.columns[1:]
    if "" in labels or len(set(labels)) < len(labels):
        raise _nothing(path, "columns without a name, or two of the same")
    given: dict[str, frozenset[str]] = {}
    for number, (name, *cells) in enumerate(table.rows, start=2):
        if name in given:
            raise DatasetError(
                f"{path} has two rows for {name}", found=f"row {number}", cure="Keep the one that is right."
            )
        given[name] = frozenset(_marked(cells, labels, number, path))
    return LabelTable(labels, given)


def _marked(cells: Sequence[str], labels: Sequence[str], number: int, path: Path) -> Iterable[str]:
    for label, cell in zip(labels, cells, strict=True):
        word = cell.casefold()
        if word in _TRUE:
            yield label
        elif word not in _FALSE:
            raise DatasetError(
                f"row {number} of {path} says neither yes nor no to '{label}'",
                found=cell,
                expected="1 or 0",
                cure="Correct this cell.",
            )


def _coco(document: Any, path: Path) -> LabelTable:  # noqa: ANN401 - whatever a file holds
    try:
        labels = {one["id"]: str(one["name"]) for one in document["categories"]}
        names = {one["id"]: str(one["file_name"]) for one in document["images"]}
        given: dict[str, set[str]] = {name: set() for name in names.values()}
        for one in document["annotations"]:
            if "category_id" in one:
                given[names[one["image_id"]]].add(labels[one["category_id"]])
    except (KeyError, TypeError) as problem:
        raise _nothing(path, f"JSON of another form ({type(problem).__name__}: {problem})") from problem
    return LabelTable(tuple(dict.fromkeys(labels.values())), {name: frozenset(own) for name, own in given.items()})
