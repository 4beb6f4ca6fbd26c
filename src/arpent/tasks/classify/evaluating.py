"""``classify evaluate``: a labeller held against the labels of a DATASET, with captions and without, as a report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from arpent.core import Progress, Silent, write_file
from arpent.engine import ItemJob, ItemOptions, Product, Rows, fingerprint, run_items
from arpent.errors import ArpentError, DatasetError
from arpent.language import say
from arpent.metrics import Interval, LabelScores
from arpent.report.page import made_by
from arpent.store import Place, Run, RunFolder, content_of
from arpent.tasks.classify.asking import Asked
from arpent.tasks.classify.dataset import Dataset, Picture
from arpent.tasks.classify.evaluate_settings import LabelEvaluationSettings
from arpent.tasks.classify.evaluation_page import About, draw_evaluation, plain_words, write_evaluation_page
from arpent.tasks.classify.judging import CONDITIONS, Answers, Condition, Judge, Reached

__all__ = ["CHANCES", "LabelEvaluation", "document_of", "evaluate_labeller", "of_reached"]

CHANCES = "chances.parquet"
"""What the model says of every picture, under each condition."""


@dataclass(frozen=True)
class LabelEvaluation:
    """A finished evaluation.

    Attributes:
        run: its run folder.
        reached: how good the model is, by condition; of a single branch there is but what it reads.
        unseen: the same with both, where the sentence does not stand in training; None where all do, or none does.
        words: what the figures say, sentence by sentence.
        cautions: what every report on the DATASET says.
    """

    run: Run
    reached: Mapping[Condition, Reached]
    unseen: Reached | None
    words: tuple[str, ...]
    cautions: tuple[str, ...]


def evaluate_labeller(
    folder: str | Path,
    model: str | Path,
    place: Place,
    settings: LabelEvaluationSettings,
    *,
    progress: Progress | None = None,
) -> LabelEvaluation:
    """Judges a labeller on one side of a DATASET; of several captions the first is read.

    Args:
        folder: the DATASET.
        model: a labeller's bundle.
        place: where the run goes.
        settings: how to do it.
        progress: who is told how far it is.

    Raises:
        DatasetError: the DATASET cannot be read, or has other labels than the model.
        ModelError: the model is no labeller.
        InputError: no picture can be read.
    """
    dataset = Dataset.read(folder, hide=True if settings.mask_labels else None)
    labeller = Asked.open(
        model,
        runtime=settings.runtime,
        device=settings.device,
        precision=settings.precision,
        pictures=len(dataset.of_split(settings.split)),
    )
    order = _order(dataset, labeller)
    kept = settings.model_dump(mode="json", exclude={"language", "read_threads"})
    kept |= {"dataset": str(folder), "model": str(model)}
    with place.begin(
        "classify-evaluate",
        Path(folder).resolve().name,
        kept,
        [folder, labeller.opened.source],
        language=settings.language,
    ) as run:
        try:
            return _Evaluation(run, dataset, labeller, order, settings).done(progress or Silent())
        except ArpentError:
            run.abandon()  # an evaluation is not gone on with: it begins anew
            raise


def _order(dataset: Dataset, labeller: Asked) -> list[int]:
    """The places of the DATASET's labels among those of the model."""
    unknown = [name for name in dataset.labels if name not in labeller.labels]
    if unknown:
        raise DatasetError(
            f"the model knows {len(unknown)} of the labels of {dataset.folder} not",
            found=", ".join(unknown[:5]),
            expected=", ".join(labeller.labels),
            cure="Judge it on a DATASET with the labels that it was trained on.",
        )
    return [labeller.labels.index(name) for name in dataset.labels]


@dataclass(frozen=True)
class _Ready:
    """A picture and its first caption as the network takes them."""

    of: Picture
    image: NDArray[np.float32] | None
    codes: NDArray[np.int64] | None


