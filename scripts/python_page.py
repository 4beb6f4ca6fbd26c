"""The reference page of the Python functions, made from their docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import arpent
from arpent import api

__all__ = ["page"]

_SECTION = re.compile(r"^(Args|Attributes|Raises):$")
_ENTRY = re.compile(r"^    (?P<name>[\w, ]+): (?P<text>.*)$")
_HEADS = {"Args": "argument", "Attributes": "attribute", "Raises": "raised"}


def page() -> str:
    """Every function of the package, then what they give back."""
    functions = [name for name in arpent.__all__ if name.islower() and not name.startswith("_")]
    lines = ["# Python", "", _markdown(inspect.getdoc(api) or ""), ""]
    for name in functions:
        lines += [f"## ap.{name}", "", "```python", _signature(f"ap.{name}", getattr(arpent, name)), "```", ""]
        lines += [_markdown(inspect.getdoc(getattr(arpent, name)) or ""), ""]
    for kind in (arpent.Run, arpent.Place):
        lines += [f"## {kind.__name__}", "", _markdown(inspect.getdoc(kind) or ""), ""]
        for name, member in vars(kind).items():
            if not name.startswith("_") and not (kind is arpent.Place and name == "begin"):
                lines += list(_member(name, member))
    return "\n".join(lines)


def _member(name: str, member: Any) -> Iterator[str]:
    """A property or a method; plain fields stand in the class's own list."""
    if isinstance(member, property):
        yield from (f"### .{name}", "", _markdown(inspect.getdoc(member) or ""), "")
    elif inspect.isfunction(member):
        yield from (f"### .{name}()", "", "```python", _signature(f"run.{name}", member), "```", "")
        yield from (_markdown(inspect.getdoc(member) or ""), "")


def _signature(called: str, function: Any) -> str:
    """As people would write it, a line for each argument where one line cannot hold all."""
    parameters = inspect.signature(function).parameters
    told = [_parameter(one) for name, one in parameters.items() if name != "self"]
    place = next((i for i, one in enumerate(parameters.values()) if one.kind is one.KEYWORD_ONLY), None)
    if place is not None:
        told.insert(place - ("self" in parameters), "*")
    answer = inspect.signature(function).return_annotation
    line = f"{called}({', '.join(told)}) -> {answer}"
    if len(line) <= 100:
        return line
    return "\n".join([f"{called}(", *(f"    {one}," for one in told), f") -> {answer}"])


def _parameter(one: inspect.Parameter) -> str:
    if one.kind is one.VAR_KEYWORD:
        return f"**{one.name}"
    default = "" if one.default is one.empty else f" = {one.default!r}"
    return f"{one.name}: {one.annotation}{default}"


def _markdown(text: str) -> str:
    """A docstring: its paragraphs and examples, and its lists of arguments and errors as tables."""
    made: list[str] = []
    lines = iter(text.splitlines())
    head = ""
    for line in lines:
        section = _SECTION.match(line)
        if section:
            head = section[1]
            made += [f"| {_HEADS[head]} | |", "|---|---|"]
        elif head and (entry := _ENTRY.match(line)):
            names = ", ".join(f"`{name.strip()}`" for name in entry["name"].split(","))
            made.append(f"| {names} | {_prose(entry['text'])} |")
        elif head and line.startswith("        "):
            made[-1] = f"{made[-1].removesuffix(' |')} {_prose(line.strip())} |"
        else:
            head = head if line.strip() else ""
            made.append(line)
    return _examples("\n".join(made))


def _prose(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _examples(text: str) -> str:
    """Indented examples after a double colon become blocks."""

    def block(found: re.Match[str]) -> str:
        body = "\n".join(line.removeprefix("    ") for line in found["body"].rstrip("\n").splitlines())
        before = found["before"].rstrip()
        return f"{before}{'.' if before and before[-1].isalnum() else ''}\n\n```python\n{body}\n```\n"

    text = re.sub(r"(?P<before>[^\n]*?) ?::\n\n(?P<body>(?:    [^\n]*\n|\n(?=    ))+)", block, text)
    parts = text.split("```")  # what stands in blocks stays; elsewhere code is quoted as Markdown has it
    quoted = "```".join(part if place % 2 else part.replace("``", "`") for place, part in enumerate(parts))
    return re.sub(r"\n{3,}", "\n\n", quoted).strip()
