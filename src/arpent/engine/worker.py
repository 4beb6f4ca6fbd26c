"""What a worker of a cluster does: opens the work that it is told of, and answers for the batches that it is given."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import torch

from arpent.engine.crew import Opener
from arpent.engine.software import node_and_versions, refuse_another_here
from arpent.errors import ArpentError, EnvironmentLack, FileMissing, InputError, ModelError

__all__ = ["Brief", "Worker"]

_SHARED = "Put images and models on storage that all nodes share, or on s3://; what a mosaic makes, on shared storage."


@dataclass(frozen=True)
class Brief:
    """Which work it is.

    Attributes:
        number: of the work; briefs of one number are of the same.
        opener: gives the function that opens it, asked once by each worker.
    """

    number: int
    opener: Callable[[], Opener]


class Worker:
    """Two calls at a time may be made of it: one reads while another has the network.

    Args:
        folder: that relative paths begin at.
        threads: of the arithmetic of one batch, as many as the process has that hands the work out: with another
            number, sums may be rounded otherwise.
        versions: what decides about pixels where the work is handed out, which a node must have too.
    """

    def __init__(self, folder: Path, threads: int, versions: Mapping[str, str]) -> None:
        self._folder, self._threads, self._versions = folder, threads, versions
        self._opening, self._turn = Lock(), Lock()
        self._number, self._work = -1, None
        self._opened = ExitStack()

    def do(self, brief: Brief, do: Callable[..., Any], *asked: Any) -> Any:  # noqa: ANN401 - the caller's own
        """What comes of a call of a piece of work."""
        torch.set_num_threads(self._threads)  # a matter of each thread
        with self._opening:
            if brief.number != self._number:
                self._open(brief)
        return do(self._work, self._turn, *asked)

    def process(self) -> int:
        """Number of the process."""
        return os.getpid()

    def software(self) -> dict[str, str]:
        """See `engine.software.node_and_versions`."""
        return node_and_versions()

    def _open(self, brief: Brief) -> None:
        """Opens another work in the place of the one before, all of whose calls have come to their end."""
        self._opened.close()
        self._number, self._work, self._opened = -1, None, ExitStack()
        refuse_another_here(self._versions)  # Ray may have begun this worker again on a node that nobody has asked
        with ExitStack() as opened:
            try:
                if not self._folder.is_dir():
                    raise FileMissing(f"there is no folder {self._folder}", cure="Begin the command in another one.")
                os.chdir(self._folder)
                self._work = brief.opener()(opened)
            except (InputError, ModelError) as problem:
                raise _on_this_node(problem, _SHARED) from problem
            except EnvironmentLack as problem:
                raise _on_this_node(problem, problem.cure) from problem
            refuse_another_here(self._versions)  # the work has loaded what it needs
            self._opened = opened.pop_all()
        self._number = brief.number


def _on_this_node(problem: ArpentError, cure: str) -> ArpentError:
    """What is wrong with a file or a machine here, which whoever handed out the work could use."""
    what = f"the node {socket.gethostname()} cannot work: {problem.what}"
    return type(problem)(what, found=problem.found, expected=problem.expected, cure=cure)
