"""From pieces of images to the tensors of a training step: the same for any number of threads, resumable anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from arpent.core import BatchPart, ClassMap, Closing, Raster, Window, band_count
from arpent.data.augment import Patch, generator_for
from arpent.data.normalise import Normaliser
from arpent.data.patches import PatchPlan, PatchRef, rescaled
from arpent.data.pool import Opening, ReaderPool
from arpent.data.sample import Sample
from arpent.data.share import WHOLE, Share
from arpent.data.truth import OutlinePool, drawn, laid_on
from arpent.errors import DatasetError, InvalidSetting
from arpent.io import ImageReader, read_ahead

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Batch", "Batches", "PatchLoader", "target_of"]


class Batch(TypedDict):
    """What a training step gets.

    Keys: ``image`` float32 ``(B, C, H, W)``, normalised, 0 where there is no data; ``valid`` bool ``(B, H, W)``;
    ``target`` int64 ``(B, H, W)`` of class indices, -1 where the truth is not known, absent for samples without
    truth; ``metadata`` float32 ``(B, values)``, where what is known beside the pixels is told; ``features`` float32
    ``(B, maps, H / cell, W / cell)``, where a network has looked at the pixels before; ``names`` and ``domains`` of the
    B samples; ``part``, which samples of the batch these are, where several processes train together (`Share`).
    """

    image: Tensor
    valid: Tensor
    target: NotRequired[Tensor]
    metadata: NotRequired[Tensor]
    features: NotRequired[Tensor]
    names: list[str]
    domains: list[str]
    part: BatchPart


class PatchLoader(Closing):
    """Reads patches: the bands of the model, normalised, with the truth on the grid of the image.

    Args:
        normaliser: of the bands; or one for each sensor, by its name.
        bands: names of the bands, in the order of the network's channels; those of the files if not given.
        classes: what the numbers of the masks mean; None to read images alone.
        codes: the code list that the masks are written in; the nomenclature's own numbers if empty.
        capacity: images that stay open.
        describe: tells what is known of a sample beside its pixels, as numbers.
    """

    def __init__(
        self,
        normaliser: Normaliser | Mapping[str, Normaliser],
        *,
        bands: Sequence[str] | None = None,
        classes: ClassMap | None = None,
        codes: str = "",
        capacity: int = 64,
        describe: Callable[[Sample], NDArray[np.float32]] | None = None,
    ) -> None:
        self._normaliser = normaliser
        self._bands = None if bands is None else tuple(bands)
        self._classes = classes
        self._codes = codes
        self._describe = describe
        self._pool = ReaderPool(capacity)
        self._openings: dict[tuple[str, str, float], Opening] = {}  # by file, sensor or image, and step
        self._outlines = OutlinePool(capacity)

    def close(self) -> None:
        """Closes the images."""
        self._pool.close()

    def __call__(self, ref: PatchRef) -> Patch:
        """The patch, of the size of its window."""
        sample, window, normaliser = ref.sample, ref.window, self._normaliser_of(ref.sample)
        with self._pool.borrow(self._image_opening(ref, normaliser)) as reader:
            inside = window.intersect(reader.grid.window)
            if sample.window is not None:
                inside = inside.intersect(rescaled(sample.window, ref.step))
            if not inside.size:
                raise DatasetError(
                    f"patch {ref.name} lies outside its image",
                    found=f"rows from {window.row}, columns from {window.col}",
                    expected=f"an image of {reader.grid.width} × {reader.grid.height}",
                    cure="Correct the window of the sample in the index.",
                )
            raster = reader.read(inside)
            target = None if self._classes is None else self._truth(ref, reader, inside)
        if target is not None and not raster.valid.all():
            target[~raster.valid] = -1
        told = None if self._describe is None else self._describe(sample)
        if inside == window:
            return Patch(normaliser(raster.pixels, raster.valid), raster.valid, target, told)
        rows, cols = inside.relative_to(window).slices
        image, valid = np.zeros((len(raster.bands), *window.shape), np.float32), np.zeros(window.shape, np.bool_)
        image[:, rows, cols] = normaliser(raster.pixels, raster.valid)
        valid[rows, cols] = raster.valid
        if target is not None:
            known, target = target, np.full(window.shape, -1, np.int16)
            target[rows, cols] = known
        return Patch(image, valid, target, told)

    def _normaliser_of(self, sample: Sample) -> Normaliser:
        known = self._normaliser
        if isinstance(known, Normaliser):
            return known
        if sample.sensor not in known:
            raise DatasetError(
                f"sample '{sample.name}' is of no sensor that there is a normalisation for",
                found=sample.sensor or "no sensor",
                expected=", ".join(known),
                cure="Fill the column 'sensor' of the index.",
            )
        return known[sample.sensor]

    def _image_opening(self, ref: PatchRef, normaliser: Normaliser) -> Opening:
        """How to open the image of a patch, with pixels of the size that is asked for."""
        sample = ref.sample
        key = sample.image, sample.sensor, ref.step
        opening = self._openings.get(key)
        if opening is None:
            absent = () if self._bands is None else normaliser.rule.absent_of(self._bands)
            opening = Opening(sample.image, self._bands, sample.sensor or None, absent=absent)
            if ref.step != 1:
                with self._pool.borrow(opening) as reader:
                    opening = replace(opening, grid=reader.grid.rescaled(ref.step))
            # Two threads may both find it out; they find the same.
            self._openings[key] = opening
        return opening

    def _truth(self, ref: PatchRef, image: ImageReader, inside: Window) -> NDArray[np.int16]:
        """Class indices of a window of the image."""
        assert self._classes is not None
        if ref.sample.mask is None:
            raise DatasetError(
                f"sample '{ref.sample.name}' has no mask", cure="Fill the column 'mask', or take the sample out."
            )
        if drawn(ref.sample.mask):
            outlines = self._outlines.of(ref.sample, image, self._classes, self._codes)
            return target_of(outlines.read(inside), self._classes, self._codes)
        key = ref.sample.mask, ref.sample.image, ref.step
        opening = self._openings.get(key)
        if opening is None:
            opening = self._openings[key] = _mask_opening(ref.sample.mask, image, self._pool)
        with self._pool.borrow(opening) as reader:
            return target_of(reader.read(inside), self._classes, self._codes)


def _mask_opening(mask: str, image: ImageReader, pool: ReaderPool) -> Opening:
    """How to open a mask so that its pixels are those of the image."""
    plain = Opening(mask, resampling="nearest")
    with pool.borrow(plain) as reader:
        grid = laid_on(reader, image)
    return plain if grid is None else replace(plain, grid=grid)


def target_of(mask: Raster, classes: ClassMap, codes: str = "") -> NDArray[np.int16]:
    """Class indices ``(height, width)`` of a mask of file numbers; -1 for no data and for numbers of no class.

    Args:
        mask: of one band.
        classes: the nomenclature.
        codes: the code list that the mask is written in; the nomenclature's own numbers if empty.
    """
    if len(mask.bands) != 1 or not np.issubdtype(mask.pixels.dtype, np.integer):
        raise DatasetError(
            "a mask is one band of whole numbers",
            found=f"{band_count(len(mask.bands))} of {mask.pixels.dtype}",
            expected="one band of integers",
            cure="Convert pictures of classes to their numbers first.",
        )
    numbers = mask.pixels[0]
    known = mask.valid
    if numbers.dtype != np.uint8:
        known = known & (numbers >= 0) & (numbers <= 255)
        numbers = np.where(known, numbers, 0).astype(np.uint8)
    target: NDArray[np.int16] = classes.index_of_code(codes).astype(np.int16)[numbers]
    if not known.all():
        target[~known] = -1
    return target


class Batches:
    """Batches of patches.

    Args:
        plan: which patches, in which order (`RandomPatches`, `GridPatches`).
        load: reads one patch, as `PatchLoader` does.
        batch_size: patches of a batch.
        seed: of the augmentation.
        augment: varies patches, as `Augment` does, for training; they are taken as they are if not given.
        workers: threads that read ahead; 0 reads in the caller's thread. It changes the speed and nothing else.
    """

    def __init__(
        self,
        plan: PatchPlan,
        load: Callable[[PatchRef], Patch],
        *,
        batch_size: int,
        seed: int = 0,
        augment: Callable[[Patch, np.random.Generator], Patch] | None = None,
        workers: int = 2,
    ) -> None:
        if batch_size < 1:
            raise InvalidSetting("a batch needs at least one patch", found=batch_size, cure="Give 1 or more.")
        self._plan = plan
        self._load = load
        self._batch_size = batch_size
        self._seed = seed
        self._augment = augment
        self._workers = workers

    def steps(self, number: int = 0) -> int:
        """Batches of an epoch."""
        return -(-len(self._plan.epoch(number)) // self._batch_size)

    def epoch(self, number: int, start: int = 0, stop: int | None = None, share: Share = WHOLE) -> Iterator[Batch]:
        """The batches of an epoch, from batch `start` on, up to `stop` if that is given.

        What a batch holds depends on the seed, the epoch and its place alone, so a run that was stopped goes on with
        the very batches that it would have seen, and processes that train together see one batch between them: only
        the patches of its `share` are read.

        Raises:
            InvalidSetting: full batches have fewer patches than there are processes.
        """
        share.require_room(self._batch_size)
        refs = self._plan.epoch(number)

        def load(place: int) -> Patch:
            patch = self._load(refs[place])
            if self._augment is None:
                return patch
            return self._augment(patch, generator_for(self._seed, number, place))

        def batch(first: int) -> Batch:
            places = range(first, min(first + self._batch_size, len(refs)))
            mine = share.of(places)
            return collate([load(place) for place in mine], [refs[place] for place in mine], share.part(places))

        last = len(refs) if stop is None else min(stop * self._batch_size, len(refs))
        firsts = range(start * self._batch_size, last, self._batch_size)
        if not self._workers:
            return map(batch, firsts)
        # One batch more than threads may wait, so that a thread never stands still while the network works.
        return read_ahead(batch, firsts, threads=self._workers, ahead=self._workers + 1)


def collate(patches: Sequence[Patch], refs: Sequence[PatchRef], part: BatchPart | None = None) -> Batch:
    """The tensors of a batch; one copy of the pixels."""
    import torch

    first = patches[0]
    image = torch.empty((len(patches), *first.image.shape), dtype=torch.float32)
    valid = torch.empty((len(patches), *first.valid.shape), dtype=torch.bool)
    images, valids = image.numpy(), valid.numpy()
    for number, patch in enumerate(patches):
        images[number] = patch.image
        valids[number] = patch.valid
    batch = Batch(
        image=image,
        valid=valid,
        names=[ref.name for ref in refs],
        domains=[ref.sample.domain for ref in refs],
        part=part or BatchPart(range(len(refs)), len(refs)),
    )
    told = [patch.metadata for patch in patches if patch.metadata is not None]
    if told:
        batch["metadata"] = torch.from_numpy(np.stack(told))
    made = [patch.features for patch in patches if patch.features is not None]
    if made:
        batch["features"] = torch.from_numpy(np.stack(made))
    targets = [patch.target for patch in patches if patch.target is not None]
    if targets:
        batch["target"] = torch.from_numpy(np.stack(targets, dtype=np.int64, casting="safe"))
    return batch
