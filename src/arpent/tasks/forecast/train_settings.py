"""What users can set when networks of radar series are trained. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from arpent.core import Language, Settings
from arpent.data import Augment
from arpent.engine import FitSettings, OptimiserSettings, PredictSettings

__all__ = ["EncoderName", "FeatureSettings", "ForecastSettings", "SegmentationSettings"]

EncoderName = Literal["unet", "resnet18", "resnet34", "resnet50"]


class _TrainSettings(Settings):
    """What both trainings ask."""

    dataset: str = ""
    """Data set that 'arpent forecast prepare' has made."""
    patch: Annotated[int, Field(ge=8)] | None = None
    """Side in pixels of the squares that are learnt from; that of the data set if not given."""
    patches: Annotated[int, Field(ge=1)] | None = None
    """Squares per epoch; as many as would tile the training images if not given."""
    workers: Annotated[int, Field(ge=0)] = 2
    """Threads that read ahead."""
    augment: Augment = Augment()
    """How squares are varied."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Weight decay."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the moving average of the weights that is validated and kept; 0 keeps the weights themselves."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Epochs without a better figure before training stops; none to run them all."""
    seed: int = 0
    """Seed of the initial weights and of the order of samples."""
    device: str = "auto"
    """auto, cpu, cuda …"""
    precision: Literal["f32", "bf16"] = "f32"
    """Arithmetic of the forward pass."""
    language: Language = "en"
    """Language of what is said: en or fr."""

    def fitting(self, epochs: int, rate: float, best: str) -> FitSettings:
        """The same wishes, as those of the training loop."""
        return FitSettings(
            epochs=epochs,
            optimiser=OptimiserSettings(rate=rate, weight_decay=self.weight_decay),
            average=self.average,
            precision=self.precision,
            seed=self.seed,
            best=best,
            patience=self.patience,
            device=self.device,
        )


class SegmentationSettings(_TrainSettings):
    """How a network learns to segment single dates."""

    name: str = "segmentation"
    """Name of the run and of the statistics in its bundle."""
    encoder: EncoderName = "unet"
    """Network: a plain U-Net, or one with a ResNet as its encoder."""
    widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (16, 32, 64, 96)
    """Feature maps of a plain U-Net at each level, finest first."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Decay of the moving average of the weights that is validated and kept; 0 keeps the weights themselves."""
    epochs: Annotated[int, Field(ge=1)] = 50
    """Passes over the training set."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Squares per step."""
    rate: Annotated[float, Field(gt=0)] = 3e-3
    """Learning rate at its peak."""
    best: str = "miou"
    """Validation figure that picks the epoch to keep: loss, or the name of a metric."""

    def fit(self) -> FitSettings:
        """For the training loop."""
        return self.fitting(self.epochs, self.rate, self.best)


class ForecastSettings(_TrainSettings):
    """How a network learns to carry a series on."""

    name: str = "forecast"
    """Name of the run."""
    segmentation: str | None = None
    """Segmentation model to build on, or the run that trained it; the last one in 'runs' for this data set if not
    given."""
    joint: bool = False
    """Train the segmentation network along; without it, its features are made once and it stays as it is."""
    head: Literal["lstm", "convlstm", "simvp"] = "lstm"
    """What carries the features on."""
    hidden: Annotated[int, Field(ge=1)] = 512
    """Numbers of its state in each cell."""
    layers: Annotated[int, Field(ge=1)] = 2
    """Layers of it."""
    cell: Annotated[int, Field(ge=1)] = 32
    """Side in pixels of the cells that share a state; that of the encoder's, where these are larger."""
    width: Annotated[int, Field(ge=1)] = 16
    """Feature maps of the decoder at full resolution."""
    covariates: tuple[str, ...] | None = None
    """Columns of the data set that the network is told of each date; all that it has if not given, none if empty."""
    ahead: tuple[str, ...] = ()
    """Those of them that are known for the coming dates too, as a forecast of rain is."""
    forget: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Chance that a training series comes without its covariates, so that the network can do without."""
    encoder: EncoderName = "unet"
    """Network that segments, for a joint training without a segmentation model to start from."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.95
    """Decay of the moving average of the weights that is validated and kept; 0 keeps the weights themselves."""
    epochs: Annotated[int, Field(ge=1)] = 30
    """Passes over the training set."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Series of squares per step."""
    rate: Annotated[float, Field(gt=0)] = 4e-3
    """Learning rate at its peak."""
    best: str = "iou"
    """Validation figure that picks the epoch to keep: loss, or the name of a metric."""
    calibrate: bool = True
    """Believe changes as far as the validation set bears them out, and make probabilities mean what they say: a share
    and a temperature for each horizon."""

    def fit(self) -> FitSettings:
        """For the training loop."""
        return self.fitting(self.epochs, self.rate, self.best)


class FeatureSettings(PredictSettings):
    """How embeddings of each date are made."""

    compression: Literal["deflate", "zstd"] = "deflate"
    """Compression of the images: deflate, which everything reads, or zstd, which is written faster."""
    language: Language = "en"
    """Language of titles: en or fr."""
