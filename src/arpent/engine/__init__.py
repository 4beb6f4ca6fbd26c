"""The one training loop and the one prediction loop. They know a task only through the `Task` protocol.

Names are looked up when they are first used, so that settings open without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand
from arpent.engine.settings import FitSettings, OptimiserSettings, Precision, PredictSettings, RuntimeName

if TYPE_CHECKING:
    from arpent.engine.caution import far_from_training
    from arpent.engine.checkpoint import read_checkpoint, write_checkpoint
    from arpent.engine.class_maps import class_map, probability_map
    from arpent.engine.cluster import on_cluster
    from arpent.engine.crew import Opener, Reading, hired, made_ahead, settings_there
    from arpent.engine.devices import choose_device
    from arpent.engine.item_job import ItemJob, run_items
    from arpent.engine.item_work import ItemWork, Memory
    from arpent.engine.items import FailedItem, ItemOptions, ItemsDone, predict_items
    from arpent.engine.job import Job, SensedImage, check_contract, plain_work, run_job
    from arpent.engine.ledger import Ledger, fingerprint
    from arpent.engine.optimise import Schedule, make_optimiser
    from arpent.engine.outputs import Sink
    from arpent.engine.prediction import Prediction, PredictOptions, predict
    from arpent.engine.processes import Processes
    from arpent.engine.renewal import renew_statistics
    from arpent.engine.runtime import RUNTIMES, OpenVinoNetwork, TorchNetwork, start_network
    from arpent.engine.task import Answer, Batch, Dense, Meter, Network, NoFigures, Product, Rows, Task, inputs_of
    from arpent.engine.tile_work import Image, Noticing, Pad, Prepare, TileWork
    from arpent.engine.training import Epoch, Fit, fit, improves
    from arpent.engine.training_record import publish_history
    from arpent.engine.training_run import train_run
    from arpent.engine.tuning import Start, Tuning
    from arpent.engine.validation import require_figure, validate

__all__ = [
    "RUNTIMES",
    "Answer",
    "Batch",
    "Dense",
    "Epoch",
    "FailedItem",
    "Fit",
    "FitSettings",
    "Image",
    "ItemJob",
    "ItemOptions",
    "ItemWork",
    "ItemsDone",
    "Job",
    "Ledger",
    "Memory",
    "Meter",
    "Network",
    "NoFigures",
    "Noticing",
    "OpenVinoNetwork",
    "Opener",
    "OptimiserSettings",
    "Pad",
    "Precision",
    "PredictOptions",
    "PredictSettings",
    "Prediction",
    "Prepare",
    "Processes",
    "Product",
    "Reading",
    "Rows",
    "RuntimeName",
    "Schedule",
    "SensedImage",
    "Sink",
    "Start",
    "Task",
    "TileWork",
    "TorchNetwork",
    "Tuning",
    "check_contract",
    "choose_device",
    "class_map",
    "far_from_training",
    "fingerprint",
    "fit",
    "hired",
    "improves",
    "inputs_of",
    "made_ahead",
    "make_optimiser",
    "on_cluster",
    "plain_work",
    "predict",
    "predict_items",
    "probability_map",
    "publish_history",
    "read_checkpoint",
    "renew_statistics",
    "require_figure",
    "run_items",
    "run_job",
    "settings_there",
    "start_network",
    "train_run",
    "validate",
    "write_checkpoint",
]

__getattr__ = on_demand(
    __name__,
    {
        "caution": ("far_from_training",),
        "cluster": ("on_cluster",),
        "crew": ("Opener", "Reading", "hired", "made_ahead", "settings_there"),
        "class_maps": ("class_map", "probability_map"),
        "checkpoint": ("read_checkpoint", "write_checkpoint"),
        "devices": ("choose_device",),
        "item_job": ("ItemJob", "run_items"),
        "items": ("FailedItem", "ItemOptions", "ItemsDone", "predict_items"),
        "item_work": ("ItemWork", "Memory"),
        "job": ("Job", "SensedImage", "check_contract", "plain_work", "run_job"),
        "ledger": ("Ledger", "fingerprint"),
        "optimise": ("Schedule", "make_optimiser"),
        "outputs": ("Sink",),
        "prediction": ("PredictOptions", "Prediction", "predict"),
        "processes": ("Processes",),
        "renewal": ("renew_statistics",),
        "runtime": ("RUNTIMES", "OpenVinoNetwork", "TorchNetwork", "start_network"),
        "task": ("Answer", "Batch", "Dense", "Meter", "Network", "NoFigures", "Product", "Rows", "Task", "inputs_of"),
        "tile_work": ("Image", "Noticing", "Pad", "Prepare", "TileWork"),
        "training": ("Epoch", "Fit", "fit", "improves"),
        "training_record": ("publish_history",),
        "training_run": ("train_run",),
        "tuning": ("Start", "Tuning"),
        "validation": ("require_figure", "validate"),
    },
)
