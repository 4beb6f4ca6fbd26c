"""Try again, later and later, what a network may have spoilt."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["PAUSES", "persistently"]

PAUSES = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
"""Seconds of rest before the second try and those after it: who is back within a quarter of a minute is waited for."""

Result = TypeVar("Result")


def persistently(
    action: Callable[[], Result], errors: tuple[type[Exception], ...], passing: Callable[[Exception], bool]
) -> Result:
    """The result of `action`, tried again after one of `errors` that is `passing`; any other goes through."""
    for pause in PAUSES:
        try:
            return action()
        except errors as error:
            if not passing(error):
                raise
        time.sleep(pause)
    return action()
