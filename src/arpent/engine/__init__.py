"""The one training loop and the one prediction loop. They know a task only through the `Task` protocol."""

from arpent.engine.checkpoint import read_checkpoint, write_checkpoint
from arpent.engine.devices import Precision, choose_device
from arpent.engine.fit import Epoch, Fit, FitSettings, fit
from arpent.engine.ledger import Ledger, fingerprint
from arpent.engine.optimise import OptimiserSettings, Schedule, make_optimiser
from arpent.engine.outputs import Sink
from arpent.engine.predict import Image, Prediction, PredictOptions, predict
from arpent.engine.runtime import RUNTIMES, OpenVinoNetwork, RuntimeName, TorchNetwork, start_network
from arpent.engine.task import Answer, Batch, Dense, Meter, Network, Product, Rows, Task

__all__ = [
    "RUNTIMES",
    "Answer",
    "Batch",
    "Dense",
    "Epoch",
    "Fit",
    "FitSettings",
    "Image",
    "Ledger",
    "Meter",
    "Network",
    "OpenVinoNetwork",
    "OptimiserSettings",
    "Precision",
    "PredictOptions",
    "Prediction",
    "Product",
    "Rows",
    "RuntimeName",
    "Schedule",
    "Sink",
    "Task",
    "TorchNetwork",
    "choose_device",
    "fingerprint",
    "fit",
    "make_optimiser",
    "predict",
    "read_checkpoint",
    "start_network",
    "write_checkpoint",
]
