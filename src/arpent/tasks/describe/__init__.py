"""Describe: Sentinel-2 images in words, every sentence backed by a measurement.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand
from arpent.tasks.describe.caption_settings import CaptionSettings
from arpent.tasks.describe.embed_settings import EmbedSettings
from arpent.tasks.describe.evaluate_settings import EvaluateSettings
from arpent.tasks.describe.generate_settings import GenerateSettings
from arpent.tasks.describe.scene_settings import IndexSettings
from arpent.tasks.describe.search_settings import SearchSettings
from arpent.tasks.describe.series_settings import SeriesSettings
from arpent.tasks.describe.train_settings import DescribeTrainSettings

if TYPE_CHECKING:
    from arpent.tasks.describe.captioning import caption_table
    from arpent.tasks.describe.embedding import embed_images
    from arpent.tasks.describe.evaluating import evaluate
    from arpent.tasks.describe.generating import generate
    from arpent.tasks.describe.indexing import index_run, index_table
    from arpent.tasks.describe.series import series_run
    from arpent.tasks.describe.telling import tell
    from arpent.tasks.describe.training import train_describer

__all__ = [
    "CaptionSettings",
    "DescribeTrainSettings",
    "EmbedSettings",
    "EvaluateSettings",
    "GenerateSettings",
    "IndexSettings",
    "SearchSettings",
    "SeriesSettings",
    "caption_table",
    "embed_images",
    "evaluate",
    "generate",
    "index_run",
    "index_table",
    "series_run",
    "tell",
    "train_describer",
]

__getattr__ = on_demand(
    __name__,
    {
        "captioning": ("caption_table",),
        "embedding": ("embed_images",),
        "evaluating": ("evaluate",),
        "generating": ("generate",),
        "indexing": ("index_run", "index_table"),
        "series": ("series_run",),
        "telling": ("tell",),
        "training": ("train_describer",),
    },
)
