"""What the scripts under other programs' names share: they say the command they stand for, and hand over to it.

Such a script has options of its own only where the original's differ from the command's; whatever else is typed goes to
the command as it stands, so that all of its options work. A failure ends as the command's does: one line, an exit code.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from arpent.cli.app import main
from arpent.cli.console import Flags, Session
from arpent.cli.ending import Ending
from arpent.errors import ConfigError

__all__ = ["Own", "arpent", "say"]

_HELP = frozenset({"-h", "--help"})


class Own(argparse.ArgumentParser):
    """The options that a script has of its own; what it does not know is left to the command.

    Args:
        about: what the script does, in a line.
    """

    def __init__(self, about: str) -> None:
        super().__init__(prog=script(), description=about, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """What cannot be used ends as it does in a command.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(message, cure=f"See '{self.prog} --help'.")


def script() -> str:
    """The name under which the script was started."""
    return Path(sys.argv[0]).name


def say(line: str, words: Sequence[str]) -> None:
    """Says what a script stands for on standard error, unless all are told to be quiet."""
    if not Flags.among(words).quiet:
        sys.stderr.write(f"{script()} → {line}\n")


def arpent(command: Sequence[str], own: Own, translate: Callable[[argparse.Namespace], Sequence[str]]) -> int:
    """Runs the command that a script stands for on the words after its name; returns the exit code.

    Args:
        command: the words behind ``arpent``: ``("forecast", "train")``.
        own: the options that are the script's.
        translate: makes of their values the words that the command is given before all others; may raise what
            commands raise.
    """
    asked = sys.argv[1:]
    if _HELP & set(asked):
        sys.stdout.write(f"{own.format_help()}\nStands for this command, whose options work too:\n\n")
        return main([*command, "--help"])
    words: list[str] = []
    with Session(Flags.among(asked)).active() as session, Ending(session) as ending:
        known, others = own.parse_known_args(asked)
        words = [*command, *translate(known), *others]
    if ending.error is not None:
        return ending.settle()
    say(shlex.join(["arpent", *words]), asked)
    return main(words)
