"""What ``manage.py`` does: Django's command line, whose failures are one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from arpent.errors import ArpentError, ConfigError, ExtraMissing

__all__ = ["main"]

_USAGE, _FAILED = 2, 1


def main(words: Sequence[str]) -> int:
    """Runs one command and returns its exit code.

    Args:
        words: the name of the program, then the command line.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arpent.web.site.settings")
    try:
        _run(list(words))
    except ArpentError as problem:
        sys.stderr.write(f"{problem}\n")
        return _USAGE if isinstance(problem, ConfigError) else _FAILED
    return 0


def _run(words: list[str]) -> None:
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        raise ExtraMissing.of("web", "the map") from None
    from arpent.web.index.failing import database_told

    with database_told():
        execute_from_command_line(words)
