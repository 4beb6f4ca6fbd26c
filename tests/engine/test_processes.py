"""What the parts do in one process; tests/cli/test_together.py starts two."""

import pytest
import torch

from arpent.engine import Processes
from arpent.engine.processes import _require_one_each, peers
from arpent.errors import DeviceMissing, InvalidSetting, ProcessLost


def test_a_process_that_is_alone_talks_to_itself():
    alone = Processes.joined("cpu")
    assert (alone.rank, alone.world, alone.leads) == (0, 1, True)
    assert alone.told(lambda: "news") == alone.alone(lambda: "news") == "news"
    assert alone.gathered(3) == [3]
    assert alone.mean(torch.tensor(2.5)) == 2.5
    alone.align(torch.nn.BatchNorm2d(2))
    with pytest.raises(KeyError):
        alone.told(lambda: {}["nothing"])


def test_a_broken_line_is_told_from_other_failures():
    with pytest.raises(ProcessLost, match="another process of this training has ended"), peers():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer")
    with pytest.raises(ProcessLost), peers():
        raise torch.distributed.DistBackendError("NCCL error: remote process exited")
    with pytest.raises(RuntimeError, match="must match"), peers():
        raise RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")


@pytest.mark.parametrize("device", ["cuda:0", "mps"])
def test_a_device_that_several_cannot_share_is_refused(monkeypatch, device):
    _require_one_each(torch.device(device))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InvalidSetting, match=f"cannot share the device '{device}'"):
        _require_one_each(torch.device(device))


def test_each_process_needs_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "65")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "65")
    _require_one_each(torch.device("cpu"))
    with pytest.raises(DeviceMissing, match="65 processes need a GPU each"):
        _require_one_each(torch.device("cuda"))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ACCELERATE_MIXED_PRECISION", "bf16", "asks for a precision"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4", "accumulated gradients"),
        ("ACCELERATE_USE_FSDP", "true", "FSDP"),
        ("ACCELERATE_USE_DEEPSPEED", "true", "DeepSpeed"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR", "a compiler"),
    ],
)
def test_what_a_launcher_would_change_behind_the_settings_is_refused(monkeypatch, name, value, told):
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSetting, match=told):
        Processes.joined("cpu")
    monkeypatch.setenv(
        name, {"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "1"}.get(name, "NO" if "USE" not in name else "false")
    )
    assert Processes.joined("cpu").world == 1


def test_a_launcher_that_asks_for_the_processor_gets_it(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert Processes.joined().device.type == "cpu"
