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


@pytest.fixture(scope="module")
def shores(write_series, tmp_path_factory):
    """Lakes that grow or shrink at a speed of their own: what the last date alone does not tell."""
    courses = {"a": (26, -2), "b": (8, 2), "c": (24, -1), "d": (12, 1), "e": (27, -2), "f": (10, 2)}
    return write_series(
        tmp_path_factory.mktemp("shores"),
        {name: [first + speed * at for at in range(8)] for name, (first, speed) in courses.items()},
        sides={name: "val" if name in "ef" else "train" for name in courses},
    )


def test_a_network_that_has_learnt_beats_persistence_and_without_its_lstm_it_does_not(shores, tmp_path):
    common = {"dataset": str(shores), "patch": 64, "workers": 0, "device": "cpu", "batch_size": 4}
    segmentation = SegmentationSettings(widths=(8, 8, 16), epochs=3, patches=40, rate=0.02, **common)
    segmented = train_segmentation(segmentation, Place(exact=tmp_path / "segmentation"))
    settings = ForecastSettings(
        segmentation=str(segmented.path), epochs=6, patches=40, rate=0.01, hidden=32, width=8, cell=8, **common
    )
    run = train_forecast(settings, Place(exact=tmp_path / "forecast"))
    model = open_forecaster(run.file("model"))
    issues = issues_of(Dataset.read(shores).places, model.settings, "val")
    knows = [verdict.gain for verdict in verdicts(judge(model, issues))]
    assert knows[1] > 0.02
    assert knows[2] > 0.02
    with torch.no_grad():
        for tensor in model.bundle.model.head.core.parameters():
            tensor.zero_()
    assert all(verdict.gain <= 0 for verdict in verdicts(judge(model, issues)))
