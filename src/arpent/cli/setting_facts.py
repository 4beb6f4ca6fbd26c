"""Settings for people: one line for each, however deep it lies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from arpent.core import Language
from arpent.language import say

__all__ = ["setting_facts"]


def setting_facts(
    settings: Mapping[str, Any], language: Language, *, longest: int | None = None, within: str = ""
) -> Iterator[tuple[str, str]]:
    """A name and a value for each setting; before its name stand those of the settings that it lies in.

    Args:
        settings: as JSON has them.
        language: of "yes", "no" and "none".
        longest: characters of a value that are shown; all of them, if not given.
        within: names that `settings` lies in, with a dot at the end.
    """
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from setting_facts(value, language, longest=longest, within=f"{within}{name}.")
        elif isinstance(value, list | tuple) and value:
            yield f"  {within}{name}", _listed([_word(one, language) for one in value], language, longest)
        else:
            yield f"  {within}{name}", _cut(_word(value, language), longest)


def _word(value: object, language: Language) -> str:
    """A single value in words."""
    if isinstance(value, bool):
        return say("word.yes" if value else "word.no", language)
    if value is None or value == "" or (isinstance(value, Mapping | list | tuple) and not value):
        return say("runs.none", language)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list | tuple) else str(value)


def _listed(words: Sequence[str], language: Language, longest: int | None) -> str:
    """As many of the words as there is room for, and how many more there are."""
    whole = ", ".join(words)
    if longest is None or len(whole) <= longest:
        return whole
    shown = 1
    while len(", ".join(words[: shown + 1])) <= longest:
        shown += 1
    told = _cut(", ".join(words[:shown]), longest)
    return f"{told} {say('runs.more', language, count=len(words) - shown)}" if len(words) > shown else told


def _cut(text: str, longest: int | None) -> str:
    """Without its middle, if it is too long: of paths both ends tell something."""
    if longest is None or len(text) <= longest:
        return text
    head = longest // 3
    return f"{text[:head]}…{text[head + 1 - longest :]}"
