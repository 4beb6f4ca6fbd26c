"""Settings: closed, frozen, and the same in a YAML file, on the command line and in Python."""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from arpent.errors import ConfigError, InvalidSetting, UnknownSetting

__all__ = ["Setting", "Settings", "nested_model", "parse", "settings_of"]

Model = TypeVar("Model", bound=BaseModel)

_A_DAY = "a day such as 2024-03-01"

_PLAIN: Mapping[str, str] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a group of settings",
    "model_type": "a group of settings",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_short": "at least {min_length} {characters}",
    "string_too_long": "at most {max_length} {characters}",
    "too_short": "at least {min_length} {values}",
    "too_long": "at most {max_length} {values}",
    "literal_error": "{expected}",
    "date_type": _A_DAY,
    "date_parsing": _A_DAY,
    "date_from_datetime_inexact": _A_DAY,
    "date_from_datetime_parsing": _A_DAY,
}
"""What people read of the commonest problems, by pydantic's names for them."""

_OF_ANOTHER_KIND = ("_type", "_parsing", "_from_float", "literal_error", "_inexact")
"""How pydantic's names end for a value of another kind altogether; other problems say more of what was meant."""

_LONGEST_ECHO = 80
"""Characters of a wrong value that are repeated in its error."""


class Settings(BaseModel):
    """Base of every group of settings: frozen, unknown keys refused.

    The docstring under a field is its help, on the command line and in the reference::

        class TrainSettings(Settings):
            epochs: Annotated[int, Field(ge=1)] = 30
            '''Passes over the training set.'''

    Build one from outside data with `parse`, whose errors name the setting and its cure.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _refine_defaults(cls, given: Any) -> Any:  # noqa: ANN401 - whatever a file holds
        """Completes what is given in short.

        A group that is given in part keeps, for the rest, the default that its holder declares for it. A list of words
        that is given as text is read as on the command line: words with commas between them.
        """
        if not isinstance(given, Mapping):
            return given
        refined = dict(given)
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if isinstance(text := refined.get(key), str) and _lists_words(field.annotation):
                refined[key] = [word.strip() for word in text.split(",") if word.strip()]
            if nested_model(field.annotation) and isinstance(field.default, BaseModel):
                declared = field.default.model_dump(exclude_unset=True, by_alias=True)
                if isinstance(refined.get(name), Mapping):
                    refined[name] = _overlaid(declared, refined[name])
        return refined


def _overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` over `below`, group by group."""
    merged = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            merged[name] = _overlaid(below[name], above[name])
    return merged


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf of a settings model.

    Attributes:
        path: dotted place ("optimizer.rate").
        annotation: its Python type.
        help: one sentence; empty when the field has no docstring.
        default: value when it is not given; None for a required one.
        required: whether it must be given.
    """

    path: str
    annotation: Any
    help: str
    default: Any
    required: bool


def settings_of(model: type[BaseModel], prefix: str = "", holder: BaseModel | None = None) -> Iterator[Setting]:
    """Every leaf of a model, in the order of its source; nested models are entered.

    Args:
        model: the group.
        prefix: put before each path.
        holder: the default that a surrounding model declares for this group; its values are the defaults then.
    """
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        default = None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
        if holder is not None:
            default = getattr(holder, name)
        inner = nested_model(field.annotation)
        if inner is not None:
            yield from settings_of(inner, f"{path}.", default if isinstance(default, inner) else None)
            continue
        required = field.is_required() and holder is None
        yield Setting(path, field.annotation, field.description or "", default, required)


def nested_model(annotation: object) -> type[BaseModel] | None:
    """The model that a field holds, for ``Inner`` and ``Inner | None``; None for every other type."""
    choices = [a for a in (typing.get_args(annotation) or (annotation,)) if a is not type(None)]
    if typing.get_origin(annotation) in (None, typing.Union, type(int | None)) and len(choices) == 1:
        only = choices[0]
        return only if isinstance(only, type) and issubclass(only, BaseModel) else None
    return None


def parse(
    model: type[Model], mapping: Mapping[str, Any], where: str, names: Mapping[str, str] = MappingProxyType({})
) -> Model:
    """Builds a model from outside data.

    Args:
        model: usually a `Settings`.
        mapping: keys and values as YAML or JSON give them; groups are nested mappings.
        where: what a user calls the source ("landcover.yaml", "the command line").
        names: what that source calls settings that have other names there, by dotted path.

    Raises:
        UnknownSetting: for a key that the model does not have, with the nearest one that it has.
        InvalidSetting: for a value of the wrong type or out of range, and for a missing one.
    """
    try:
        return model.model_validate(dict(mapping))
    except ValidationError as problem:
        raise _taught(model, problem, where, names) from None


def _taught(model: type[BaseModel], problem: ValidationError, where: str, names: Mapping[str, str]) -> ConfigError:
    """The first problem as an Arpent error; misspelt keys come first, as they often cause the others."""
    found = [_Problem(_follow(model, detail["loc"]), detail) for detail in problem.errors(include_url=False)]
    problems = sorted(_once(found), key=lambda one: one.detail["type"] != "extra_forbidden")
    first = problems[0]
    place = replace(first.place, path=names.get(first.place.path, first.place.path))
    if first.detail["type"] == "extra_forbidden":
        error: ConfigError = _unknown(model, place, where)
    else:
        error = _invalid(replace(first, place=place), where)
    if len(problems) > 1:
        error.cure = f"{error.cure} {len(problems) - 1} more to correct after that."
    return error


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a model a problem lies.

    Attributes:
        path: dotted, as users write it.
        group: path of the group around it.
        key: its own name.
        known: the names that the group has.
        field: the field, if there is one.
        union: where in pydantic's location the name of a branch of a union stands; None where there is none.
    """

    path: str
    group: str
    key: str
    known: tuple[str, ...]
    field: FieldInfo | None
    union: int | None


