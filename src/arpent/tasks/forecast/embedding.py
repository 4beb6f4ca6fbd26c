"""Embeddings of every date of a data set, as images that anybody can use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from arpent.core import Contract, Progress, Silent
from arpent.engine import Job, Network, fingerprint, run_job, start_network
from arpent.errors import BundleInvalid
from arpent.io import open_image
from arpent.language import say
from arpent.models import Bundle, Forecaster, ForecasterSettings, build, load_bundle, tile_needs
from arpent.store import Place, Run, RunFolder, bundle_in, content_of
from arpent.tasks.forecast.dataset import Dataset, Frame
from arpent.tasks.forecast.features import Explainer, FeatureTask, width_of
from arpent.tasks.forecast.train_settings import FeatureSettings

__all__ = ["embed_dataset", "forecaster_on", "require_segmentation"]


@dataclass(frozen=True)
class _Date:
    """One image of a place."""

    name: str
    frame: Frame


def require_segmentation(bundle: Bundle, source: str) -> Contract:
    """The contract of a bundle that segments single dates.

    Raises:
        BundleInvalid: it does something else.
    """
    contract = bundle.contract
    if contract.architecture not in ("unet", "smp-unet") or contract.normalisation is None or contract.classes is None:
        raise BundleInvalid(
            f"{source} segments no single dates",
            found=f"architecture '{contract.architecture}'",
            cure="Give a model of 'arpent forecast train-segmentation', or train one.",
        )
    return contract


def forecaster_on(bundle: Bundle, settings: ForecasterSettings | None = None) -> Forecaster:
    """A forecaster with the segmentation network of a bundle; its head is not learnt yet.

    Args:
        bundle: of a network for single dates.
        settings: of the forecaster; the usual ones if not given.
    """
    contract = bundle.contract
    assert contract.classes is not None  # required before
    own = {key: value for key, value in contract.settings.items() if key not in ("channels", "classes")}
    sizes = settings or ForecasterSettings(
        channels=len(contract.bands),
        classes=len(contract.classes),
        architecture="unet" if contract.architecture == "unet" else "smp-unet",
        network=own,
        hidden=1,
    )
    with torch.random.fork_rng(devices=[]):
        model = build("forecaster", sizes)
    assert isinstance(model, Forecaster)
    model.segmenter.load_state_dict(bundle.model.state_dict())
    return model.eval()


def _network_of(bundle: Bundle, source: str) -> Forecaster:
    """What looks at single dates in a bundle of a segmentation network or of a forecaster."""
    if isinstance(bundle.model, Forecaster):
        return bundle.model
    require_segmentation(bundle, source)
    return forecaster_on(bundle)


def embed_dataset(
    dataset: str | Path, model: Path, place: Place, settings: FeatureSettings, *, progress: Progress | None = None
) -> Run:
    """Runs a segmentation network over every date, and keeps the features of its cells as a COG for each.

    Raises:
        BundleInvalid: the model segments no single dates.
        ContractMismatch: the images do not fit the model.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    data = Dataset.read(dataset)
    file = bundle_in(model, "forecast")
    bundle = load_bundle(file)
    forecaster = _network_of(bundle, str(model))
    kept = settings.model_dump(mode="json", exclude={"read_threads"}) | {"dataset": str(dataset), "model": str(model)}
    with place.begin("forecast-features", "features", kept, [dataset, model], language=settings.language) as run:
        run.use_bundle(file)
        cell = tile_needs("forecaster", forecaster.settings).stride
        task = FeatureTask(
            forecaster.settings,
            width_of(forecaster),
            cell,
            forecaster.settings.classes,
            bundle.contract.band_names,
            embeddings=True,
            title=say("word.features", settings.language),
            compression=settings.compression,
        )
        network = start_network(Explainer(forecaster), "torch", settings.device, settings.precision)
        dates = _dates(data)
        with run.timed("features"), (progress or Silent()).bar("features", len(dates), "images") as bar:
            for date in dates:
                _embed(run, bundle, task, network, settings, date)
                bar.advance()
        return run.finish()


def _dates(dataset: Dataset) -> list[_Date]:
    """Every image once: places that are parts of one image share it."""
    found: dict[str, _Date] = {}
    for sample in dataset.index:
        assert sample.date is not None  # a data set has no image without
        name = f"{sample.domain or Path(sample.image).parent.name}_{sample.date.isoformat()}"
        found.setdefault(sample.image, _Date(name, Frame(sample.date, sample.image)))
    return list(found.values())


def _embed(
    run: RunFolder, bundle: Bundle, task: FeatureTask, network: Network, settings: FeatureSettings, date: _Date
) -> None:
    """The features of one date, as a product of its name."""
    record = run.add_input(date.frame.image, role="image")
    named = replace(task, product=date.name)
    shape = settings.shape(task.cell, (task.cell,))
    with open_image(date.frame.image, bands=bundle.contract.band_names) as reader:
        job = Job(
            named,
            bundle,
            reader,
            run,
            settings,
            identity=(fingerprint(image=content_of(record), bundle=run.bundle and run.bundle.sha256),),
            language=settings.language,
            shape=shape,
            network=network,
            folder=run.scratch / date.name,
            pictures=False,
        )
        run_job(job)
