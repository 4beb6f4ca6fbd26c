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

_CURES = {
    ("change", "run"): "Plan 'change pair' on a pair like those of the list, and multiply by their number.",
    ("change", "series"): "Plan 'change pair' on two dates of the series, and multiply by the pairs that it compares.",
    ("change", "mosaic"): "It compares nothing, and takes little beside its pairs: plan 'change pair' for those.",
    ("forecast", "predict"): "Time it on one place (--place NAME), and multiply by the places.",
}
"""What to do instead, where there is something better than to try."""

_TRAINS = ("train", "train-segmentation", "finetune", "transfer", "budget", "ablate")

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
        return dict(self._context(resilient_parsing=True).params)

    def check(self) -> None:
        """Refuses words that the command would refuse."""
        self._context()

    def _context(self, *, resilient_parsing: bool = False) -> Any:  # noqa: ANN401 - typer publishes no type of it
        """The words taken apart; errors name the command as people type it, and not the plan's."""
        path = f"arpent {' '.join(self.words[:2])}"
        return self.command.make_context(path, list(self.words[2:]), resilient_parsing=resilient_parsing)

    def with_image(self, image: Path) -> Asked:
        """The same with an image in front."""
        return Asked((*self.words[:2], str(image), *self.words[2:]), self.windows, self.parameter, self.command)

    def run(self, output: Path, changed: Mapping[str, Any]) -> None:
        """Does it on this machine and tells nobody.

        Args:
            output: the run folder.
            changed: parameters with other values, as the command line gives them.
        """
        context = self._context()
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
    group: Any = load(words[0])
    inner = getattr(group, "commands", {})
    key = (words[0], words[1] if inner and len(words) > 1 else "")
    if key[1] and key[1] not in inner:
        raise UnknownName.among(key[1], inner, f"command of 'arpent {words[0]}'")
    known = _WINDOWS | _LISTS
    if key not in known:
        raise InvalidSetting(
            f"'arpent {' '.join(key).strip()}' cannot be planned",
            expected=", ".join(" ".join(one) for one in known),
            cure=_cure(key),
        )
    return Asked(tuple(words), key in _WINDOWS, known[key], group.commands[words[1]])


def _cure(key: tuple[str, str]) -> str:
    """What somebody does who wanted to plan that."""
    if key in _CURES:
        return _CURES[key]
    if key[1] in _TRAINS:
        return "Train for one epoch and time it: all epochs of a training take about alike."
    alike = [" ".join(one) for one in _WINDOWS | _LISTS if one[0] == key[0]]
    if alike and not key[1]:
        return f"Say which of its commands: {', '.join(alike)}."
    return "Time it on a small part of the input, and multiply."
