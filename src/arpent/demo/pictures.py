"""Scenes: aerial pictures of the commune with captions, and the labels that both bear."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from arpent.demo.outcome import Figure, Outcome
from arpent.demo.recipes.scenes import SceneSettings, write_scenes
from arpent.demo.stage import COMMUNE, FAMILY, Stage
from arpent.language import say
from arpent.tasks.classify import LabelEvaluationSettings, LabelSettings, evaluate_labeller, label_pictures
from arpent.tasks.classify.caption_files import read_captions
from arpent.tasks.classify.judging import Condition
from arpent.tasks.classify.prepare_settings import PrepareSettings
from arpent.tasks.classify.preparing import prepare

__all__ = ["label_scenes"]

_ALONE: dict[Condition, str] = {"text_absent": "picture_alone", "image_absent": "caption_alone"}
_REACH = 1500.0
"""Metres from the middle of the commune within which pictures are taken."""


def label_scenes(stage: Stage, model: Path) -> Outcome:
    """Labels pictures with their captions, and asks whether that beats picture or caption alone."""
    scale, language = stage.scale, stage.language
    folder = stage.images("scenes")
    # All pictures judge: no model that comes with Arpent has learnt from this kind of landscape.
    asked = SceneSettings(COMMUNE, scale.scenes, families=(FAMILY,), reach=_REACH, side_of_split="test")
    cut = write_scenes(folder, asked, progress=stage.progress)
    made = label_pictures(
        [str(cut.pictures)],
        model,
        stage.place("classify"),
        LabelSettings(language=language),
        captions=read_captions(cut.captions).captions,
        progress=stage.progress,
    )
    known = PrepareSettings(captions=cut.captions, labels=cut.labels, language=language)
    prepare(str(cut.pictures), folder / "dataset", known, force=True, progress=stage.progress)
    judging = LabelEvaluationSettings(split="test", language=language)
    # Nothing is trained here: what the training of the model is to be known for stands in the report alone.
    place = replace(stage.place("classify-score"), tell=None)
    judged = evaluate_labeller(folder / "dataset", model, place, judging, progress=stage.progress)
    reached = {one: found.mean_average_precision.value for one, found in judged.reached.items()}
    best = max(_ALONE, key=lambda one: reached[one])
    figure = Figure("map", reached["complete"], _ALONE[best], reached[best])
    done = say("demo.done_classify", language, count=made.count, labels=len(made.names))
    facts = {"micro_f1": judged.reached["complete"].micro_f1.value, "words": judged.words, "model": model}
    first = next(iter(made.figures.values()), made.run.path / "labels.csv")
    return Outcome(done, first, (made.run.path, judged.run.path), figure, facts=facts)
