"""Classify: a picture and its caption, and the labels that they bear.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand

if TYPE_CHECKING:
    from arpent.tasks.classify.dataset import Dataset, DatasetFacts, Picture

__all__ = ["Dataset", "DatasetFacts", "Picture"]

__getattr__ = on_demand(__name__, {"dataset": ("Dataset", "DatasetFacts", "Picture")})
