"""``arpent describe``: land in words and numbers. Each command has a file of its own beside this one."""

from __future__ import annotations

from arpent.cli import (
    describe_caption,
    describe_embed,
    describe_evaluate,
    describe_generate,
    describe_indices,
    describe_search,
    describe_series,
    describe_train,
)
from arpent.cli.groups import grouped

__all__ = ["app"]

app = grouped(
    "Describe: what a parcel is like, measured and told.",
    describe_caption,
    describe_embed,
    describe_evaluate,
    describe_generate,
    describe_indices,
    describe_search,
    describe_series,
    describe_train,
)
