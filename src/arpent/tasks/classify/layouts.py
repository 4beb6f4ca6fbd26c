"""Collections of pictures by the files that lie in their folder: UC Merced, Flickr8k, or any folder at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

from arpent.core import no_folder
from arpent.data import Split
from arpent.errors import DatasetError, FileMissing, InvalidSetting, nearest
from arpent.tasks.classify.caption_files import CaptionFile, read_captions
from arpent.tasks.classify.label_files import LabelTable, read_labels
from arpent.tasks.classify.prepare_settings import PrepareSettings
from arpent.tasks.classify.text_tables import read_text

__all__ = ["COLLECTIONS", "Layout", "find_layout", "joined_by_number"]

COLLECTIONS: Final = ("flickr8k", "ucm")
"""Collections that have a name; their folder is looked for here, and in ``classify`` of ``$ARPENT_DATA``."""

_UCM_LABELS = "LandUse_Multilabeled.txt"
_FLICKR = ("Flickr8k.token.txt", "captions.txt")
_FLICKR_SIDES: Mapping[Split, str] = {
    "train": "Flickr_8k.trainImages.txt",
    "val": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
_FLICKR_PICTURES = ("images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset")


@dataclass(frozen=True)
class Layout:
    """What a folder holds, by the names that its tables use.

    Attributes:
        source: "ucm", "flickr8k" or "folder".
        root: the folder of the pictures.
        captions: of the pictures; none where nobody wrote any.
        labels: that people gave, where there are any.
        labels_file: name of their file.
        splits: the side of each picture, where the collection says it.
    """

    source: str
    root: Path
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: LabelTable | None = None
    labels_file: str | None = None
    splits: Mapping[str, Split] = field(default_factory=dict)


def find_layout(source: str, settings: PrepareSettings) -> Layout:
    """What a folder, or a collection of a name, holds; files that the settings name stand for its own.

    Raises:
        FileMissing: there is no such folder.
        InvalidSetting: nothing says where labels come from.
        DatasetError: tables without captions or labels.
    """
    folder = _folder(source)
    if (folder / _UCM_LABELS).is_file():
        found = _ucm(folder, settings)
    elif any((folder / name).is_file() for name in (_FLICKR[0], *_FLICKR_SIDES.values())):
        found = _flickr(folder, settings)
    else:
        found = _any(folder, settings)
    if settings.labels is not None:
        found = replace(found, labels=read_labels(settings.labels), labels_file=settings.labels.name)
    elif settings.labels_from is not None:
        found = replace(found, labels=None, labels_file=None)
    elif found.labels is None and found.source == "folder":
        raise InvalidSetting(
            f"nothing says which labels the pictures of {source} bear",
            cure="Give a file by --labels FILE, or make them from captions by --labels-from captions.",
        )
    return found


def _folder(source: str) -> Path:
    place = Path(source)
    if place.is_dir():
        return place
    known = source.casefold()
    if known in COLLECTIONS:
        data = os.environ.get("ARPENT_DATA")
        home = Path(data) / "classify" / known if data else None
        if home is not None and home.is_dir():
            return home
        raise FileMissing(
            f"the pictures of {known} are not here",
            expected=f"a folder '{known}' here, or in $ARPENT_DATA/classify",
            cure=f"Give the folder that holds them: arpent classify prepare FOLDER{_files_of(known)}.",
        )
    guess = nearest(source, COLLECTIONS)
    raise no_folder(source, f"Did you mean '{guess}'?" if guess else "Check the path.")


def _files_of(collection: str) -> str:
    return f", with {_UCM_LABELS}" if collection == "ucm" else f", with {_FLICKR[0]}"


def _first(folder: Path, names: Iterable[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).exists()), None)


def _ucm(folder: Path, settings: PrepareSettings) -> Layout:
    """UC Merced with the labels of Chaudhuri and the captions of Qu."""
    labels = read_labels(folder / _UCM_LABELS)
    path = settings.captions or next(iter(sorted(folder.glob("dataset*.json"))), None)
    captions = CaptionFile({}) if path is None else joined_by_number(read_captions(path), tuple(labels.given))
    root = _first(folder, ("images", "Images")) or folder
    return Layout("ucm", root, captions.captions, labels, _UCM_LABELS, captions.splits)


def joined_by_number(captions: CaptionFile, names: Sequence[str]) -> CaptionFile:
    """Captions of ``k.tif`` as those of the k-th name, counted from 1: how the captions of UC Merced name its pictures.

    Captions whose names are no numbers are given back as they are.
    """
    stems = {name: PurePosixPath(name).stem for name in captions.captions}
    if not all(stem.isdecimal() for stem in stems.values()):
        return captions
    wrong = [name for name, stem in stems.items() if not 1 <= int(stem) <= len(names)]
    if wrong:
        raise DatasetError(
            f"captions are there for pictures that the table of labels does not count: {wrong[0]}",
            found=f"{len(wrong)} of {len(stems)}",
            expected=f"1 to {len(names)}",
            cure="Take captions and labels of the same collection.",
        )
    of = {name: names[int(stem) - 1] for name, stem in stems.items()}
    return CaptionFile(
        {of[name]: texts for name, texts in captions.captions.items()},
        {of[name]: side for name, side in captions.splits.items()},
    )


def _flickr(folder: Path, settings: PrepareSettings) -> Layout:
    path = settings.captions or _first(folder, _FLICKR)
    captions = CaptionFile({}) if path is None else read_captions(path)
    sides: dict[str, Split] = dict(captions.splits)
    for side, name in _FLICKR_SIDES.items():
        if (folder / name).is_file():
            sides |= {line.strip(): side for line in read_text(folder / name, "list of pictures").split()}
    return Layout("flickr8k", _first(folder, _FLICKR_PICTURES) or folder, captions.captions, splits=sides)


def _any(folder: Path, settings: PrepareSettings) -> Layout:
    captions = CaptionFile({}) if settings.captions is None else read_captions(settings.captions)
    return Layout("folder", folder, captions.captions, splits=captions.splits)
