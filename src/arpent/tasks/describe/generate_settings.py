"""What users can set when parcels are described. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from arpent.core import Language
from arpent.tasks.describe.scene_settings import SceneSettings

__all__ = ["GenerateSettings"]


class GenerateSettings(SceneSettings):
    """How parcels are described."""

    lang: Literal["fr", "en", "both"] | None = None
    """Language of the texts: fr, en, or both; that of --language if not given."""
    mode: Literal["grounded", "blind"] = "grounded"
    """grounded: the model is told what was measured, and no sentence stands that the pixels contradict. blind: it sees
    the image alone and nothing is mended, which shows what it can read off the image."""
    longest: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Words and pieces of words of a text at most; half as many again as the longest that was learnt if not given."""
    warmth: Annotated[float, Field(gt=0, le=2)] = 0.7
    """How freely words are drawn when a sentence is asked for again."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Texts that are written side by side."""
    encoder: str | None = None
    """Encoder of the images; that of the training, by its name, if not given."""
    base: str | None = None
    """Language model underneath, where it lies elsewhere than in training."""
    weights: Literal["f32", "bf16", "f16"] = "f32"
    """Type of the language model's weights."""
    device: str = "auto"
    """Where it computes: auto, cpu, cuda …"""
    seed: int = 0
    """Seed of what is drawn and of what the grammar writes."""

    @property
    def spoken(self) -> Literal["fr", "en", "both"]:
        """Language of the texts, as `lang` says it: fr, en, or both."""
        return self.lang or self.language

    @property
    def languages(self) -> tuple[Language, ...]:
        """Of the texts."""
        both: tuple[Language, ...] = ("fr", "en")
        return both if self.spoken == "both" else (self.spoken,)

    def document(self) -> dict[str, Any]:
        """What a run keeps of them, with the language that its texts are in, however that was said."""
        return self.model_dump(mode="json") | {"lang": self.spoken}
