"""The command line: a table of commands, the global options, and one place where every failure ends.

``arpent --help`` reads the table alone. A command's module is imported when the command is used, so that help and
completion come at once and `arpent runs list` never waits for torch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from arpent.cli.console import Flags, Session, show
from arpent.cli.ending import Ending
from arpent.cli.fetched import fetched
from arpent.cli.together import keep_output_ours, require_training
from arpent.errors import UnknownName
from arpent.version import __version__

__all__ = ["COMMANDS", "CommandEntry", "load", "main", "tree"]


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A row of the table.

    Attributes:
        module: has `app`, a `typer.Typer`.
        help: one line.
    """

    module: str
    help: str


COMMANDS: dict[str, CommandEntry] = {
    "change": CommandEntry("arpent.cli.change", "Change between dates: compare, mosaic, train, evaluate."),
    "classify": CommandEntry("arpent.cli.classify", "Labels for pictures and captions: prepare, train, predict."),
    "demo": CommandEntry("arpent.cli.demo", "Every capability at work on one invented commune, in minutes."),
    "describe": CommandEntry("arpent.cli.describe", "Parcels measured, and told in words no pixel contradicts."),
    "embed": CommandEntry("arpent.cli.embed", "Embeddings put to use: cluster, probe."),
    "forecast": CommandEntry("arpent.cli.forecast", "Radar series: despeckle, segment, predict the next steps."),
    "landcover": CommandEntry("arpent.cli.landcover", "Land-cover maps: train a model, make a map."),
    "map": CommandEntry("arpent.cli.map", "Every result on one map in the browser."),
    "models": CommandEntry("arpent.cli.models", "Model bundles: list, show, import, fetch, export."),
    "plan": CommandEntry("arpent.cli.plan", "What a job takes, from a few parts of it; and its shards."),
    "runs": CommandEntry("arpent.cli.runs", "Run folders: list, show, verify, catalog, publish."),
    "simulate": CommandEntry("arpent.cli.simulate", "Synthetic landscapes with exact truth, for any sensor."),
    "stats": CommandEntry("arpent.cli.stats", "Statistics of images, band by band, with their histograms."),
    "doctor": CommandEntry("arpent.cli.doctor", "Look at this machine and say what to improve."),
}


def load(name: str) -> TyperCommand | TyperGroup:
    """The command of that name, ready to run; imports its module."""
    made = typer.main.get_command(import_module(COMMANDS[name].module).app)
    assert isinstance(made, TyperCommand | TyperGroup)
    made.name = name
    made.help = made.help or COMMANDS[name].help
    _dress(made)
    return made


def _dress(command: Any) -> None:  # noqa: ANN401 - typer does not publish the common type of commands and groups
    """Gives a command and all below it the global options and the plain style of help."""
    command.rich_markup_mode = None  # rich's own import takes longer than the budget of a help page
    command.params = [p for p in command.params if not p.opts or not p.opts[0].endswith("-completion")]
    taken = {flag for parameter in command.params for flag in parameter.opts}
    for parameter in command.params:
        parameter.callback = parameter.callback or fetched
    command.params.extend(p for p in _global_options() if not taken & set(p.opts))
    for inner in getattr(command, "commands", {}).values():
        _dress(inner)


class _Table(TyperGroup):
    """A group that knows its commands by name and loads the one that is used."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - passed on to typer as they come
        super().__init__(**settings)
        for name, entry in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=entry.help, rich_markup_mode=None)

    def resolve_command(
        self,
        ctx: Any,  # noqa: ANN401 - typer publishes a narrower type than the one it passes
        args: list[str],
    ) -> tuple[str | None, Any, list[str]]:
        if args[0] in COMMANDS:
            self.commands[args[0]] = load(args[0])
        elif not ctx.resilient_parsing:  # completion asks about half-typed words
            raise UnknownName.among(args[0], COMMANDS, "command")
        return super().resolve_command(ctx, args)


_root = typer.Typer(
    cls=_Table,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 usage or settings, 3 input, 4 model, 5 dataset, 6 training, 7 output, "
    "8 machine, 9 partly done, 70 defect, 130 stopped.",
)


# The options are read from the command line by `Flags.among`, wherever they stand; here they are only declared, for
# help, completion and acceptance.
@_root.callback(no_args_is_help=True)
def _arpent(
    json: Annotated[bool, typer.Option("--json", expose_value=False, help="Print one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", expose_value=False, help="No progress, no notes.")] = False,
    debug: Annotated[bool, typer.Option("--debug", expose_value=False, help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", expose_value=False, help="Print the version.")] = False,
) -> None:
    """Arpent reads the land from above: land cover, change, forecasts, parcels told in words, labels of pictures."""


def _global_options() -> list[Any]:
    # The first four parameters of the callback above; typer adds its own for completion after them.
    return typer.main.get_command(_root).params[:4]


def tree() -> TyperGroup:
    """The whole command line with every module loaded, for whoever documents it."""
    root = typer.main.get_command(_root)
    assert isinstance(root, TyperGroup)
    for name in COMMANDS:
        root.commands[name] = load(name)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; ``sys.argv`` is read when no words are given."""
    words = list(sys.argv[1:] if argv is None else argv)
    session = Session(Flags.among(words))
    if not session.flags.debug:  # torch's C++ half writes past our reporting, about host names without a reverse entry
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    keep_output_ours()  # before what prints holds on to standard output
    with session.active(), Ending(session) as ending:
        _run(words, session.flags)
    return ending.settle()


def _run(words: list[str], flags: Flags) -> None:
    root = typer.main.get_command(_root)
    if "_ARPENT_COMPLETE" in os.environ:
        root.main(words, prog_name="arpent")
    elif flags.version:
        show({"arpent": __version__}, f"arpent {__version__}")
    else:
        require_training(words)
        with root.make_context("arpent", words) as context:
            root.invoke(context)
