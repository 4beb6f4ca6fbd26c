"""What networks that give images and captions their labels are made of. Opens without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from arpent.core.settings import Settings
from arpent.errors import InvalidSetting

__all__ = [
    "EncoderPadding",
    "FusionName",
    "ImageBranchSettings",
    "LabellerSettings",
    "TextBranchSettings",
    "TextReader",
]

FusionName = Literal["concat", "gated", "late"]
"""How two branches become one answer: their vectors side by side; mixed, number by number, by a gate; or their scores,
weighted for each label."""

EncoderPadding = Literal["symmetric", "same"]
"""Where convolutions of stride 2 put the rim: on all sides, as torch does, or right and below, as TensorFlow does."""

TextReader = Literal["lstm", "words"]
"""How captions are read: word after word, or as so many words without an order, of which some name labels."""

_Share = Annotated[float, Field(ge=0, lt=1)]
_Count = Annotated[int, Field(ge=1)]


class ImageBranchSettings(Settings):
    """The branch that looks at the image."""

    encoder: str = "mobilenetv2_100"
    """The encoder, by the name that timm gives it."""
    channels: _Count = 3
    """Bands of the images."""
    side: Annotated[int, Field(ge=8)] = 256
    """Side in pixels to which images are brought."""
    padding: EncoderPadding = "symmetric"
    """Rims of the encoder's convolutions: symmetric, or same for weights that come from TensorFlow."""
    hidden: _Count = 256
    """Numbers of the branch's vector."""
    dropout: _Share = 0.3
    """Share of the numbers that a training step does without."""


class TextBranchSettings(Settings):
    """The branch that reads the caption."""

    words: Annotated[int, Field(ge=2)] = 5002
    """Numbers that words can have, padding and unknown words among them."""
    length: _Count = 30
    """Words of a caption that are read."""
    reader: TextReader = "lstm"
    """How they are read: lstm, or words, without their order, which few captions teach more."""
    embedding: _Count = 100
    """Numbers of a word."""
    hidden: _Count = 128
    """Numbers of the LSTM's state, and of the branch's vector."""
    transformer: Mapping[str, Any] = Field(default_factory=dict)
    """Configuration of a transformer that takes the place of the LSTM, as its ``config.json`` has it."""
    dropout: _Share = 0.3
    """Share of the numbers that a training step does without."""
    forget: _Share = 0.1
    """Share of the words that are unknown to a training step."""


class LabellerSettings(Settings):
    """A network of one branch, or of both and what fuses them."""

    labels: _Count = 2
    """Labels that an image may have, any number of them at once."""
    image: ImageBranchSettings | None = Field(default_factory=ImageBranchSettings)
    """The branch that looks at the image, if there is one."""
    text: TextBranchSettings | None = None
    """The branch that reads the caption, if there is one."""
    fusion: FusionName | None = None
    """How the branches are fused, where there are two."""
    dropout: _Share = 0.3
    """Share of the fused numbers that a training step does without."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        both = self.image is not None and self.text is not None
        if (self.image is None and self.text is None) or both != (self.fusion is not None):
            raise InvalidSetting(
                "a labeller has one branch and no fusion, or two branches and a fusion",
                found=f"image {'yes' if self.image else 'no'}, text {'yes' if self.text else 'no'}, "
                f"fusion {self.fusion or 'no'}",
                cure="Give 'fusion' where both 'image' and 'text' are given, and only there.",
            )
        return self
