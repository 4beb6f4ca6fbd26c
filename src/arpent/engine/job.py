"""A prediction as a run folder: check the contract, predict, describe every product, write the manifest last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arpent.core import Contract, Grid, Language
from arpent.core.progress import Progress, Silent
from arpent.data import Normaliser
from arpent.engine.ledger import Ledger, fingerprint
from arpent.engine.outputs import Sink
from arpent.engine.prediction import Prediction, PredictOptions, Prepare, predict
from arpent.engine.runtime import start_network
from arpent.engine.settings import PredictSettings
from arpent.engine.task import Product, Task
from arpent.errors import ContractMismatch
from arpent.io import CogWriter, ImageReader, RasterSpec, RowWriter, quicklook, recorded_statistics, stac_item
from arpent.models import Bundle, tile_needs
from arpent.report import figures
from arpent.store import RunFolder
from arpent.tiling import TilePlan

__all__ = ["Job", "check_contract", "product_sinks", "run_job"]


@dataclass(frozen=True)
class Job:
    """One image, one model, one run folder.

    Attributes:
        task: names the products.
        bundle: the model and its contract.
        image: open, with the bands of the contract in its order.
        run: where the products go.
        settings: how to run.
        identity: hashes of the image's and the model's content; a run that is resumed must have the same.
        taken: when the image was taken, where that is known.
        language: of names on the preview.
        progress: who is told how far it is.
    """

    task: Task
    bundle: Bundle
    image: ImageReader
    run: RunFolder
    settings: PredictSettings
    identity: tuple[str, ...] = ()
    taken: datetime | None = None
    language: Language = "en"
    progress: Progress = field(default_factory=Silent)


def check_contract(contract: Contract, image: ImageReader) -> None:
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

    def sink(product: Product, state: Mapping[str, Any] | None) -> Sink[Any]:
        name = f"{product.name}.tif" if product.kind == "raster" else f"{product.name}.parquet"
        path = folder / name
        if state is not None:
            for finished in (published / name, path):
                if finished.exists():
                    return _Finished(finished)
        if product.kind == "table":
            return RowWriter(path) if state is None else RowWriter.resume(path, state)
        spec = _spec(product, grid)
        return CogWriter(path, spec) if state is None else CogWriter.resume(path, spec, state)

    return sink


def _spec(product: Product, grid: Grid) -> RasterSpec:
    return RasterSpec(
        grid.coarsened(product.scale),
        product.bands,
        product.dtype,
        nodata=product.nodata,
        classes=product.classes,
        overviews=product.overviews,
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
    """Predicts, and publishes every product with its STAC item and a preview; the caller finishes the run.

    Raises:
        ContractMismatch: the image does not fit the model.
        NoValidPixels: the image has no pixel with data.
        Interrupted: by Ctrl-C; what is finished is kept.
    """
    contract, image, settings = job.bundle.contract, job.image, job.settings
    check_contract(contract, image)
    products = job.task.products()
    needs = tile_needs(contract.architecture, contract.settings)
    shape = settings.shape(needs.stride, tuple(product.scale for product in products))
    tiles = len(TilePlan.of(*image.grid.shape, shape))
    network = start_network(job.bundle.model, settings.runtime, settings.device, settings.precision, tiles=tiles)
    done = predict(
        job.task,
        network,
        image,
        _prepare(contract),
        shape=shape,
        sinks=product_sinks(job.run.scratch, job.run.path, image.grid),
        ledger=Ledger(job.run.scratch),
        options=PredictOptions(
            batch_size=settings.batch_size,
            read_threads=settings.read_threads,
            fingerprint=_identity(job, network.name),
            progress=job.progress,
        ),
    )
    for number, product in enumerate(products):
        _publish(job, product, done.files[product.name], picture="preview" if number == 0 else f"{product.name}_view")
    return done


def _prepare(contract: Contract) -> Prepare:
    """Pixels to network input, as the contract says; as they are, where it says nothing."""
    if contract.normalisation is not None:
        return Normaliser(contract.normalisation)

    def plain(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        return np.where(valid, pixels, 0).astype(np.float32)

    return plain


def _identity(job: Job, runtime: str) -> str:
    """Hash of all that decides the pixels, for the ledger."""
    grid = job.image.grid
    return fingerprint(
        content=job.identity,
        grid=[grid.shape, tuple(grid.transform), str(grid.crs)],
        contract=job.bundle.contract.model_dump(mode="json"),
        settings=job.settings.model_dump(mode="json", exclude={"read_threads", "language"}),
        task=job.task.config.model_dump(mode="json"),
        runtime=runtime,
    )


def _publish(job: Job, product: Product, file: Path, *, picture: str) -> None:
    """Describes a finished product and hands it to the run."""
    run, grid = job.run, job.image.grid.coarsened(product.scale)
    spec = _spec(product, job.image.grid) if product.kind == "raster" else None
    item = stac_item(
        f"{run.name}-{product.name}",
        f"./{file.name}",
        grid=grid,
        # STAC wants a moment; where the image's own is not known, it is that of the run, and the item says so.
        start=job.taken or datetime.now(UTC),
        raster=spec,
        statistics=recorded_statistics(file) if spec is not None else (),
        properties={"arpent:task": run.task, "arpent:acquired": job.taken is not None},
    )
    run.publish(file, kind=product.kind, stac=item)
    if product.kind == "raster":
        small = quicklook(run.path / file.name, classes=product.classes is not None)
        drawn = run.scratch / f"{picture}.png"
        figures.preview(
            small, drawn, classes=product.classes, unit=product.unit, title=product.title, language=job.language
        )
        run.publish(drawn, kind="picture")