@dataclass(frozen=True, slots=True)
class _Problem:
    """What pydantic found, its place, and what other branches of a union expected there."""

    place: _Place
    detail: ErrorDetails
    others: tuple[ErrorDetails, ...] = ()

    @property
    def depth(self) -> int:
        return len(self.detail["loc"])

    @property
    def of_another_kind(self) -> bool:
        return self.detail["type"].endswith(_OF_ANOTHER_KIND)


def _once(found: Sequence[_Problem]) -> list[_Problem]:
    """Each mistake once: of a value that fits no branch of a union, the problems of the nearest branch."""
    places = {one.detail["loc"] for one in found}
    branches: dict[tuple[int | str, ...], dict[int | str, list[_Problem]]] = {}
    kept: list[_Problem] = []
    for one in found:
        location = one.detail["loc"]
        if one.detail["type"] == "too_short" and any(location == other[: one.depth] != other for other in places):
            continue  # it is short of those that cannot be used, which are told
        if one.place.union is None:
            kept.append(one)
            continue
        union = location[: one.place.union]
        branches.setdefault(union, {}).setdefault(location[one.place.union], []).append(one)
    for union, candidates in branches.items():
        kept += _nearest_branch(list(candidates.values()), len(union) + 1)
    return kept


def _nearest_branch(branches: Sequence[list[_Problem]], outermost: int) -> list[_Problem]:
    """The problems of one branch; where the value is of another kind than all, what each expected in one problem."""
    if all(one.of_another_kind and one.depth == outermost for branch in branches for one in branch):
        first, *others = [one for branch in branches for one in branch]
        return [replace(first, others=tuple(other.detail for other in others))]
    return max(branches, key=lambda branch: (max(one.depth for one in branch), not branch[0].of_another_kind))


def _follow(model: type[BaseModel], location: tuple[int | str, ...]) -> _Place:
    """Walks pydantic's location, which also contains the names of union branches: those are left out."""
    branches: tuple[Any, ...] = (model,)
    tagged, union = False, None
    names: list[str] = []
    group: list[str] = []
    field: FieldInfo | None = None
    known: tuple[str, ...] = tuple(_named(model))
    for position, part in enumerate(location):
        if tagged:
            union = position if union is None else union
            tagged = False
            continue
        models = [one for one in branches if isinstance(one, type) and issubclass(one, BaseModel)]
        if models:
            group, known = list(names), tuple(name for one in models for name in _named(one))
            field = next((_named(one)[str(part)] for one in models if part in _named(one)), None)
            below = [] if field is None else [field.annotation]
        else:
            below = list(_held(branches, part))
        branches = tuple(branch for one in below for branch in _branches(one))
        tagged = len(branches) > len(below)
        names.append(str(part))
    path = ".".join(names)
    return _Place(path, ".".join(group), names[-1] if names else "", known, field, union)


