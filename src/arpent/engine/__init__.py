"""The one training loop and the one prediction loop. They know a task only through the `Task` protocol.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from arpent.engine.settings import FitSettings, OptimiserSettings, Precision, PredictSettings, RuntimeName

if TYPE_CHECKING:
    from arpent.engine.checkpoint import read_checkpoint, write_checkpoint
    from arpent.engine.devices import choose_device
    from arpent.engine.job import Job, check_contract, run_job
    from arpent.engine.ledger import Ledger, fingerprint
    from arpent.engine.optimise import Schedule, make_optimiser
    from arpent.engine.outputs import Sink
    from arpent.engine.prediction import Image, Prediction, PredictOptions, predict
    from arpent.engine.runtime import RUNTIMES, OpenVinoNetwork, TorchNetwork, start_network
    from arpent.engine.task import Answer, Batch, Dense, Meter, Network, Product, Rows, Task
    from arpent.engine.training import Epoch, Fit, fit

__all__ = [
    "RUNTIMES",
    "Answer",
    "Batch",
    "Dense",
    "Epoch",
    "Fit",
    "FitSettings",
    "Image",
    "Job",
    "Ledger",
    "Meter",
    "Network",
    "OpenVinoNetwork",
    "OptimiserSettings",
    "Precision",
    "PredictOptions",
    "PredictSettings",
    "Prediction",
    "Product",
    "Rows",
    "RuntimeName",
    "Schedule",
    "Sink",
    "Task",
    "TorchNetwork",
    "check_contract",
    "choose_device",
    "fingerprint",
    "fit",
    "make_optimiser",
    "predict",
    "read_checkpoint",
    "run_job",
    "start_network",
    "write_checkpoint",
]

_HOMES = {
    "Answer": "task",
    "Batch": "task",
    "Dense": "task",
    "Epoch": "training",
    "Fit": "training",
    "Image": "prediction",
    "Job": "job",
    "Ledger": "ledger",
    "Meter": "task",
    "Network": "task",
    "OpenVinoNetwork": "runtime",
    "PredictOptions": "prediction",
    "Prediction": "prediction",
    "Product": "task",
    "RUNTIMES": "runtime",
    "Rows": "task",
    "Schedule": "optimise",
    "Sink": "outputs",
    "Task": "task",
    "TorchNetwork": "runtime",
    "check_contract": "job",
    "choose_device": "devices",
    "fingerprint": "ledger",
    "fit": "training",
    "make_optimiser": "optimise",
    "predict": "prediction",
    "read_checkpoint": "checkpoint",
    "run_job": "job",
    "start_network": "runtime",
    "write_checkpoint": "checkpoint",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
