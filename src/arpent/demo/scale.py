"""How much the demo does."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAST", "FULL", "Scale"]


@dataclass(frozen=True)
class Scale:
    """Sizes of what the demo simulates, learns and maps.

    Attributes:
        ortho: pixels on a side of the aerial image that is learnt from, 20 cm each.
        block: metres on a side of the blocks of ground that training and validation share.
        patches: squares of an epoch of the first training.
        epochs: of the first training.
        labelled: pixels on a side of the labelled satellite image, 30 cm each.
        tuned: squares of an epoch of the fine-tuning.
        tuning: epochs of the fine-tuning.
        mapped: pixels on a side of the satellite image that is mapped, 30 cm each.
        pair: pixels on a side of the images that are compared, 30 m each.
        river: pixels on a side of the radar images, 10 m each.
        rivers: places that are foretold; the first is that of the commune.
        dates: of each radar series.
        fields: pixels on a side of the images of fields, 10 m each.
        parcels: fields that are described, at most.
        scenes: pictures that get labels.
    """

    ortho: int
    block: float
    patches: int
    epochs: int
    labelled: int
    tuned: int
    tuning: int
    mapped: int
    pair: int
    river: int
    rivers: int
    dates: int
    fields: int
    parcels: int
    scenes: int


FULL = Scale(
    ortho=3072, block=100.0, patches=400, epochs=5, labelled=1536, tuned=240, tuning=5, mapped=2048, pair=384,
    river=256, rivers=4, dates=14, fields=256, parcels=48, scenes=60,
)  # fmt: skip
"""Six minutes at most on two cores."""

FAST = Scale(
    ortho=1024, block=50.0, patches=120, epochs=3, labelled=1024, tuned=120, tuning=3, mapped=1024, pair=128,
    river=192, rivers=3, dates=9, fields=160, parcels=24, scenes=24,
)  # fmt: skip
"""Two minutes at most; the figures are worse."""
