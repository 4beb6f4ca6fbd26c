"""From a pair and a bundle to products in a run folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from hashlib import sha256
from pathlib import Path

import numpy as np

from arpent.core import Progress, Silent, pixel_area
from arpent.engine import Job, Network, Prediction, run_job
from arpent.errors import NoValidPixels
from arpent.io import open_image, read_ahead
from arpent.models import Bundle
from arpent.store import RunFolder, content_of
from arpent.tasks.change.frames import Pair, day_of
from arpent.tasks.change.judgement import Judgement, judge, thresholds
from arpent.tasks.change.pair_network import check_model, start_pair_network
from arpent.tasks.change.pairing import PairImage
from arpent.tasks.change.placing import Placing
from arpent.tasks.change.polygons import layers_in, outline_in_run, threshold_name
from arpent.tasks.change.preview import draw_pair
from arpent.tasks.change.save_folders import link_or_copy
from arpent.tasks.change.settings import ChangeSettings
from arpent.tasks.change.sharing import as_read, opener_of_pair, padding
from arpent.tasks.change.task import ChangeTask
from arpent.tiling import TilePlan, TileShape

__all__ = ["Compared", "check_pair", "compare", "hand_over", "pair_scratch", "tile_shape"]

_FIRST_DAY = 1_000_001
"""Numbers below count dates, as the reference does where names tell none; they are no days."""

_ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
"""Of files that hold models."""

_BLOCK = 1024
"""Side in pixels of the blocks in which a pixel is taken to have one area."""


@dataclass(frozen=True)
class Compared:
    """A pair that has been compared.

    Attributes:
        products: the published files, by the names of products without the suffix ("cosine_map").
        preview: a picture of the dates and of what changed.
        prediction: how it went.
        figures: what was measured: ``valid_share`` of the pixels; of those, ``changed_share``, and ``changed_m2`` where
            the image has a place on earth; ``mean_cosine``.
        judgement: which layer said what has changed, and from which value on; None for a single image.
    """

    products: Mapping[str, Path]
    preview: Path
    prediction: Prediction
    figures: Mapping[str, float]
    judgement: Judgement | None = None


def compare(
    run: RunFolder,
    pair: Pair,
    model: Bundle,
    settings: ChangeSettings,
    *,
    suffix: str = "",
    progress: Progress | None = None,
    network: Network | None = None,
    warn: Callable[[str], None] | None = None,
) -> Compared:
    """Compares the dates of a pair, and publishes what was asked for in a run, which may hold other pairs.

    The caller finishes the run. Called again in a resumed run it goes on where it stopped, to the same bytes.

    Args:
        run: where products go, each as ``<product><suffix>``.
        pair: the images.
        model: the network and its contract.
        settings: what is wanted, and how.
        suffix: what distinguishes the products of this pair from those of others in the run.
        progress: who is told how far it is.
        network: the model as `start_pair_network` started it, for whoever compares many pairs in one way.
        warn: who is told what makes the result doubtful; the run, if nobody is named.

    Raises:
        BundleInvalid: the bundle is no model of change.
        ContractMismatch: an image does not fit the model.
        GeoreferenceMissing: the images cannot be laid over each other.
        NoOverlap: they share no ground.
        NoValidPixels: they share no ground with data.
        FileMissing: an image, or a quality layer that is wanted, is not there.
        Interrupted: by Ctrl-C; what is finished is kept.
    """
    planaura = check_model(model, len(pair.frames), settings)
    with PairImage(pair, model.contract, settings) as image:
        task = ChangeTask(planaura, image, settings, suffix)
        judgement = judge(_layers(task, suffix), model.contract, settings)
        folder = pair_scratch(run, suffix)
        job = replace(_job(task, model, image, run), progress=progress or Silent(), folder=folder, network=network)
        job = replace(job, opener=opener_of_pair(run, pair, model, settings, suffix))
        _tell(warn or run.warn, image.warnings(settings.language, _model_name(run)))
        with run.timed("compare"):
            done = _run(job, pair)
        _tell(warn or run.warn, image.clippings(settings.language))
        products = {product.name.removesuffix(suffix): run.path / product.file_name for product in task.products()}
        figures = _figures(products, judgement)
        if figures.get("valid_share") == 0:
            raise _nothing_known(pair, settings)
        named = {f"{name}/{pair.name}" if suffix else name: value for name, value in figures.items()}
        limits = thresholds(model.contract, settings).items()
        run.add_metrics(named | {threshold_name(layer): limit for layer, limit in limits if layer in products})
        drawn = folder / f"preview{suffix}.png"
        picture = draw_pair(image, products, judgement, drawn, model.contract, language=settings.language)
        run.publish(picture, kind="picture", name=f"preview{suffix}")
    if judgement is not None and settings.polygons != "no":
        wanted = judgement.outlines(settings.polygons, settings.min_area)
        with run.timed("outline"):
            products["change"] = outline_in_run(run, replace(layers_in(products)[0], label=suffix), wanted).path
    return Compared(products, run.path / picture.name, done, figures, judgement)


def pair_scratch(run: RunFolder, suffix: str) -> Path:
    """The folder of what is unfinished of a pair; once its products are settled, it may go."""
    return run.scratch / f"pair-{sha256(suffix.encode()).hexdigest()[:16]}"


def hand_over(run: RunFolder, part: RunFolder, *, without: str) -> None:
    """Publishes in a run what a part of it has published aside, where it stays: a run that stops here goes on from it.

    Args:
        run: under way.
        part: see `RunFolder.aside`.
        without: the product that stays out of sight.
    """
    for name, product in part.published.items():
        if name == without:
            continue
        for record in (product, *product.sidecars):
            link_or_copy(part.path / record.file, run.scratch / Path(record.file).name)
        stac = json.loads((part.path / product.stac.file).read_bytes()) if product.stac else None
        run.publish(run.scratch / Path(product.file).name, kind=product.kind, name=name, stac=stac)


def _tell(tell: Callable[[str], None], warnings: Iterable[str]) -> None:
    for warning in warnings:
        tell(warning)


def _model_name(run: RunFolder) -> str:
    """How people call the model of a run; empty where the run names none."""
    if run.bundle is None:
        return ""
    path = Path(run.bundle.source)
    name = path.stem if path.suffix in _ENDINGS else path.name
    return path.parent.name if name == "model" else name


def check_pair(pair: Pair, model: Bundle, settings: ChangeSettings) -> None:
    """Opens everything and refuses what `compare` would refuse before it reads a pixel."""
    planaura = check_model(model, len(pair.frames), settings)
    with PairImage(pair, model.contract, settings) as image:
        judge(_layers(ChangeTask(planaura, image, settings)), model.contract, settings)


def _layers(task: ChangeTask, suffix: str = "") -> list[str]:
    """Names of the products of a pair, as they are called of any pair."""
    return [product.name.removesuffix(suffix) for product in task.products()]


def tile_shape(placing: Placing, settings: ChangeSettings) -> TileShape:
    """How images are cut: as the reference does, or with the overlap that the settings ask for, if tiles allow it.

    Small tiles have smaller overlaps: ring and halo take at most an eighth of a side each.
    """
    side, patch = placing.side, placing.patch
    if settings.profile == "planaura":
        return TileShape(side, ring=0, halo=side // 4, align=1, fixed=True)
    unit = placing.scale

    def rounded(wanted: int) -> int:
        return -(-min(wanted, side // 8) // unit) * unit

    ring, halo = rounded(settings.ring), rounded(settings.halo)
    while 2 * (ring + halo) + patch > side:
        ring, halo = (ring, halo - unit) if halo else (ring - unit, 0)
    return TileShape(side, ring, halo, align=patch, quantum=unit, fixed=True)


def _job(task: ChangeTask, model: Bundle, image: PairImage, run: RunFolder) -> Job:
    """The comparison, as the engine does it."""
    settings = task.settings
    days = [day_of(frame.frame.date) for frame in image.frames if frame.frame.date is not None]
    dates = [datetime.combine(day, time(), UTC) for day in days]
    return Job(
        task,
        model,
        image,
        run,
        settings,
        identity=(_weights(run, model), *_inputs(run, image.pair)),
        taken=min(dates, default=None),
        until=max(dates) if len(set(dates)) > 1 else None,
        language=settings.language,
        prepare=as_read,
        pad=padding(image, settings),
        shape=tile_shape(task.placing, settings),
        pictures=False,
    )


def _run(job: Job, pair: Pair) -> Prediction:
    task, shape = job.task, job.shape
    assert isinstance(task, ChangeTask) and shape is not None  # `_job` has set both
    tiles = len(TilePlan.of(*job.image.grid.shape, shape))
    network = job.network or start_pair_network(job.bundle, task.asked, task.settings, tiles=tiles)
    try:
        return run_job(replace(job, network=network))
    except NoValidPixels as empty:
        names = " and ".join(frame.image for frame in pair.frames)
        raise NoValidPixels(
            f"{names} have no ground in common that holds data" if len(pair.frames) > 1 else f"{names} holds no data",
            cure="Check where they lie, their no-data values, and the least share of a tile that must hold data "
            "(--minimum-valid).",
        ) from empty


def _nothing_known(pair: Pair, settings: ChangeSettings) -> NoValidPixels:
    """What to say of a comparison that holds no answer, though there is data at every date."""
    names = " and ".join(frame.image for frame in pair.frames)
    if settings.exclude:
        cure = "Exclude fewer qualities (--exclude), or take images of clearer days."
    else:
        cure = "Check their no-data values, and the least share of a tile that must hold data (--minimum-valid)."
    return NoValidPixels(
        f"nowhere could {names} be compared",
        found=f"all pixels without data or {', '.join(settings.exclude)}" if settings.exclude else "no pixel with data",
        cure=cure,
    )


def _weights(run: RunFolder, model: Bundle) -> str:
    """A hash of the model: that of its file where the run names it, else of its tensors."""
    if run.bundle is not None:
        return run.bundle.sha256
    digest = sha256()
    for name, tensor in model.model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _inputs(run: RunFolder, pair: Pair) -> tuple[str, ...]:
    """Notes what is read, and gives hashes of its content."""
    hashes = []
    for number, frame in enumerate(pair.frames):
        role = "after" if number == len(pair.frames) - 1 else "before"
        hashes.append(content_of(run.add_input(frame.image, role=role if len(pair.frames) > 1 else "image")))
        if frame.quality is not None:
            hashes.append(content_of(run.add_input(frame.quality, role="quality")))
        hashes.append(str(frame.date))
    return tuple(hashes)


def _figures(products: Mapping[str, Path], judgement: Judgement | None) -> dict[str, float]:
    """How much was compared, and how much of it has changed by the layer that judges."""
    if judgement is None:
        return {}
    valid, total = 0, 0.0
    with open_image(products["cosine_map"]) as cosine:
        for raster in read_ahead(cosine.read, list(cosine.grid.window.blocks(_BLOCK))):
            values = raster.pixels[0][raster.valid]
            valid, total = valid + values.size, total + float(values.sum(dtype=np.float64))
        figures = {"valid_share": valid / cosine.grid.window.size}
    known, changed, metres = 0, 0, 0.0
    with open_image(products[judgement.layer]) as judge_of:
        placed = judge_of.grid.georeferenced
        blocks = list(judge_of.grid.window.blocks(_BLOCK))
        for block, raster in zip(blocks, read_ahead(judge_of.read, blocks), strict=True):
            there = int(judgement.changed(raster.pixels[0][raster.valid]).sum())
            known, changed = known + int(raster.valid.sum()), changed + there
            metres += there * pixel_area(judge_of.grid, block) if placed and there else 0.0
    if valid:
        figures["mean_cosine"] = total / valid
    if known:
        figures["changed_share"] = changed / known
    return figures | ({"changed_m2": metres} if placed else {})
