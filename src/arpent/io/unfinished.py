"""What the writers of products have in common: a scratch folder, steps that succeed as a whole, one way to end."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from arpent.core import writing
from arpent.errors import OutputError

__all__ = ["Unfinished"]


class Unfinished(ABC):
    """A product under way, in a scratch folder ``.NAME.partial`` beside its place.

    Leaving its context without an error closes it. Leaving with an error keeps the scratch folder if a checkpoint was
    taken, since the product can be resumed from it, and removes it otherwise. In no case does a product appear that is
    not whole.

    Attributes:
        path: of the product.
    """

    path: Path
    _folder: Path
    _checkpoints: int
    _usable: bool

    def _aim(self, path: str | Path) -> None:
        """Says where the product goes; touches nothing."""
        self.path = Path(path)
        self._folder = self.path.with_name(f".{self.path.name}.partial")
        self._checkpoints = 0
        self._usable = True

    def _clear_scratch(self) -> None:
        """Makes an empty scratch folder, in the place of one that an earlier attempt has left."""
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._folder.exists():
                shutil.rmtree(self._folder)
            self._folder.mkdir()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """A step that must succeed as a whole: after a failure, only resuming and `abandon` make sense."""
        if not self._usable:
            raise OutputError(
                f"{self.path.name} is closed or failed earlier",
                cure="Resume it from its last checkpoint, or start anew.",
            )
        self._usable = False
        with writing(self.path):
            yield
        self._usable = True

    @abstractmethod
    def close(self) -> Path:
        """Finishes the product and puts it in place; its scratch folder goes."""

    @abstractmethod
    def suspend(self) -> None:
        """Lets go of all files and keeps the scratch folder, to be resumed from its last checkpoint."""

    def abandon(self) -> None:
        """Removes the scratch folder; a finished product stays."""
        self.suspend()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        finished = False
        try:
            if kind is None and self._usable:
                self.close()
            finished = kind is None
        finally:
            if not finished:
                (self.suspend if self._checkpoints else self.abandon)()
