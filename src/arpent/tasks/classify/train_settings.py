"""What users can set when labels are learnt. Opens without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from arpent.core import Language, Settings
from arpent.engine import FitSettings, OptimiserSettings
from arpent.models.labelling_settings import EncoderPadding, FusionName

__all__ = ["AUTO", "LSTM", "RGB", "WORDS", "BranchName", "ClassifyTrainSettings", "PixelRule", "Way"]

BranchName = Literal["image", "text", "fusion"]
"""What is trained: what looks at the image, what reads the caption, or what fuses both."""

Way = Literal["image", "text", "concat", "gated", "late"]
"""A branch alone, or a fusion of both by its name."""

PixelRule = Literal["imagenet", "symmetric", "unit"]
"""How bytes become network input: by ImageNet's statistics, to -1…1, or to 0…1."""

AUTO: Final = "auto"
LSTM: Final = "lstm"
WORDS: Final = "words"
RGB: Final = ("red", "green", "blue")

_Count = Annotated[int, Field(ge=1)]
_Share = Annotated[float, Field(ge=0, lt=1)]
_Rate = Annotated[float, Field(gt=0)]


class _Lesson(NamedTuple):
    """How long a branch learns, and how fast."""

    epochs: int
    rate: float


_LESSONS: Mapping[str, _Lesson] = {
    "image": _Lesson(15, 1e-3),
    "text": _Lesson(7, 3e-3),
    "fusion": _Lesson(4, 1e-3),
}


class ClassifyTrainSettings(Settings):
    """How a model learns to give labels."""

    name: str = "labeller"
    """Name of the run."""
    dataset: str = ""
    """DATASET that 'arpent classify prepare' has made."""
    branch: BranchName = "fusion"
    """What is trained: image, text, or fusion of both."""
    fusion: FusionName = "late"
    """How both are fused: concat (vectors side by side), gated, or late (scores, weighted for each label)."""
    mask_labels: bool | None = None
    """Take words that name labels out of the captions; as the DATASET was prepared if not given."""
    image_encoder: str = "mobilenet_v2"
    """Image encoder: mobilenet_v2, or another one by the name that timm gives it."""
    pretrained: str | None = None
    """Its weights: a file as timm or torchvision writes it, a bundle, the name of a published model, or random; those
    of the published model of that encoder if not given."""
    pixels: PixelRule | None = None
    """How bytes become its input: imagenet, symmetric or unit; as the weights are described, else imagenet. Other bands
    than red, green and blue are brought to mean 0 and deviation 1."""
    padding: EncoderPadding = "symmetric"
    """Rims of its convolutions: symmetric, or same for weights that come from TensorFlow."""
    side: Annotated[int, Field(ge=32)] = 256
    """Side in pixels to which pictures are brought."""
    bands: tuple[str, ...] = RGB
    """Bands of the pictures; others than red, green and blue are read as those of a satellite image."""
    sensor: str | None = None
    """What took them, where names of bands do not tell."""
    stem: Literal["zero", "copy", "mean", "spectral"] = "spectral"
    """How bands begin that the weights do not know: zero, copy, mean or spectral."""
    parts: bool = True
    """Learn from the corners of pictures as well, where features of the encoder have places, as those of convolutions
    do."""
    unfreeze: Annotated[int, Field(ge=0)] = 0
    """Last blocks of the encoder that learn along once the head has learnt; 0 keeps it as it is."""
    unfreeze_epochs: _Count = 4
    """Passes over the training set while they do."""
    unfreeze_rate: _Rate = 1e-4
    """Learning rate of these blocks at its peak; that of the head is as large."""
    text_encoder: str = AUTO
    """Reader of captions: lstm; words, without their order, and those of one meaning taken for one; auto, which is
    words where fewer than 5000 captions teach, else lstm; or the folder of a transformer with its tokenizer, which
    stays as it is."""
    embedding: _Count = 100
    """Numbers of a word."""
    hidden_image: _Count = 256
    """Numbers of the image's vector."""
    hidden_text: _Count = 128
    """Numbers of the caption's vector, and of the LSTM's state."""
    dropout: _Share = 0.3
    """Share of the numbers that a training step does without, of captions and of what is fused."""
    dropout_image: _Share = 0.5
    """The same, of pictures."""
    forget: _Share = 0.1
    """Share of the words that are unknown to a training step."""
    modality_dropout: _Share = 0.3
    """Share of the training samples of a fusion that come without image or without caption, never without both."""
    epochs: _Count | None = None
    """Passes over the training set; 15 for images, 7 for captions and 4 for fusions if not given."""
    rate: _Rate | None = None
    """Learning rate at its peak; 0.001, and 0.003 for captions, if not given."""
    batch_size: _Count = 64
    """Samples per step."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Weight decay."""
    average: _Share = 0.0
    """Decay of the moving average of the weights that is validated and kept; 0 keeps the weights themselves."""
    best: str = "map"
    """Validation figure that picks the epoch to keep: loss, map or micro_f1."""
    patience: _Count | None = None
    """Epochs without a better figure before training stops; none to run them all."""
    calibrate: bool = True
    """Make chances mean what they say, by a temperature and by what labels say of one another, found on the validation
    set."""
    features: str | None = None
    """Folder where features of pictures are kept between trainings; features inside the DATASET if not given."""
    workers: _Count = 2
    """Threads that read ahead."""
    seed: int = 0
    """Seed of the initial weights and of the order of samples."""
    device: str = "auto"
    """auto, cpu, cuda …"""
    precision: Literal["f32", "bf16"] = "f32"
    """Arithmetic of the forward pass."""
    language: Language = "en"
    """Language of what is said: en or fr."""

    def fit(self, branch: BranchName) -> FitSettings:
        """For the training loop of one branch, or of what fuses them."""
        usual = _LESSONS[branch]
        own = branch == self.branch  # the branches of a fusion learn as they do alone
        return self._fitting((self.epochs if own else None) or usual.epochs, (self.rate if own else None) or usual.rate)

    def fit_blocks(self) -> FitSettings:
        """For the training loop of the encoder's last blocks."""
        return self._fitting(self.unfreeze_epochs, self.unfreeze_rate)

    def _fitting(self, epochs: int, rate: float) -> FitSettings:
        return FitSettings(
            epochs=epochs,
            optimiser=OptimiserSettings(rate=rate, weight_decay=self.weight_decay),
            average=self.average,
            precision=self.precision,
            seed=self.seed,
            best=self.best,
            patience=self.patience,
            device=self.device,
        )
