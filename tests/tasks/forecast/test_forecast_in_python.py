"""`arpent.forecast` does what ``arpent forecast predict`` does; its run is a series of maps to look at."""

from __future__ import annotations

import arpent as ap
from arpent.cli.app import main

ASKED = {"place": "ebb", "horizons": 2, "tile": 64, "halo": 16, "ring": 8, "device": "cpu"}


def test_the_run_is_that_of_the_command_and_its_dates_are_a_dimension(lakes, small_forecaster, tmp_path):
    model = small_forecaster()
    run = ap.forecast(lakes, model=model, output=tmp_path / "here", **ASKED)
    words = [f"--{name}={value}" for name, value in ASKED.items()]
    assert main(["forecast", "predict", str(lakes), "--model", str(model), "-o", str(tmp_path / "there"), *words]) == 0
    there = ap.open_run(tmp_path / "there")
    assert list(run.products) == list(there.products)
    assert run.manifest.settings == there.manifest.settings
    dates = run.made.dates["ebb"]
    series = run.to_xarray()
    assert series.identical(there.to_xarray())
    assert [str(day)[:10] for day in series.time.to_numpy()] == [one.date for one in dates]
    assert series.foretold.to_numpy().tolist() == [one.kind == "forecast" for one in dates]
    words = [text.get_text() for text in run.plot().texts]
    assert words[0].startswith("Land cover, observed and foretold") and {"t+1", "t+2"} <= set(words)
    assert [text.get_text() for text in run.plot("preview").texts] == []
