"""The diagram of reliability."""

import numpy as np
import pytest
from PIL import Image

from arpent.errors import InvalidSetting
from arpent.report import ReliabilityLine, reliabilities


def line(shift):
    said = (np.arange(10) + 0.5) / 10
    pixels = np.linspace(500, 10, 10).astype(np.int64)
    pixels[3] = 0
    said[3] = np.nan
    return ReliabilityLine(pixels, said, np.clip(said + shift, 0, 1))


def test_honest_and_boastful_probabilities_look_different(tmp_path):
    drawn = [
        reliabilities({"t+1": line(0.0), "t+2": line(shift)}, tmp_path / f"{shift}.png", x="said", y="seen")
        for shift in (0.0, -0.2)
    ]
    honest, boastful = (np.asarray(Image.open(path).convert("RGB"), int) for path in drawn)
    assert honest.shape == boastful.shape
    assert np.abs(honest - boastful).max() > 50


def test_nothing_to_show_is_said(tmp_path):
    with pytest.raises(InvalidSetting, match="no line to show"):
        reliabilities({}, tmp_path / "none.png", x="said", y="seen")
