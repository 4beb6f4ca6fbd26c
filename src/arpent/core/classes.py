"""Nomenclatures: what the numbers of a class map mean, in English and French, and in which colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from arpent.core.names import is_document, load_document, table
from arpent.core.settings import parse
from arpent.errors import InvalidSetting, UnknownName

__all__ = ["ClassMap", "LandClass", "Language", "nomenclature", "nomenclature_names"]

Language = Literal["en", "fr"]
Number = Annotated[int, Field(ge=0, le=255)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]


class LandClass(BaseModel):
    """One class.

    Attributes:
        id: its number in files.
        en, fr: its names.
        colour: of its pixels on maps.
        codes: its number in other code lists; several where the other list is finer.
        active: whether it is learnt, judged and ever predicted. A network may have a map for a class that is not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Number
    en: str
    fr: str
    colour: Colour
    codes: Mapping[str, Number | tuple[Number, ...]] = {}
    active: bool = True

    def label(self, language: Language) -> str:
        """The name in one language."""
        return self.fr if language == "fr" else self.en

    def numbers(self, codes: str) -> tuple[int, ...]:
        """Its numbers in another code list."""
        found = self.codes.get(codes, ())
        return (found,) if isinstance(found, int) else tuple(found)


class ClassMap(BaseModel):
    """An ordered set of classes. A model's output map *k* is the class at *index* k."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    classes: tuple[LandClass, ...]
    nodata: Number = 0

    def model_post_init(self, context: object, /) -> None:
        """Refuses a number that is given twice, or that also means no data."""
        for codes in {codes for entry in self.classes for codes in entry.codes}:
            numbers = [number for entry in self.classes for number in entry.numbers(codes)]
            if len(set(numbers)) != len(numbers):
                raise InvalidSetting(
                    f"nomenclature '{self.name}' has two classes of one number in the code list '{codes}'",
                    found=sorted(number for number in set(numbers) if numbers.count(number) > 1),
                    cure="Give each number to one class.",
                )
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

    @cached_property
    def code_lists(self) -> tuple[str, ...]:
        """The other lists that its classes have numbers in; "index" counts them from 0 on, as networks do."""
        return tuple(sorted({"index", *(codes for entry in self.classes for codes in entry.codes)}))

    def index_of_code(self, codes: str = "") -> NDArray[np.int64]:
        """A table of 256 entries from a number in a code list to the index of its class, -1 for every other number.

        Args:
            codes: one of `code_lists`; the numbers of this nomenclature itself if empty.
        """
        if codes and codes not in self.code_lists:
            raise UnknownName.among(codes, self.code_lists, f"code list of nomenclature '{self.name}'")
        if not codes:
            return self.index_of_id
        lookup = np.full(256, -1, np.int64)
        for index, entry in enumerate(self.classes):
            lookup[list(entry.numbers(codes) if codes != "index" else (index,))] = index
        return lookup

    @cached_property
    def inactive(self) -> tuple[int, ...]:
        """Indices of the classes that are neither learnt, judged nor predicted."""
        return tuple(index for index, entry in enumerate(self.classes) if not entry.active)

    def index_of(self, word: str | int) -> int:
        """The index of the class with that number in files, or that name in either language."""
        text = str(word).strip().casefold()
        for index, entry in enumerate(self.classes):
            if text in (str(entry.id), entry.en.casefold(), entry.fr.casefold()):
                return index
        known = [str(word) for entry in self.classes for word in (entry.en, entry.id)]
        raise UnknownName.among(str(word), known, f"class of nomenclature '{self.name}'")

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
        found[name] = _derived(name, found[entry["of"]], entry) if "of" in entry else ClassMap(name=name, **entry)
    return found


def _derived(name: str, parent: ClassMap, entry: Mapping[str, Any]) -> ClassMap:
    """A nomenclature made from another: some of its classes, the rest as one, other numbers, classes put to rest.

    Args:
        name: of the new one.
        parent: the other.
        entry: ``ids`` to keep; ``rest``, a class for all others; ``numbers``, the code list whose numbers become those
            of files; ``inactive`` ids; ``nodata``.
    """
    ids = entry.get("ids", [one.id for one in parent.classes])
    classes = [parent.by_id(number) for number in ids]
    if "numbers" in entry:
        classes = [one.model_copy(update={"id": one.numbers(entry["numbers"])[0]}) for one in classes]
        classes.sort(key=lambda one: one.id)
    idle = set(entry.get("inactive", ()))
    classes = [one.model_copy(update={"active": one.id not in idle}) for one in classes]
    if "rest" in entry:
        others = [one for one in parent.classes if one.id not in ids]
        lists = sorted({codes for one in others for codes in one.codes})
        codes = {key: tuple(number for one in others for number in one.numbers(key)) for key in lists}
        classes.append(LandClass(**entry["rest"], codes=codes))
    return ClassMap(name=name, classes=tuple(classes), nodata=entry.get("nodata", parent.nodata))


def nomenclature_names() -> tuple[str, ...]:
    """Every nomenclature that Arpent knows."""
    return tuple(_nomenclatures())


def nomenclature(name: str) -> ClassMap:
    """The nomenclature of that name, or the one that a TOML or YAML file holds.

    A file gives ``classes``, a list of `LandClass`; ``name`` (its own if not given) and ``nodata``. A class may say
    ``name`` for both languages, and do without a colour.
    """
    if is_document(name):
        return _from_file(Path(name))
    known = _nomenclatures()
    if name not in known:
        raise UnknownName.among(name, known, "nomenclature")
    return known[name]


_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#4d4d4d")
"""For classes of people's own that have none; the palette of Okabe and Ito (2008)."""


def _from_file(path: Path) -> ClassMap:
    """The nomenclature in a file of somebody's own."""
    document = load_document(path)
    entries = document.get("classes")
    if not isinstance(entries, list) or not entries or not all(isinstance(one, Mapping) for one in entries):
        raise InvalidSetting(
            f"{path} lists no classes",
            expected="classes, each with id, en, fr and colour",
            cure="For example: classes: [{id: 1, name: water, colour: '#1553ae'}].",
        )
    classes = []
    for place, entry in enumerate(entries):
        one = dict(entry)
        both = one.pop("name", None)
        first = one.get("en", one.get("fr", both))
        names = {"en": first, "fr": one.get("fr", first)}
        colour = one.get("colour", _COLOURS[place % len(_COLOURS)])
        classes.append({**one, **names, "colour": str(colour).casefold()})
    return parse(ClassMap, {"name": path.stem, **document, "classes": classes}, path.name)
