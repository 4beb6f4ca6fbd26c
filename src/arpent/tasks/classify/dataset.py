"""DATASET: pictures with their captions and labels. ``arpent classify prepare`` writes it.

It holds ``pictures.parquet``, a row for each picture with its side, its labels by name and the captions that may be
read; ``vocabulary.json``, the words of the training captions; and ``dataset.json``, which says what they are and what
of the labels can be read in the captions. The pictures stay where they are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from arpent.core import Language, file_sha256, write_file
from arpent.core.formats import Format
from arpent.core.small_files import read_small
from arpent.data import SPLITS, Split
from arpent.errors import DatasetError, EmptySplit, FileMissing, UnknownName, UnreadableFile
from arpent.language import LONGEST_CAPTION, Vocabulary, cleaned, masked, say
from arpent.tasks.classify.reading_labels import Readable

__all__ = ["DATASET_FORMAT", "FACTS", "Dataset", "DatasetFacts", "LabelSource", "Picture"]

DATASET_FORMAT: Final = 1
"""Version of the format that this code writes."""

LabelSource = Literal["file", "captions", "same-captions"]
"""Where labels come from: people, captions that are not read, or the very captions that are read."""

FACTS = "dataset.json"
"""The file by which a DATASET is known; it is written last."""
_PICTURES, _VOCABULARY = "pictures.parquet", "vocabulary.json"
_MOST_BYTES = 16 << 20
_SCHEMA = pa.schema(
    [
        ("picture", pa.string()),
        ("sha256", pa.string()),
        ("split", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("captions", pa.list_(pa.string())),
    ]
)


class DatasetFacts(BaseModel):
    """What ``dataset.json`` says.

    Attributes:
        format: version of the format.
        source: "ucm", "flickr8k", or "folder".
        root: folder of the pictures; a relative one is seen from the DATASET.
        labels: their names, in the order of every model and table.
        labels_from: where they come from.
        labels_file: name of the file of labels, where there is one.
        caption_language: of the captions.
        masked: whether words that name labels are taken out of the captions.
        readable: how far labels can be read in the captions as they were written.
        repeated: share of the captions of the test split that also stand, word for word, in the training split; None
            where there are none.
        split: whether the sides were given with the pictures or drawn.
        seed: of the draw, where there was one.
        words: of the vocabulary, at most.
        length: words of a caption that are read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = DATASET_FORMAT
    source: str
    root: str
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    labels_from: LabelSource
    labels_file: str | None = None
    caption_language: Language = "en"
    masked: bool = False
    readable: Readable = Readable()
    repeated: float | None = None
    split: Literal["given", "drawn"] = "given"
    seed: int | None = None
    words: Annotated[int, Field(ge=1)] = 5000
    length: Annotated[int, Field(ge=1)] = LONGEST_CAPTION

    @property
    def leaks(self) -> bool:
        """Whether the captions that are read tell the labels, so that scores say little."""
        return not self.masked and (self.labels_from == "same-captions" or self.readable.tells_all)


@dataclass(frozen=True)
class Picture:
    """One picture with what people said of it.

    Attributes:
        name: its path inside the folder of pictures.
        path: where it lies.
        split: the side it is on.
        labels: ``(L,)`` uint8, 1 for each label that it has, in the order of the data set.
        captions: that may be read; none where nobody said a word. One that is empty held nothing but names of labels,
            and they are hidden.
        sha256: of the file.
    """

    name: str
    path: Path
    split: Split
    labels: NDArray[np.uint8] = field(compare=False)
    captions: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True)
