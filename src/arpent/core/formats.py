"""Files whose format has a version: older ones are brought up to date, later ones refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from arpent.errors import ArpentError

__all__ = ["Format", "Migration"]

Model = TypeVar("Model", bound=BaseModel)
Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns a document of one version into one of the next."""


@dataclass(frozen=True)
class Format:
    """A format of JSON documents that carry their version under ``format``.

    Attributes:
        name: of the format, in errors ("bundle format").
        newest: version that this code writes.
        damaged: makes the error for a document whose version is no version, from its path and what was found.
        refusal: class of the error for a document of a later version.
        migrations: by version, what turns a document of that version into one of the next.
    """

    name: str
    newest: int
    damaged: Callable[[Path, str], ArpentError]
    refusal: type[ArpentError]
    migrations: Mapping[int, Migration] = field(default_factory=dict)

    def upgraded(self, document: dict[str, Any], path: Path) -> dict[str, Any]:
        """The `document` after every migration from its own version to the newest; `path` is named in errors."""
        version = document.get("format")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise self.damaged(path, f"format {version!r}")
        if version > self.newest:
            raise self.refusal(
                f"{path} was written by a later version of Arpent",
                found=f"{self.name} {version}",
                expected=f"{self.newest} or less",
                cure="Upgrade: pip install --upgrade arpent.",
            )
        for step in range(version, self.newest):
            document = {**self.migrations[step](document), "format": step + 1}
        return document

    def read(self, model: type[Model], document: dict[str, Any], path: Path) -> Model:
        """The `document`, brought up to date, as what it describes; `path` is named in errors."""
        try:
            return model.model_validate(self.upgraded(document, path))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(step) for step in first["loc"])
            raise self.damaged(path, f"{place}: {first['msg']}") from error
