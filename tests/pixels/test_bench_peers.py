"""The benchmark beside other programs runs, with those that are here; what should be equal is."""

import json
import runpy
import sys

import pytest


@pytest.mark.slow
def test_programs_do_the_same_work_and_those_that_lack_are_said(root, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(root / "bench"))
    script = str(root / "bench" / "peers.py")
    words = ("--quick", "--rounds", "1", "--sections", "speckle", "indices", "--json")
    monkeypatch.setattr(sys, "argv", [script, *words])
    runpy.run_path(script, run_name="__main__")
    found = json.loads(capsys.readouterr().out)
    indices, speckle = found["indices"]["ways"], found["speckle"]["ways"]
    assert indices["spyndex"]["equal_share"] > 0.999
    assert indices["Arpent"]["times_arpent"] == 1.0 and indices["spyndex"]["times_arpent"] > 0
    assert speckle["Arpent"]["mean_ratio"] == pytest.approx(1, abs=0.005)
    assert speckle["Arpent"]["looks"] > 80
    assert speckle["findpeaks"] == {"problem": "not installed"} or speckle["findpeaks"]["correlation"] > 0.8
