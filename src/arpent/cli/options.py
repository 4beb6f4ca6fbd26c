"""Command-line options made from settings models, so that no command writes its options twice.

A setting has one name and one meaning everywhere: ``batch_size: 8`` in a YAML file is ``--batch-size 8`` or
``--set batch_size=8`` on the command line and ``batch_size=8`` in Python. Inside groups, ``optimizer: {rate: 1e-3}``
is ``--optimizer.rate 1e-3`` or ``--optimizer-rate 1e-3``. Options win over ``--set``, ``--set`` over the file.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar

import typer

from arpent.cli.console import note
from arpent.core.settings import Setting, Settings, parse, settings_of
from arpent.core.yaml_files import load_yaml, merge, place
from arpent.errors import InvalidSetting

__all__ = ["assemble", "keywords", "offered", "with_engine", "with_settings"]

Model = TypeVar("Model", bound=Settings)

_SEPARATOR = "__"
"""Stands for the dot of a setting's path in the name of a Python parameter."""


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Spreads the one parameter of a command that is a `Settings` model into options.

    ::

        @app.command()
        @with_settings
        def train(settings: TrainSettings, out: Annotated[Path, typer.Option("--output", "-o")]) -> None:
            '''Trains a model.'''

    The command gets every leaf of the model as an option, together with ``--config`` and ``--set``, and is called
    with the finished model. A leaf that has the name of another parameter of the command is left to the command.
    """
    hints = typing.get_type_hints(command, include_extras=True)
    name, model = next(
        (key, hint) for key, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Settings)
    )
    leaves = {setting.path.replace(".", _SEPARATOR): setting for setting in settings_of(model)}
    leaves = {key: setting for key, setting in leaves.items() if key not in hints}
    own = [parameter for parameter in keywords(command) if parameter.name != name]

    @functools.wraps(command)
    def run(*, config: Path | None, assignments: list[str] | None, **values: Any) -> None:  # noqa: ANN401
        given = {s.path: values.pop(key) for key, s in leaves.items()}
        options = {path: value for path, value in given.items() if value is not None}
        command(**{name: assemble(model, config, assignments or (), options)}, **values)

    return offered(run, [*own, *_sources(), *(_parameter(key, setting) for key, setting in leaves.items())])


def keywords(command: Callable[..., None]) -> list[inspect.Parameter]:
    """The parameters of a command, each by its name and with its type."""
    hints = typing.get_type_hints(command, include_extras=True)
    return [
        parameter.replace(annotation=hints.get(key, parameter.annotation), kind=inspect.Parameter.KEYWORD_ONLY)
        for key, parameter in inspect.signature(command).parameters.items()
    ]


def offered(run: Callable[..., None], parameters: list[inspect.Parameter]) -> Callable[..., None]:
    """A function that Typer sees with these parameters."""
    run.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def with_engine(command: Callable[..., None]) -> Callable[..., None]:
    """Adds to a command that predicts the options that say who does the work: this process, or a Ray cluster."""

    @functools.wraps(command)
    def run(*, engine: str, address: str | None, workers: int, gpus: float | None, **values: Any) -> None:  # noqa: ANN401
        if engine == "local":
            _refuse_idle({"--address": address, "--workers": workers, "--gpus": gpus})
            command(**values)
            return
        from arpent.engine import on_cluster

        with on_cluster(address, workers=workers, gpus=gpus, tell=note) as cluster:
            command(**values)
        if cluster.idle_gpus:
            note(f"The cluster has {cluster.idle_gpus:g} GPUs that were not used: --gpus 1 gives one to each worker.")

    return offered(run, [*keywords(command), *_engine_options()])


def _refuse_idle(options: Mapping[str, object]) -> None:
    """Refuses what would say something about a cluster that is not asked for."""
    for name, value in options.items():
        if value not in (None, 0):
            raise InvalidSetting(f"{name} is about a Ray cluster", cure=f"Add --engine ray, or leave out {name}.")


def _engine_options() -> list[inspect.Parameter]:
    engine = typer.Option("--engine", help="Who does the work: local, this process; ray, the workers of a Ray cluster.")
    address = typer.Option(
        "--address", metavar="HOST:PORT|auto", help="The Ray cluster; one of this machine alone if not given."
    )
    workers = typer.Option("--workers", min=0, help="How many workers; 0 for all that the cluster has room for.")
    gpus = typer.Option(
        "--gpus", min=0.0, help="GPUs of each worker, also parts of one; 1 with --device cuda, else 0, if not given."
    )
    return [
        _keyword("engine", typing.Annotated[Literal["local", "ray"], engine], "local"),
        _keyword("address", typing.Annotated[str | None, address], None),
        _keyword("workers", typing.Annotated[int, workers], 0),
        _keyword("gpus", typing.Annotated[float | None, gpus], None),
    ]


def assemble(model: type[Model], config: Path | None, assignments: Sequence[str], options: Mapping[str, Any]) -> Model:
    """One model from a file, ``--set`` pairs and options, each stronger than the one before.

    Args:
        model: the settings to build.
        config: a YAML file, if there is one.
        assignments: ``key=value`` pairs.
        options: values by dotted path; text is read according to the setting's type.
    """
    mapping = load_yaml(config) if config else {}
    mapping = merge(mapping, assignments)
    leaves = {setting.path: setting for setting in settings_of(model)}
    for path, value in options.items():
        place(mapping, path, _read(value, leaves[path].annotation) if isinstance(value, str) else value)
    sources = [config.name] if config else []
    if assignments or options or not sources:
        sources.append("the command line")
    return parse(model, mapping, " with ".join(sources))


def _sources() -> list[inspect.Parameter]:
    config = typer.Option("--config", "-c", metavar="FILE.yaml", help="Settings from a YAML file.")
    assignments = typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")
    return [
        _keyword("config", typing.Annotated[Path | None, config], None),
        _keyword("assignments", typing.Annotated[list[str] | None, assignments], None),
    ]


def _keyword(name: str, annotation: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _parameter(name: str, setting: Setting) -> inspect.Parameter:
    dotted = setting.path.replace("_", "-")
    names = [dotted] if "." not in dotted else [dotted, dotted.replace(".", "-")]
    help_text = f"{setting.help} {_default(setting)}".strip()
    if bool in _choices(setting.annotation):
        option = typer.Option(*(f"--{n}/--no-{n}" for n in names), help=help_text, show_default=False)
        return _keyword(name, typing.Annotated[bool | None, option], None)
    words = _words(setting.annotation)
    option = typer.Option(
        *(f"--{n}" for n in names),
        help=help_text,
        show_default=False,
        metavar=_metavar(setting.annotation),
        autocompletion=(lambda incomplete: [w for w in words if w.startswith(incomplete)]) if words else None,
    )
    return _keyword(name, typing.Annotated[str | None, option], None)


def _default(setting: Setting) -> str:
    if setting.required:
        return "[required, here or in the file]"
    value = setting.default
    if isinstance(value, tuple | list):
        value = ",".join(map(str, value))
    elif isinstance(value, Enum):
        value = value.value
    elif isinstance(value, bool):
        value = "on" if value else None
    return "" if value in (None, "", {}) else f"[default: {value}]"


def _choices(annotation: object) -> tuple[object, ...]:
    """The branches of a union without None; the type itself when it is no union."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _choices(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(b for arg in typing.get_args(annotation) if arg is not type(None) for b in _choices(arg))
    return (annotation,)


