"""The benchmark of speckle filters runs; small images bear out already what docs/benchmarks.md says of large ones."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from arpent.pixels import SPECKLE_FILTERS

SCRIPT = Path(__file__).parents[2] / "bench" / "speckle.py"
QUALITY = ("looks", "edges", "rmse", "mean")
COLUMNS = {4: QUALITY, 5: ("speed", *QUALITY), 6: ("speed", "holes", *QUALITY)}
"""By how many figures a row has."""
TWINS = {
    "lee": ("lee, OpenCV", "lee, scipy"),
    "kuan": ("kuan, scipy",),
    "enhanced_lee": ("enhanced_lee, numpy",),
    "gamma_map": ("gamma_map, numpy",),
    "frost": ("frost, numpy",),
}
"""Filters, and those of other libraries that follow the same formula but for the rims of an image."""


@pytest.fixture
def tables(monkeypatch, capsys):
    """What the script prints of images of 256²: two tables, their figures by row and column."""
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--side", "256"])
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    runpy.run_path(str(SCRIPT), run_name="__main__")
    filters, flood = capsys.readouterr().out.strip().split("\n\n")
    judged = {}
    for line in filters.splitlines()[1:]:
        figures = [float(figure) for figure in line[22:].split()]
        judged[line[:22].strip()] = dict(zip(COLUMNS[len(figures)], figures, strict=True))
    errors = {
        name: (float(changed), float(stays)) for name, changed, stays in re.findall(r"(\w+) +(\S+) +(\S+)", flood)[1:]
    }
    return judged, errors


def test_every_filter_has_its_row_and_does_what_is_said_of_it(tables):
    judged, errors = tables
    others = {name for names in TWINS.values() for name in names}
    assert set(judged) == {"none", "quegan_yu, 8 dates", *SPECKLE_FILTERS} - {"quegan_yu"} | others
    assert set(errors) == {"none", *SPECKLE_FILTERS}
    raw = judged["none"]
    assert raw["looks"] == pytest.approx(4.4, rel=0.03)
    for name, row in judged.items():
        assert name == "none" or (row["rmse"] < raw["rmse"] / 1.9 and row["edges"] > raw["edges"]), name
        assert row["mean"] == pytest.approx(0.987 if "gamma" in name else 1, abs=4e-3), name
        assert ("holes" in row) == (name in SPECKLE_FILTERS), name
    assert judged["lee"]["speed"] > judged["lee, scipy"]["speed"]  # about four times as fast
    assert judged["lee"]["looks"] >= 100
    assert judged["lee"]["mean"] == pytest.approx(1, abs=1e-3)
    for name, twins in TWINS.items():
        for twin in twins:
            for column in ("looks", "edges", "rmse"):
                assert judged[name][column] == pytest.approx(judged[twin][column], rel=0.03), (name, twin, column)
    assert errors["quegan_yu"][0] > errors["none"][0] > max(errors[name][0] for name in TWINS)
    assert all(errors[name][1] < errors["none"][1] / 1.9 for name in SPECKLE_FILTERS)
