"""What users can set when images are embedded. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.engine.settings import Precision, RuntimeName
from arpent.tasks.describe.scene_settings import SceneSettings

__all__ = ["EmbedSettings"]

_CHIP = 120
"""Side in pixels of the images that CROMA has learnt from, to which XVision brings its chips of 64."""


class EmbedSettings(SceneSettings):
    """Which encoder sees the images, and how it is run."""

    encoder: str = "croma-large"
    """Encoder: croma-large, croma-base, a bundle, or a file of weights; croma-tiny with random weights alone."""
    random_init: bool = False
    """Take random weights in the place of trained ones: for trying things out, never for results."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of random weights."""
    tile: Annotated[int, Field(ge=8)] = 120
    """Side in pixels of the tiles that the encoder sees; rounded up to whole patches."""
    halo: Annotated[int, Field(ge=0)] = 0
    """Rim of a tile in pixels that is read for context and then discarded; rounded up to whole patches."""
    cells: Annotated[int, Field(ge=1, le=16)] = 5
    """Visual tokens along each side of a parcel's box: 5 gives 25 of them, 8 gives 64."""
    resize: Annotated[int, Field(ge=8, le=1024)] | None = None
    """Side in pixels to which whole images are brought, bilinearly, before they are encoded; as they are if not given,
    and 120 for chips in the xvision profile."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Tiles per pass through the encoder."""
    read_threads: Annotated[int, Field(ge=1)] = 2
    """Threads that read tiles ahead."""
    runtime: RuntimeName = "auto"
    """What runs the encoder: torch, openvino, or auto for the fastest that is installed."""
    device: str = "auto"
    """Where it runs: auto, cpu, cuda, cuda:0 …"""
    precision: Precision = "f32"
    """Arithmetic of the encoder: f32, or bf16, which is faster where the processor has it."""
    profile: Literal["arpent", "xvision"] = "arpent"
    """arpent, or xvision: chips are enlarged as XVision does it, and sentinel_embeddings_1024.npy is written too."""

    def side_for(self, height: int, width: int) -> int | None:
        """Side in pixels to which a whole image of that size is brought; None to leave it as it is."""
        if self.resize is None and self.profile == "xvision" and max(height, width) <= _CHIP:
            return _CHIP
        return self.resize
