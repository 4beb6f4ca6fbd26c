"""A labeller opened for use: the network, and what it wants of pictures and captions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from arpent.core import Contract, Language
from arpent.core.bundle import bundle_sha256
from arpent.errors import ContractMismatch
from arpent.language import Codes, masked
from arpent.models import Labeller, load_bundle
from arpent.store import bundle_in
from arpent.tasks.classify.codes import Coder, coder_of
from arpent.tasks.classify.pixels import Squares

__all__ = ["OpenedLabeller"]


@dataclass(frozen=True)
class OpenedLabeller:
    """A model that gives labels.

    Attributes:
        labeller: the network; `Labeller.encoder` and `Labeller.head` can be asked apart.
        contract: of its bundle.
        source: the bundle.
        coder: of captions; None if it reads none.
        squares: how it wants pictures; None if it looks at none.
    """

    labeller: Labeller
    contract: Contract
    source: Path
    coder: Coder | None
    squares: Squares | None

    @classmethod
    def open(cls, path: Path | str) -> OpenedLabeller:
        """The model in a bundle, or in the run that trained it.

        Raises:
            ContractMismatch: the model gives no labels.
            FileMissing, BundleInvalid, WeightsMismatch: the bundle.
        """
        source = bundle_in(path, "classify")
        bundle = load_bundle(source)
        model = bundle.model
        if not isinstance(model, Labeller):
            raise ContractMismatch(
                f"{path} is no model that gives labels",
                found=f"architecture '{bundle.contract.architecture}'",
                expected="architecture 'labeller'",
                cure="Train one with 'arpent classify train'.",
            )
        own, recipe = model.settings, bundle.contract.recipe
        coder = coder_of(recipe["vocabulary"]) if own.text is not None else None
        squares = Squares.of(bundle.contract, own.image.side) if own.image is not None else None
        return cls(model, bundle.contract, source, coder, squares)

    @property
    def labels(self) -> tuple[str, ...]:
        """Their names, in the order of the network's answers."""
        return tuple(self.contract.recipe["labels"])

    def titles(self, language: Language) -> dict[str, str]:
        """What people call each label in a language: by its name, where the bundle says nothing else.

        Tables and documents for machines keep the names.
        """
        known = self.contract.recipe.get("titles", {}).get(language, {})
        return {name: str(known.get(name, name)) for name in self.labels}

    def thresholds_for(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Of each label, the chance from which on it is given, ``(B, labels)``.

        Args:
            present: ``(B, 2)``, whether there is a picture, and whether a caption.
        """
        found = self.labeller.head.thresholds_for(torch.from_numpy(present))
        return np.asarray(found.cpu().numpy(), np.float64)

    @property
    def reads_images(self) -> bool:
        """Whether it looks at pictures."""
        return self.squares is not None

    @property
    def reads_text(self) -> bool:
        """Whether it reads captions."""
        return self.coder is not None

    @property
    def side(self) -> int:
        """Pixels of the squares that it sees; 0 if it looks at none."""
        return self.squares.side if self.squares is not None else 0

    @property
    def channels(self) -> int:
        """Bands of them."""
        return len(self.squares.bands) if self.squares is not None else 0

    @property
    def masked(self) -> bool:
        """Whether words that name labels are taken out of captions before it reads them."""
        return bool(self.contract.recipe["masked"])

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the bundle."""
        return bundle_sha256(self.source)

    def cautions(self, language: Language) -> tuple[str, ...]:
        """What every report on this model says, for one that labels could be read in the captions it learnt from."""
        return tuple(self.contract.recipe["cautions"][language])

    def leaks(self, language: Language) -> tuple[str, ...]:
        """The same where the labels leaked, which whoever uses the model must know; else nothing."""
        return self.cautions(language)[:1] if self.contract.recipe.get("leaks") else ()

    def codes(self, caption: str) -> Codes:
        """A caption as the model reads it."""
        assert self.coder is not None  # asked only of models that read
        if self.masked:
            caption = masked(caption, self.labels, self.contract.recipe["caption_language"])
        return self.coder.codes(caption)

    def image(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pixels ``(H, W, 3)`` of `io.read_picture` as the model sees them, ``(3, side, side)``."""
        assert self.squares is not None  # asked only of models that look
        return self.squares.of_picture(pixels)

    def read(self, path: Path) -> NDArray[np.float32]:
        """A picture, of whatever bands the model wants, ``(channels, side, side)``."""
        assert self.squares is not None  # asked only of models that look
        return self.squares.read(path)