class Dataset:
    """A DATASET as it lies on the disk.

    Attributes:
        folder: where.
        facts: what ``dataset.json`` says.
        pictures: in the order of their names.
        vocabulary: the words of the training captions.
    """

    folder: Path
    facts: DatasetFacts
    pictures: tuple[Picture, ...]
    vocabulary: Vocabulary

    @classmethod
    def read(cls, folder: str | Path, *, hide: bool | None = None) -> Dataset:
        """The DATASET in a folder.

        Args:
            folder: that ``arpent classify prepare`` wrote.
            hide: whether words that name labels are taken out of the captions, and the vocabulary made of the rest;
                as the DATASET was prepared if not given.

        Raises:
            FileMissing: the folder is no DATASET, or the pictures are no longer where they were.
            UnreadableFile: a file of it is damaged.
            DatasetError: it was written by a later Arpent.
        """
        place = Path(folder)
        facts = _FORMAT.read(DatasetFacts, _document(place / FACTS), place / FACTS)
        root = Path(os.path.normpath(place / facts.root))
        if not root.is_dir():
            raise FileMissing(
                f"the pictures of {place} are no longer at {root}",
                cure=f"Bring them back, or write their folder into 'root' of {place / FACTS}.",
            )
        pictures = tuple(_pictures(place / _PICTURES, root, facts.labels))
        vocabulary = Vocabulary.of_document(_document(place / _VOCABULARY))
        hidden = facts.masked if hide is None else hide
        opened = cls(place, facts.model_copy(update={"masked": hidden}), pictures, vocabulary)
        return opened._hiding(again=not facts.masked) if hidden else opened._open(again=facts.masked)

    @classmethod
    def write(cls, folder: str | Path, facts: DatasetFacts, pictures: Iterable[Picture]) -> Dataset:
        """Writes a DATASET into a folder that is there, ``dataset.json`` last of all.

        Args:
            folder: that it goes into.
            facts: what it is; a vocabulary without the words of labels is written where they say so.
            pictures: with their captions as people wrote them; they are put in the order of their names.
        """
        place = Path(folder)
        ordered = tuple(sorted(pictures, key=lambda one: one.name))
        seen = Dataset(place, facts, ordered, Vocabulary(()))
        seen = seen._hiding(again=True) if facts.masked else seen._open(again=True)
        content = pa.BufferOutputStream()
        pq.write_table(_table(ordered, facts.labels), content, compression="zstd")
        write_file(place / _PICTURES, content.getvalue().to_pybytes())
        write_file(place / _VOCABULARY, _json(seen.vocabulary.document()))
        write_file(place / FACTS, _json(facts.model_dump(mode="json")))
        return seen

    @property
    def labels(self) -> tuple[str, ...]:
        """Their names."""
        return self.facts.labels

    def of_split(self, split: Split) -> tuple[Picture, ...]:
        """The pictures of one side.

        Raises:
            EmptySplit: there are none.
        """
        found = self.on_side(split)
        if not found:
            raise EmptySplit(
                f"{self.folder} has no pictures in the split '{split}'",
                found=", ".join(f"{side} {len(self.on_side(side))}" for side in SPLITS),
                cure="Prepare it with more pictures, or let the sides be drawn with --split drawn.",
            )
        return found

    def on_side(self, split: Split) -> tuple[Picture, ...]:
        """The pictures of one side, which may be none."""
        return tuple(one for one in self.pictures if one.split == split)

    def truth(self, pictures: Sequence[Picture]) -> NDArray[np.uint8]:
        """The labels of some pictures, ``(N, L)``."""
        return np.stack([one.labels for one in pictures]) if pictures else np.zeros((0, len(self.labels)), np.uint8)

    def label(self, name: str) -> int:
        """The place of a label.

        Raises:
            UnknownName: there is none of that name; says which one may be meant.
        """
        if name not in self.labels:
            raise UnknownName.among(name, self.labels, "label")
        return self.labels.index(name)

    def hides(self, text: str) -> str:
        """A caption as it may be read: without the words of labels where they are taken out."""
        return masked(text, self.labels, self.facts.caption_language) if self.facts.masked else text

    def is_known(self, caption: str) -> bool:
        """Whether a caption stands, word for word, among those of the training split."""
        return cleaned(caption) in self._trained

    @cached_property
    def content(self) -> str:
        """SHA-256 of the table of pictures: names, sides, labels and captions as they were prepared."""
        return file_sha256(self.folder / _PICTURES)

    @cached_property
    def taught(self) -> tuple[str, ...]:
        """The captions of the training split."""
        return tuple(text for one in self.on_side("train") for text in one.captions)

    @cached_property
    def concepts(self) -> Vocabulary:
        """The words of the training captions, those of one meaning taken for one.

        Where labels are the very words of captions, each word is itself, since "dog" and "dogs" are two labels then.
        """
        alike = None if self.facts.labels_from == "same-captions" else self.facts.caption_language
        return Vocabulary.of(self.taught, self.facts.words, self.facts.length, alike)

    @cached_property
    def _trained(self) -> frozenset[str]:
        return frozenset(map(cleaned, self.taught))

    @cached_property
    def positives(self) -> NDArray[np.int64]:
        """Pictures of the training split that have each label, ``(L,)``."""
        counts: NDArray[np.int64] = self.truth(self.on_side("train")).sum(axis=0, dtype=np.int64)
        return counts

    def cautions(self, language: Language) -> tuple[str, ...]:
        """What every report on this DATASET says: whether labels can be read, and captions that are known already."""
        said = []
        if self.facts.leaks:
            key = "made_leak" if self.facts.labels_from == "same-captions" else "read_leak"
            read = self.facts.readable
            said.append(say(f"classify_data.{key}", language, share=read.f1, recall=read.recall))
        elif self.facts.readable.named > 0:
            others = "named" if self.facts.labels_from == "file" else "named_others"
            key, file = "hidden" if self.facts.masked else others, self.facts.labels_file or "a file"
            said.append(say(f"classify_data.{key}", language, share=self.facts.readable.named, file=file))
        if self.facts.repeated:
            said.append(say("classify_data.repeated", language, share=self.facts.repeated))
        unlearnt = [name for name, count in zip(self.labels, self.positives.tolist(), strict=True) if not count]
        if unlearnt and self.on_side("train"):  # nothing can be learnt of a DATASET that only judges
            said.append(say("classify_data.unlearnt", language, count=len(unlearnt), names=", ".join(unlearnt)))
        return tuple(said)

    def _hiding(self, *, again: bool) -> Dataset:
        """With the words of labels taken out; `again` makes the vocabulary anew."""
        shown = tuple(replace(one, captions=tuple(map(self.hides, one.captions))) for one in self.pictures)
        return replace(self, pictures=shown)._open(again=again)

    def _open(self, *, again: bool) -> Dataset:
        if not again:
            return self
        return replace(self, vocabulary=Vocabulary.of(self.taught, self.facts.words, self.facts.length))


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _damaged(path: Path, found: str) -> UnreadableFile:
    return UnreadableFile(f"{path} cannot be read", found=found, cure="Prepare the pictures again with --force.")


