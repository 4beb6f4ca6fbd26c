"""From a folder of pictures with their captions to a DATASET: read tables, look at pictures, divide, label, write."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from arpent.core import Language, Progress, Silent, writing
from arpent.core.writing import publish_folder, require_room
from arpent.data import SPLITS, Split
from arpent.errors import DatasetError, PartialFailure
from arpent.io import picture_files
from arpent.language import cleaned, say, words_of
from arpent.tasks.classify.dataset import FACTS, Dataset, DatasetFacts, LabelSource, Picture
from arpent.tasks.classify.dividing import draw, keep_apart
from arpent.tasks.classify.label_files import LabelTable
from arpent.tasks.classify.layouts import Layout, find_layout
from arpent.tasks.classify.made_labels import can_be_labelled, labels_of_words
from arpent.tasks.classify.names_of_pictures import NamedPictures
from arpent.tasks.classify.prepare_settings import PrepareSettings
from arpent.tasks.classify.reading_labels import TELLS_ALL, Readable, readable
from arpent.tasks.classify.survey import Surveyed, Unreadable, alike, survey

__all__ = ["Prepared", "prepare"]

_SHOWN = 3


@dataclass(frozen=True)
class Prepared:
    """A DATASET that is ready, and what is to be said of it.

    Attributes:
        dataset: as it lies on the disk.
        notes: what people should know, first what warns of scores.
        failures: pictures that do not open; the DATASET is without them.
    """

    dataset: Dataset
    notes: tuple[str, ...]
    failures: tuple[Unreadable, ...]


@dataclass(frozen=True)
class _Known:
    """What tables say of the pictures that are there, by the paths of these."""

    captions: Mapping[str, tuple[str, ...]]
    labels: LabelTable | None
    splits: Mapping[str, Split]
    notes: tuple[str, ...]


def prepare(
    source: str,
    folder: str | Path,
    settings: PrepareSettings,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Makes a DATASET of pictures, captions and labels.

    Args:
        source: "ucm", "flickr8k", or a folder.
        folder: of the DATASET; written beside it first, and renamed at the very end.
        settings: how.
        force: whether a DATASET that is there may be replaced.
        progress: told about each picture.

    Raises:
        RunExists: something is there, and may not be replaced, or holds the pictures.
        DatasetError: no pictures, no labels, captions that tell the labels.
        SplitLeak: a picture on several sides of the split.
        InputError: tables that cannot be read.
        PartialFailure: no picture opens.
    """
    place = Path(folder).absolute()
    require_room(place, FACTS, force=force, read=[source])
    if settings.labels_from == "same-captions":
        _refuse_leak(settings, "they are made from the very captions that are read")
    layout = find_layout(source, settings)
    chosen = _with_default(layout, settings)
    known = _known(layout, chosen)
    good, bad = survey(layout.root, sorted(known.captions), progress or Silent())
    if not good:
        raise PartialFailure(
            f"none of {len(bad)} pictures can be opened; first: {bad[0].error.what}", cure=bad[0].error.cure
        )
    sides, told = _sides(good, known, chosen)
    training = [name for name, side in sides.items() if side == "train"]
    labels = known.labels or labels_of_words({name: known.captions[name] for name in sides}, training, chosen)
    if known.labels is None and chosen.only is not None:
        labels = labels.only(chosen.only)
    pictures = _pictures(layout.root, good, sides, labels, known.captions, chosen)
    facts = _facts(layout, place, pictures, labels, known, chosen)
    _check_readable(facts.readable, chosen)
    dataset = _written(place, facts, pictures)
    language = chosen.language
    near = _near_told(alike([one for one in good if one.name in sides], sides), language)
    words = _words_told(pictures, chosen)
    notes = (*dataset.cautions(language), *near, *known.notes, *told, *words)
    return Prepared(dataset, notes, tuple(bad))


def _refuse_leak(settings: PrepareSettings, why: str) -> None:
    if not (settings.allow_leak or settings.mask_labels):
        raise DatasetError(
            f"the captions tell the labels: {why}",
            cure="Hide such words by --mask-labels, make labels of other captions by --labels-from captions, or go on "
            "by --allow-leak, and every report will warn.",
        )


