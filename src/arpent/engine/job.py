"""A prediction as a run folder: check the contract, predict, describe every product, write the manifest last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from odc.geo.crs import CRS

from arpent.core import Contract, Grid, Language
from arpent.core.progress import Progress, Silent
from arpent.core.writing import writing
from arpent.data import Normaliser, glance
from arpent.engine.calibration import seen_by
from arpent.engine.caution import far_from_training
from arpent.engine.crew import Opener, hired, settings_there
from arpent.engine.ledger import Ledger, fingerprint
from arpent.engine.outputs import Sink
from arpent.engine.prediction import Prediction, PredictOptions, predict
from arpent.engine.runtime import start_network
from arpent.engine.settings import PredictSettings
from arpent.engine.task import Network, Product, Task
from arpent.engine.tile_work import Image, Pad, Prepare, TileWork
from arpent.errors import ContractMismatch
from arpent.io import CogWriter, RasterSpec, RowWriter, quicklook, recorded_shares, recorded_statistics, stac_item
from arpent.language import say
from arpent.models import Bundle, tile_needs
from arpent.report import figures
from arpent.store import RunFolder
from arpent.tiling import TilePlan, TileShape, pad_by_reflection

__all__ = [
    "Job",
    "SensedImage",
    "check_contract",
    "plain_work",
    "product_sinks",
    "raster_spec",
    "run_job",
    "table_sinks",
]


class SensedImage(Image, Protocol):
    """An image that can be held against a contract; `io.ImageReader` satisfies it."""

    @property
    def bands(self) -> tuple[str, ...]:
        """One name per band."""
        ...

    @property
    def gsd(self) -> float | None:
        """Metres per pixel; None without georeference."""
        ...

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of its pixels."""
        ...


@dataclass(frozen=True)
class Job:
    """One image, one model, and a run folder for what they give.

    Attributes:
        task: names the products.
        bundle: the model and its contract.
        image: open, with the bands of the contract in its order.
        run: where the products go; several jobs may share it, if their products have different names.
        settings: how to run.
        identity: hashes of the image's and the model's content; a run that is resumed must have the same.
        taken: when the image was taken, where that is known.
        until: when the last of several images was taken.
        language: of names on the preview.
        progress: who is told how far it is.
        prepare: how pixels become network input. None: as the contract says, which the image is then held against;
            a task that looks at several images at once has done both for each of them.
        pad: what the network sees beyond the image's edges.
        shape: how the image is cut; None: as settings and network ask.
        network: the model as it runs, where it has been started already.
        folder: for unfinished files and the ledger; jobs that share a run have one each. None: that of the run.
        pictures: whether each map gets a picture, the first of them as the preview of the run.
        opener: opens the same work in the workers of a cluster, told which settings they are to run it with; None for
            what this process does alone.
    """

    task: Task
    bundle: Bundle
    image: SensedImage
    run: RunFolder
    settings: PredictSettings
    identity: tuple[str, ...] = ()
    taken: datetime | None = None
    until: datetime | None = None
    language: Language = "en"
    progress: Progress = field(default_factory=Silent)
    prepare: Prepare | None = None
    pad: Pad = pad_by_reflection
    shape: TileShape | None = None
    network: Network | None = None
    folder: Path | None = None
    pictures: bool = True
    opener: Callable[[PredictSettings], Opener] | None = None


def check_contract(contract: Contract, image: SensedImage) -> None:
    """Refuses an image that does not fit what the model was made for.

    Raises:
        ContractMismatch: says exactly what differs.
    """
    reasons = contract.differences(image.bands, image.gsd, str(image.dtype))
    if reasons:
        raise ContractMismatch(
            f"{image.source} does not fit the model: {'; '.join(reasons)}",
            cure="Use images like those of training, or a model made for these.",
        )


def product_sinks(
    folder: Path, published: Path, grid: Grid
) -> Callable[[Product, Mapping[str, Any] | None], Sink[Any]]:
    """Files for products, in the scratch `folder` of a run.

    A product that an earlier attempt has finished is recognised, there or in `published`, and left alone.
    """
    tables = table_sinks(folder, published, grid.crs)

    def sink(product: Product, state: Mapping[str, Any] | None) -> Sink[Any]:
        if product.kind == "table":
            return tables(product, state)
        finished = _finished(product, folder, published, state)
        if finished is not None:
            return finished
        spec, path = raster_spec(product, grid), folder / product.file_name
        return CogWriter(path, spec) if state is None else CogWriter.resume(path, spec, state)

    return sink


def table_sinks(
    folder: Path, published: Path, crs: CRS | None = None, schemas: Mapping[str, pa.Schema] | None = None
) -> Callable[[Product, Mapping[str, Any] | None], Sink[Any]]:
    """Files for products that are tables; see `product_sinks`.

    Args:
        folder: for unfinished files.
        published: where finished ones go.
        crs: of the geometries in them.
        schemas: of the rows, by product; without one it is that of the first rows.
    """

    def sink(product: Product, state: Mapping[str, Any] | None) -> Sink[Any]:
        finished = _finished(product, folder, published, state)
        if finished is not None:
            return finished
        path, schema = folder / product.file_name, (schemas or {}).get(product.name)
        if state is None:
            return RowWriter(path, schema=schema, crs=crs)
        return RowWriter.resume(path, state, schema=schema, crs=crs)

    return sink


def _finished(product: Product, folder: Path, published: Path, state: Mapping[str, Any] | None) -> _Finished | None:
    """The file of a product that an earlier attempt has finished."""
    places = (published / product.file_name, folder / product.file_name) if state is not None else ()
    return next((_Finished(place) for place in places if place.exists()), None)


