"""What a stranger points at: files of a page or two, as what is larger is something else, and folders."""

from __future__ import annotations

from pathlib import Path

from arpent.errors import FileMissing, InvalidSetting, UnreadableFile

__all__ = ["no_folder", "read_small"]


def read_small(path: Path, what: str, *, most: int = 256 * 1024, cure: str = "Check the path.") -> bytes:
    """The content of a small file.

    Args:
        path: of the file.
        what: it should be, for messages ("settings file").
        most: bytes that are read.
        cure: what to do where nothing is there.

    Raises:
        FileMissing: nothing is there.
        UnreadableFile: a folder, or a file that may not be read.
        InvalidSetting: it is larger.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except FileNotFoundError:
        raise FileMissing(f"there is no {what} {path}", cure=cure) from None
    except OSError as problem:
        raise UnreadableFile(
            f"{path} cannot be read", found=problem.strerror, cure=f"Give a {what} that you may read."
        ) from problem
    if len(content) > most:
        raise InvalidSetting(
            f"{path} is too large for a {what}",
            found=f"more than {_told(most)}",
            expected=f"at most {_told(most)}",
            cure="Give another file; images and tables have options of their own.",
        )
    return content


def no_folder(path: Path | str, cure: str) -> FileMissing | UnreadableFile:
    """The error for a path where a folder is wanted: nothing is there, or a file.

    Args:
        path: as it was given.
        cure: what to do.
    """
    if Path(path).is_file():
        return UnreadableFile(f"{path} is a file, and a folder is wanted", cure=cure)
    return FileMissing(f"there is no folder {path}", cure=cure)


def _told(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
