"""A small simulated commune, learnt once and used by all tests of land cover."""

from pathlib import Path

import pytest

from arpent.data import Augment
from arpent.engine import FitSettings, OptimiserSettings
from arpent.store import Place
from arpent.tasks.landcover import LandcoverSettings, TrainSettings, train
from arpent.testing.simulation import Simulation, simulate


@pytest.fixture(scope="session")
def commune_folder(tmp_path_factory):
    """Four simulated places with their index."""
    folder = tmp_path_factory.mktemp("commune")
    simulate(folder, Simulation(size=256, scenes=4, seed=3))
    return folder


@pytest.fixture(scope="session")
def train_settings(commune_folder):
    def make(**changes):
        return TrainSettings(
            **{
                "index": str(commune_folder / "index.csv"),
                "name": "test",
                "task": LandcoverSettings(network={"widths": [8, 16]}),
                "patch": 64,
                "batch_size": 4,
                "augment": Augment(gain=0.1),
                "fit": FitSettings(epochs=3, best="miou", device="cpu", optimiser=OptimiserSettings(rate=0.01)),
                **changes,
            }
        )

    return make


@pytest.fixture(scope="session")
def trained(train_settings, tmp_path_factory):
    """A finished training run."""
    return train(train_settings(), Place(exact=Path(tmp_path_factory.mktemp("trained")) / "run"))


@pytest.fixture(scope="session")
def demo_network(train_settings, tmp_path_factory):
    """A training of the network that the demo uses, with its default widths, on the small commune."""
    fit = FitSettings(epochs=2, best="miou", device="cpu", optimiser=OptimiserSettings(rate=6e-3))
    settings = train_settings(task=LandcoverSettings(), patches=240, batch_size=8, fit=fit)
    return train(settings, Place(exact=Path(tmp_path_factory.mktemp("demo_network")) / "run"))