_FORMAT = Format("data set format", DATASET_FORMAT, _damaged, DatasetError)


def _document(path: Path) -> dict[str, Any]:
    content = read_small(
        path, "data set of pictures", most=_MOST_BYTES, cure="Make one with 'arpent classify prepare'."
    )
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise _damaged(path, str(problem)) from problem
    if not isinstance(document, dict):
        raise _damaged(path, f"a {type(document).__name__}")
    return document


def _table(pictures: Sequence[Picture], labels: Sequence[str]) -> pa.Table:
    rows = [
        {
            "picture": one.name,
            "sha256": one.sha256,
            "split": one.split,
            "labels": [name for name, has in zip(labels, one.labels.tolist(), strict=True) if has],
            "captions": list(one.captions),
        }
        for one in pictures
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _pictures(path: Path, root: Path, labels: Sequence[str]) -> list[Picture]:
    try:
        rows = pq.read_table(path, schema=_SCHEMA).to_pylist()
    except (OSError, pa.ArrowException) as problem:
        raise _damaged(path, str(problem)) from problem
    places = {name: place for place, name in enumerate(labels)}
    found = []
    for row in rows:
        truth = np.zeros(len(labels), np.uint8)
        truth[[places[name] for name in row["labels"] if name in places]] = 1
        texts = tuple(row["captions"])
        found.append(Picture(row["picture"], root / row["picture"], row["split"], truth, texts, row["sha256"]))
    return found
