import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.core import Window
from arpent.errors import InvalidSetting, UnreadableFile
from arpent.io import open_image, read_ahead


def reading_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    assert not reading_threads()


@given(st.lists(st.integers(), max_size=30), st.integers(1, 5), st.integers(1, 7))
@settings(max_examples=40)
def test_every_result_in_order(items, threads, ahead):
    assert list(read_ahead(lambda item: item * 2, items, threads=threads, ahead=ahead)) == [2 * i for i in items]


def test_slow_reads_do_not_change_the_order():
    def read(item):
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item

    assert list(read_ahead(read, range(20), threads=4, ahead=6)) == list(range(20))


@pytest.mark.parametrize("ahead", [1, 3, 8])
def test_no_more_is_read_than_was_agreed(ahead):
    begun = []
    results = read_ahead(lambda item: begun.append(item) or item, iter(range(100)), threads=3, ahead=ahead)
    for consumed, _ in enumerate(results, start=1):
        time.sleep(0.002)
        assert len(begun) <= consumed + ahead
    assert len(begun) == 100


def test_an_endless_list_of_windows():
    def forever():
        while True:
            yield 1

    results = read_ahead(lambda item: item, forever())
    assert [next(results) for _ in range(50)] == [1] * 50
    results.close()


def test_reads_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=5)
    assert list(read_ahead(lambda item: meeting.wait() >= 0, range(6), threads=3, ahead=6)) == [True] * 6


def test_an_error_appears_where_its_result_would_have():
    def read(item):
        if item == 3:
            raise UnreadableFile("tile 3 is damaged", cure="Copy it again.")
        return item

    results = read_ahead(read, range(10), threads=4, ahead=8)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(UnreadableFile, match="tile 3"):
        next(results)
    assert not reading_threads()


def test_an_error_in_the_list_of_windows_comes_through():
    def windows():
        yield 1
        yield 2
        raise RuntimeError("the plan is wrong")

    with pytest.raises(RuntimeError, match="the plan"):
        list(read_ahead(lambda item: item, windows(), ahead=1))


@pytest.mark.parametrize("how", ["close", "drop", "interrupt"])
def test_stopping_early_stops_the_threads(how):
    begun = []

    def read(item):
        begun.append(item)
        time.sleep(0.005)
        return item

    results = read_ahead(read, range(1000), threads=2, ahead=4)
    next(results)
    if how == "close":
        results.close()
    elif how == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            results.throw(KeyboardInterrupt)
    else:
        del results
    assert not reading_threads()
    assert len(begun) <= 6


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"ahead": 0}])
def test_at_least_one_of_each(wrong):
    with pytest.raises(InvalidSetting, match="at least one thread"):
        read_ahead(lambda item: item, [1], **wrong)


def test_reading_an_image_ahead(scenes):
    with open_image(scenes["noise"]) as image:
        tiles = [Window(row, col, 100, 100) for row in range(0, 400, 100) for col in range(0, 400, 100)]
        for window, raster in zip(tiles, read_ahead(image.read, tiles, threads=3), strict=True):
            assert raster.grid.matches(image.grid.crop(window))
