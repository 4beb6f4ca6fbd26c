"""The run of ``describe generate`` without a model: the grammar writes each text from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from arpent.core import Progress
from arpent.errors import ArpentError
from arpent.io import RowWriter
from arpent.language import Measured, abstains
from arpent.store import Place, Run
from arpent.tasks.describe.caption_settings import CaptionSettings
from arpent.tasks.describe.captioning import captions_of
from arpent.tasks.describe.generate_settings import GenerateSettings
from arpent.tasks.describe.generating import Generated, keep_notes, publish_texts
from arpent.tasks.describe.repairing import checked_text
from arpent.tasks.describe.showing import Shown, show_images
from arpent.tasks.describe.texts import TEXT_SCHEMA, TEXTS, Described, texts_table

__all__ = ["tell"]


def tell(
    images: Sequence[str],
    place: Place,
    settings: GenerateSettings,
    *,
    parcels: str | Path | None = None,
    progress: Progress | None = None,
) -> Generated:
    """Describes the parcels of images that no model is to see: any with the bands of an index.

    Args:
        images: anything that 'describe indices' reads.
        place: where the run goes.
        settings: how images are read, and the languages; what is said of models there does not count.
        parcels: a vector file; whole images, or squares of them, if not given.
        progress: who is told how far it is.

    Raises:
        FileMissing, UnreadableFile, BandMismatch …: an image or the parcels, where there is only one image.
        NoValidPixels: no parcel lies on the images.
    """
    kept = settings.document() | {"images": list(images), "model": None}
    read = [*images, *([str(parcels)] if parcels else [])]
    with place.begin("describe-generate", Path(images[0]).stem, kept, read, language=settings.language) as run:
        try:
            for path in read:
                run.add_input(path, "parcels" if path == str(parcels) else "image")
            with run.timed("images"):
                shown = show_images(images, settings, None, parcels=parcels, progress=progress)
        except ArpentError:
            run.abandon()  # nothing is written yet
            raise
        keep_notes(run, shown)
        with run.timed("texts"):
            described = _described(shown, settings)
        with RowWriter(run.scratch / TEXTS, schema=TEXT_SCHEMA) as writer:
            writer.write(texts_table(described))
        run.publish(run.scratch / TEXTS, kind="table")
        run.add_metrics({"texts": len(described), "abstained": sum(one.abstained for one in described)})
        publish_texts(run, described, shown, settings, "")
        finished: Run = run.finish()
    return Generated(finished, described)


def _described(shown: Shown, settings: GenerateSettings) -> list[Described]:
    words = CaptionSettings(lang=settings.spoken, seed=settings.seed)
    return [_one(line, measured) for line, measured in captions_of(shown.table.to_pylist(), words)]


def _one(line: Mapping[str, Any], measured: Measured) -> Described:
    sentences = checked_text(line["text"], measured, line["language"])
    return Described(
        parcel=measured.parcel,
        place=measured.place,
        image=line["image"],
        taken=measured.taken,
        language=line["language"],
        mode="grounded",
        text=line["text"],
        draft=line["text"],
        sentences=tuple(replace(one, source="grammar") for one in sentences),
        abstained=abstains(measured),
    )
