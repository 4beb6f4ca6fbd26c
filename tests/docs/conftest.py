"""The pages that people read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


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
