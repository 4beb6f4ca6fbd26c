"""Ordinary pictures compared: photographs without a place on earth, of any size, as they were held.

They are tiled like any other image. What the reference does to them (shrink them to one tile) is not done.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from arpent.core import Language, Normalisation, Progress, Raster, Silent, band_count
from arpent.errors import ArpentError, BandMismatch, ContractMismatch, InvalidSetting
from arpent.io import open_image, orientation, quicklook, upright
from arpent.language import say
from arpent.models import Bundle
from arpent.report import figures
from arpent.store import Place, Run, RunFolder
from arpent.tasks.change.comparing import Compared, compare, hand_over, pair_scratch
from arpent.tasks.change.frames import Frame, Pair, before_after, files_of
from arpent.tasks.change.judgement import Judgement
from arpent.tasks.change.many_pairs import OF_ONE_PAIR, Doubts, ListNetworks, swept
from arpent.tasks.change.reference_model import model_fit, reference_model
from arpent.tasks.change.reference_plan import PlannedPair, ReferencePlan
from arpent.tasks.change.save_folders import SaveFolders, refuse
from arpent.tasks.change.settings import ChangeSettings
from arpent.tasks.change.weights import ModelFit, find_model, load_model

__all__ = ["PhotoBatch", "PhotoRun", "compare_photos", "draw_overlay", "photo_model", "run_photos"]

_COLOURS = ("red", "green", "blue")
_TONES = Normalisation(origin="photographs", mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4))
"""Mean and spread of the colours of ordinary photographs, 0 to 255 (ImageNet's)."""

_LARGEST = 1400
_FAINTEST, _STRONGEST = 0.35, 0.85
"""How much of the picture the palest red covers, and the deepest."""


@dataclass(frozen=True)
class PhotoRun:
    """Two pictures that have been compared.

    Attributes:
        run: the run folder.
        compared: its products and figures.
        overlay: the second picture, red where it differs from the first.
    """

    run: Run
    compared: Compared
    overlay: Path


@dataclass(frozen=True)
class PhotoBatch:
    """A list of pictures that has been done.

    Attributes:
        run: the run folder.
        placed: files in the folders of the configuration, under the reference's names.
        failed: what could not be done, and why.
    """

    run: Run
    placed: tuple[Path, ...]
    failed: Mapping[str, str]


def photo_model(source: str | Path, *, reset_patch_embedding: bool = False, progress: Progress | None = None) -> Bundle:
    """A model for pictures in red, green and blue.

    Raises:
        ContractMismatch: the weights have learnt other bands. The first layer would then be random numbers, which must
            be asked for.
        And as `load_model`.
    """
    fit = ModelFit(bands=_COLOURS, normalisation=_TONES, reset_patch_embedding=reset_patch_embedding)
    bundle = load_model(source, fit, progress)
    colours = bundle.contract.bands
    if len(colours) != len(_COLOURS) or not all(
        band.answers_to(name) for band, name in zip(colours, _COLOURS, strict=True)
    ):
        raise ContractMismatch(
            f"{source} is no model for ordinary pictures",
            found=", ".join(bundle.contract.band_names),
            expected=", ".join(_COLOURS),
            cure="Give a model trained on red, green and blue, or a published checkpoint with --reset-patch-embedding.",
        )
    return bundle


def compare_photos(
    before: str | Path,
    after: str | Path,
    source: str | Path,
    place: Place,
    settings: ChangeSettings,
    *,
    fit: bool = False,
    reset_patch_embedding: bool = False,
    progress: Progress | None = None,
) -> PhotoRun:
    """Compares two pictures.

    Args:
        before: the earlier one.
        after: the later one.
        source: the model.
        place: where the run goes.
        settings: how to compare.
        fit: bring the second one to the size of the first.
        reset_patch_embedding: see `photo_model`.
        progress: who is told how far it is.

    Raises:
        InvalidSetting: the pictures differ in size.
        BandMismatch: one of them is not in colour.
    """
    bundle = photo_model(source, reset_patch_embedding=reset_patch_embedding, progress=progress)
    shown = (Frame(str(before)), Frame(str(after)))
    pair = Pair(shown, before_after(shown))
    kept = settings.model_dump(mode="json", exclude={"read_threads"})
    kept |= {"images": [str(before), str(after)], "model": str(source), "fit": fit}
    with place.begin("change-photo", pair.name, kept, files_of(pair.frames, source), language=settings.language) as run:
        file = find_model(source)
        run.use_bundle(file)
        seen = _upright(run, pair, "", fit=fit)
        compared = compare(run, seen, bundle, settings, progress=progress or Silent())
        overlay = _overlaid(run, seen, compared, "", settings.language)
        return PhotoRun(run.finish(), compared, overlay)


def _upright(run: RunFolder, pair: Pair, suffix: str, *, fit: bool) -> Pair:
    """The pair with its pictures as they were held, of one size; what must be turned or resized becomes a product."""
    size: tuple[int, int] | None = None
    frames = []
    for number, frame in enumerate(pair.frames):
        own = _size(frame.image)
        wanted = size or own
        if wanted != own and not fit:
            raise InvalidSetting(
                f"{frame.image} has another size than the first picture",
                found=f"{own[1]} × {own[0]} pixels",
                expected=f"{wanted[1]} × {wanted[0]}",
                cure="Take pictures from one place and crop them alike, or resize the later one with --fit.",
            )
        size = wanted
        if wanted == own and orientation(frame.image) == 1:
            frames.append(frame)
            continue
        name = f"upright_{number}{suffix}"
        made = upright(frame.image, run.scratch / f"{name}.tif", size=wanted if wanted != own else None)
        run.add_input(frame.image, role="photograph")
        product = run.publish(made, kind="raster", name=name)
        frames.append(replace(frame, image=str(run.path / product.file)))
    return replace(pair, frames=tuple(frames))


def _size(image: str) -> tuple[int, int]:
    """Height and width, upright."""
    with open_image(image) as reader:
        if len(reader.bands) != len(_COLOURS):
            raise BandMismatch(
                f"{image} is not a picture in colour",
                found=band_count(len(reader.bands)),
                expected="red, green and blue",
                cure="Give a colour picture; images of satellites are compared with 'arpent change pair'.",
            )
        height, width = reader.grid.shape
    return (width, height) if orientation(image) > 4 else (height, width)


def draw_overlay(
    picture: str | Path, layer: Path, judgement: Judgement, path: Path, *, language: Language = "en"
) -> Path:
    """A picture in grey, red where a layer says that it has changed, as PNG.

    Args:
        picture: the photograph.
        layer: the map that `judgement` judges by.
        judgement: what counts as change.
        path: of the PNG.
        language: of the title.
    """
    shown, seen = quicklook(str(picture), _LARGEST), quicklook(layer, _LARGEST)
    grey = shown.pixels[:3].astype(np.float32).mean(axis=0)
    values, steps = seen.pixels[0], judgement.steps
    red = steps.table[np.searchsorted(steps.ends, values)].transpose(2, 0, 1)
    depth = _FAINTEST + (_STRONGEST - _FAINTEST) * judgement.strength(values)
    cover = np.where(seen.valid & judgement.changed(values), depth, 0.0)
    mixed = np.rint((1 - cover) * grey + cover * red).astype(np.uint8)
    return figures.preview(
        Raster(mixed, shown.valid, shown.grid, _COLOURS), path, title=say("change.overlay", language)
    )


def _overlaid(run: RunFolder, pair: Pair, compared: Compared, suffix: str, language: Language) -> Path:
    name, judgement = f"overlay{suffix}", compared.judgement
    assert judgement is not None  # two pictures are compared
    drawn = draw_overlay(
        pair.after.image,
        compared.products[judgement.layer],
        judgement,
        run.scratch / f"{name}.png",
        language=language,
    )
    return run.path / run.publish(drawn, kind="picture", name=name).file


def run_photos(
    plan: ReferencePlan,
    place: Place,
    *,
    fit: bool = False,
    reset_patch_embedding: bool = False,
    progress: Progress | None = None,
) -> PhotoBatch:
    """Does what a configuration of Planaura's ``infer_photo`` asks for, in one run folder.

    Products also get the reference's names in the folders of the configuration: ``cosines_<stem>``,
    ``feats_<date>_<stem>``, ``<stem>`` for what the decoder paints. Where two would have one name, the second is
    ``<name>-2``. A picture that fails is noted, and the others go on.

    Args:
        plan: what is asked for, of a configuration read with ``kind="photo"``.
        place: where the run goes.
        fit: bring later pictures to the size of the first of their row.
        reset_patch_embedding: accept other bands than those of the weights.
        progress: who is told how far it is.
    """
    file, settings = plan.file, plan.settings
    kept = {"configuration": plan.config.model_dump(mode="json", by_alias=True), "fit": fit}
    kept |= {"settings": settings.model_dump(mode="json", exclude={"read_threads"})}
    failed: dict[str, str] = {}
    names, told = _Names(SaveFolders(plan.folders, force=place.force)), progress or Silent()
    if not (place.force or place.resume):
        names.refuse_present(plan)
    with place.begin("change-photo", file.path.stem, kept, _read(plan), language=settings.language) as run:
        source = reference_model(file, progress)
        bundle = load_model(source, model_fit(file, reset_patch_embedding=reset_patch_embedding))
        run.use_bundle(source)
        names.make_ready()

        def note(item: str, problem: ArpentError) -> None:
            run.add_failure(item, problem)
            failed[item] = str(problem)

        for refused in plan.refused:
            note(refused.item, refused.error)
        doubts, networks = Doubts(), ListNetworks(bundle, [planned.pair for planned in plan.pairs])
        for planned in _cleared(run, plan):
            known = set(run.published)
            try:
                seen = _upright(run, planned.pair, planned.suffix, fit=fit)
                shared: dict[str, Any] = {"progress": told, "network": networks.of(seen, settings), "warn": doubts.add}
                work = compare if plan.config.change_map.wanted else _without_cosines
                compared = work(run, seen, bundle, settings, suffix=planned.suffix, **shared)
            except OF_ONE_PAIR as problem:
                _withdraw(run, planned, run.published.keys() - known)
                note(planned.pair.name, problem)
                continue
            if "cosine_map" in compared.products:
                _overlaid(run, seen, compared, planned.suffix, settings.language)
            names.place(planned, compared.products)
        doubts.tell(run, settings.language)
        return PhotoBatch(run.finish(), tuple(names.placed), failed)


def _without_cosines(
    run: RunFolder,
    pair: Pair,
    bundle: Bundle,
    settings: ChangeSettings,
    *,
    suffix: str,
    **shared: Any,  # noqa: ANN401 - checked by `compare`
) -> Compared:
    """`compare`, but for the map of cosines: a run that is stopped anywhere must not leave it in sight either."""
    aside = run.aside(pair_scratch(run, suffix))
    compared = compare(aside, pair, bundle, settings, suffix=suffix, **shared)
    hand_over(run, aside, without=f"cosine_map{suffix}")
    products = {name: run.path / file.name for name, file in compared.products.items() if name != "cosine_map"}
    return replace(compared, products=products, preview=run.path / compared.preview.name)


def _cleared(run: RunFolder, plan: ReferencePlan) -> Iterator[PlannedPair]:
    """The pairs; when one is done, the map that nobody wants goes: those of thousands would fill a disk."""
    for planned in swept(plan.pairs):
        yield planned
        if not plan.config.change_map.wanted:
            _clear_scratch(run, planned)


def _withdraw(run: RunFolder, planned: PlannedPair, names: Iterable[str]) -> None:
    """A pair that failed leaves nothing behind."""
    for name in names:
        run.withdraw(name)
    _clear_scratch(run, planned)


def _clear_scratch(run: RunFolder, planned: PlannedPair) -> None:
    shutil.rmtree(pair_scratch(run, planned.suffix), ignore_errors=True)


def _read(plan: ReferencePlan) -> list[str | Path]:
    """What a plan reads, itself first."""
    return [plan.file.path, *(read for planned in plan.pairs for read in files_of(planned.pair.frames))]


class _Names:
    """Gives products the names that the reference has for those of pictures."""

    def __init__(self, folders: SaveFolders) -> None:
        self._folders = folders
        self.placed: dict[Path, None] = {}  # in order

    def place(self, planned: PlannedPair, products: Mapping[str, Path]) -> None:
        """All products of one row of the list."""
        for product, file in products.items():
            target = self._target(product, planned.pair.frames, file.suffix)
            if target is not None:
                self.placed[self._folders.place(file, target)] = None

    def make_ready(self) -> None:
        """See `SaveFolders.make_ready`."""
        self._folders.make_ready()

    def refuse_present(self, plan: ReferencePlan) -> None:
        """Refuses to begin where files of the names that a plan will give are, before anything is computed.

        Raises:
            RunExists: names some of them.
        """
        settings = plan.settings
        wanted = [("cosine_map", ".tif")] if plan.config.change_map.wanted and plan.config.num_frames > 1 else []
        for date in range(plan.config.num_frames):
            wanted += [(f"feature_maps_{date}", ".tif")] if settings.features else []
            wanted += [(f"infer_{date}", ".tif")] if settings.reconstruct else []
            ending = ".csv" if settings.table == "csv" else ".parquet"
            wanted += [(f"feature_table_{date}", ending)] if settings.table != "none" else []
        targets = (self._target(name, one.pair.frames, end) for one in plan.pairs for name, end in wanted)
        refuse([target for target in targets if target is not None and target.exists()])

    def _target(self, product: str, frames: Sequence[Frame], suffix: str) -> Path | None:
        match = re.fullmatch(r"(cosine_map|feature_maps|feature_table|infer)(?:_(\d))?", product)
        if match is None:
            return None
        number = int(match[2] or 0)
        stem = frames[number].stem
        features = f"feats_{number}_{stem}"
        names = {"cosine_map": f"cosines_{stem}", "feature_maps": features, "feature_table": features, "infer": stem}
        name = names[match[1]]
        folder = self._folders.folders[number]
        count = 1
        while (target := folder / f"{name}{f'-{count}' if count > 1 else ''}{suffix}") in self.placed:
            count += 1
        return target
