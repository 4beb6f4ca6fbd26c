"""How models are trained and run; the same for every task. Opens without torch."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from arpent.core.settings import Settings
from arpent.errors import InvalidSetting
from arpent.tiling import TileShape

__all__ = ["FitSettings", "OptimiserSettings", "Precision", "PredictSettings", "RuntimeName", "ScheduleName"]

Precision = Literal["f32", "bf16"]
RuntimeName = Literal["auto", "torch", "openvino"]
ScheduleName = Literal["constant", "cosine", "one-cycle", "plateau"]


class PredictSettings(Settings):
    """How a prediction is run."""

    tile: Annotated[int, Field(ge=1)] = 512
    """Side in pixels of the tiles that the network sees; rounded up to what it can take."""
    ring: Annotated[int, Field(ge=0)] = 16
    """Half width in pixels of the ramp over which neighbouring tiles are mixed."""
    halo: Annotated[int, Field(ge=0)] = 16
    """Rim in pixels that is read for context and then discarded; the receptive field gives the whole-image result."""
    overlap: Annotated[int, Field(ge=0)] | None = None
    """Pixels by which neighbouring tiles overlap: twice ring and halo together, of which it then gives half to each;
    64 if not given. Small tiles overlap by half of their side at most."""
    batch_size: Annotated[int, Field(ge=1)] = 2
    """Tiles per pass through the network."""
    read_threads: Annotated[int, Field(ge=1)] = 2
    """Threads that read tiles ahead."""
    runtime: RuntimeName = "auto"
    """What runs the network: torch, openvino, or auto for the fastest that is installed."""
    device: str = "auto"
    """Where it runs: auto, cpu, cuda, cuda:0 …"""
    precision: Precision = "f32"
    """Arithmetic of the network: f32, or bf16, which is about twice as fast where the processor has it."""

    @model_validator(mode="after")
    def _share_overlap(self) -> Self:
        """Ring and halo follow from the overlap, as far as they are not given themselves."""
        if self.overlap is None:
            return self
        given = self.model_fields_set & {"ring", "halo"}
        half, odd = divmod(self.overlap, 2)
        ring = self.ring if "ring" in given else half - self.halo if "halo" in given else half // 2
        halo = self.halo if "halo" in given else half - ring
        if odd or min(ring, halo) < 0 or ring + halo != half:
            raise InvalidSetting(
                "the overlap of tiles is twice their ring and halo together",
                found=f"overlap {self.overlap}, "
                + (", ".join(f"{name} {getattr(self, name)}" for name in sorted(given)) or "an odd number"),
                expected=f"overlap {2 * (max(self.ring, 0) + self.halo)}" if given else "an even number",
                cure="Give --overlap alone, or --ring and --halo alone.",
            )
        self.__dict__.update(ring=ring, halo=halo)  # frozen for everybody else
        return self

    def shape(self, stride: int, scales: tuple[int, ...] = (1,)) -> TileShape:
        """The tiles for a network of this stride and products of these scales, all sizes rounded up to fit."""
        quantum = math.lcm(*scales)
        unit = math.lcm(stride, quantum)

        def rounded(length: int, to: int) -> int:
            return -(-length // to) * to

        ring, halo = rounded(self.ring, quantum), rounded(self.halo, quantum)
        least = 2 * (ring + halo) + unit
        return TileShape(rounded(max(self.tile, least), unit), ring, halo, unit, quantum)


class OptimiserSettings(Settings):
    """How weights move."""

    name: Literal["adamw", "sgd"] = "adamw"
    """Optimiser: adamw, or sgd with momentum 0.9."""
    rate: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate; its peak, for the one-cycle and cosine schedules."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Weight decay."""
    schedule: ScheduleName = "one-cycle"
    """How the learning rate changes: not at all, by a cosine, up and down once, or halved when the loss stalls."""
    warm_up: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the steps that the one-cycle schedule climbs."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Epochs without a lower validation loss before the plateau schedule halves the rate."""


class FitSettings(Settings):
    """How a model is trained."""

    epochs: Annotated[int, Field(ge=1)] = 20
    """Passes over the training set."""
    optimiser: OptimiserSettings = OptimiserSettings()
    """Optimiser and learning rate."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Batches whose gradients are added up before each step."""
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    """Largest norm of the gradient; longer ones are shortened."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the moving average of the weights that is validated and kept; 0 keeps the weights themselves."""
    precision: Literal["f32", "bf16", "f16"] = "f32"
    """Arithmetic of the forward pass; f16 is for GPUs that lack bf16."""
    seed: int = 0
    """Seed of the initial weights, of dropout and of the order of samples."""
    best: str = "loss"
    """Validation figure that picks the epoch to keep: loss, or the name of a metric."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Epochs without a better figure before training stops; none to run them all."""
    device: str = "auto"
    """auto, cpu, cuda …"""
