"""Addresses of files and folders in object stores."""

from __future__ import annotations

import re
from os import PathLike

__all__ = ["object_address"]

_ADDRESS = re.compile(r"(s3|gs):/{1,2}([^/].*)", re.DOTALL)


def object_address(path: str | PathLike[str]) -> str | None:
    """``s3://bucket/key`` or ``gs://bucket/key``, also where it has become a `Path` on its way; None for all else."""
    found = _ADDRESS.fullmatch(str(path))
    return None if found is None else f"{found[1]}://{found[2].rstrip('/')}"
