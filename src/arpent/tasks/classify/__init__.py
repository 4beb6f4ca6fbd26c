"""Classify: a picture and its caption, and the labels that they bear.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand

if TYPE_CHECKING:
    from arpent.tasks.classify.ablate_settings import AblateSettings
    from arpent.tasks.classify.ablating import ablate_labellers
    from arpent.tasks.classify.dataset import Dataset, DatasetFacts, Picture
    from arpent.tasks.classify.evaluate_settings import LabelEvaluationSettings
    from arpent.tasks.classify.evaluating import evaluate_labeller
    from arpent.tasks.classify.explain_settings import ExplainSettings
    from arpent.tasks.classify.explaining import explain_labels
    from arpent.tasks.classify.predict_settings import LabelSettings
    from arpent.tasks.classify.predicting import label_pictures
    from arpent.tasks.classify.train_settings import ClassifyTrainSettings
    from arpent.tasks.classify.training import train_labeller

__all__ = [
    "AblateSettings",
    "ClassifyTrainSettings",
    "Dataset",
    "DatasetFacts",
    "ExplainSettings",
    "LabelEvaluationSettings",
    "LabelSettings",
    "Picture",
    "ablate_labellers",
    "evaluate_labeller",
    "explain_labels",
    "label_pictures",
    "train_labeller",
]

__getattr__ = on_demand(
    __name__,
    {
        "ablate_settings": ("AblateSettings",),
        "ablating": ("ablate_labellers",),
        "dataset": ("Dataset", "DatasetFacts", "Picture"),
        "evaluate_settings": ("LabelEvaluationSettings",),
        "evaluating": ("evaluate_labeller",),
        "explain_settings": ("ExplainSettings",),
        "explaining": ("explain_labels",),
        "predict_settings": ("LabelSettings",),
        "predicting": ("label_pictures",),
        "train_settings": ("ClassifyTrainSettings",),
        "training": ("train_labeller",),
    },
)
