"""Nomenclatures: what the numbers of a class map mean, in English and French, and in which colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from arpent.core.names import table
from arpent.errors import InvalidSetting, UnknownName

__all__ = ["ClassMap", "LandClass", "Language", "nomenclature", "nomenclature_names"]

Language = Literal["en", "fr"]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]


class LandClass(BaseModel):
    """One class: its number in files, its names, its colour, and its number in other code lists."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[int, Field(ge=0, le=255)]
    en: str
    fr: str
    colour: Colour
    codes: Mapping[str, int] = {}

    def label(self, language: Language) -> str:
        """The name in one language."""
        return self.fr if language == "fr" else self.en


class ClassMap(BaseModel):
    """An ordered set of classes. A model's output map *k* is the class at *index* k."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    classes: tuple[LandClass, ...]
    nodata: Annotated[int, Field(ge=0, le=255)] = 0

    def model_post_init(self, context: object, /) -> None:
        """Refuses a class id that is given twice or that also means no data."""
        ids = [entry.id for entry in self.classes]
        if len(set(ids)) != len(ids) or self.nodata in ids:
            raise InvalidSetting(
                f"nomenclature '{self.name}' uses a number twice",
                found=f"ids {ids}, no data {self.nodata}",
                cure="Give each class a number of its own, other than that of no data.",
            )

    def __len__(self) -> int:
        return len(self.classes)

    @cached_property
    def ids(self) -> NDArray[np.uint8]:
        """The number in files of each index."""
        return np.array([entry.id for entry in self.classes], np.uint8)

    @cached_property
    def index_of_id(self) -> NDArray[np.int64]:
        """A table of 256 entries from file number to index, -1 for every other number."""
        lookup = np.full(256, -1, np.int64)
        lookup[self.ids] = np.arange(len(self))
        return lookup

    def labels(self, language: Language = "en") -> tuple[str, ...]:
        """The names, by index."""
        return tuple(entry.label(language) for entry in self.classes)

    @cached_property
    def palette(self) -> NDArray[np.uint8]:
        """``(256, 4)`` red, green, blue, alpha by file number; transparent where there is no class."""
        colours = np.zeros((256, 4), np.uint8)
        for entry in self.classes:
            colours[entry.id] = (*bytes.fromhex(entry.colour[1:]), 255)
        return colours

    def by_id(self, number: int) -> LandClass:
        """The class with that number in files."""
        for entry in self.classes:
            if entry.id == number:
                return entry
        raise UnknownName.among(str(number), [str(e.id) for e in self.classes], "class number")

    def keep(self, ids: Sequence[int], name: str) -> ClassMap:
        """The same nomenclature with only some of its classes."""
        # Not a copy: that would take along the tables that were computed for all classes.
        return ClassMap(name=name, classes=tuple(self.by_id(number) for number in ids), nodata=self.nodata)


@cache
def _nomenclatures() -> dict[str, ClassMap]:
    found: dict[str, ClassMap] = {}
    for name, entry in table("nomenclatures").items():
        if "subset_of" in entry:
            found[name] = found[entry["subset_of"]].keep(entry["ids"], name)
        else:
            found[name] = ClassMap(name=name, **entry)
    return found


def nomenclature_names() -> tuple[str, ...]:
    """Every nomenclature that Arpent knows."""
    return tuple(_nomenclatures())


def nomenclature(name: str) -> ClassMap:
    """The nomenclature of that name."""
    known = _nomenclatures()
    if name not in known:
        raise UnknownName.among(name, known, "nomenclature")
    return known[name]
