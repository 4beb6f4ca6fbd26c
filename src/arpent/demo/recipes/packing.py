"""Trained bundles, made small enough to be handed round."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from arpent.models import load_bundle, save_bundle

__all__ = ["LICENCE", "pack_network"]

LICENCE = "Apache-2.0"
"""Of all that is learnt from simulated land alone."""


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
        "recipe": {**bundle.contract.recipe, **made},
        "metrics": {**bundle.contract.metrics, **figures},
        "licence": LICENCE,
    }
    return save_bundle(output, bundle.model.half(), bundle.contract.model_copy(update=update))
