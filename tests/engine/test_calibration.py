"""What a run takes, and what a job of the same kind will take."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arpent.core import Grid
from arpent.engine.calibration import Consumed, Extent, consumed, looked_at, rates, seen_by
from arpent.tiling import TileShape

MB = 1_000_000


def took(units, *, start=2.0, each=0.5, scratch=300, counted=True):
    """A run over a square of so many tiles of 100 × 100 pixels each, as the law has it."""
    pixels, side = units * 1e4, units**0.5 * 100
    through = round(4 * pixels) + 9000 if counted else None
    disk = round(2 * pixels + scratch * side)  # the map in parts and whole, and the seam of a row
    seconds = start + each * units
    return Consumed(Extent(units, pixels, side), seconds, 2 * seconds, through, through, round(pixels), disk)


@given(st.floats(0, 30), st.floats(0.01, 9), st.integers(0, 3000), st.integers(5, 300))
def test_a_job_that_keeps_to_the_law_is_foretold_exactly(start, each, scratch, along):
    law = {"start": start, "each": each, "scratch": scratch}
    found = rates([took(4, **law)], [took(16, **law), took(64, **law)])
    whole = took(along**2, **law)
    cost = found.cost(whole.extent)
    assert found.apart
    for name in ("seconds", "cpu_seconds", "read", "kept", "disk"):
        for value in (cost[name].low, cost[name].typical, cost[name].high):
            assert value == pytest.approx(getattr(whole, name), rel=1e-3)


@given(st.floats(1, 9), st.floats(1, 50), st.integers(5, 300))
def test_whole_blocks_and_seams_are_foretold_exactly(per_pixel, per_seam, along):
    """Of a small part they are more, or fewer, than its pixels tell."""

    def run(along):
        pixels, side = along**2 * 1e4, along * 100.0
        touched, seams = (side + 256) ** 2, (along - 1) * side
        extent = Extent(along**2, pixels, side, touched, seams)
        read, written = 9000 + round(per_pixel * touched), round(2 * pixels + per_seam * seams)
        return Consumed(extent, 1.0, 1.0, read, written, round(pixels), round(2 * pixels))

    whole = run(along)
    cost = rates([run(2)], [run(4), run(8)]).cost(whole.extent)
    for name in ("read", "written"):
        for value in (cost[name].low, cost[name].typical, cost[name].high):
            assert value == pytest.approx(getattr(whole, name), rel=1e-3)


def test_parts_that_touch_the_same_blocks_leave_reading_to_their_pixels():
    parts = [took(4), took(16)]
    same = [replace(one, extent=replace(one.extent, touched=1e6)) for one in parts]
    job = took(64).extent
    assert rates(same[:1], same[1:]).cost(job)["read"] == rates(parts[:1], parts[1:]).cost(job)["read"]


def test_the_start_is_paid_by_each_process_and_the_spread_is_told():
    found = rates([took(4)], [took(16, each=0.4), took(16), took(16, each=1.0)])
    once, shared = (found.cost(Extent(1000, 1e7, 3162), starts) for starts in (1, 10))
    assert shared["seconds"].typical - once["seconds"].typical == pytest.approx(9 * 2.0)
    assert once["seconds"].typical == pytest.approx(502)
    assert once["seconds"].low < 502 < once["seconds"].high


def test_what_is_less_than_nothing_is_noise():
    found = rates([took(4, each=3.0)], [took(16, each=0.1, start=0)])
    assert found.cost(Extent(100, 1e6, 1000))["seconds"].low >= 0


def test_parts_of_one_size_alone_count_their_start_with_the_rest():
    found = rates([took(4)], [])
    assert not found.apart
    assert found.cost(Extent(8, 8e4, 283))["seconds"].typical == pytest.approx(2 * took(4).seconds)


def test_what_the_system_does_not_count_is_not_told():
    found = rates([took(4, counted=False)], [took(16, counted=False)])
    assert "read" not in found.cost(Extent(1, 1, 1))
    assert "kept" in found.cost(Extent(1, 1, 1))


def test_a_run_is_measured_with_what_it_leaves_and_what_it_needs_meanwhile(tmp_path):
    folder = tmp_path / "run"

    def run():
        folder.mkdir()
        (folder / "scratch").write_bytes(b"x" * 2 * MB)
        (folder / "map.tif").write_bytes(b"x" * MB)
        time.sleep(0.3)
        (folder / "scratch").unlink()
        return Extent(4, 100)

    done = consumed(run, folder)
    assert (done.extent, done.kept, done.disk) == (Extent(4, 100), MB, 3 * MB)
    assert done.seconds >= 0.3 > done.cpu_seconds
    if Path("/proc/self/io").exists():
        assert 3 * MB <= done.written < 4 * MB


def test_whoever_watches_is_told_what_a_loop_goes_over_and_nobody_else():
    grid = Grid.north_up(0, 0, 1, 100, 200, "EPSG:32631")
    shape = TileShape(size=64, ring=4, halo=4, align=16)
    seen_by(grid, shape)
    with looked_at() as looks:
        seen_by(grid, shape)
    assert [len(look.plan) for look in looks] == [len(looks[0].plan)]
    assert looks[0].grid == grid