class _Work:
    """Says what a labeller gives under each condition: satisfies `engine.ItemWork`."""

    def __init__(self, labeller: Asked, order: Sequence[int]) -> None:
        self._labeller, self._order = labeller, list(order)
        both = labeller.reads_images and labeller.reads_text
        alone: Condition = "text_absent" if labeller.reads_images else "image_absent"
        self.conditions: tuple[Condition, ...] = CONDITIONS if both else (alone,)
        numbers = pa.list_(pa.float64())
        self.schema = pa.schema([("picture", pa.string()), *((one, numbers) for one in self.conditions)])

    def products(self) -> Sequence[Product]:
        """The one table."""
        return (Product("chances", "chances", kind="table", file=CHANCES),)

    def name(self, item: Picture) -> str:
        """Its path inside the pictures."""
        return item.name

    def prepare(self, item: Picture) -> _Ready:
        """Reads a picture, and codes its first caption."""
        image = self._labeller.opened.read(item.path) if self._labeller.reads_images else None
        codes = self._labeller.codes(item.captions[0] if item.captions else None)
        return _Ready(item, image, codes)

    def alike(self, ready: _Ready) -> tuple[bool, bool]:
        """Pictures with captions, and those without, go apart."""
        return ready.image is not None, ready.codes is not None

    def answer(self, batch: Sequence[_Ready]) -> Mapping[str, Rows]:
        """The rows of a batch."""
        images, texts = [one.image for one in batch], [one.codes for one in batch]
        features = self._labeller.features(np.stack(images)) if images[0] is not None else None  # type: ignore[arg-type]
        codes = np.stack(texts) if texts[0] is not None else None  # type: ignore[arg-type]
        columns: list[Any] = [pa.array([one.of.name for one in batch], pa.string())]
        for condition in self.conditions:
            seen = features if condition != "image_absent" else None
            read = codes if condition != "text_absent" else None
            chances = self._labeller.chances(seen, read, count=len(batch))
            columns.append(pa.array(chances[:, self._order].tolist(), pa.list_(pa.float64())))
        return {"chances": Rows(pa.Table.from_arrays(columns, schema=self.schema))}


