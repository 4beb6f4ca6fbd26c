"""``arpent classify``: labels for pictures and their captions. Each command has a file of its own beside this one."""

from __future__ import annotations

from arpent.cli import (
    classify_ablate,
    classify_evaluate,
    classify_explain,
    classify_predict,
    classify_prepare,
    classify_train,
)
from arpent.cli.groups import grouped

__all__ = ["app"]

app = grouped(
    "Labels for pictures and their captions, and what fusing both is worth.",
    classify_prepare,
    classify_train,
    classify_ablate,
    classify_evaluate,
    classify_predict,
    classify_explain,
)
