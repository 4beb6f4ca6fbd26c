"""Plans for commands that work on an image: squares of it are run, and the shards are boxes of tiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from arpent.cli.plannable import Asked
from arpent.cli.planned import Calibration, LargerTile, Planned, PlannedShard, Wanted, together
from arpent.core import Grid, Window, ground_area, ground_sampling_distance
from arpent.core.boxes import window_in_box
from arpent.engine.calibration import Consumed, Extent, Looked, Rates, consumed, looked_at
from arpent.errors import NoOverlap, NoValidPixels
from arpent.io import open_image
from arpent.tiling import Shard, TilePlan, larger_tile, shards_of

__all__ = ["PartsOfImage"]

_GUESS = 1024
"""Side in pixels of the first part, which is run before it is known how images are cut."""

_SMALL, _LEAST, _MOST = 2, 3, 24
"""Tiles along the side of the small parts, and at least and at most along that of the large ones."""

_TRIES = 8
_STEPS = (0.7548776662466927, 0.5698402909980532)  # the sequence that fills a square most evenly (Roberts 2018)


class PartsOfImage:
    """Squares of an image, in places that are spread over it.

    Args:
        job: the command.
        wanted: what is to be planned.
        folder: for its runs.
    """

    def __init__(self, job: Asked, wanted: Wanted, folder: Path) -> None:
        self._wanted, self._folder, self._runs = wanted, folder, 0
        self._line = job.line
        self.simulated = job.given.get(job.parameter) is None and wanted.square_metres is not None
        if self.simulated:
            from arpent.cli.sampling import sample_for

            job = job.with_image(sample_for(job.given, folder))
        job.check()
        self._job, given = job, job.given
        self.source = str(given.get(job.parameter))
        with open_image(self.source, sensor=given.get("sensor")) as reader:
            self._grid, self._blocks = reader.grid, reader.blocks
            self._grid.require_crs(self.source)
        self._file = self._here = self._grid.window
        box = given.get("box")
        if box:
            corners = [float(value) for value in str(box).split(",")]
            left, bottom, right, top = corners
            part = window_in_box(self._grid, (left, bottom, right, top), given.get("box_crs"), self.source)
            self._grid, self._here = self._grid.crop(part), part
        self._look: Looked | None = None

    @property
    def _seen(self) -> Looked:
        assert self._look is not None  # a part has been run
        return self._look

    @property
    def _factor(self) -> float:
        """Pixels of the image along one that the network sees."""
        return self._seen.grid.pixel_width / self._grid.pixel_width

    def warm(self) -> None:
        """Runs a part before it is known how images are cut."""
        self._anywhere(_GUESS)

    def small(self) -> Consumed:
        """Runs a few tiles."""
        return self._anywhere(self._side(_SMALL))

    def large(self, units: float) -> Consumed | None:
        """Runs so many tiles about; None where the image is too small for more than a few."""
        shape = self._seen.shape
        most = (min(self._grid.shape) / self._factor - shape.size) // shape.step + 1
        along = int(min(max(units**0.5, _LEAST), _MOST, most))
        return self._anywhere(self._side(along)) if along >= _LEAST else None

    def _side(self, along: int) -> int:
        """Side in pixels of the image of a square of so many tiles along each."""
        shape = self._seen.shape
        return round((shape.size + (along - 1) * shape.step) * self._factor)

    def _anywhere(self, side: int) -> Consumed:
        """Runs a square part, in another place with each call; where there is no data, in the next."""
        for last in (*[False] * (_TRIES - 1), True):
            self._runs += 1
            high, wide = (min(side, length) for length in self._grid.shape)
            row, col = (
                int((0.5 + step * self._runs) % 1 * (length - own))
                for step, length, own in zip(_STEPS, self._grid.shape, (high, wide), strict=True)
            )
            try:
                return self._run(Window(row, col, high, wide))
            except (NoValidPixels, NoOverlap):
                if last:
                    raise
        raise AssertionError  # the last try returns or raises

    def _run(self, window: Window) -> Consumed:
        bounds = self._grid.crop(window).bounds
        box = ",".join(f"{value:.12g}" for value in (bounds.left, bounds.bottom, bounds.right, bounds.top))
        output = self._folder / f"part-{self._runs}"

        def run() -> Extent:
            with looked_at() as looks:
                self._job.run(output, {"box": box, "box_crs": None})
            self._look = look = looks[0]
            return self._extent(look.grid.shape, look.plan.cost * look.grid.window.size, window)

        return consumed(run, output)

    def told(self, found: Rates, how: Calibration) -> Planned:
        """The plan of the image, or of the ground of which it is a sample."""
        wanted, look = self._wanted, self._seen
        grid = self._grid if self._factor == 1 else self._grid.rescaled(self._factor)
        gsd = wanted.gsd or ground_sampling_distance(grid)
        assert gsd is not None  # it has a reference system
        ground = ground_area(grid)
        if wanted.square_metres is not None:
            ground, side = wanted.square_metres, max(round(wanted.square_metres**0.5 / gsd), 1)
            grid = Grid(side, side, grid.transform)
        plan = TilePlan.of(*grid.shape, look.shape)
        parts = shards_of(plan, wanted.shards)
        shards = tuple(self._shard(one, grid, found) for one in parts)
        pixels = grid.window.size
        return Planned(
            self._line,
            "tiles",
            len(plan),
            pixels,
            together(shards, how.device),
            how,
            shards,
            shape=grid.shape,
            gsd=gsd,
            square_metres=ground,
            seen_share=plan.cost,
            overlap=sum(one.window.size for one in parts) / pixels - 1,
            larger_tile=self._larger_tile(grid),
        )

    def _larger_tile(self, grid: Grid) -> LargerTile | None:
        """What tiles would spare work, where the command lets them be chosen."""
        shape = self._seen.shape
        larger = larger_tile(*grid.shape, shape) if "tile" in self._job.given else None
        if larger is None:
            return None
        return LargerTile(shape.size, larger.size, TilePlan.of(*grid.shape, larger).cost)

    def _shard(self, one: Shard, grid: Grid, found: Rates) -> PlannedShard:
        number, window, core = one.number, one.window, one.core
        there = None if grid.crs is None else _times(window, self._factor)  # so much ground lies in no file
        cost = found.cost(self._extent(window.shape, one.seen, there))
        shard = PlannedShard(number, one.tiles, cost, f"{window.width} × {window.height}")
        if grid.crs is None:  # so much ground, somewhere
            return shard
        box, own = (_corners(grid.crop(part)) for part in (window, core))
        return replace(shard, command=self._job.shard(number, box=box), box=box, core=own)

    def _extent(self, shape: tuple[int, int], seen: float, there: Window | None) -> Extent:
        """How large a job is, in tiles of full size: those at the edges may be smaller.

        Args:
            shape: rows and columns of pixels that the network sees.
            seen: pixels of all tiles.
            there: the same in pixels of the image; None where that has no file of its own.
        """
        (height, width), tile = shape, self._seen.shape
        seams = (len(TilePlan.of(height, width, tile).rows) - 1) * width
        touched = height * width * self._factor**2 if there is None else self._touched(there)
        return Extent(seen / tile.size**2, height * width, (height + width) / 2, touched, seams)

    def _touched(self, window: Window) -> int:
        """Pixels of the blocks of the file that a window touches."""
        down, across = self._blocks
        row, col = window.row + self._here.row, window.col + self._here.col
        first_row, first_col = row // down * down, col // across * across
        last_row, last_col = (
            -(-end // of) * of for end, of in ((row + window.height, down), (col + window.width, across))
        )
        return Window.between(first_row, first_col, last_row, last_col).intersect(self._file).size


def _times(window: Window, factor: float) -> Window:
    """A window on pixels that are so many times smaller."""
    return Window.between(*(round(end * factor) for end in (window.row, window.col, window.row_end, window.col_end)))


def _corners(grid: Grid) -> tuple[float, ...]:
    bounds = grid.bounds
    return bounds.left, bounds.bottom, bounds.right, bounds.top
