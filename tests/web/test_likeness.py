"""Parcels like one of them: vectors in files, and the best of many."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import FileMissing, UnreadableFile
from arpent.web.index.vectors import VectorFile, VectorWriter, keys_of, likeness_to, vector_of


def some_vectors(count: int, width: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def write(path: Path, vectors: np.ndarray, step: int = 700) -> VectorFile:
    keys = np.arange(len(vectors), dtype=np.int64) * 7 - 5
    with VectorWriter(path, vectors.shape[1]) as writer:
        for start in range(0, len(vectors), step):
            writer.add(vectors[start : start + step], keys[start : start + step])
        return writer.close()


@pytest.mark.parametrize(("count", "width"), [(5000, 65), (3, 300_000), (1, 1), (0, 8)])
def test_every_vector_of_a_file_is_compared(tmp_path: Path, count: int, width: int) -> None:
    """More of them than are read in one go, or a single one that is longer than that."""
    vectors = some_vectors(count, width)
    file = write(tmp_path / "a.f32", vectors)
    model = some_vectors(1, width, 1)[0]
    np.testing.assert_allclose(likeness_to(file, model), vectors.astype(np.float64) @ model, atol=1e-5)
    assert keys_of(file).tolist() == [7 * number - 5 for number in range(count)]
    assert file.rows == count
    if count:
        assert (vector_of(file, count - 1) == vectors[-1]).all()


def test_equal_vectors_are_equally_alike_wherever_they_lie(tmp_path: Path) -> None:
    one, model = some_vectors(2, 77)
    others = some_vectors(9001, 77, 3)
    others[::5] = one
    scores = likeness_to(write(tmp_path / "a.f32", others), model)
    assert len(set(scores[::5].tolist())) == 1


def test_files_that_are_not_as_they_were_written_are_told(tmp_path: Path) -> None:
    vectors = some_vectors(100, 8)
    file = write(tmp_path / "a.f32", vectors)
    assert likeness_to(file, vectors[0])[0] == pytest.approx(1)
    content = file.path.read_bytes()
    for damage in (content[:-1], content[:1000] + b"?" + content[1001:], b""):
        file.path.write_bytes(damage)
        for look in (lambda: likeness_to(file, vectors[0]), lambda: keys_of(file), lambda: vector_of(file, 3)):
            with pytest.raises(UnreadableFile, match="not as it was written"):
                look()
    file.path.unlink()
    with pytest.raises(FileMissing, match="gone"):
        keys_of(file)


def test_a_writer_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), VectorWriter(tmp_path / "v" / "a.f32", 8) as writer:
        writer.add(some_vectors(3, 8), np.zeros(3, np.int64))
        _ = 1 // 0
    assert not list((tmp_path / "v").iterdir())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_best_are_those_of_a_list_in_order_each_key_once(site: Path, data: st.DataObject) -> None:
    """Scores with many ties and keys with many rows, also more rows of one key than are looked at first."""
    from arpent.web.index.likeness import best_of

    count = data.draw(st.integers(1, 300))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    scores = rng.integers(0, data.draw(st.integers(1, 40)), count).astype(np.float32)
    keys = rng.integers(0, data.draw(st.integers(1, 60)), count).astype(np.int64)
    limit, but = data.draw(st.integers(1, 12)), int(keys[0])
    expected: list[int] = []
    known = {but}
    for place in sorted(range(count), key=lambda place: (-scores[place], place)):
        if int(keys[place]) not in known:
            known.add(int(keys[place]))
            expected.append(place)
    assert best_of(scores, keys, but, limit).tolist() == expected[:limit]
