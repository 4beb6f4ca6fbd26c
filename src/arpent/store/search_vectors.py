"""Embeddings as a search compares them: brought to length 1, in one file that is mapped into memory.

DuckDB keeps the embeddings too, and would find the same, but it reads and compares them several times slower. The rows
of the file are those of the index, with no number where a row has no embedding.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Vectors", "write_vectors"]

_BATCH = 4096
_DENSE = 4
"""Rows that lie closer than one in so many are read with all that is between them."""


def write_vectors(con: Any, path: Path, rows: int, width: int) -> None:  # noqa: ANN401 - duckdb publishes no types
    """Writes the file of an index.

    Args:
        con: to the database, with its table ``vectors``.
        path: of the file.
        rows: of the index.
        width: numbers of an embedding.
    """
    file = np.lib.format.open_memmap(path, "w+", np.float32, (rows, width))
    for start in range(0, rows, _BATCH):
        file[start : start + _BATCH, 0] = np.nan
    for batch in con.sql("SELECT row, embedding FROM vectors ORDER BY row").to_arrow_reader(_BATCH):
        given = batch.column("embedding").flatten().to_numpy().reshape(-1, width)
        lengths = np.sqrt(np.einsum("ij,ij->i", given, given, dtype=np.float64))[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            file[batch.column("row").to_numpy()] = given / lengths
    file.flush()


class Vectors:
    """The file, open.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._all: NDArray[np.float32] = np.load(path, mmap_mode="r")

    def has(self, row: int) -> bool:
        """Whether a row has an embedding."""
        return bool(np.isfinite(self._all[row, 0]))

    def likeness(self, to: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The exact cosine of some rows and another, ``(rows,)``; no number where one of them has no embedding.

        Args:
            to: the other row.
            rows: in their order.
        """
        model = np.array(self._all[to])
        found = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            first, last = int(part[0]), int(part[-1]) + 1
            if last - first <= _DENSE * len(part):
                found[start : start + _BATCH] = (self._all[first:last] @ model)[part - first]
            else:
                found[start : start + _BATCH] = self._all[part] @ model
        return found
