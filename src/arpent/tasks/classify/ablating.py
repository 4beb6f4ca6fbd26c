"""``classify ablate``: branches and fusions trained with several seeds, and held against each other in one report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arpent.core import Bar, Progress, Silent, write_file
from arpent.errors import ArpentError, Interrupted
from arpent.language import say
from arpent.report.page import made_by
from arpent.store import Place, Run, RunFolder
from arpent.tasks.classify.ablate_settings import AblateSettings
from arpent.tasks.classify.ablation_page import (
    TABLE,
    ablation_rows,
    ablation_words,
    draw_ablation,
    write_ablation_page,
)
from arpent.tasks.classify.beginning import Begun, begin, features_folder
from arpent.tasks.classify.comparison import FUSED, WAYS, Comparison, View
from arpent.tasks.classify.dataset import Dataset, Picture
from arpent.tasks.classify.evaluating import of_reached
from arpent.tasks.classify.evaluation_page import About
from arpent.tasks.classify.features import Looks, features_of
from arpent.tasks.classify.judging import Answers, Condition, Judge
from arpent.tasks.classify.train_settings import Way
from arpent.tasks.classify.ways import Branches, Trained, train_way

__all__ = ["Ablation", "ablate_labellers", "document_of"]

_VIEWS: Mapping[str, tuple[View, ...]] = {"both": ("open", "masked"), "open": ("open",), "masked": ("masked",)}


@dataclass(frozen=True)
class Ablation:
    """A finished ablation.

    Attributes:
        run: its run folder.
        views: what is compared, with captions as written and without the words of labels.
        words: what the figures say, sentence by sentence.
        cautions: what every report on the DATASET says.
    """

    run: Run
    views: Mapping[View, Comparison]
    words: tuple[str, ...]
    cautions: tuple[str, ...]


def ablate_labellers(
    folder: str | Path, place: Place, settings: AblateSettings, *, progress: Progress | None = None
) -> Ablation:
    """Trains every branch and every fusion, and judges them on the test split.

    What was stopped or killed goes on with a place that resumes: trainings that are finished are not made again.

    Args:
        folder: the DATASET.
        place: where the run goes.
        settings: how often, and how.
        progress: who is told how far it is.

    Raises:
        DatasetError: the DATASET cannot be read, or lacks a split.
        ModelError: weights of an encoder.
        Interrupted: by Ctrl-C.
    """
    views = _VIEWS[settings.captions]
    datasets = {view: Dataset.read(folder, hide=view == "masked") for view in views}
    kept = settings.model_dump(mode="json", exclude={"language"})
    kept |= {"dataset": str(folder), "content": datasets[views[0]].content}
    with place.begin("classify-ablate", Path(folder).resolve().name, kept, [folder], language=settings.language) as run:
        try:
            return _Work(run, datasets, settings, progress or Silent()).done(folder)
        except Interrupted:
            raise
        except ArpentError:
            if not place.resume:
                run.abandon()  # once the cause is mended, the same command is to begin anew
            raise


@dataclass(frozen=True)
class _Asked:
    """Pictures of one side as the ways are asked about them.

    Attributes:
        features: ``(N, F)`` of the pictures.
        codes: ``(N, length)`` of their first captions.
        present: ``(N, 2)``, which have a picture and which have a caption with words.
    """

    features: NDArray[np.float32]
    codes: NDArray[np.int64]
    present: NDArray[np.bool_]

    def answers(self, trained: Trained) -> Answers:
        """What a way says of them, under each condition that leaves it something to read."""
        shown: dict[Condition, tuple[bool, bool]] = {"complete": (True, True)}
        if trained.way != "text":
            shown["text_absent"] = (True, False)
        if trained.way != "image":
            shown["image_absent"] = (False, True)
        there = {condition: self.present & np.array(kept) for condition, kept in shown.items()}
        chances = {name: trained.chances(self.features, self.codes, own) for name, own in there.items()}
        return Answers(chances, {name: trained.thresholds_for(own) for name, own in there.items()})


@dataclass
class _Work:
    """A run under way."""

    run: RunFolder
    datasets: Mapping[View, Dataset]
    settings: AblateSettings
    progress: Progress
    images: dict[int, Trained] = field(default_factory=dict)  # by seed: what looks at pictures reads no captions

    def done(self, folder: str | Path) -> Ablation:
        """Trains, judges, and writes the report."""
        run, settings, language = self.run, self.settings, self.settings.language
        run.add_input(folder, "dataset")
        cautions = tuple(dict.fromkeys(line for one in self.datasets.values() for line in one.cautions(language)))
        for caution in cautions:
            run.warn(caution)
        total = len(self.datasets) * settings.seeds * len(WAYS)
        with self.progress.bar(say("classify_report.ablating", language), total, "trainings") as bar:
            views = {view: self._compared(view, bar) for view in self.datasets}
        words = tuple(ablation_words(views, language))
        self._report(views, words, cautions)
        return Ablation(run.finish(), views, words, cautions)

    def _compared(self, view: View, bar: Bar) -> Comparison:
        """All ways on one view of the DATASET."""
        dataset, settings = self.datasets[view], self.settings
        first = settings.training.seed
        asked = settings.training.model_copy(
            update={"dataset": str(dataset.folder), "branch": "fusion", "mask_labels": view == "masked"}
        )
        with self.run.timed("features"):
            begun = begin(asked, dataset, progress=self.progress)
            asked_of = self._asked(begun, dataset.of_split("test"))
        found: dict[Way, list[Answers]] = {way: [] for way in WAYS}
        liked: dict[Way, list[float]] = {way: [] for way in FUSED}
        for seed in range(first, first + settings.seeds):
            lesson = replace(begun.lesson, settings=asked.model_copy(update={"seed": seed}))
            with self.run.timed("train"):
                for way, trained in self._trained(replace(begun, lesson=lesson), view, seed, bar).items():
                    found[way].append(asked_of.answers(trained))
                    if way in liked:
                        liked[way].append(trained.precision)
        test = dataset.of_split("test")
        fresh = [bool(one.captions) and not dataset.is_known(one.captions[0]) for one in test]
        judge = Judge(dataset.truth(test), dataset.labels, settings.draws, first)
        chosen = max(FUSED, key=lambda way: float(np.mean(liked[way])))
        return Comparison(judge, found, np.array(fresh, bool), chosen)

    def _trained(self, begun: Begun, view: View, seed: int, bar: Bar) -> dict[Way, Trained]:
        """Every way with one seed; fusions are built on the branches."""
        made: dict[Way, Trained] = {}
        for way in WAYS:
            branches: Branches | None = None
            if way in FUSED:
                branches = {"image": made["image"].head, "text": made["text"].head}
            if way == "image" and seed in self.images:
                made[way] = self.images[seed]
            else:
                folder = self.run.scratch / f"{view}-{seed}-{way}"
                made[way] = train_way(begun.lesson, way, folder, branches=branches, resume=True)
            bar.advance()
        self.images[seed] = made["image"]
        return made

    def _asked(self, begun: Begun, pictures: Sequence[Picture]) -> _Asked:
        """Pictures and their first captions as the ways take them."""
        settings, lesson = begun.lesson.settings, begun.lesson
        assert begun.eye is not None  # a fusion looks at pictures
        assert begun.squares is not None
        looks = Looks(begun.eye.encoder, begun.squares, settings.parts, settings.device, settings.workers)
        kept = features_folder(settings, lesson.dataset)
        features = features_of(pictures, looks, kept, progress=self.progress).of(pictures).numpy()
        coded = [lesson.coder.codes(one.captions[0] if one.captions else "") for one in pictures]
        present = np.column_stack([np.ones(len(pictures), bool), np.array([one.present for one in coded], bool)])
        return _Asked(features, np.stack([one.ids for one in coded]), present)

    def _report(self, views: Mapping[View, Comparison], words: Sequence[str], cautions: Sequence[str]) -> None:
        """Figures, table, pictures and page of the run."""
        run, language = self.run, self.settings.language
        for view, one in views.items():
            figures = {f"{view}/{way}/{name}": own.mean("map") for (way, name), own in one.reached.items()}
            gain = one.gains[one.chosen]
            run.add_metrics({**figures, f"{view}/gain": gain.value, f"{view}/gain_low": gain.low})
        text = json.dumps(document_of(views, words, cautions), ensure_ascii=False, indent=1, allow_nan=False)
        run.publish(write_file(run.scratch / "metrics.json", f"{text}\n"), kind="text", name="metrics")
        heads = ["captions", "way", "condition", "gain", *TABLE]
        content = io.StringIO()
        csv.writer(content, lineterminator="\n").writerows([heads, *ablation_rows(views, "en")])
        run.publish(write_file(run.scratch / "table.csv", content.getvalue()), kind="table")
        with run.timed("pictures"):
            drawn = draw_ablation(views, run.scratch, language)
        about = About(words, cautions, self.settings.draws, made_by(language))
        page = write_ablation_page(run.scratch / "report.html", views, drawn, about=about, language=language)
        run.publish(page, kind="page")
        for picture in drawn.values():
            run.publish(picture, kind="picture")


def document_of(views: Mapping[View, Comparison], words: Sequence[str], cautions: Sequence[str]) -> dict[str, Any]:
    """All figures, as JSON has them."""
    return {"words": list(words), "cautions": list(cautions), "views": {view: _of(one) for view, one in views.items()}}


def _of(one: Comparison) -> dict[str, Any]:
    ways: dict[str, dict[str, Any]] = {}
    for (way, condition), own in one.reached.items():
        seeds = [scores.mean_average_precision for scores in own.scores]
        ways.setdefault(way, {})[condition] = of_reached(own) | {"map_by_seed": seeds}
    gains = {way: [own.value, own.low, own.high] for way, own in one.gains.items()}
    costs = {f"{way}/{condition}": [own.value, own.low, own.high] for (way, condition), own in one.costs.items()}
    return {
        "chosen": one.chosen,
        "best_single": one.best_single,
        "pays": one.pays,
        "gains": gains,
        "costs": costs,
        "ways": ways,
        "unseen_sentences": {way: of_reached(own) for way, own in one.unseen.items()},
    }
