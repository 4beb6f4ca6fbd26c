"""The outermost frame of the command line: the one place where every failure ends."""

from __future__ import annotations

import json
import os
import sys
import traceback
from io import StringIO, TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import TextIO

import typer

from arpent.cli.console import Session, follows, named, printable
from arpent.cli.exits import BUG, CLOSED_PIPE, USAGE, exit_code, in_our_words
from arpent.errors import ArpentError, ConfigError, Interrupted, LossNotFinite, ProcessLost

__all__ = ["Ending"]

_EVERYBODYS = (ConfigError, Interrupted, LossNotFinite, ProcessLost)
"""What ends all processes of a training at once. The first one tells it; a launcher must not stop that one before."""


class Ending:
    """Whatever leaves the block becomes one line on standard error, one JSON document if asked for, and an exit code.

    Attributes:
        session: flags and result of the command.
        code: the exit code; see `arpent.cli.exits`.
        error: what went wrong, if anything did.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.code = 0
        self.error: ArpentError | None = None
        _ready_streams()
        self._stdout = sys.stdout
        self._stray = StringIO()
        self._unraisable = sys.unraisablehook

    def __enter__(self) -> Ending:
        if not self.session.flags.debug:
            sys.unraisablehook = _unsaid
        if self.session.flags.json:
            sys.stdout = self._stray  # one document alone may reach the real one, whatever libraries print
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        sys.stdout = self._stdout
        sys.unraisablehook = self._unraisable
        if problem is None:
            return False
        if isinstance(problem, typer.Exit):
            self.code = problem.exit_code
        elif isinstance(problem, SystemExit):
            return False
        elif isinstance(problem, BrokenPipeError):
            self.code = CLOSED_PIPE
        elif isinstance(problem, typer.TyperException):
            self._usage(problem)
        else:
            self._failure(problem)
        return True

    def _usage(self, problem: typer.TyperException) -> None:
        if follows():
            return
        self.code = USAGE
        message = problem.format_message()
        if message.startswith("Usage:"):  # a group called without a command answers with its help
            sys.stderr.write(f"{message}\n")
            self.error = ConfigError("no command was given", cure="See the help.")
            return
        context = getattr(problem, "ctx", None)
        path = context.command_path if context else "arpent"
        what, meant, nearest = message.partition(" Did you mean ")  # it ends with a question mark: a sentence by itself
        help_ = f"See '{path} --help'."
        told = ConfigError(
            f"{what[:1].lower()}{what[1:].rstrip('.')}", cure=f"Did you mean {nearest} {help_}" if meant else help_
        )
        self.error = _without_secrets(told)
        self._say(self.error)

    def _failure(self, problem: BaseException) -> None:
        if follows() and isinstance(in_our_words(problem), _EVERYBODYS):
            return
        if self.session.flags.debug:
            traceback.print_exception(problem, file=sys.stderr)
        self.error = in_our_words(problem)
        if self.error is None:
            self.code = BUG
            self.error = ArpentError(
                f"a defect of Arpent: {type(problem).__name__}: {problem}",
                cure="Please report it, with the output of the same command and --debug.",
            )
        else:
            self.code = exit_code(type(self.error))
        self.error = _without_secrets(self.error)
        self._say(self.error)

    def _say(self, error: ArpentError) -> None:
        colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        label = "\x1b[1;31merror:\x1b[0m" if colour else "error:"
        sys.stderr.write(f"arpent: {label} {printable(str(error))}\n")

    def settle(self) -> int:
        """Prints the document, flushes, and returns the exit code."""
        try:
            if self.session.flags.json and (self.error or not follows()):
                self._stdout.write(f"{json.dumps(self._document(), indent=2, allow_nan=False)}\n")
            self._stdout.flush()
        except BrokenPipeError:
            self.code = CLOSED_PIPE
        except OSError as problem:  # standard output is a file on a full disk
            self._failure(problem)
            _discard(self._stdout)
        if self.code == CLOSED_PIPE:
            _discard(self._stdout)
        return self.code

    def _document(self) -> object:
        result, stray = self.session.document, self._stray.getvalue()
        if self.error is None and result is None:
            return {"text": stray}  # help, and commands that have nothing to tell
        sys.stderr.write(stray)
        if self.error is None:
            return result
        told: dict[str, object] = {
            "error": {
                "class": type(self.error).__name__,
                "what": named(self.error.what),
                "found": None if self.error.found is None else named(str(self.error.found)),
                "expected": None if self.error.expected is None else named(str(self.error.expected)),
                "cure": named(self.error.cure),
                "exit_code": self.code,
            }
        }
        return told if result is None else told | {"result": result}


def _without_secrets(error: ArpentError) -> ArpentError:
    """The error as it may be read by others: terminals are shown to people, and logs are kept."""
    if not {"@", "="} & set(str(error)):  # nothing to hide, and no reason to load what is slow to load
        return error
    from arpent.core import shown_address

    error.what, error.cure = shown_address(error.what), shown_address(error.cure)
    error.found = None if error.found is None else shown_address(str(error.found))
    return error  # what is expected are Arpent's own words


def _unsaid(unraisable: object) -> None:
    """Keeps silent about what nobody could be told of by an exception, such as rasterio's log of names it cannot read.

    What matters of it is raised besides; ``--debug`` shows all.
    """
    del unraisable


def _ready_streams() -> None:
    """Sees to it that standard output and error exist and take every character."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # started by a parent that closed them
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for the whole process
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard(stream: TextIO) -> None:
    """Sends what is left in a closed pipe's buffer to nowhere, or Python would complain at its very end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
