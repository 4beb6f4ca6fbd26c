"""GeoJSON read feature by feature: of a large file little more is in memory than the feature that is read just now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

__all__ = ["features_of"]

_PART = 1 << 20
"""Characters read at a time; twice as many, and again, where a value goes on."""

_CUT = 16
"""An error so near to the end of what was read may be that the rest is missing: no word or escape is longer."""

_OPEN = "Unterminated string"
"""What Python says of a string that goes on, wherever it begins."""

_ENDS = frozenset(",:]} \t\r\n")
"""Signs of which one stands behind a value that has been read whole; a number that was cut goes on with others."""

_LONGEST = 1 << 26
"""Characters of a single value, features together set aside: in memory it takes some ten times as much."""

_KEPT = ("type", "crs", "geometry", "properties")
_FEATURES = "features"

_DECODE = json.JSONDecoder().raw_decode


def features_of(path: Path, members: dict[str, Any]) -> Iterator[object]:
    """The features of a file one by one, whatever they are; a file of one feature gives that one.

    Args:
        path: of a file in UTF-8, UTF-16 or UTF-32.
        members: takes the document's ``type`` and ``crs``, which may stand behind the features: they are there when
            the last feature has been given.

    Raises:
        ValueError, TypeError, KeyError, RecursionError: it is no JSON, no object, or what it calls its features is no
            list; or a value in it is too long.
    """
    with path.open("rb") as head:
        encoding = json.detect_encoding(head.read(4))
    with path.open(encoding=encoding, newline="") as stream:
        text = _Text(stream)
        text.take("{", "the document is no object")
        listed = False
        for _ in text.items("}"):
            name = text.value()
            if not isinstance(name, str):
                raise TypeError("a name of the document is no text")
            text.take(":", "a name has no value")
            if name == _FEATURES:
                if listed:
                    raise TypeError("features stand there twice")
                listed = True
                text.take("[", "features is no list")
                for _ in text.items("]"):
                    yield text.value()
            else:
                value = text.value()
                if name in _KEPT:
                    members[name] = value
        if text.sign():
            raise ValueError("something follows the document")
        if listed != (members["type"] == "FeatureCollection"):
            raise TypeError(f"a {members['type']} has features" if listed else "a FeatureCollection has no features")
        if not listed:
            yield members


@dataclass
class _Text:
    """What has been read of a file, and how far it has been understood.

    Attributes:
        stream: the file.
        read: what is in memory of it.
        place: in what is read, of what comes next.
        is_whole: whether there is nothing behind what is read.
        lines, columns: that stood before what is read: lines, and signs of the line that it begins in.
    """

    stream: TextIO
    read: str = ""
    place: int = 0
    is_whole: bool = False
    lines: int = 0
    columns: int = 0

    def take(self, sign: str, otherwise: str) -> None:
        """Goes beyond a sign that must be next.

        Raises:
            TypeError: it is not.
        """
        if self.sign() != sign:
            raise TypeError(otherwise)
        self.place += 1

    def items(self, end: str) -> Iterator[None]:
        """Stands at each of the items up to the end, which the caller reads; commas are between them."""
        if self.sign() != end:
            yield
            while self.sign() == ",":
                self.place += 1
                yield
        if self.sign() != end:
            raise self._wrong(json.JSONDecodeError(f"Expecting ',' or '{end}'", self.read, self.place))
        self.place += 1

    def sign(self) -> str:
        """The next sign that is no blank; nothing at the end of the file."""
        while True:
            while self.place < len(self.read):
                if self.read[self.place] not in " \t\r\n":
                    return self.read[self.place]
                self.place += 1
            if self.is_whole:
                return ""
            self._more(_PART)

    def value(self) -> Any:  # noqa: ANN401 - any value of JSON
        """The next value, however long it is."""
        self.sign()
        more = _PART
        while True:
            try:
                found, end = _DECODE(self.read, self.place)
            except json.JSONDecodeError as problem:
                near = problem.pos >= len(self.read) - _CUT
                if self.is_whole or not (near or problem.msg.startswith(_OPEN)):
                    raise self._wrong(problem) from None
            else:
                rest = self.read[end : end + _CUT]
                if self.is_whole or rest[:1] in _ENDS or len(rest) == _CUT:
                    self.place = end
                    return found
            if len(self.read) - self.place > _LONGEST:
                raise ValueError(f"a value of more than {_LONGEST >> 20} MiB")
            self._more(more)
            more *= 2

    def _wrong(self, problem: json.JSONDecodeError) -> ValueError:
        """The same, with its place in the file."""
        column = problem.colno + (self.columns if problem.lineno == 1 else 0)
        return ValueError(f"{problem.msg}: line {self.lines + problem.lineno}, column {column}")

    def _more(self, count: int) -> None:
        further = self.stream.read(count)
        gone = self.read[: self.place]
        lines = gone.count("\n")
        self.lines += lines
        self.columns = len(gone) - gone.rfind("\n") - 1 + (0 if lines else self.columns)
        self.read, self.place = self.read[self.place :] + further, 0
        self.is_whole = not further
