"""Change: two dates of a place, and what really changed.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand
from arpent.tasks.change.embedding_settings import ClusterSettings, EmbedSettings, ProbeSettings
from arpent.tasks.change.frames import Frame, Pair
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.tasks.change.series_settings import SeriesSettings
from arpent.tasks.change.settings import ChangeSettings

if TYPE_CHECKING:
    from arpent.tasks.change.clusters import cluster_embeddings
    from arpent.tasks.change.comparing import Compared, compare
    from arpent.tasks.change.embedding import embed_image
    from arpent.tasks.change.evaluating import EvaluateSettings, Evaluation, evaluate
    from arpent.tasks.change.judgement import Judgement
    from arpent.tasks.change.mosaic import Mosaic, make_mosaic
    from arpent.tasks.change.pairs import ChangeRun, change
    from arpent.tasks.change.photos import PhotoRun, compare_photos
    from arpent.tasks.change.planning import PairPlan, plan_pair
    from arpent.tasks.change.polygons import OutlineSettings, outline_run
    from arpent.tasks.change.probing import probe_embeddings
    from arpent.tasks.change.reference_config import read_reference
    from arpent.tasks.change.reference_plan import plan_reference
    from arpent.tasks.change.running import run_reference
    from arpent.tasks.change.series import series_run
    from arpent.tasks.change.train_settings import ChangeTrainSettings
    from arpent.tasks.change.training import train

__all__ = [
    "ChangeRun",
    "ChangeSettings",
    "ChangeTrainSettings",
    "ClusterSettings",
    "Compared",
    "EmbedSettings",
    "EvaluateSettings",
    "Evaluation",
    "Frame",
    "Judgement",
    "Mosaic",
    "MosaicSettings",
    "OutlineSettings",
    "Pair",
    "PairPlan",
    "PhotoRun",
    "ProbeSettings",
    "SeriesSettings",
    "change",
    "cluster_embeddings",
    "compare",
    "compare_photos",
    "embed_image",
    "evaluate",
    "make_mosaic",
    "outline_run",
    "plan_pair",
    "plan_reference",
    "probe_embeddings",
    "read_reference",
    "run_reference",
    "series_run",
    "train",
]

__getattr__ = on_demand(
    __name__,
    {
        "clusters": ("cluster_embeddings",),
        "comparing": ("Compared", "compare"),
        "embedding": ("embed_image",),
        "evaluating": ("EvaluateSettings", "Evaluation", "evaluate"),
        "judgement": ("Judgement",),
        "mosaic": ("Mosaic", "make_mosaic"),
        "pairs": ("ChangeRun", "change"),
        "photos": ("PhotoRun", "compare_photos"),
        "planning": ("PairPlan", "plan_pair"),
        "polygons": ("OutlineSettings", "outline_run"),
        "probing": ("probe_embeddings",),
        "reference_config": ("read_reference",),
        "reference_plan": ("plan_reference",),
        "running": ("run_reference",),
        "series": ("series_run",),
        "train_settings": ("ChangeTrainSettings",),
        "training": ("train",),
    },
)