def _words(annotation: object) -> list[str]:
    """The words that a setting can take, if it is a matter of choosing one."""
    words: list[str] = []
    for branch in _choices(annotation):
        if typing.get_origin(branch) is Literal:
            words += [str(word) for word in typing.get_args(branch)]
        elif isinstance(branch, type) and issubclass(branch, Enum):
            words += [str(member.value) for member in branch]
    return words


def _metavar(annotation: object) -> str:
    words = _words(annotation)
    if words:
        return "|".join(words)
    names: dict[object, str] = {int: "INTEGER", float: "NUMBER", Path: "PATH", str: "TEXT"}
    found = [names[branch] for branch in _choices(annotation) if branch in names]
    if _is_list(annotation):
        return "A,B,…"
    return "|".join(found) or "YAML"


def _is_list(annotation: object) -> bool:
    origins = {typing.get_origin(branch) or branch for branch in _choices(annotation)}
    return bool(origins & {tuple, list, set, frozenset, Sequence})


def _read(text: str, annotation: object) -> object:
    """What a word of the command line means for a setting of that type; `parse` does the conversion of scalars."""
    admits_none = type(None) in typing.get_args(annotation)
    if admits_none and text.casefold() in ("none", "null"):
        return None
    if _is_list(annotation) and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if _is_list(annotation) or _metavar(annotation) == "YAML":
        return merge({}, [f"value={text}"])["value"]
    return text
