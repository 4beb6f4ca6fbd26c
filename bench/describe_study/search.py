"""Search: how long a question takes among 20 000 parcels with embeddings of 1024 numbers, and that the answer is exact.

Parcels have drawn embeddings and indices; each question is asked several times and the fastest counts, as a user who
asks twice meets it. The goal is 20 ms for likeness under a condition that one parcel in ten meets. What is found is
compared with numpy's cosine of all rows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arpent.io.vectors import vector_column, vector_field, vector_width
from arpent.store.search import Query, SearchIndex

GOAL = 0.020
BATCH = 10_000
QUESTIONS = {
    "like, 1 in 10 by condition": Query(like="p7", where="ndvi_mean > 0.9"),
    "like, 1 in 30 by condition": Query(like="p7", where="ndvi_mean > 0.967"),
    "like, 1 in 2 by condition": Query(like="p7", where="ndvi_mean > 0.5"),
    "like, a month of dates": Query(like="p7", where="date between '2021-06-01' and '2021-06-30'"),
    "like, all": Query(like="p7"),
    "words": Query(words="végétation dense, sèche"),
    "words and likeness, 1 in 10": Query(words="dense", like="p7", where="ndmi_mean > 0.8"),
    "a word of the texts": Query(words="haies"),
}


def run(argv: list[str]) -> bool:
    """Prints the figures; whether the goal is met and what is found is exact."""
    parser = argparse.ArgumentParser(prog="describe.py search", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="parcels")
    parser.add_argument("--width", type=int, default=1024, help="numbers of an embedding")
    parser.add_argument("--rounds", type=int, default=9, help="the fastest of so many rounds counts")
    parser.add_argument(
        "--folder", type=Path, help="where the tables and the index go; a temporary folder if not given"
    )
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        ndvi = _write(Path(folder), asked.rows, asked.width)
        begun = time.perf_counter()
        with SearchIndex.over([folder]) as index:
            size = sum(file.stat().st_size for file in (Path(folder) / ".search").iterdir())
            took = time.perf_counter() - begun
            print(f"{asked.rows:,} parcels × {asked.width}: indexed in {took:.1f} s, {size / 1e6:,.0f} MB")
            exact = _exact(index, Path(folder), ndvi)
            print(f"  what is found is numpy's answer: {'yes' if exact else 'NO'}")
            seconds = {name: _fastest(index, query, asked.rounds) for name, query in QUESTIONS.items()}
    print(f"  {'':30}{'elapsed':>12}{'processor':>14}")
    for name, (took, worked) in seconds.items():
        print(f"  {name:30}{took * 1e3:9.1f} ms{worked * 1e3:11.1f} ms")
    met = seconds["like, 1 in 10 by condition"][0] <= GOAL
    print(f"  goal {GOAL * 1e3:.0f} ms under a condition: {'met' if met else 'missed'}")
    return exact and (met or asked.rows > 20_000)


def _write(folder: Path, rows: int, width: int) -> np.ndarray:
    """Tables as 'describe indices' and 'describe embed' write them, with drawn numbers; gives back the NDVI."""
    rng = np.random.default_rng(0)
    ndvi, ndmi = rng.uniform(0, 1, rows), rng.uniform(-0.5, 1, rows)
    days = [date(2020, 1, 1) + timedelta(days=int(day)) for day in rng.integers(0, 1000, rows)]
    keys = {
        "parcel": pa.array([f"p{number}" for number in range(rows)]),
        "place": pa.array(["here"] * rows),
        "image": pa.array(["S2"] * rows),
        "taken": pa.array(days, pa.date32()),
    }
    measured = {"valid": pa.array(np.ones(rows)), "ndvi_mean": pa.array(ndvi), "ndmi_mean": pa.array(ndmi)}
    pq.write_table(pa.table(keys | measured), folder / "indices.parquet")
    texts = ["Prairie bordée de haies." if number % 100 == 7 else "Parcelle nue." for number in range(rows)]
    told = {"language": pa.array(["fr"] * rows), "text": pa.array(texts)}
    pq.write_table(pa.table(keys | told), folder / "texts.parquet")
    kind = vector_field("embedding", pa.float32(), width)
    whole = pa.table(keys)
    schema = pa.schema([*whole.schema, kind], metadata={"arpent:encoder": "drawn"})
    with pq.ParquetWriter(folder / "embeddings.parquet", schema, compression="none") as writer:
        for start in range(0, rows, BATCH):
            part = whole.slice(start, BATCH)
            vectors = np.random.default_rng(start).normal(size=(len(part), width)).astype(np.float32)
            column = vector_column(vectors, kind)
            writer.write_table(pa.table([*part.columns, column], schema=schema))
    return ndvi


def _exact(index: SearchIndex, folder: Path, ndvi: np.ndarray) -> bool:
    """Whether the ten most like p7 under a condition are numpy's."""
    found = [hit.parcel for hit in index.find(QUESTIONS["like, 1 in 10 by condition"])]
    with pq.ParquetFile(folder / "embeddings.parquet") as file:
        width = vector_width(file.schema_arrow, "embedding")
        first = next(file.iter_batches(BATCH, columns=["embedding"]))
        model = first["embedding"].flatten().to_numpy().reshape(-1, width)[7]
        scores = []
        for batch in file.iter_batches(BATCH, columns=["embedding"]):
            vectors = batch["embedding"].flatten().to_numpy().reshape(-1, width).astype(np.float64)
            scores.append(vectors @ model / np.linalg.norm(vectors, axis=1) / np.linalg.norm(model))
    likeness = np.where(ndvi > 0.9, np.concatenate(scores), -2)
    likeness[7] = -2
    return found == [f"p{row}" for row in np.argsort(-likeness)[:10]]


def _fastest(index: SearchIndex, query: Query, rounds: int) -> tuple[float, float]:
    """Seconds that pass, and seconds of processor on all cores: on a busy machine the first are many times more."""
    elapsed, worked = [], []
    for _ in range(rounds):
        begun, before = time.perf_counter(), time.process_time()
        hits = index.find(query)
        elapsed.append(time.perf_counter() - begun)
        worked.append(time.process_time() - before)
        assert hits, query
    return min(elapsed), min(worked)
