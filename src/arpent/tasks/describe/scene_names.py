"""Names of the images of a run, each unlike the others, so that tables of the same images can be joined by them."""

from __future__ import annotations

from pathlib import Path

from arpent.tasks.describe.scenes import Scene

__all__ = ["SceneNames"]


class SceneNames:
    """The names that are taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def settle(self, scene: Scene) -> None:
        """Renames a scene whose name is taken: images of one name are told apart by their folder, then by a number."""
        name, number = scene.name, 1
        if name in self._taken:
            folder = Path(scene.source.rstrip("/")).parent.name
            name = base = f"{folder}/{name}" if folder else name
            while name in self._taken:
                number += 1
                name = f"{base} ({number})"
        scene.name = name
        self._taken.add(name)
