"""A small radar series with exact truth, written as a DATASET, and a small network for it."""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from arpent import __version__
from arpent.core import Band, Contract, Normalisation, nomenclature
from arpent.data import Sample, SampleIndex
from arpent.models import Bundle, build, save_bundle
from arpent.tasks.forecast.dataset import Dataset, DatasetFacts

FIRST = dt.date(2023, 3, 1)
POWER = {1: (0.005, 0.001), 2: (0.1, 0.03), 3: (0.5, 0.1), 4: (0.05, 0.01)}


def lake(size, radius, seed=0):
    """Class numbers of a place: a lake of that radius among vegetation, a town, and some bare ground."""
    rows, cols = np.mgrid[:size, :size]
    ids = np.full((size, size), 2, np.uint8)
    ids[: size // 6, : size // 5] = 3
    ids[-size // 7 :] = 4
    ids[np.hypot(rows - size / 2, cols - size / 2 - seed) < radius] = 1
    return ids


def radar(ids, seed):
    """Linear power of two bands with a little speckle."""
    rng = np.random.default_rng(seed)
    table = np.zeros((256, 2), np.float32)
    for number, power in POWER.items():
        table[number] = power
    return (table[ids].transpose(2, 0, 1) * rng.gamma(60, 1 / 60, (2, *ids.shape))).astype(np.float32)


def write(path, pixels, size, nodata, crs="EPSG:32631"):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "count": len(pixels), "height": size, "width": size, "dtype": pixels.dtype}
    place = {"crs": crs, "transform": Affine(10, 0, 500_000, 0, -10, 4_800_000)} if crs else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", nodata=nodata, **profile, **place) as file:
            file.write(pixels)
            if len(pixels) == 2:
                file.descriptions = ("vv", "vh")


@pytest.fixture(scope="session")
def write_series():
    """Writes a DATASET of lakes; returns its folder.

    ``radii`` gives a list of radii by place; ``sides`` the split of each place; ``unmasked`` dates have no truth.
    """

    def make(folder, radii, *, sides=None, size=64, step=6, unmasked=(), covariates=(), crs="EPSG:32631", future=3):
        samples = []
        for number, (place, course) in enumerate(radii.items()):
            for at, radius in enumerate(course):
                date = FIRST + dt.timedelta(days=step * at)
                ids = lake(size, radius, number)
                image = folder / place / f"image_{date.isoformat()}.tif"
                mask = folder / place / f"mask_{date.isoformat()}.tif"
                write(image, radar(ids, 100 * number + at), size, float("nan"), crs)
                if at not in unmasked:
                    write(mask, ids[None], size, 0, crs)
                samples.append(
                    Sample(
                        str(image),
                        None if at in unmasked else str(mask),
                        domain=place,
                        sensor="sentinel-1",
                        date=date,
                        split=(sides or {}).get(place),
                        attributes={name: float(at) for name in covariates},
                    )
                )
        facts = DatasetFacts(
            bands=("vv", "vh"),
            future=future,
            patch=64,
            step_days=step,
            classes=nomenclature("sar"),
            covariates=covariates,
            filter="lee",
            synthetic=True,
        )
        Dataset.write(folder, SampleIndex(samples), facts)
        return folder

    return make


@pytest.fixture(scope="session")
def lakes(write_series, tmp_path_factory):
    """Three places of ten dates: a lake that shrinks, one that grows, and one that stays."""
    return write_series(
        tmp_path_factory.mktemp("lakes"),
        {
            "ebb": [24 - at for at in range(10)],
            "flow": [12 + at for at in range(10)],
            "pond": [16] * 10,
        },
        sides={"ebb": "test", "flow": "test", "pond": "test"},
    )


def contract_of(architecture, settings, task):
    """What bundles of the tests demand of their images: decibels of two bands."""
    return Contract(
        task=task,
        architecture=architecture,
        settings=settings,
        bands=(Band(name="vv"), Band(name="vh")),
        gsd=10.0,
        dtype="float32",
        normalisation=Normalisation(
            origin="test", mean=(-12.0, -18.0), std=(6.0, 6.0), decibels=((-25.0, 0.0), (-32.0, -5.0))
        ),
        classes=nomenclature("sar"),
        arpent=__version__,
    )


@pytest.fixture(scope="session")
def small_forecaster(tmp_path_factory):
    """Writes a bundle of a small forecaster with random weights; returns its path."""

    def make(future=3, seed=0, **settings):
        torch.manual_seed(seed)
        wanted = {
            "network": {"widths": [4, 8]},
            "hidden": 8,
            "layers": 1,
            "width": 4,
            "cell": 8,
            "future": future,
            **settings,
        }
        model = build("forecaster", wanted)
        path = tmp_path_factory.mktemp("forecaster") / "model.safetensors"
        return save_bundle(path, model, contract_of("forecaster", wanted, "forecast"))

    return make


@pytest.fixture(scope="session")
def bundle_of():
    """A bundle in memory, of a network of one's own."""

    def make(model, architecture, settings, task):
        return Bundle(model.eval(), contract_of(architecture, settings, task))

    return make
