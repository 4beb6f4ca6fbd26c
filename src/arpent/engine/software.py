"""The software of the nodes of a cluster: what must be the same on all of them for the same bytes, and what should."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import torch

from arpent.errors import ClusterLost
from arpent.store.manifest import versions

__all__ = [
    "REQUIRED",
    "compare",
    "node_and_versions",
    "refuse_another_here",
    "refuse_others",
    "told_apart",
    "versions_here",
]

REQUIRED = ("arpent", "python", "torch")
"""What every worker uses: with another release of it, a node is refused."""

_CHOSEN = "openvino"
"""Refused in the same way, by the workers that compute with it."""

_ADVISED = ("gdal", "numpy", "timm", "transformers", "torch", "instructions")
"""What is said where it differs: most of it changes no pixel, or the last digits of a few."""

_INSTALLED = ("openvino", "timm", "transformers")
"""What is imported when it is needed, if it is: known by what is installed."""

_TITLES = {
    "arpent": "Arpent",
    "gdal": "GDAL",
    "instructions": "processors with",
    "numpy": "NumPy",
    "openvino": "OpenVINO",
    "python": "Python",
    "torch": "PyTorch",
}


def versions_here() -> dict[str, str]:
    """What decides about pixels on this machine: versions by name, and the instructions that PyTorch computes with."""
    found = versions() | {"instructions": torch.backends.cpu.get_cpu_capability()}
    for name in _INSTALLED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found.pop(name, None)
    return found


def node_and_versions() -> dict[str, str]:
    """The versions of this machine, with its name as "node": words alone, which any other release can read."""
    return versions_here() | {"node": socket.gethostname()}


def compare(ray: ModuleType, answers: Sequence[Any]) -> list[str]:
    """Holds the versions of nodes against those of this process; gives a line for each node that should have others.

    Args:
        ray: the library, which has joined a cluster.
        answers: of workers that were asked for `node_and_versions`, which are there.

    Raises:
        ClusterLost: a node has another release of what must be the same, or no worker starts there.
    """
    here, said = versions_here(), dict[str, None]()
    for answer in answers:
        try:
            there = ray.get(answer)
        except ray.exceptions.ActorUnavailableError:
            continue  # Ray begins the worker again, which then looks itself
        except (ray.exceptions.RayTaskError, ray.exceptions.RayActorError) as problem:
            raise _unstarted(problem) from problem
        refuse_others(there, here)
        said[told_apart(there, here)] = None
    return [line for line in said if line]


def refuse_others(there: Mapping[str, str], here: Mapping[str, str], names: tuple[str, ...] = REQUIRED) -> None:
    """Refuses a node that has another release of what must be the same.

    Args:
        there: what `node_and_versions` says on the node.
        here: what `versions_here` says where the command runs.
        names: of what must be the same.

    Raises:
        ClusterLost: it has.
    """
    other = [name for name in names if _release(name, there) != _release(name, here)]
    if other:
        raise ClusterLost(
            f"the node {there.get('node', '')} has other versions than this command, and would make other bytes",
            found=", ".join(_titled(name, _release(name, there)) for name in other),
            expected=", ".join(_titled(name, _release(name, here)) for name in other),
            cure="Install the same on every node, and start Ray there again.",
        )


def refuse_another_here(here: Mapping[str, str]) -> None:
    """The same, asked on the node: of what every worker uses, and of OpenVINO if this process has loaded it.

    Args:
        here: what `versions_here` says where the command runs.

    Raises:
        ClusterLost: this machine has another release.
    """
    refuse_others(node_and_versions(), here, (*REQUIRED, _CHOSEN) if _CHOSEN in sys.modules else REQUIRED)


def told_apart(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """One line on what should be the same on a node and is not; empty if there is nothing to say."""
    other = [name for name in _ADVISED if name in there and name in here and there[name] != here[name]]
    if not other:
        return ""
    said = ", ".join(f"{_titled(name, there[name])} (here {here[name]})" for name in other)
    return (
        f"the node {there.get('node', '')} has {said}: the bytes may differ from those of one machine in their last "
        "digits; install the same on every node where that matters"
    )


def _release(name: str, found: Mapping[str, str]) -> str:
    """The part of a version that must be the same: of Python without its patch, of others without their build."""
    told = found.get(name, "none")
    return ".".join(told.split(".")[:2]) if name == "python" else told.partition("+")[0]


def _titled(name: str, told: str) -> str:
    return f"{_TITLES.get(name, name)} {told}"


def _unstarted(problem: Exception) -> ClusterLost:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return ClusterLost(
        "a node of the cluster cannot start a worker",
        found=lines[-1] if lines else type(problem).__name__,
        cure="Install the same Arpent on every node, and start Ray there again.",
    )