def _with_default(layout: Layout, settings: PrepareSettings) -> PrepareSettings:
    """Where nobody gives labels, they come from other captions than the one that is read."""
    if layout.labels is None and settings.labels_from is None:
        return settings.model_copy(update={"labels_from": "captions"})
    return settings


def _known(layout: Layout, settings: PrepareSettings) -> _Known:
    """What tables say, of the pictures that are there and can have labels."""
    files = [path.relative_to(layout.root).as_posix() for path in picture_files(layout.root)]
    if not files:
        raise DatasetError(
            f"{layout.root} holds no pictures",
            expected="JPEG, PNG, WebP, TIFF, BMP or GIF, also in folders inside it",
            cure="Check the path.",
        )
    pictures, language = NamedPictures(files), settings.language
    captions: dict[str, tuple[str, ...]] = defaultdict(tuple)
    lacking = 0
    for name, texts in layout.captions.items():
        path = pictures.find(name)
        lacking += path is None
        if path is not None:
            captions[path] += texts
    notes = [say("classify_prepare.lacking", language, count=lacking)] if lacking else []
    labels = _of_pictures(layout.labels, pictures, settings)
    if labels is not None:
        kept = {name: captions.get(name, ()) for name in labels.given}
        _check_readable(_readable(kept, labels, settings.caption_language), settings)
    else:
        kept = {name: texts for name, texts in captions.items() if can_be_labelled(texts, settings)}
    if not kept and captions and labels is None:
        raise DatasetError(
            f"no picture in {layout.root} has captions enough to make labels of",
            found=f"at most {max(map(len, captions.values()))} of one picture",
            expected="one that is read, and at least two others that agree",
            cure="Give more captions, or labels that people gave by --labels FILE.",
        )
    if not kept:
        named = [*(layout.captions if layout.labels is None else layout.labels.given)][:_SHOWN]
        raise DatasetError(
            f"no picture in {layout.root} has labels",
            found=f"files such as {files[0]}, and tables that name {', '.join(named) or 'nothing'}",
            cure="Check that the tables belong to these pictures.",
        )
    if len(files) > len(kept):
        notes.append(say("classify_prepare.unlabelled", language, count=len(files) - len(kept)))
    splits = {path: side for name, side in layout.splits.items() if (path := pictures.find(name)) is not None}
    return _Known(kept, labels, splits, tuple(notes))


def _of_pictures(labels: LabelTable | None, pictures: NamedPictures, settings: PrepareSettings) -> LabelTable | None:
    """Labels by the paths of the pictures that are there."""
    if labels is None:
        return None
    table = labels if settings.only is None else labels.only(settings.only)
    return LabelTable(
        table.labels, {path: own for name, own in table.given.items() if (path := pictures.find(name)) is not None}
    )


def _check_readable(found: Readable, settings: PrepareSettings) -> None:
    """Refuses labels that a reader of their names finds in the captions, one and all."""
    if found.tells_all:
        figures = f"an F1 of {found.f1:.2f} and a recall of {found.recall:.2f}"
        _refuse_leak(settings, f"who looks for their names there finds them with {figures} (limit {TELLS_ALL})")


def _readable(captions: Mapping[str, tuple[str, ...]], labels: LabelTable, language: Language) -> Readable:
    pairs = ((texts, labels.given[name]) for name, texts in captions.items())
    return readable(pairs, labels.labels, language)


