"""Going through the features of a frame in their order, which both databases do in the same words."""

from __future__ import annotations

from arpent.web.index.boxes import Box

__all__ = ["MEETS", "WIDE", "meeting"]

MEETS = """
f.frame_id = %s AND f.id > %s AND f.south <= %s AND f.north >= %s
AND CASE WHEN f.west <= f.east THEN f.west <= %s AND f.east >= %s ELSE f.west <= %s OR f.east >= %s END
ORDER BY f.id LIMIT %s
"""
"""The condition that a feature meets a box, and the page of those that do; `meeting` gives the numbers for it."""

WIDE = 0.004
"""A box that covers more than this share of a layer is full of its features: going through them in their order finds a
page of them sooner than a tree of boxes, which must gather all before it can put them in order."""


def meeting(frame: int, box: Box, after: int, limit: int) -> tuple[float, ...]:
    """The numbers that `MEETS` asks for."""
    return (frame, after, box.north, box.south, box.east, box.west, box.east, box.west, limit)