@dataclass
class _Evaluation:
    """A run under way."""

    run: RunFolder
    dataset: Dataset
    labeller: Asked
    order: Sequence[int]
    settings: LabelEvaluationSettings

    def done(self, progress: Progress) -> LabelEvaluation:
        """Asks the model, judges it, and writes the report."""
        run, settings, language = self.run, self.settings, self.settings.language
        cautions = tuple(dict.fromkeys([*self.dataset.cautions(language), *self.labeller.opened.cautions(language)]))
        for caution in cautions:
            run.warn(caution)
        content = content_of(run.add_input(self.dataset.folder, "dataset"))
        run.use_bundle(self.labeller.opened.source, self.labeller.opened.identity)
        pictures = self.dataset.of_split(settings.split)
        work = _Work(self.labeller, self.order)
        options = ItemOptions(
            settings.batch_size,
            settings.read_threads,
            fingerprint=fingerprint(content=content, model=self.labeller.opened.identity, split=settings.split),
            title=say("classify_report.labelling", language),
            unit="pictures",
            progress=progress,
        )
        with run.timed("label"):
            run_items(ItemJob(work, pictures, run, options, {"chances": work.schema}))
        with run.timed("judge"):
            judged, answers, judge = self._judged(pictures, work.conditions)
            unseen = self._unseen(judged, answers, judge)
        reached = {condition: judge.reached([answers], condition) for condition in work.conditions}
        words = plain_words(reached, unseen, language)
        about = About(words, cautions, settings.draws, made_by(self.settings.language))
        self._report(reached, unseen, about, answers, judge)
        return LabelEvaluation(run.finish(), reached, unseen, tuple(words), cautions)

    def _judged(
        self, pictures: Sequence[Picture], conditions: Sequence[Condition]
    ) -> tuple[list[Picture], Answers, Judge]:
        """Pictures that could be read, in the order of the table, what the model says, and the truth."""
        table = pq.read_table(self.run.path / CHANCES)
        known = {one.name: one for one in pictures}
        judged = [known[name] for name in table["picture"].to_pylist()]
        chances = {one: np.array(table[one].to_pylist(), np.float64) for one in conditions}
        told = [self.labeller.codes(one.captions[0] if one.captions else None) is not None for one in judged]
        both = np.column_stack([np.full(len(judged), self.labeller.reads_images), np.array(told, bool)])
        kept = {"complete": (True, True), "text_absent": (True, False), "image_absent": (False, True)}
        order = list(self.order)
        cuts = {one: self.labeller.opened.thresholds_for(both & np.array(kept[one]))[:, order] for one in conditions}
        answers = Answers(chances, cuts)
        judge = Judge(self.dataset.truth(judged), self.dataset.labels, self.settings.draws, self.settings.seed)
        return judged, answers, judge

    def _unseen(self, judged: Sequence[Picture], answers: Answers, judge: Judge) -> Reached | None:
        """On those whose caption the training split does not have."""
        fresh = np.array([bool(one.captions) and not self.dataset.is_known(one.captions[0]) for one in judged], bool)
        if not self.labeller.reads_text or not fresh.any() or fresh.all():
            return None
        first = next(iter(answers.chances))
        return judge.among(fresh).reached([answers.among(fresh, first)], first)

    def _report(
        self, reached: Mapping[Condition, Reached], unseen: Reached | None, about: About, answers: Answers, judge: Judge
    ) -> None:
        """Figures, pictures and the page of the run."""
        run, language = self.run, self.settings.language
        run.add_metrics(
            {f"{one}/{name}": value for one, own in reached.items() for name, value in _finite(own.summary())}
        )
        text = json.dumps(
            document_of(reached, unseen, about.words, about.cautions), ensure_ascii=False, indent=1, allow_nan=False
        )
        run.publish(write_file(run.scratch / "metrics.json", f"{text}\n"), kind="text", name="metrics")
        with run.timed("pictures"):
            drawn = draw_evaluation(answers, judge, reached, run.scratch, language)
        page = write_evaluation_page(
            run.scratch / "report.html", reached, unseen, drawn, about=about, language=language
        )
        run.publish(page, kind="page")
        for picture in drawn.values():
            run.publish(picture, kind="picture")


def _finite(figures: Mapping[str, float]) -> list[tuple[str, float]]:
    return [(name, value) for name, value in figures.items() if math.isfinite(value)]


def document_of(
    reached: Mapping[Condition, Reached], unseen: Reached | None, words: Sequence[str], cautions: Sequence[str]
) -> dict[str, Any]:
    """All figures, as JSON has them; what is not known is null."""
    return {
        "words": list(words),
        "cautions": list(cautions),
        "conditions": {condition: of_reached(own) for condition, own in reached.items()},
        "unseen_sentences": None if unseen is None else of_reached(unseen),
    }


def of_reached(own: Reached) -> dict[str, Any]:
    """The figures of one condition."""
    first = own.scores[0]
    return {
        "pictures": first.images,
        **{name: value if math.isfinite(value) else None for name, value in own.summary().items()},
        "map_interval": _ends(own.mean_average_precision),
        "micro_f1_interval": _ends(own.micro_f1),
        "left_out": list(first.left_out),
        "labels": _by_label(first),
    }


def _ends(one: Interval) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in (one.low, one.high)]


def _by_label(scores: LabelScores) -> dict[str, dict[str, float | None]]:
    told = {}
    for one in scores.labels:
        figures = {**one.counted.summary(), "average_precision": one.average_precision, "roc_auc": one.roc_auc}
        figures |= {"positives": one.positives, "alarms": one.counted.alarms}
        told[one.name] = {name: float(value) if math.isfinite(value) else None for name, value in figures.items()}
    return told
