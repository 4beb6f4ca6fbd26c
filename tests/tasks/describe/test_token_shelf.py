"""Visual tokens on the disk: the same numbers again, from any thread, and hardly anything in memory."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from arpent.errors import NotWritable
from arpent.tasks.describe.token_shelf import TokenShelf


def test_tokens_come_back_as_they_were_from_any_thread(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = [rng.normal(size=(count, 9, 8)).astype(np.float16) for count in (3, 0, 1, 20)]
    shelf = TokenShelf(tmp_path)
    kept = [one for values in whole for one in shelf.keep(values)]
    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(np.asarray, kept))
    assert np.array_equal(np.stack(read), np.concatenate(whole))
    assert np.asarray(kept[0], np.float32).dtype == np.float32
    assert kept[0].shape == (9, 8)


def test_what_is_set_down_takes_no_memory_and_leaves_no_file(tmp_path: Path) -> None:
    shelf, values = TokenShelf(tmp_path), np.ones((64, 25, 256), np.float16)
    tracemalloc.start()
    kept = [one for _ in range(40) for one in shelf.keep(values)]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(one.shape[0] * one.shape[1] * 2 for one in kept) == 40 * values.nbytes
    assert held < values.nbytes, "40 times that was set down"
    assert not list(tmp_path.iterdir()), "a crash leaves nothing"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((NotWritable, NotADirectoryError)):
        TokenShelf(tmp_path / "file")
