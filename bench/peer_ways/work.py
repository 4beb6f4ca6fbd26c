"""What a section of `bench/peers.py` is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

__all__ = ["Way", "Work"]

Result = NDArray[Any]


@dataclass(frozen=True)
class Way:
    """How one program does a work.

    Attributes:
        start: imports the program, reads what is prepared in a folder, and gives what is then measured.
        package: the distribution that it needs besides Arpent; none if empty.
    """

    start: Callable[[Path], Callable[[], Result]]
    package: str = ""


@dataclass(frozen=True)
class Work:
    """One thing that several programs do.

    Attributes:
        about: it, in a few words.
        prepare: writes what all of them read to a folder, small if so told, and says how large it is.
        ways: the programs by name; the first is Arpent.
        judge: of that folder, Arpent's result and another's: figures by name.
    """

    about: str
    prepare: Callable[[Path, bool], str]
    ways: Mapping[str, Way]
    judge: Callable[[Path, Result, Result], Mapping[str, float]]
