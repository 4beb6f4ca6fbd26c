import pytest

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
