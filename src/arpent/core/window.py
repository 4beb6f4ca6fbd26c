"""A rectangle of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Window"]


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Rows ``row … row_end - 1`` and columns ``col … col_end - 1``. May reach outside its image."""

    row: int
    col: int
    height: int
    width: int

    @classmethod
    def between(cls, row: int, col: int, row_end: int, col_end: int) -> Window:
        """The window from its first row and column to the ends, which it does not include."""
        return cls(row, col, row_end - row, col_end - col)

    @property
    def row_end(self) -> int:
        """The first row below the window."""
        return self.row + self.height

    @property
    def col_end(self) -> int:
        """The first column right of the window."""
        return self.col + self.width

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), as numpy has it."""
        return self.height, self.width

    @property
    def size(self) -> int:
        """Number of pixels; 0 for an empty window."""
        return max(self.height, 0) * max(self.width, 0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an array whose last two axes are rows and columns."""
        return slice(self.row, self.row_end), slice(self.col, self.col_end)

    def __contains__(self, other: Window) -> bool:
        return (
            self.row <= other.row
            and self.col <= other.col
            and other.row_end <= self.row_end
            and other.col_end <= self.col_end
        )

    def intersect(self, other: Window) -> Window:
        """What the two share; a window of size 0 when they share nothing."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        row_end = max(row, min(self.row_end, other.row_end))
        col_end = max(col, min(self.col_end, other.col_end))
        return Window.between(row, col, row_end, col_end)

    def padded(self, pixels: int) -> Window:
        """Grown by `pixels` on all four sides."""
        return Window(self.row - pixels, self.col - pixels, self.height + 2 * pixels, self.width + 2 * pixels)

    def relative_to(self, origin: Window) -> Window:
        """The same pixels, counted from the first row and column of `origin`."""
        return Window(self.row - origin.row, self.col - origin.col, self.height, self.width)

    def coarsened(self, factor: int) -> Window:
        """The smallest window of a grid `factor` times coarser that covers this one."""
        return Window.between(
            self.row // factor,
            self.col // factor,
            -(-self.row_end // factor),
            -(-self.col_end // factor),
        )

    def strips(self, rows: int) -> Iterator[Window]:
        """The window cut from top to bottom into pieces of at most `rows` rows."""
        for row in range(self.row, self.row_end, rows):
            yield Window.between(row, self.col, min(row + rows, self.row_end), self.col_end)

    def blocks(self, rows: int, cols: int | None = None) -> Iterator[Window]:
        """The window cut strip by strip, from left to right, into pieces of at most `rows` × `cols`, or squares."""
        step = rows if cols is None else cols
        for strip in self.strips(rows):
            for col in range(self.col, self.col_end, step):
                yield Window.between(strip.row, col, strip.row_end, min(col + step, self.col_end))

    def middle_and_corners(self, side: int) -> list[Window]:
        """Squares of at most `side` from which to judge the whole, in order; one alone of a window no larger."""
        height, width = min(side, self.height), min(side, self.width)
        down, across = self.height - height, self.width - width
        places = {(down // 2, across // 2), (0, 0), (0, across), (down, 0), (down, across)}
        return [Window(self.row + row, self.col + col, height, width) for row, col in sorted(places)]
