"""The pages that people read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from arpent.cli.app import main


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path
    text: str

    def blocks(self, language: str) -> Iterator[str]:
        """Contents of the fenced blocks in that language."""
        for match in re.finditer(rf"^( *)```{language}\n(.*?)^\1```$", self.text, re.MULTILINE | re.DOTALL):
            yield match[2]

    def commands(self) -> Iterator[str]:
        """What the page tells its reader to type: the lines after ``$ ``, joined over backslashes, uncommented."""
        for block in self.blocks("console"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip().startswith("$ "):
                    yield " ".join(line.strip().removeprefix("$ ").partition(" #")[0].split())


@pytest.fixture(scope="session")
def pages(root: Path) -> list[Page]:
    """Every page for people: the documentation and the files at the root."""
    paths = [*sorted((root / "docs").rglob("*.md")), *sorted(root.glob("*.md"))]
    return [Page(path, path.read_text("utf-8")) for path in paths]


class Typist:
    """Types what a guide tells its reader to type, line by line, in the folder that is the working folder.

    Attributes:
        page: the guide.
        left: beginnings of lines that are not typed, and why.
        hands: beginnings of lines that are typed otherwise than by the command line in this process, and how.
        more: words added to each line of a command, so that it takes seconds; the last one of an option counts.
    """

    def __init__(self, page: Page, told: Callable[[], str]) -> None:
        self.page, self._told = page, told
        self.left: dict[str, str] = {}
        self.hands: dict[str, Callable[[str], object]] = {}
        self.more: dict[str, str] = {}

    def type_all(self) -> None:
        """Types the lines in their order; every exception must be about some line."""
        unused = {*self.left, *self.hands, *self.more}
        for line in self.page.commands():
            exceptions = [one for one in unused | {*self.left, *self.hands, *self.more} if line.startswith(one)]
            unused.difference_update(exceptions)
            if not any(one in self.left for one in exceptions):
                self.type(line)
        assert unused == set(), f"{self.page.path.name} has no line that begins so"

    def type(self, line: str) -> None:
        """Types one line; the longest beginning that is known says how."""
        known = sorted((one for one in self.hands if line.startswith(one)), key=len)
        if known:
            self.hands[known[-1]](line)
            return
        assert main(self.words(line)) == 0, f"{line}\n{self._told()}"

    def words(self, line: str) -> list[str]:
        """What follows the program's name: stars are names of files, as for a shell, and `more` comes last."""
        program, *words = shlex.split(line)
        assert program == "arpent", f"nothing says how to type: {line}"
        words = [found for word in words for found in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
        return words + [word for one, more in self.more.items() if line.startswith(one) for word in shlex.split(more)]


@pytest.fixture
def typist(pages: list[Page], capsys: pytest.CaptureFixture[str]) -> Callable[[str], Typist]:
    """Somebody who types a guide, by its file's name."""

    def of(name: str) -> Typist:
        (page,) = [one for one in pages if one.path.name == name and one.path.parent.name in ("docs", "howto")]
        return Typist(page, lambda: capsys.readouterr().err)

    return of
