"""What a recipe is: how a bundle learns, and how it is judged on land that it has not learnt from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from arpent.core import Progress, Settings

__all__ = ["Recipe", "Taught", "spoken"]


@dataclass(frozen=True)
class Taught:
    """What a recipe has trained.

    Attributes:
        bundle: as the training has left it, a file or a folder.
        steps: the commands that do the same, in order.
        data: what they begin with, where no command makes it.
        says: what else the bundle's recipe says.
    """

    bundle: Path
    steps: tuple[str, ...]
    data: str = "simulated by the first of them"
    says: Mapping[str, object] = field(default_factory=dict)


class _Teach(Protocol):
    def __call__(self, folder: Path, *, small: bool, progress: Progress | None) -> Taught: ...


class _Judge(Protocol):
    def __call__(
        self, bundle: Path, folder: Path, *, small: bool, progress: Progress | None
    ) -> Mapping[str, float]: ...


@dataclass(frozen=True)
class Recipe:
    """How one of the small bundles is made.

    Attributes:
        name: of the bundle.
        seed: of the landscapes that it learns from, and of its training.
        judged_by: seed of the landscape that judges it.
        teach: trains it in a folder, which is filled; `small` is a try that learns next to nothing.
        judge: figures of a bundle on land that it has not learnt from, each beside what is to be had without it.
        pack: brings a trained bundle to half its size and gives it a contract.
        suffix: of the bundle's file; empty where it is a folder.
    """

    name: str
    seed: int
    judged_by: int
    teach: _Teach
    judge: _Judge
    pack: Callable[[Path, Path, Mapping[str, object], Mapping[str, float]], Path]
    suffix: str = ".safetensors"

    @property
    def file(self) -> str:
        """Name of the bundle's file or folder."""
        return f"{self.name}{self.suffix}"


def spoken(command: str, settings: Settings | None = None, *, without: tuple[str, ...] = ()) -> str:
    """A command as it is typed, with those settings that are not what they are by themselves.

    Args:
        command: with its arguments.
        settings: of it.
        without: settings that the command already has as arguments.
    """
    given = {} if settings is None else settings.model_dump(mode="json", exclude_defaults=True)
    words = [f"arpent {command}"]
    for name, value in given.items():
        if name not in without:
            words += _option(name, value)
    return " ".join(words)


def _option(name: str, value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [word for key, one in value.items() for word in _option(f"{name}.{key}", one)]
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    told = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return [f"--set {name}={told}" if "." in name else f"--{flag} {told}"]
