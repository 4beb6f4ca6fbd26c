"""What a run says of its parcels: texts that a model wrote, or the numbers of a table in the grammar's words."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from arpent.core import Language
from arpent.errors import InvalidSetting
from arpent.store import Run

__all__ = ["Said", "texts_of"]


@dataclass(frozen=True)
class Said:
    """A text about a parcel.

    Attributes:
        parcel: its name.
        taken: the day that it speaks of; None where nothing tells.
        language: of the text.
        text: whose every statement has been held against the pixels.
    """

    parcel: str
    taken: dt.date | None
    language: Language
    text: str


def texts_of(run: Run, language: Language) -> list[Said]:
    """The texts of a run in one language.

    Raises:
        InvalidSetting: the run describes nothing, or not in this language.
        UnreadableFile, RunDamaged: its table is not what it was.
    """
    names = {one.name for one in run.manifest.products}
    if "texts" in names:
        found = _written(run, language)
    elif "indices" in names:
        found = _told(run, language)
    else:
        raise InvalidSetting(
            f"the run {run.place} says nothing of parcels",
            found=f"a run of '{run.manifest.task}'",
            cure="Give a run of ap.describe().",
        )
    if not found:
        raise InvalidSetting(
            f"the run {run.place} has no texts in this language",
            found=language,
            cure="Describe with lang='both', or ask for the other language.",
        )
    return found


def _written(run: Run, language: Language) -> list[Said]:
    from arpent.tasks.describe.texts import read_texts

    texts = read_texts(run.file("texts"))
    return [Said(one.parcel, one.taken, one.language, one.text) for one in texts if one.language == language]


def _told(run: Run, language: Language) -> list[Said]:
    from arpent.tasks.describe import CaptionSettings
    from arpent.tasks.describe.captioning import captions_of
    from arpent.tasks.describe.table import read_rows

    rows = read_rows(run.file("indices")).to_pylist()
    settings = CaptionSettings(lang=language, per_parcel=1)
    lines = captions_of(rows, settings)
    return [Said(measured.parcel, measured.taken, language, line["text"]) for line, measured in lines]
