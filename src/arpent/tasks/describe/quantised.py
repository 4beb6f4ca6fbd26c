"""A language model squeezed into 4 bits (QLoRA), where the machine has what that needs."""

from __future__ import annotations

from importlib.util import find_spec

import torch

from arpent.errors import DeviceMissing, EnvironmentLack
from arpent.models.language_model import LanguageModel, open_language_model

__all__ = ["open_quantised"]


def open_quantised(source: str) -> LanguageModel:
    """A language model of this machine with its weights in 4 bits.

    Raises:
        DeviceMissing: there is no GPU.
        EnvironmentLack: bitsandbytes is not installed.
        WeightsMissing: the language model is not on this machine.
    """
    if find_spec("bitsandbytes") is None:
        raise EnvironmentLack(
            "'quantise: 4bit' needs bitsandbytes, which is not installed",
            cure="Install it (pip install bitsandbytes), or set 'quantise' to none and 'weights' to bf16.",
        )
    if not torch.cuda.is_available():
        raise DeviceMissing(
            "'quantise: 4bit' needs a GPU", found="none", cure="Set 'quantise' to none and 'weights' to bf16."
        )
    return open_language_model(source, squeezed=True)
