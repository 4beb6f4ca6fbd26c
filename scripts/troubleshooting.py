"""Makes docs/troubleshooting.md and its French twin from the tree of errors and troubleshooting.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import yaml

from arpent import errors
from arpent.cli.exits import exit_code

__all__ = ["SOURCE", "page", "sections"]

SOURCE = Path(__file__).resolve().parent / "troubleshooting.yaml"
Language = Literal["en", "fr"]

_ENDS = {"en": "Exit code {code}.", "fr": "Code de sortie {code}."}


def sections() -> list[dict[str, Any]]:
    """The sections of troubleshooting.yaml, with their failures."""
    found: list[dict[str, Any]] = _source()["sections"]
    return found


def _source() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(SOURCE.read_text("utf-8"))
    return found


def page(language: Language) -> str:
    """The page in that language."""
    lines = [_source()["beginning"][language]]
    for section in sections():
        lines += ["", f"## {section['section'][language]}"]
        if "error" in section:
            colon = {"en": ":", "fr": " :"}[language]
            lines += ["", f"`{section['error']}`{colon} {_meaning(section, language)}"]
        for entry in section["entries"]:
            lines += _entry(entry, language)
    return "\n".join(lines)


def _entry(entry: dict[str, Any], language: Language) -> Iterator[str]:
    yield from ("", f"### `{entry['error']}`" if "error" in entry else f"### {entry['title'][language]}", "")
    if "error" in entry:
        yield from (_meaning(entry, language), "")
    typed = [f"$ arpent {entry['type']}"] if "type" in entry else []
    said = [f"arpent: error: {entry['says']}"] if "says" in entry else []
    if typed or said:
        yield from ("```console" if typed else "```text", *typed, *said, "```", "")
    for paragraph in entry.get("more", {}).get(language, ()):
        yield from (paragraph, "")


def _meaning(entry: dict[str, Any], language: Language) -> str:
    """What a class means and how the program then ends."""
    kind: type[errors.ArpentError] = getattr(errors, entry["error"])
    said = {"en": "A defect of Arpent." if kind is errors.ArpentError else kind.__doc__, "fr": f"{entry['fr']}."}
    return f"{' '.join((said[language] or '').split())} {_ENDS[language].format(code=exit_code(kind))}"
