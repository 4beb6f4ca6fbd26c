"""Parcels: fields on Sentinel-2 images, measured, and put into words by a model that is held against the pixels."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from arpent.demo.fields import outline_fields
from arpent.demo.outcome import Figure, Outcome
from arpent.demo.stage import Stage, days
from arpent.io import open_image
from arpent.language import LANGUAGES, say
from arpent.tasks.describe import GenerateSettings, IndexSettings, generate, index_table
from arpent.tasks.describe.judging import Item, Judged, Method, judge
from arpent.tasks.describe.table import measured_of, read_rows
from arpent.tasks.describe.texts import Described

__all__ = ["describe_fields"]

_DATES = days("2021-04-24", "2021-07-13")
"""When winter crops are green, and when most are ripe."""
_HAZE = 0.2


def describe_fields(stage: Stage, model: Path) -> Outcome:
    """Describes fields through haze, each sentence held against the pixels, and asks how true that is of the ground.

    The truth is the same ground on the same days without haze, which nobody sees but the simulator.
    """
    language = stage.language
    seen = _images(stage, "fields", _HAZE)
    with open_image(seen[0]) as image:
        parcels = outline_fields(stage, image.grid, stage.scale.parcels)
    asked = GenerateSettings(lang="both", language=language)
    made = generate(seen, model, stage.place("describe"), asked, parcels=parcels, progress=stage.progress)
    clear = _images(stage, "fields-clear", 0.0)
    truth = index_table(clear, stage.folder / "truth.parquet", IndexSettings(language=language), parcels=parcels).file
    judged = judged_texts(made.described, truth)
    truth.unlink()
    figure = Figure("hit05", hits(judged, "model"), "permuted", hits(judged, "permuted"))
    texts, mended = len(made.described), made.repair_rate or 0.0
    fields = len({one.parcel for one in made.described})
    done = say("demo.done_describe", language, parcels=fields, dates=len(_DATES), texts=texts, mended=mended)
    told = {spoken: [one.text for one in made.described if one.language == spoken][-1:] for spoken in LANGUAGES}
    facts = {"examples": told, "mended": mended, "model": model}
    return Outcome(done, made.run.path / "report.html", (made.run.path,), figure, facts=facts)


def _images(stage: Stage, name: str, haze: float) -> list[str]:
    """Of both dates, all bands; with scene classes beside them, under the name by which they are found."""
    size = stage.scale.fields
    seen = stage.simulated(name, sensor=("sentinel-2-l2a",), size=size, dates=_DATES, haze=haze)
    for one in seen:
        assert one.quality is not None  # optical
        shutil.copyfile(one.quality, one.image.with_stem(f"{one.image.stem}_SCL"))
    return [str(one.image) for one in seen]


def judged_texts(described: Sequence[Described], truth: Path) -> Judged:
    """Texts held against a table of what is true of the ground."""
    known = {(row["parcel"], row["image"]): measured_of(row) for row in read_rows(truth).to_pylist()}
    items = [Item(one.text, one.language, known[one.parcel, one.image]) for one in described]
    return judge(items, None)


def hits(judged: Judged, method: Method) -> float:
    """Share of the numbers due that are there, and within .05 of the ground's own."""
    return judged.tallies[method].scores().figures["hit05"].value
