"""Which commands ``arpent plan`` can plan, and how one of them is run on a part of its input."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arpent.cli.console import Flags, Session
from arpent.core import object_address
from arpent.errors import InvalidSetting, UnknownName

__all__ = ["Asked", "asked"]

_WINDOWS = {("landcover", "predict"): "image", ("change", "pair"): "before", ("change", "embed"): "source"}
"""Commands that work on an image, of which ``--box`` takes a part: the parameter that names the image."""

_LISTS = {("classify", "predict"): "pictures", ("describe", "embed"): "images", ("describe", "generate"): "images"}
"""Commands that work on a list: the parameter that holds it."""

_OURS = ("--output", "-o", "--box", "--box-crs", "--name")
"""Options with a value that each shard has its own of."""

_SWITCHES = ("--resume", "--force")


@dataclass(frozen=True)
class Asked:
    """A command line that is to be planned.

    Attributes:
        words: as typed, without "arpent".
        windows: whether it works on an image, and not on a list.
        parameter: that names the image, or the list.
        command: typer's.
    """

    words: tuple[str, ...]
    windows: bool
    parameter: str
    command: Any

    @property
    def line(self) -> str:
        """The command as people type it."""
        return shlex.join(["arpent", *self.words])

    @property
    def given(self) -> dict[str, Any]:
        """Its parameters, unchecked: what is missing is None."""
        context = self.command.make_context(self.words[1], list(self.words[2:]), resilient_parsing=True)
        return dict(context.params)

    def check(self) -> None:
        """Refuses words that the command would refuse."""
        self.command.make_context(self.words[1], list(self.words[2:]))

    def with_image(self, image: Path) -> Asked:
        """The same with an image in front."""
        return Asked((*self.words[:2], str(image), *self.words[2:]), self.windows, self.parameter, self.command)

    def run(self, output: Path, changed: Mapping[str, Any]) -> None:
        """Does it on this machine and tells nobody.

        Args:
            output: the run folder.
            changed: parameters with other values, as the command line gives them.
        """
        context = self.command.make_context(self.words[1], list(self.words[2:]))
        own = {"output": output, "force": False, "resume": False, "engine": "local", **changed}
        context.params.update({name: value for name, value in own.items() if name in context.params})
        with Session(Flags(json=True)).active(), context:
            self.command.invoke(context)

    def shard(self, number: int, *, box: Sequence[float] = (), items: Sequence[str] | None = None) -> str:
        """The command of one shard, with a run folder of its own."""
        output = self.given.get("output")
        where = Path("runs") / "-".join(self.words[:2]) if output is None else object_address(output) or Path(output)
        words = self._bare()
        if items is not None:
            words = [*words[:2], *self._options(words[2:]), *items]
        part = [f"--box={','.join(f'{value:.12g}' for value in box)}"] if box else []
        return shlex.join(["arpent", *words, *part, "--output", f"{where}-{number:03}"])

    def _options(self, words: Sequence[str]) -> list[str]:
        """The options among some words, with their values: the list is all else that commands of lists take."""
        valued = {name for one in self.command.params if not getattr(one, "is_flag", True) for name in one.opts}
        kept: list[str] = []
        left = iter(words)
        for word in left:
            if word.startswith("-"):
                kept += [word, next(left, "")] if word in valued else [word]
        return kept

    def _bare(self) -> list[str]:
        """The words without what each shard has its own of."""
        kept: list[str] = []
        words = iter(self.words)
        for word in words:
            if word in _OURS:
                next(words, None)
            elif word not in _SWITCHES and word.partition("=")[0] not in _OURS:
                kept.append(word)
        return kept


def asked(words: Sequence[str]) -> Asked:
    """The command that some words are.

    Raises:
        UnknownName: there is no such command.
        InvalidSetting: it is none that can be planned.
    """
    from arpent.cli.app import COMMANDS, load

    if words[0] not in COMMANDS:
        raise UnknownName.among(words[0], COMMANDS, "command")
    key = (words[0], words[1] if len(words) > 1 else "")
    known = _WINDOWS | _LISTS
    if key not in known:
        raise InvalidSetting(
            f"'arpent {' '.join(key).strip()}' cannot be planned",
            expected=", ".join(" ".join(one) for one in known),
            cure="Plan one of these; a job of many pairs is many times 'change pair', and a mosaic takes little.",
        )
    group: Any = load(words[0])
    return Asked(tuple(words), key in _WINDOWS, known[key], group.commands[words[1]])
