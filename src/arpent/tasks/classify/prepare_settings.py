"""What users can set when pictures are prepared. Opens without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from arpent.core import Language, Settings

__all__ = ["PrepareSettings"]


class PrepareSettings(Settings):
    """How pictures and their captions become a DATASET."""

    captions: Path | None = None
    """Captions: Flickr8k's list (name#0, tab, text), a CSV table of names and captions, Karpathy's JSON or COCO's; ucm
    and flickr8k bring their own."""
    labels: Path | None = None
    """Labels that people gave: a table with a column of 0 and 1 for each label, a table of names and labels joined by ;
    or |, or COCO's categories; ucm brings its own."""
    labels_from: Literal["captions", "same-captions"] | None = None
    """Labels made from words: captions takes what at least two of the captions after the first say and lets the first
    be read; same-captions takes the commonest words of the captions that are read, and leaks."""
    only: tuple[str, ...] | None = None
    """Labels that are kept, by name; all if not given."""
    most_labels: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Labels made from words, at most: the commonest."""
    least: Annotated[int, Field(ge=1)] = 10
    """Pictures of the training split that must bear a label made from words."""
    mask_labels: bool = False
    """Take words that name labels, in singular and plural, out of the captions."""
    allow_leak: bool = False
    """Go on although the captions tell the labels; every report will say so."""
    split: Literal["auto", "given", "drawn"] = "auto"
    """Sides for training, validation and test: given with the pictures, or drawn by picture; auto draws them where none
    are given."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the draw."""
    drop_duplicates: bool = False
    """Leave pictures out of the training split that stand in another one too."""
    words: Annotated[int, Field(ge=1, le=1_000_000)] = 5000
    """Words of the vocabulary, at most: the commonest of the training captions."""
    length: Annotated[int, Field(ge=1, le=1000)] = 30
    """Words of a caption that are read."""
    caption_language: Language = "en"
    """Language of the captions: en or fr."""
    language: Language = "en"
    """Language of what is told: en or fr."""

    @model_validator(mode="after")
    def _of_one_source(self) -> PrepareSettings:
        if self.labels is not None and self.labels_from is not None:
            raise ValueError("labels come from a file or from captions, not from both")
        if self.only == ():
            raise ValueError("no label is kept: name some, or leave 'only' away")
        return self
