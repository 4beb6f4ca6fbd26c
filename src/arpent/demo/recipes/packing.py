"""Trained bundles, made small enough to be handed round."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arpent.models import load_bundle, open_describer, save_bundle, save_describer
from arpent.models.language_model import LanguageModel

__all__ = ["LICENCE", "pack_describer", "pack_network"]

LICENCE = "Apache-2.0"
"""Of all that is learnt from simulated land alone."""

_LOCAL = ("captions", "dataset", "embeddings", "images", "index", "pairs", "segmentation", "table")
"""Settings of a training that name files of the machine where it was done; so does every absolute path."""


def pack_network(source: Path, output: Path, made: Mapping[str, object], figures: Mapping[str, float]) -> Path:
    """Writes a bundle with weights of 16 bits, which are read as 32, and what is known of how it was made.

    Args:
        source: bundle to be packed.
        output: file to be written.
        made: what its recipe shall say besides what it says.
        figures: what it has reached on other land.
    """
    bundle = load_bundle(source)
    update = {
        "recipe": {**_portable(bundle.contract.recipe), **made},
        "metrics": {**bundle.contract.metrics, **figures},
        "licence": LICENCE,
    }
    return save_bundle(output, bundle.model.half(), bundle.contract.model_copy(update=update))


def pack_describer(source: Path, output: Path, made: Mapping[str, object], figures: Mapping[str, float]) -> Path:
    """Writes a describer's folder likewise; arguments as those of `pack_network`, `output` a folder."""
    opened = open_describer(source, merged=False)
    update = {
        "recipe": {**_portable(opened.contract.recipe), **made},
        "metrics": {**opened.contract.metrics, **figures},
        "licence": LICENCE,
    }
    model = opened.model.half()
    for config in model.language.peft_config.values():  # type: ignore[operator]  # peft's own
        config.base_model_name_or_path = "base"  # beside it, and not where it lay in training
        config.target_modules = sorted(config.target_modules)  # a set, which has another order each time
    base = LanguageModel(model.language, opened.speech, "")
    return save_describer(output, model, base, opened.contract.model_copy(update=update))


def _portable(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe whose settings say nothing of the machine where the model was trained."""
    settings: Mapping[str, object] = recipe.get("settings", {})
    return {**recipe, "settings": {name: value for name, value in settings.items() if not _is_local(name, value)}}


def _is_local(name: str, value: object) -> bool:
    """Whether a setting names a file; one that is not given names none."""
    return isinstance(value, str) and (name in _LOCAL or Path(value).is_absolute())
