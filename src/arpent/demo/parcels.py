"""Parcels: fields on Sentinel-2 images, measured and put into words in French and in English."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from arpent.demo.fields import outline_fields
from arpent.demo.outcome import Figure, Outcome
from arpent.demo.stage import Stage, days
from arpent.io import open_image
from arpent.language import say
from arpent.tasks.describe import CaptionSettings, IndexSettings, caption_table, index_run, index_table
from arpent.tasks.describe.judging import Item, Judged, Method, judge
from arpent.tasks.describe.table import measured_of, read_rows

__all__ = ["describe_fields"]

_DATES = days("2021-04-24", "2021-07-13")
"""When winter crops are green, and when most are ripe."""
_HAZE = 0.2


def describe_fields(stage: Stage) -> Outcome:
    """Measures fields through haze, says in words what was measured, and asks how true that is of the ground.

    The truth is the same ground on the same days without haze, which nobody sees but the simulator.
    """
    language = stage.language
    seen = _images(stage, "fields", _HAZE)
    with open_image(seen[0]) as image:
        parcels = outline_fields(stage, image.grid, stage.scale.parcels)
    settings = IndexSettings(language=language)
    made = index_run(seen, stage.place("describe"), settings, parcels=parcels, progress=stage.progress)
    assert made.run is not None  # it was asked for
    words = stage.folder / "descriptions.jsonl"
    told = caption_table(made.file, words, CaptionSettings(language=language))
    clear = index_table(
        _images(stage, "fields-clear", 0.0), words.with_name("truth.parquet"), settings, parcels=parcels
    )
    lines = [json.loads(line) for line in told.file.read_text("utf-8").splitlines()]
    judged = judged_texts(lines, clear.file)
    clear.file.unlink()
    figure = Figure("hit05", hits(judged, "model"), "permuted", hits(judged, "permuted"))
    done = say("demo.done_describe", language, parcels=made.parcels, dates=len(_DATES), texts=told.texts)
    return Outcome(done, told.file, (made.run.path,), figure, facts={"examples": told.first})


def _images(stage: Stage, name: str, haze: float) -> list[str]:
    """Of both dates, all bands; with scene classes beside them, under the name by which they are found."""
    size = stage.scale.fields
    seen = stage.simulated(name, sensor=("sentinel-2-l2a",), size=size, dates=_DATES, haze=haze)
    for one in seen:
        assert one.quality is not None  # optical
        shutil.copyfile(one.quality, one.image.with_stem(f"{one.image.stem}_SCL"))
    return [str(one.image) for one in seen]


def judged_texts(lines: list[dict[str, Any]], truth: Path) -> Judged:
    """Texts held against a table of what is true of the ground."""
    known = {(row["parcel"], row["image"]): measured_of(row) for row in read_rows(truth).to_pylist()}
    items = [Item(one["text"], one["language"], known[one["parcel"], one["image"]]) for one in lines]
    return judge(items, None)


def hits(judged: Judged, method: Method) -> float:
    """Share of the numbers due that are there, and within .05 of the ground's own."""
    return judged.tallies[method].scores().figures["hit05"].value
