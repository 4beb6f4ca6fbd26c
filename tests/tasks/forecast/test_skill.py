"""That the network knows what comes, and that it is its LSTM that knows."""

import pytest
import torch

from arpent.store import Place
from arpent.tasks.forecast.answering import open_forecaster
from arpent.tasks.forecast.dataset import Dataset
from arpent.tasks.forecast.judging import issues_of, judge
from arpent.tasks.forecast.segmentation import train_segmentation
from arpent.tasks.forecast.train_settings import ForecastSettings, SegmentationSettings
from arpent.tasks.forecast.training import train_forecast
from arpent.tasks.forecast.verdict import verdicts

MOVED = 0.02
"""IoU that a scene that stays may lose to its own mask of today. The target for floods is a tenth of it, and missed."""


@pytest.fixture(scope="module")
def shores(write_series, tmp_path_factory):
    """Lakes that grow, shrink or stay, each at a speed of its own: what the last date alone does not tell."""
    courses = {
        "a": (26, -2),
        "b": (8, 2),
        "c": (24, -1),
        "d": (12, 1),
        "e": (27, -2),
        "f": (10, 2),
        "g": (17, 0),
        "h": (20, 0),
        "i": (14, 0),
        "j": (22, 0),
    }
    return write_series(
        tmp_path_factory.mktemp("shores"),
        {name: [first + speed * at for at in range(8)] for name, (first, speed) in courses.items()},
        sides={name: "val" if name in "efh" else "train" for name in courses},
    )


@pytest.mark.slow
def test_a_network_that_has_learnt_beats_persistence_and_without_its_lstm_it_does_not(shores, tmp_path):
    """The gains that floods are to reach, on lakes that are learnt in half a minute."""
    common = {"dataset": str(shores), "patch": 64, "workers": 0, "device": "cpu", "batch_size": 4}
    segmentation = SegmentationSettings(widths=(8, 8, 16), epochs=3, patches=40, rate=0.02, **common)
    segmented = train_segmentation(segmentation, Place(exact=tmp_path / "segmentation"))
    settings = ForecastSettings(
        segmentation=str(segmented.path), epochs=14, patches=48, rate=0.01, hidden=32, width=8, cell=8, **common
    )
    run = train_forecast(settings, Place(exact=tmp_path / "forecast"))
    model = open_forecaster(run.file("model"))
    issues = issues_of(Dataset.read(shores).places, model.settings, "val")
    judged = judge(model, issues)
    gains = [verdict.gain for verdict in verdicts(judged)]
    assert gains[0] >= 0.01
    assert gains[1] >= 0.02
    assert gains[2] >= 0
    ours, still = (judged.tallies[method].by_regime()["steady"] for method in ("model", "predicted"))
    assert all(one.iou >= other.iou - MOVED for one, other in zip(ours, still, strict=True))
    with torch.no_grad():
        for tensor in model.bundle.model.head.core.parameters():
            tensor.zero_()
    assert all(verdict.gain <= 0 for verdict in verdicts(judge(model, issues)))