def _branches(annotation: Any) -> list[Any]:  # noqa: ANN401 - annotations are of any type
    """What a value may be: the branches of a union without None; else the type itself."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _branches(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [branch for one in typing.get_args(annotation) if one is not type(None) for branch in _branches(one)]
    return [annotation]


def _held(containers: Iterable[Any], key: int | str) -> Iterator[Any]:
    """The types of what lists and mappings of these types hold under a key."""
    for container in containers:
        inner = typing.get_args(container)
        origin = typing.get_origin(container)
        if not inner or origin is typing.Literal:
            continue
        if origin is tuple and ... not in inner:
            yield from inner[key : key + 1] if isinstance(key, int) else ()
        else:
            yield inner[1] if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping) else inner[0]


def _lists_words(annotation: object) -> bool:
    """Whether a setting is a list of any number of words, and nothing else."""
    branches = _branches(annotation)
    inner = typing.get_args(branches[0])
    if len(branches) != 1 or not inner or typing.get_origin(branches[0]) not in (list, tuple, set, frozenset):
        return False
    words = [typing.get_origin(one) or one for one in _branches(inner[0])]
    return inner[1:] in ((), (...,)) and all(one in (str, typing.Literal) for one in words)


def _named(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the names that users give them; an alias is one Python could not have ("return")."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


_A_LETTER_OFF = 0.8
"""Likeness from which a neighbour's name is the better guess than the same name in another group."""


def _unknown(model: type[BaseModel], place: _Place, where: str) -> ConfigError:
    elsewhere = [s.path for s in settings_of(model) if s.path.rpartition(".")[2] == place.key]
    if elsewhere and not get_close_matches(place.key, place.known, n=1, cutoff=_A_LETTER_OFF):
        return UnknownSetting(
            f"{where} has no setting '{place.path}'",
            cure=f"Did you mean '{elsewhere[0]}'?",
        )
    inside = f"{where} ({place.group})" if place.group else where
    return UnknownSetting.among(place.key, place.known, inside)


def _invalid(problem: _Problem, where: str) -> ConfigError:
    place, detail = problem.place, problem.detail
    meaning = place.field.description if place.field and place.field.description else ""
    meaning = f" ({meaning.rstrip('.')})" if meaning else ""
    many = _wrong_count(place, detail)
    if many is not None:
        whole = place.path.removesuffix(f".{detail['loc'][-1]}") if detail["type"] == "missing" else place.path
        return InvalidSetting(
            f"{where}: '{whole}' takes {many} values",
            found=_echo(list(detail["input"])),
            cure=f"Correct '{whole}'{meaning}.",
        )
    if detail["type"] == "missing":
        return InvalidSetting(f"{where} lacks the setting '{place.path}'", cure=f"Give '{place.path}'{meaning}.")
    expected = " or ".join(dict.fromkeys(map(_expected, (detail, *problem.others))))
    facts = detail.get("ctx", {})
    return InvalidSetting(
        f"{where}: the value of '{place.path}' cannot be used" if place.path else f"{where} cannot be used",
        # Of a whole group the problem names the keys; all others in it are of no interest.
        found=None if isinstance(detail["input"], Mapping) and "error" in facts else _echo(detail["input"]),
        expected=expected,
        cure=f"Correct '{place.path}'{meaning}." if place.path else "Correct these settings.",
    )


def _expected(detail: ErrorDetails) -> str:
    """What was expected, in plain words; of a problem that has none here, what pydantic says."""
    facts = {name: _short(value) for name, value in detail.get("ctx", {}).items()}
    if detail["type"] == "string_pattern_mismatch":
        return "text of another form"
    if detail["type"] in _PLAIN:
        length = facts.get("min_length", facts.get("max_length"))
        plural = "" if length == 1 else "s"
        return _PLAIN[detail["type"]].format(**facts, characters=f"character{plural}", values=f"value{plural}")
    return detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")


def _short(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _wrong_count(place: _Place, detail: ErrorDetails) -> int | None:
    """How many values a setting takes, where too few or too many of them are given; else None."""
    short = detail["type"] == "missing" and isinstance(detail["loc"][-1], int)
    if not (short or detail["type"] == "too_long") or place.field is None or isinstance(detail["input"], str):
        return None
    for branch in (place.field.annotation, *typing.get_args(place.field.annotation)):
        if typing.get_origin(branch) is tuple and ... not in typing.get_args(branch):
            return len(typing.get_args(branch))
    return None


def _echo(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_ECHO else f"{text[: _LONGEST_ECHO - 1]}…"
