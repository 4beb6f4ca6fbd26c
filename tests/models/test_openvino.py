import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import arpent

if find_spec("openvino") is None:
    pytest.skip("OpenVINO is not installed: pip install 'arpent[fast]'", allow_module_level=True)

# What a user's process does, from the import to the conversion of a network and its end.
_CONVERTS = """
import multiprocessing
import sys
import threading

import torch

from arpent.engine.runtime import OpenVinoNetwork
from arpent.models import UNet, UNetSettings
from arpent.models.openvino import openvino

model = UNet(UNetSettings(channels=2, classes=3, widths=(4, 6))).eval()
OpenVinoNetwork(model)(torch.zeros(2, 2, 16, 16))
openvino().convert_model(model, example_input=torch.zeros(1, 2, 16, 16))
print("telemetry", sorted(name for name in sys.modules if name.startswith("openvino_telemetry.")))
print("processes", multiprocessing.active_children())
print("pools", [one.name for one in threading.enumerate() if "ThreadPool" in one.name])
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def _said(code: str, home: Path) -> list[str]:
    # The library keeps silent where it takes the machine for one of continuous integration, which must not help here.
    own = {name: value for name, value in os.environ.items() if name not in {"CI", "TF_BUILD", "JENKINS_URL"}}
    own |= {"HOME": str(home), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=own)
    return done.stdout.splitlines()


def test_converting_and_running_a_network_tells_nobody(home: Path) -> None:
    assert _said(_CONVERTS, home) == ["telemetry []", "processes []", "pools []"]
    assert list(home.rglob("*intel*")) == []


def test_the_look_of_the_doctor_tells_nobody(home: Path) -> None:
    code = (
        "import sys; from arpent.cli import doctor; print(doctor._openvino().state, sys.modules['openvino_telemetry'])"
    )
    assert _said(code, home) == ["ok None"]
    assert list(home.iterdir()) == []


def test_openvino_is_imported_in_one_place() -> None:
    root = Path(arpent.__file__).parent
    plain = re.compile(r"^\s*(import openvino|from openvino)\b|import_module\(\"openvino", re.MULTILINE)
    assert [file.name for file in root.rglob("*.py") if plain.search(file.read_text("utf-8"))] == ["openvino.py"]