def _sides(
    good: Sequence[Surveyed], known: _Known, settings: PrepareSettings
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """The side of each picture, and what is said of that; pictures on none are left out."""
    language = settings.language
    if settings.split == "given" and not known.splits:
        raise DatasetError(
            "nothing says which side of the split the pictures are on",
            cure="Give a table with the column split, or let the sides be drawn by --split drawn.",
        )
    drawn = settings.split == "drawn" or not known.splits
    if drawn:
        sides = draw(good, settings.seed)
    else:
        sides = {one.name: known.splits[one.name] for one in good if one.name in known.splits}
    apart = keep_apart(good, sides, drop=settings.drop_duplicates)
    counts = {side: list(apart.values()).count(side) for side in SPLITS}
    told = [say("classify_prepare.drawn" if drawn else "classify_prepare.given", language, **counts)]
    if len(good) > len(sides):
        told.append(say("classify_prepare.sideless", language, count=len(good) - len(sides)))
    if len(sides) > len(apart):
        told.append(say("classify_prepare.dropped", language, count=len(sides) - len(apart)))
    return apart, tuple(told)


def _pictures(
    root: Path,
    good: Sequence[Surveyed],
    sides: Mapping[str, Split],
    labels: LabelTable,
    captions: Mapping[str, tuple[str, ...]],
    settings: PrepareSettings,
) -> list[Picture]:
    places = {label: place for place, label in enumerate(labels.labels)}
    found = []
    for one in good:
        if one.name not in sides:
            continue
        truth = np.zeros(len(places), np.uint8)
        truth[[places[label] for label in labels.given[one.name]]] = 1
        texts = captions[one.name][:1] if settings.labels_from == "captions" else captions[one.name]
        found.append(Picture(one.name, root / one.name, sides[one.name], truth, texts, one.sha256))
    return found


def _facts(
    layout: Layout,
    place: Path,
    pictures: Sequence[Picture],
    labels: LabelTable,
    known: _Known,
    settings: PrepareSettings,
) -> DatasetFacts:
    drawn = settings.split == "drawn" or not known.splits
    source: LabelSource = settings.labels_from or "file"
    trained = {cleaned(text) for one in pictures if one.split == "train" for text in one.captions}
    tested = [cleaned(text) for one in pictures if one.split == "test" for text in one.captions if words_of(text)]
    return DatasetFacts(
        source=layout.source,
        root=_root(layout.root.absolute(), place),
        labels=labels.labels,
        labels_from=source,
        labels_file=layout.labels_file,
        caption_language=settings.caption_language,
        masked=settings.mask_labels,
        readable=_readable({one.name: one.captions for one in pictures}, labels, settings.caption_language),
        repeated=sum(text in trained for text in tested) / len(tested) if tested else None,
        split="drawn" if drawn else "given",
        seed=settings.seed if drawn else None,
        words=settings.words,
        length=settings.length,
    )


def _root(root: Path, place: Path) -> str:
    """The folder of the pictures as the DATASET calls it: both can be moved together where they lie side by side."""
    if root.is_relative_to(place.parent):
        return Path(os.path.relpath(root, place)).as_posix()
    return root.as_posix()


def _written(place: Path, facts: DatasetFacts, pictures: Sequence[Picture]) -> Dataset:
    """The DATASET, in its place."""
    texts = [replace(one, captions=tuple(text for text in one.captions if words_of(text))) for one in pictures]
    partial = place.with_name(f".{place.name}.{os.getpid()}.partial")
    with writing(place):
        partial.mkdir(parents=True)
    try:
        Dataset.write(partial, facts, texts)
        publish_folder(partial, place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Dataset.read(place)


def _near_told(pairs: Sequence[tuple[str, str]], language: Language) -> list[str]:
    if not pairs:
        return []
    shown = "; ".join(f"{one} ~ {other}" for one, other in pairs[:_SHOWN])
    more = " …" if len(pairs) > _SHOWN else ""
    return [say("classify_prepare.near", language, count=len(pairs), names=shown + more)]


def _words_told(pictures: Sequence[Picture], settings: PrepareSettings) -> list[str]:
    """Captions without words, captions that are cut, and pictures without any."""
    texts = [text for one in pictures for text in one.captions]
    said = [len(words_of(text)) for text in texts]
    counts = {
        "wordless": said.count(0),
        "cut": sum(count > settings.length for count in said),
        "uncaptioned": sum(not any(words_of(text) for text in one.captions) for one in pictures),
    }
    return [
        say(f"classify_prepare.{key}", settings.language, count=count, most=settings.length)
        for key, count in counts.items()
        if count
    ]
