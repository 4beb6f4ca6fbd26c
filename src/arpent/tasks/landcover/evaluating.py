"""How right a model is on images whose truth is known: confusion by domain, in one pass, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from arpent.core import ClassMap, Normalisations, Progress, Silent, pixel_area
from arpent.data import Batches, GridPatches, PatchLoader, PatchRef, SampleIndex, normaliser_of
from arpent.engine import Batch, Network, inputs_of, start_network
from arpent.errors import BundleInvalid, DatasetError
from arpent.io import open_image
from arpent.metrics import ConfusionMatrix, DenseScores, DomainMatrices
from arpent.models import Bundle
from arpent.tasks.landcover.acquisitions import describer
from arpent.tasks.landcover.task import most_likely

__all__ = ["Evaluated", "score"]

_BLOCKS = 512
"""Parts into which data of one domain are cut for intervals; more would cost memory and say the same."""


@dataclass(frozen=True)
class Evaluated:
    """What a model has answered where the truth is known.

    Attributes:
        classes: the nomenclature.
        domains: a confusion matrix for each domain of the index.
        blocks: the same pixels by neighbouring squares, for intervals where there is one domain only.
        mapped: ground that each class covers by the model's answer, with truth or without, in square metres, by index;
            None where an image names no place on earth.
    """

    classes: ClassMap
    domains: DomainMatrices
    blocks: DomainMatrices
    mapped: NDArray[np.float64] | None

    @property
    def matrix(self) -> ConfusionMatrix:
        """Of all domains together."""
        return self.domains.total()

    @property
    def scores(self) -> DenseScores:
        """Overall; classes absent from the truth are left out, and so are those that are never predicted."""
        return self.matrix.scores(leave_out=self.classes.inactive)

    @property
    def by_domain(self) -> Mapping[str, DenseScores]:
        """The scores of each domain, sorted by its name."""
        out = self.classes.inactive
        return {name: matrix.scores(leave_out=out) for name, matrix in self.domains.by_domain.items()}


def score(
    bundle: Bundle,
    rule: Normalisations,
    index: SampleIndex,
    *,
    batch_size: int = 2,
    patch: int = 512,
    codes: str = "",
    network: Network | None = None,
    progress: Progress | None = None,
) -> Evaluated:
    """Runs a model over all of an index, square by square, and counts its answers against the masks.

    Args:
        bundle: the model; its bands and classes are used, its own normalisation is not.
        rule: how pixels become network input, for all images or by sensor.
        index: samples with masks.
        batch_size: squares per pass.
        patch: side of the squares in pixels.
        codes: the code list that the masks are written in; that of the model's classes if empty.
        network: the model as it runs, if it has been started already; on the fastest runtime if not.
        progress: who is told how far it is.

    Raises:
        BundleInvalid: the model names no classes.
        DatasetError: a sample has no mask, or none of the masks knows a pixel.
    """
    classes = bundle.contract.classes
    if classes is None:
        raise BundleInvalid("this model names no classes", cure="Give a land-cover model.")
    plan = GridPatches(index, patch)
    refs = plan.epoch(0)
    network = network or start_network(bundle.model, tiles=len(refs), fixed=True)
    tally = _Tally(classes, len(refs))
    with (
        PatchLoader(
            normaliser_of(rule),
            bands=bundle.contract.band_names,
            classes=classes,
            codes=codes,
            describe=describer(bundle.contract.settings),
        ) as load,
        (progress or Silent()).bar("evaluate", len(refs), "tiles") as bar,
    ):
        batches = Batches(plan, load, batch_size=batch_size).epoch(0)
        for first, batch in _numbered(batches):
            taken = refs[first : first + len(batch["names"])]
            guess = most_likely(network(*inputs_of(batch)), classes).cpu().numpy()
            tally.update(first, taken, guess, batch)
            bar.advance(len(taken))
    found = Evaluated(classes, tally.domains, tally.blocks, tally.mapped())
    if not found.matrix.total:
        raise DatasetError(
            f"no pixel of {index.origin} has a truth",
            expected=f"numbers of {classes.name}: {', '.join(map(str, classes.ids))}",
            cure="Check the masks, and the code list that they are written in.",
        )
    return found


def _numbered(batches: Iterator[Batch]) -> Iterator[tuple[int, Batch]]:
    """Batches with the number of their first patch."""
    first = 0
    for batch in batches:
        yield first, batch
        first += len(batch["names"])


@dataclass
class _Tally:
    """What has been counted so far."""

    classes: ClassMap
    patches: int
    domains: DomainMatrices = field(init=False)
    blocks: DomainMatrices = field(init=False)
    answers: dict[str, NDArray[np.int64]] = field(default_factory=dict)  # pixels by class, by image

    def __post_init__(self) -> None:
        self.domains, self.blocks = DomainMatrices(self.classes), DomainMatrices(self.classes)

    def update(self, first: int, refs: Sequence[PatchRef], guess: NDArray[np.int64], batch: Batch) -> None:
        """Counts the answers ``(B, H, W)`` to a batch."""
        targets, valid = batch["target"].numpy(), batch["valid"].numpy()
        size = len(self.classes)
        for place, ref in enumerate(refs):
            block = (first + place) * _BLOCKS // max(self.patches, _BLOCKS)
            self.domains.update(targets[place], guess[place], ref.sample.domain)
            self.blocks.update(targets[place], guess[place], f"{block:04d}")
            seen = np.bincount(guess[place][valid[place]], minlength=size)
            self.answers[ref.sample.image] = self.answers.get(ref.sample.image, 0) + seen

    def mapped(self) -> NDArray[np.float64] | None:
        """Square metres by class."""
        total = np.zeros(len(self.classes))
        for image, counts in self.answers.items():
            with open_image(image) as reader:
                if not reader.grid.georeferenced:
                    return None
                total += counts * pixel_area(reader.grid, reader.grid.window)
        return total
