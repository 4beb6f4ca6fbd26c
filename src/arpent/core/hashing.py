"""SHA-256 of files, read once, in bounded memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

from arpent.errors import FileMissing, UnreadableFile

__all__ = ["file_sha256"]


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as 64 lower-case hexadecimal digits."""
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise FileMissing(f"there is no file {path}", cure="Check the path.") from None
    except OSError as problem:
        raise UnreadableFile(
            f"{path} cannot be read", found=problem.strerror, cure="Check the file and the right to read it."
        ) from problem
