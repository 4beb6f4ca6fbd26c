"""``classify predict``: pictures and captions get labels, as a run folder with tables, figures and places."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import shapely
from affine import Affine
from odc.geo.crs import CRS

from arpent.core import Grid, Progress, Silent
from arpent.engine import ItemJob, ItemOptions, Opener, fingerprint, run_items, settings_there
from arpent.engine.items import OF_ONE_ITEM
from arpent.errors import PartialFailure
from arpent.io import stac_item
from arpent.io.picture import read_picture
from arpent.language import say
from arpent.report.labelled import LabelBar, labelled
from arpent.store import Place, Run, RunFolder, content_of
from arpent.tasks.classify.asking import Asked
from arpent.tasks.classify.label_work import LINES, NOTES_APART, PLACES, LabelWork
from arpent.tasks.classify.picture_list import Listed, ListedPicture, listed
from arpent.tasks.classify.predict_settings import LabelSettings
from arpent.tasks.classify.sharing import open_labelling

__all__ = ["GivenLabels", "LabelRun", "label_pictures"]

_DEGREES = CRS("EPSG:4326")
_SHOWN = 640
"""Pixels of the shorter side of a picture on a figure, at least."""
KEPT_EVERY = 5.0
"""Seconds of work that a kill may cost."""
_NAMED = 5
_MOST_TOLD = 1000
"""Pictures whose labels are told one by one; the tables hold all."""


@dataclass(frozen=True)
class GivenLabels:
    """What came of one picture.

    Attributes:
        picture: its name.
        labels: that it got, the likeliest first.
        chances: of every label.
        thresholds: chance from which on each is given, with what there was of picture and caption.
        caption: that was read with it.
        notes: what people should know.
    """

    picture: str
    labels: tuple[str, ...]
    chances: Mapping[str, float]
    thresholds: Mapping[str, float]
    caption: str | None = None
    notes: str = ""


@dataclass(frozen=True)
class LabelRun:
    """A finished run.

    Attributes:
        run: its folder.
        count: pictures that got labels.
        first: what came of the first ones.
        figures: pictures with their labels, by the name of the picture.
        placed: how many have a place on earth.
        names: of all labels.
        titles: what people call them in the language of the run, by their names.
    """

    run: Run
    count: int
    first: tuple[GivenLabels, ...]
    figures: Mapping[str, Path]
    placed: int
    names: tuple[str, ...]
    titles: Mapping[str, str]


def label_pictures(
    sources: Sequence[str],
    model: str | Path,
    place: Place,
    settings: LabelSettings,
    *,
    caption: str | None = None,
    captions: Mapping[str, Sequence[str]] | None = None,
    progress: Progress | None = None,
) -> LabelRun:
    """Gives labels to pictures, to captions, or to both together.

    A picture that cannot be read is noted, and the others go on; the run is then partial.

    Args:
        sources: pictures, and folders of them.
        model: a labeller's bundle.
        place: where the run goes.
        settings: how to do it.
        caption: of the one picture, or alone.
        captions: of many, by the names of their pictures.
        progress: who is told how far it is.

    Raises:
        InputError: no picture can be read; the first reason.
        PartialFailure: likewise, of several.
        InvalidSetting: there is nothing to be done.
        ModelError: the model is no labeller.
    """
    wanted = listed(sources, caption, captions)
    labeller = Asked.open(
        model,
        runtime=settings.runtime,
        device=settings.device,
        precision=settings.precision,
        pictures=sum(one.path is not None for one in wanted.pictures),
    )
    kept = settings.model_dump(mode="json", exclude={"language", "read_threads"})
    kept |= {"pictures": list(sources), "caption": caption, "captions": captions is not None, "model": str(model)}
    name = Path(sources[0]).resolve().stem if sources else "caption"
    with place.begin(
        "classify-predict", name, kept, [*sources, labeller.opened.source], language=settings.language
    ) as run:
        work = _Work(run, labeller, wanted, settings, progress or Silent())
        try:
            return work.done([content_of(run.add_input(source)) for source in sources])
        except (*OF_ONE_ITEM, PartialFailure):
            if not place.resume:
                run.abandon()  # nothing of it is of use: once the cause is mended, the same command is to begin anew
            raise


@dataclass
class _Work:
    """A run under way."""

    run: RunFolder
    labeller: Asked
    wanted: Listed
    settings: LabelSettings
    progress: Progress

    def done(self, content: Sequence[str]) -> LabelRun:
        """Gives labels to all that is wanted, and publishes them."""
        run, settings, pictures = self.run, self.settings, self.wanted.pictures
        run.use_bundle(self.labeller.opened.source, self.labeller.opened.identity)
        self._tell()
        options = ItemOptions(
            settings.batch_size,
            settings.read_threads,
            fingerprint=fingerprint(
                content=list(content),
                model=self.labeller.opened.identity,
                settings=settings.model_dump(mode="json", include={"batch_size", "precision", "language"}),
                pictures=[(one.name, one.caption) for one in pictures],
            ),
            title=say("classify_report.labelling", settings.language),
            unit="pictures",
            every=KEPT_EVERY,
            progress=self.progress,
            opener=self._opener(),
        )
        work = LabelWork(self.labeller, settings.language)
        with run.timed("label"):
            job = ItemJob(work, pictures, run, options, work.schemas, _DEGREES, held=frozenset({"places"}))
            made = run_items(job)
        placed = self._placed(made.files["places"])
        first = tuple(_told(run.path / LINES, _MOST_TOLD))
        with run.timed("figures"):
            figures = dict(self._figures(first, {one.name: one for one in pictures}))
        rates = {
            "pictures_per_second": made.count / made.seconds,
            "network_share": made.network_seconds / made.seconds,
        }
        run.add_metrics({"pictures": made.count, "placed": placed, **rates})
        return LabelRun(run.finish(), made.count, first, figures, placed, self.labeller.labels, self.titles)

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """What people call the labels."""
        return self.labeller.opened.titles(self.settings.language)

    def _opener(self) -> Opener:
        """How pictures get labels in another process."""
        network, settings = self.labeller.network, self.settings
        there = settings if network is None else settings_there(settings, network)
        first = next((one.path for one in self.wanted.pictures if one.path is not None), None)
        model, identity = self.labeller.opened.source, self.labeller.opened.identity
        return partial(open_labelling, model, identity, there, first)

    def _tell(self) -> None:
        """Notes what people should know before anything is done."""
        wanted, language = self.wanted, self.settings.language
        for leak in self.labeller.opened.leaks(language):
            self.run.warn(leak)
        if wanted.twice:
            self.run.warn(say("classify_report.twice", language, count=wanted.twice))
        if wanted.unused:
            names = ", ".join(wanted.unused[:_NAMED]) + ("…" if len(wanted.unused) > _NAMED else "")
            self.run.warn(say("classify_report.unused", language, count=len(wanted.unused), names=names))
        if wanted.silent:
            self.run.warn(say("classify_report.silent", language, count=wanted.silent))

    def _placed(self, file: Path) -> int:
        """Those that lie on earth become a vector product; without any there is none, and none is ever in sight."""
        geometries = shapely.from_wkb(pq.read_table(file, columns=["geometry"])["geometry"].to_numpy())
        if not len(geometries):
            return 0
        item = stac_item(
            f"{self.run.name}-places",
            f"./{PLACES}",
            grid=_around(geometries),
            start=self.run.undated(),
            properties={"arpent:task": self.run.task, "arpent:acquired": False},
        )
        self.run.publish(file, kind="vector", name="places", stac=item)
        return len(geometries)

    def _figures(self, first: Sequence[GivenLabels], known: Mapping[str, ListedPicture]) -> Sequence[tuple[str, Path]]:
        """The first pictures with their labels."""
        drawn = []
        for number, one in enumerate(first[: self.settings.figures], start=1):
            path = known[one.picture].path
            name = f"{number:02d}-{Path(one.picture).stem}" if len(known) > 1 else "figure"
            file = labelled(
                None if path is None else read_picture(path, side=_SHOWN),
                self._bars(one),
                self.run.scratch / f"{_plain(name)}.png",
                title=", ".join(self.titles[name] for name in one.labels)
                or say("classify_report.no_label", self.settings.language),
                caption=one.caption or "",
                note=NOTES_APART[self.settings.language].join(
                    filter(None, (one.notes, *self.labeller.opened.leaks(self.settings.language)))
                ),
                language=self.settings.language,
            )
            drawn.append((one.picture, self.run.path / self.run.publish(file, kind="picture").file))
        return drawn

    def _bars(self, one: GivenLabels) -> list[LabelBar]:
        """The labels that are given, then the likeliest of the others."""
        bars = [LabelBar(self.titles[name], chance, one.thresholds[name]) for name, chance in one.chances.items()]
        return sorted(bars, key=lambda bar: (not bar.given, -bar.chance))[: self.settings.bars]


def _told(file: Path, most: int) -> Sequence[GivenLabels]:
    """The first lines of the table."""
    told = []
    with file.open(encoding="utf-8") as lines:
        for _, line in zip(range(most), lines, strict=False):
            row: dict[str, Any] = json.loads(line)
            given = (
                row["picture"],
                tuple(row["labels"]),
                row["chances"],
                row["thresholds"],
                row["caption"],
                row["notes"],
            )
            told.append(GivenLabels(*given))
    return told


def _around(geometries: Any) -> Grid:  # noqa: ANN401 - an array of geometries
    """One pixel of ground that holds them all; a single point gets a little room."""
    west, south, east, north = (float(value) for value in shapely.total_bounds(geometries))
    wide, tall = max(east - west, 1e-5), max(north - south, 1e-5)
    return Grid(1, 1, Affine(wide, 0.0, west, 0.0, -tall, south + tall), _DEGREES)


def _plain(name: str) -> str:
    """A name that a file may have."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:80]
