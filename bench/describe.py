"""How fast parcels are measured, embedded, told and found: each part beside the plain way to do the same.

    embeddings   embeddings a second through CROMA, beside the same network run plainly
    faithful     a describer made and taught here, judged on dates that it has never seen
    indices      megapixels a second of twenty indices, beside the library spyndex on the same arrays
    qwen         the chain with Qwen2-1.5B's real configuration: counts, a training step, an answer, memory
    search       milliseconds of a question among 20 000 parcels with embeddings of 1024 numbers, and that it is exact
    tokens       tokens a second in batches of 8, beside transformers one parcel at a time

Each part is a file in `describe_study` with a function `run(argv)`, which prints what it measures and returns whether
its goals are met. Words after the part's name are its own options.

Usage: python bench/describe.py PART [options of the part]
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

os.environ.setdefault("OMP_NUM_THREADS", "1")

PARTS = {
    "embeddings": "describe_study.embeddings",
    "faithful": "describe_study.faithful",
    "indices": "describe_study.indices",
    "qwen": "describe_study.qwen",
    "search": "describe_study.search",
    "tokens": "describe_study.tokens",
}


def main(argv: list[str]) -> int:
    """Runs one part, or all of them; 1 where a goal is missed."""
    names = [argv[0]] if argv and not argv[0].startswith("-") else list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"no part is called {unknown[0]}: there are {', '.join(PARTS)}")
        return 2
    met = [import_module(PARTS[name]).run(argv[1:] if argv else []) for name in names]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
