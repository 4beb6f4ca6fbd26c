import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from rasterio.errors import NotGeoreferencedWarning

from arpent.io.gdal import placeless
from arpent.io.handles import Handles


@pytest.fixture
def handles(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    made = Handles((tmp_path / "a.txt").open)
    yield made
    made.close()


def test_a_handle_is_used_again(handles):
    with handles.borrow() as first:
        pass
    with handles.borrow() as again:
        assert again is first


def test_two_borrowers_at_once_have_two_handles(handles):
    with handles.borrow() as first, handles.borrow() as second:
        assert first is not second


def test_a_handle_comes_back_after_an_error(handles):
    with pytest.raises(RuntimeError), handles.borrow() as first:
        raise RuntimeError
    with handles.borrow() as again:
        assert again is first


def test_what_is_in_use_is_closed_when_it_comes_back(handles):
    with handles.borrow() as used:
        with handles.borrow() as idle:
            pass
        handles.close()
        assert idle.closed
        assert not used.closed
    assert used.closed
    with pytest.raises(ValueError, match="closed"), handles.borrow():
        pass


def test_another_process_opens_its_own(handles):
    with handles.borrow() as first:
        pass
    handles._process -= 1  # as a forked child finds it
    with handles.borrow() as own:
        assert own is not first
    first.close()


def test_threads_open_pictures_side_by_side_and_warnings_come_back_with_the_last():
    together = Barrier(2, timeout=20)

    def opened(_):
        with placeless():
            together.wait()  # broken where one thread keeps the other out
            warnings.warn("no place", NotGeoreferencedWarning, stacklevel=1)
            together.wait()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(opened, range(2))) == [None, None]
    with pytest.raises(NotGeoreferencedWarning):
        warnings.warn("no place", NotGeoreferencedWarning, stacklevel=1)
