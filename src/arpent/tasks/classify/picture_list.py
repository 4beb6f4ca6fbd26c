"""The pictures that a user names: files, folders with all that lies in them, and the captions that belong to them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arpent.errors import InputError, InvalidSetting
from arpent.io.picture import PICTURE_SUFFIXES, picture_files

__all__ = ["Listed", "ListedPicture", "listed"]


@dataclass(frozen=True)
class ListedPicture:
    """A picture, a caption, or both.

    Attributes:
        name: what people call it: its path inside the folder that they named, or as they named it; unlike all others.
        path: where the picture lies; None for a caption alone.
        caption: what is said of it; None where nothing is.
    """

    name: str
    path: Path | None
    caption: str | None = None


@dataclass(frozen=True)
class Listed:
    """What there is to be done.

    Attributes:
        pictures: each file once, in the order of the user and, inside folders, of their names.
        twice: how many were named more than once.
        unused: names of pictures that captions were given for and that are not there.
        silent: how many pictures have no caption, where there are captions at all.
    """

    pictures: tuple[ListedPicture, ...]
    twice: int = 0
    unused: tuple[str, ...] = ()
    silent: int = 0


def listed(
    sources: Sequence[str], caption: str | None = None, captions: Mapping[str, Sequence[str]] | None = None
) -> Listed:
    """Pictures with their captions.

    Args:
        sources: files and folders.
        caption: of the one picture, or alone.
        captions: by the name of the picture, with or without folders before it; the first of several is taken.

    Raises:
        InputError: a folder holds no picture.
        InvalidSetting: one caption for several pictures, both kinds of captions, or neither picture nor caption.
    """
    if caption is not None and captions is not None:
        raise InvalidSetting(
            "captions are given twice", found="--caption and --captions", cure="Give one of the two options."
        )
    if not sources:
        if caption is None:
            raise InvalidSetting(
                "there is neither a picture nor a caption",
                cure='Name pictures or folders, or give --caption "…" alone.',
            )
        return Listed((ListedPicture(_short(caption), None, caption),))
    found: dict[str, ListedPicture] = {}
    twice = 0
    for name, path in _files(sources):
        key = os.path.realpath(path)
        twice += key in found
        found.setdefault(key, ListedPicture(name, path))
    pictures = list(found.values())
    if caption is not None:
        if len(pictures) > 1:
            raise InvalidSetting(
                "one caption is given for several pictures",
                found=f"{len(pictures)} pictures",
                cure="Give a file of captions with --captions FILE.",
            )
        return Listed((ListedPicture(pictures[0].name, pictures[0].path, caption),), twice)
    if captions is None:
        return Listed(_told_apart(pictures), twice)
    return _captioned(pictures, captions, twice)


def _told_apart(found: Sequence[ListedPicture]) -> tuple[ListedPicture, ...]:
    """Pictures of one name, in several folders, go by their whole paths: what is said of one is not said of another."""
    counts = Counter(one.name for one in found)
    return tuple(one if counts[one.name] == 1 else replace(one, name=str(one.path)) for one in found)


def _captioned(pictures: Sequence[ListedPicture], captions: Mapping[str, Sequence[str]], twice: int) -> Listed:
    """Each picture with the caption of its whole name or, where there is none, of its file name."""
    done, used = [], set()
    for one in pictures:
        base = Path(one.name).name
        key = one.name if one.name in captions else base
        texts = captions.get(key, ())
        used.add(key)
        done.append(ListedPicture(one.name, one.path, texts[0] if texts else None))
    unused = tuple(name for name in captions if name not in used)
    return Listed(_told_apart(done), twice, unused, sum(one.caption is None for one in done))


def _files(sources: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for source in sources:
        path = Path(source)
        if not path.is_dir():
            yield source, path  # one that is not there fails by itself, and the others go on
            continue
        inside = picture_files(path)
        if not inside:
            raise InputError(
                f"{source} holds no picture",
                expected=f"files that end in {', '.join(sorted(PICTURE_SUFFIXES))}",
                cure="Name a folder of pictures, or the pictures themselves.",
            )
        for file in inside:
            yield file.relative_to(path).as_posix(), file


def _short(caption: str) -> str:
    return caption if len(caption) <= 60 else f"{caption[:59]}…"