def raster_spec(product: Product, grid: Grid) -> RasterSpec:
    """The file of a raster product of an image on `grid`."""
    return RasterSpec(
        grid.coarsened(product.scale),
        product.bands,
        product.dtype,
        nodata=product.nodata,
        classes=product.classes,
        overviews=product.overviews,
        compression=product.compression,
        unit=product.unit,
        title=product.title,
    )


@dataclass(frozen=True)
class _Finished:
    """A product that is there already."""

    path: Path

    def write(self, item: object) -> None:
        """Every row is there."""

    def checkpoint(self) -> dict[str, Any]:
        """Nothing is left to keep."""
        return {}

    def suspend(self) -> None:
        """No file is open."""

    def close(self) -> Path:
        """Where it is."""
        return self.path


def run_job(job: Job) -> Prediction:
    """Predicts, and publishes every product with its STAC item and a picture; the caller finishes the run.

    Raises:
        ContractMismatch: the image does not fit the model.
        NoValidPixels: the image has no pixel with data.
        Interrupted: by Ctrl-C; what is finished is kept.
    """
    image, settings, products = job.image, job.settings, job.task.products()
    if job.prepare is None:
        check_contract(job.bundle.contract, image)
        _look(job)
    shape = job.shape or _shape(job.bundle.contract, settings, products)
    seen_by(image.grid, shape)
    network = job.network or _started(job, shape)
    folder = job.folder or job.run.scratch
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    done = predict(
        job.task,
        network,
        image,
        job.prepare or _prepare(job.bundle.contract),
        shape=shape,
        sinks=product_sinks(folder, job.run.path, image.grid),
        ledger=Ledger(folder),
        options=PredictOptions(
            batch_size=settings.batch_size,
            read_threads=settings.read_threads,
            fingerprint=_identity(job, network.name, shape),
            progress=job.progress,
            pad=job.pad,
            opener=_opener(job, network),
        ),
    )
    if done.halved:
        job.run.warn(say("engine.halved", job.language, count=done.halved))
    for number, product in enumerate(products):
        _publish(job, product, done.files[product.name])
        if job.pictures and product.kind == "raster":
            _draw(job, product, "preview" if number == 0 else f"{product.name}_view")
    return done


def plain_work(task: Task, bundle: Bundle, image: Image, settings: PredictSettings) -> TileWork:
    """What `run_job` does with the tiles of an image, for whoever does it in another process."""
    contract = bundle.contract
    fixed = _shape(contract, settings, task.products()).fixed
    network = start_network(bundle.model, settings.runtime, settings.device, settings.precision, fixed=fixed)
    return TileWork(task, network, image, _prepare(contract))


def _opener(job: Job, network: Network) -> Opener | None:
    """How others open the work, where others do it."""
    if job.opener is None or hired() is None:
        return None
    return job.opener(settings_there(job.settings, network))


def _look(job: Job) -> None:
    """Warns of an image whose radiometry is far from that of training; a sample of its pixels decides."""
    rule = job.bundle.contract.normalisation
    seen = glance(job.image, job.image.grid.window, rule) if rule is not None else None
    if rule is None or seen is None:
        return
    warning = far_from_training(seen, rule, str(job.image.source), job.language)
    if warning is not None:
        job.run.warn(warning)


def _shape(contract: Contract, settings: PredictSettings, products: Sequence[Product]) -> TileShape:
    needs = tile_needs(contract.architecture, contract.settings)
    return settings.shape(needs.stride, tuple(product.scale for product in products))


def _started(job: Job, shape: TileShape) -> Network:
    settings, tiles = job.settings, len(TilePlan.of(*job.image.grid.shape, shape))
    return start_network(
        job.bundle.model, settings.runtime, settings.device, settings.precision, tiles=tiles, fixed=shape.fixed
    )


def _prepare(contract: Contract) -> Prepare:
    """Pixels to network input, as the contract says; as they are, where it says nothing."""
    if contract.normalisation is not None:
        return Normaliser(contract.normalisation)

    def plain(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        return np.where(valid, pixels, 0).astype(np.float32)

    return plain


def _identity(job: Job, runtime: str, shape: TileShape) -> str:
    """Hash of all that decides the pixels, for the ledger."""
    grid = job.image.grid
    return fingerprint(
        content=job.identity,
        grid=[grid.shape, tuple(grid.transform), str(grid.crs)],
        contract=job.bundle.contract.model_dump(mode="json"),
        settings=job.settings.model_dump(mode="json", exclude={"read_threads", "language"}),
        task=job.task.config.model_dump(mode="json"),
        tiles=asdict(shape),
        runtime=runtime,
    )


def _publish(job: Job, product: Product, file: Path) -> None:
    """Describes a finished product and hands it to the run."""
    run, grid = job.run, job.image.grid.coarsened(product.scale)
    spec = raster_spec(product, job.image.grid) if product.kind == "raster" else None
    item = stac_item(
        f"{run.name}-{product.name}",
        f"./{file.name}",
        grid=grid,
        start=product.moment or job.taken or run.undated(),
        end=None if product.moment else job.until,
        raster=spec,
        statistics=recorded_statistics(file) if spec is not None else (),
        properties={"arpent:task": run.task, "arpent:acquired": job.taken is not None, **product.facts},
    )
    # The product's own name may hold dots, where those of images do.
    run.publish(file, kind=product.kind, name=product.name, stac=item)


def _draw(job: Job, product: Product, picture: str) -> None:
    """Makes a picture of a published map."""
    run, file = job.run, job.run.path / product.file_name
    drawn = run.scratch / f"{picture}.png"
    figures.preview(
        quicklook(file, classes=product.classes is not None),
        drawn,
        classes=product.classes,
        unit=product.unit,
        shares=recorded_shares(file) if product.classes is not None else None,
        title=product.title,
        language=job.language,
    )
    run.publish(drawn, kind="picture")
