"""Threads that wait for each other leave the processor to others, unless the user has said how they are to wait."""

import os
import subprocess
import sys

import pytest

from arpent.cli.waiting import wait_briefly


def test_waits_are_short():
    around = {"HOME": "/home/x"}
    wait_briefly(around)
    assert around == {"HOME": "/home/x", "GOMP_SPINCOUNT": "1000"}


@pytest.mark.parametrize("said", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}])
def test_what_the_user_has_said_stays(said):
    around = dict(said)
    wait_briefly(around)
    assert around == said


def test_the_command_says_it_before_torch_is_loaded():
    told = "import os, sys\nfrom arpent.cli.app import main\nmain(['--version'])\n"
    asked = "print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    around = {name: value for name, value in os.environ.items() if not name.startswith(("GOMP", "OMP"))}
    done = subprocess.run([sys.executable, "-c", told + asked], env=around, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1000 False"
