"""The parcels that are looked at on one scene after another."""

from __future__ import annotations

from pathlib import Path

from arpent.core import Grid
from arpent.errors import NoValidPixels
from arpent.tasks.describe.parcels import Parcels, lay, read_fields, squares
from arpent.tasks.describe.scene_settings import SceneSettings

__all__ = ["SceneParcels"]


class SceneParcels:
    """Those of a file, squares, or whole scenes; see `read_parcels` for what can go wrong.

    Args:
        path: of the file, which is read once; None for squares or whole scenes.
        settings: how it is read, and the side of squares.

    Raises:
        NoValidPixels: the file holds no parcel.
    """

    def __init__(self, path: str | Path | None, settings: SceneSettings) -> None:
        self._fields = None if path is None else read_fields(path, settings)
        if self._fields is not None and not self._fields.items:
            raise NoValidPixels(f"{path} holds no parcel", cure="Give a file with polygons.")
        self._chip = settings.chip
        self.whole = self._fields is None and not settings.chip  # scenes, not parts of them
        self._laid: tuple[Grid, Parcels] | None = None

    def on(self, grid: Grid, name: str) -> Parcels:
        """The parcels on the pixels of a scene, whose `name` is that of the parcel that a whole scene is."""
        if self._fields is None:
            return squares(grid, self._chip, name)
        if self._laid is None or self._laid[0] != grid:  # dates of a place mostly have the same pixels
            self._laid = grid, lay(self._fields, grid)
        return self._laid[1]
