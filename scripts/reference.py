"""Writes docs/reference from the code: ``python scripts/reference.py``, or with ``--check`` says what is stale.

Every command with its options, every error with its exit code, every setting with its default; and, beside them, what
to do about each kind of failure, in both languages.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import arpent
from arpent import errors
from arpent.cli.app import COMMANDS, tree
from arpent.cli.exits import exit_code
from arpent.core.settings import Settings, settings_of
from python_page import page as python_page
from troubleshooting import page as troubleshooting_page

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDER = DOCS / "reference"
GUIDES = ("howto/*.md", "tutorial.md", "scaling.md", "coming-from/*.md", "troubleshooting.md")
"""Where examples of commands are taken from, the best places first."""
SETTING_DEFAULT = re.compile(r"(?P<text>.*?) ?\[default: (?P<default>.*)\]", re.DOTALL)
NOTICE = "<!-- Made from the code by `make reference`: change the code, not this page. -->\n"


def main(arguments: list[str]) -> int:
    """Writes the pages, or compares them; 1 when one is stale."""
    check = arguments == ["--check"]
    stale = []
    for name, page in PAGES.items():
        path, text = FOLDER / name, f"{NOTICE}\n{page().rstrip()}\n"
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    if stale:
        print(f"{'stale, run make reference' if check else 'written'}: {', '.join(stale)}")
    return 1 if check and stale else 0


def commands_page() -> str:
    """Every command and option."""
    root = tree()
    lines = ["# Commands", "", root.help or "", "", "| command | |", "|---|---|"]
    lines += [f"| [`arpent {name}`](#arpent-{name}) | {entry.help} |" for name, entry in sorted(COMMANDS.items())]
    lines += ["", "## Options of every command", "", "They may stand before or after the command's name.", ""]
    everywhere = [p for p in root.params if not p.hidden]
    lines += _options(everywhere)
    known = {flag for parameter in everywhere for flag in parameter.opts}
    shown = dict(_examples(root))
    for name in sorted(COMMANDS):
        lines += _command(f"arpent {name}", root.commands[name], known, shown, level=2)
    return "\n".join(lines)


def _examples(root: Any) -> Iterator[tuple[str, list[str]]]:
    """For each command, the first line of a guide that types it, with a link to that guide."""
    found = set()
    for pattern in GUIDES:
        for path in sorted(path for path in DOCS.glob(pattern) if not path.name.endswith(".fr.md")):
            text = path.read_text("utf-8")
            title = text.partition("# ")[2].partition("\n")[0]
            for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
                for line in re.findall(r"^\$ ((?:\.venv/bin/)?arpent (?:.*\\\n)*.*)$", block, re.MULTILINE):
                    name = _named(root, line.split()[1:])
                    if name not in found:
                        found.add(name)
                        link = f"[{title}](../{path.relative_to(DOCS).as_posix()})"
                        yield name, ["```console", f"$ {line}", "```", "", f"From {link}.", ""]


def _named(root: Any, words: list[str]) -> str:
    """The command that a line types, as `arpent change pair`."""
    name, command = "arpent", root
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        name, command = f"{name} {word}", command.commands[word]
    return name


def _command(path: str, command: Any, known: set[str], shown: dict[str, list[str]], level: int) -> Iterator[str]:
    yield from ("", f"{'#' * level} {path}", "", _paragraphs(command.help), "")
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([path, *(_metavar(p) for p in arguments)])
    inner = getattr(command, "commands", {})
    yield from ("```text", f"{usage} {'COMMAND' if inner else '[OPTIONS]'}", "```", "")
    if not inner:
        yield from shown.get(path, ())
    described = [p for p in arguments if getattr(p, "help", None)]
    if described:
        yield from ("| argument | |", "|---|---|")
        yield from (f"| `{_metavar(p)}` | {_cell(p.help)} |" for p in described)
        yield ""
    own = [p for p in command.params if p.param_type_name == "option" and not p.hidden and not set(p.opts) & known]
    if own:
        yield from _options(own)
    for name in sorted(inner):
        yield from _command(f"{path} {name}", inner[name], known, shown, level + 1)


def _options(parameters: list[Any]) -> Iterator[str]:
    yield from ("| option | value | default | |", "|---|---|---|---|")
    for parameter in parameters:
        flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
        words = SETTING_DEFAULT.fullmatch(parameter.help or "")  # options made from settings carry it in their help
        text, default = (words["text"], f"`{words['default']}`") if words else (parameter.help, _default(parameter))
        yield f"| {flags} | {_asked(parameter)} | {_cell(default)} | {_cell(text or '')} |"
    yield ""


def _asked(parameter: Any) -> str:
    """What an option wants after it."""
    if parameter.is_flag:
        return ""
    if parameter.metavar:
        return f"`{_cell(parameter.metavar)}`"
    return _cell(_type(parameter.type_descriptor.annotation))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    if default is None or default is False or callable(default) or default in ((), [], ""):
        return ""
    return f"`{_cell(str(getattr(default, 'value', default)))}`"


def _metavar(argument: Any) -> str:
    """How an argument stands in a usage line: NAME, [NAME], NAME..."""
    name = (argument.metavar or argument.name.upper()).strip("[]").rstrip(".]")
    name = name if argument.nargs == 1 else f"{name}..."
    return name if argument.required else f"[{name}]"


def errors_page() -> str:
    """Every error, what it means and how the program ends."""
    lines = [
        "# Errors and exit codes",
        "",
        "Every failure is one line on the standard error stream: what is wrong, what was found and expected, and what",
        'to do. With `--json` it is one document, `{"error": {…}}`, on the standard output. `--debug` shows the',
        "traceback. The exit code tells scripts which kind it was.",
        "",
        "| exit code | error | it means |",
        "|---|---|---|",
        "| 0 | | done |",
    ]
    lines += sorted(_error_rows(errors.ArpentError), key=lambda row: int(row.split("|")[1]))
    lines += ["| 141 | | whoever read the output closed it (`arpent … | head`) |".replace(" | head", " \\| head")]
    lines += ["", "Usage errors (an unknown option, a missing argument) end with 2 as well.", "", "## The tree", ""]
    tree_text = inspect.cleandoc(errors.__doc__ or "").partition("::\n\n")[2]
    return "\n".join([*lines, "```text", inspect.cleandoc(tree_text), "```"])


def _error_rows(kind: type[errors.ArpentError]) -> Iterator[str]:
    for child in sorted(kind.__subclasses__(), key=lambda one: one.__name__):
        if child.__module__ == errors.__name__:
            yield f"| {exit_code(child)} | `{child.__name__}` | {_cell(child.__doc__ or '')} |"
            yield from _error_rows(child)
    if kind is errors.ArpentError:
        yield f"| {exit_code(kind)} | `{kind.__name__}`, or any other exception | A defect of Arpent. |"


def settings_page() -> str:
    """Every group of settings that a user can write."""
    for found in walk_packages(arpent.__path__, "arpent."):
        # The map has its settings from the environment, and most of it needs a configured Django.
        if not found.name.endswith("__main__") and not found.name.startswith("arpent.web."):
            import_module(found.name)
    lines = [
        "# Settings",
        "",
        "The same names in a YAML file (nested with indentation), on the command line (`--set group.key=value`, or the",
        "option of that name) and in Python. A key that is not here is refused, with the nearest right one.",
    ]
    for model in sorted(_descendants(Settings), key=lambda one: (one.__module__, one.__name__)):
        if model.__name__.startswith("_") or not model.__module__.startswith("arpent."):
            continue
        rows = list(settings_of(model))
        lines += ["", f"## {model.__name__}", "", _paragraphs(model.__doc__), ""]
        if rows:
            lines += ["| setting | type | default | |", "|---|---|---|---|"]
            lines += [
                f"| `{row.path}` | {_cell(_type(row.annotation))} |"
                f" {_code(_value(row.default)) if not row.required else 'required'} | {_cell(row.help)} |"
                for row in rows
            ]
    return "\n".join(lines)


def _descendants(model: type[Settings]) -> set[type[Settings]]:
    return {found for child in model.__subclasses__() for found in {child, *_descendants(child)}}


def _type(annotation: Any) -> str:
    """A type as a user would say it."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is typing.Annotated:
        return _type(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(one) for one in inner)
    if annotation is type(None):
        return "nothing"
    if inner and isinstance(origin, type):
        members = ", ".join(_type(one) for one in inner if one is not ...)
        return f"{WORDS.get(origin.__name__, origin.__name__)} of {members}"
    return WORDS.get(getattr(annotation, "__name__", ""), getattr(annotation, "__name__", str(annotation)))


def _value(default: Any) -> str:
    """A default as the command line would take it."""
    if isinstance(default, tuple | list):
        return ", ".join(_value(one) for one in default)
    return {"None": "none", "True": "true", "False": "false", "{}": ""}.get(str(default), str(default))


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _paragraphs(text: str | None) -> str:
    return inspect.cleandoc(text or "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")


WORDS = {
    "Any": "anything",
    "bool": "yes or no",
    "dict": "mapping",
    "float": "number",
    "int": "whole number",
    "list": "list",
    "Mapping": "mapping",
    "Path": "path",
    "str": "text",
    "tuple": "list",
}
PAGES: dict[str, Callable[[], str]] = {
    "cli.md": commands_page,
    "errors.md": errors_page,
    "settings.md": settings_page,
    "python.md": python_page,
    "../troubleshooting.md": lambda: troubleshooting_page("en"),
    "../troubleshooting.fr.md": lambda: troubleshooting_page("fr"),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
