"""A file of weights that would make a folder when it is opened: every command that takes weights refuses it."""

from __future__ import annotations

import os
import pickle
import shlex
import shutil
from pathlib import Path

import pytest
import torch


class Trap:
    """An object whose pickle makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


COMMANDS = {
    "models import --as timm": "models import trap.pth --as timm -o out/m",
    "models import --as planaura": "models import trap.pth --as planaura --frames 2 -o out/m",
    "models import --as croma": "models import trap.pth --as croma -o out/m",
    "models show": "models show trap.pth",
    "models export": "models export trap.pth --to onnx -o out/m",
    "landcover predict": "landcover predict land.tif -m trap.pth -o out",
    "landcover evaluate": "landcover evaluate --data index.csv -m trap.pth -o out",
    "landcover train": "landcover train train.yaml --set pretrained=trap.pth --set task='{architecture: smp-unet}'",
    "landcover finetune": "landcover finetune train.yaml --from trap.pth -o out",
    "change pair": "change pair a_2020001.tif b_2024001.tif -m trap.pth -o out",
    "change embed": "change embed a_2020001.tif -m trap.pth -o out",
    "change run": "change run reference.yaml --set model_params.load_params.checkpoint_path=trap.pth -o out",
    "forecast predict": "forecast predict series -m trap.pth -o out",
    "forecast evaluate": "forecast evaluate series -m trap.pth --split all -o out",
    "describe embed": "describe embed fields_2022-06-01.tif --encoder trap.pth -o out",
    "describe generate": "describe generate fields_2022-06-01.tif -m trap.pth -o out",
    "classify train": "classify train dataset --branch image --pretrained trap.pth -o out",
    "classify predict": "classify predict pictures/00.jpg -m trap.pth -o out",
}


@pytest.mark.parametrize("form", [pytest.param("zip", id="zip"), pytest.param("bare", marks=pytest.mark.faults)])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_trap_is_never_sprung(forks, stock, tmp_path, name, form) -> None:
    for made in ("land", "training", "pair", "reference", "series", "fields", "dataset"):
        getattr(stock, made)
    home = shutil.copytree(stock.home, tmp_path / "home")
    sprung = tmp_path / "sprung"
    if form == "zip":
        torch.save({"state_dict": {"weight": torch.zeros(1), "extra": Trap(sprung)}}, home / "trap.pth")
    else:
        (home / "trap.pth").write_bytes(pickle.dumps(Trap(sprung)))
    ended = forks.run([*shlex.split(COMMANDS[name]), "--quiet"], home)
    assert ended.status in (2, 3, 4), ended.said
    assert "trap" in ended.said, "something else was wrong"
    assert len(ended.said.strip().splitlines()) == 1, ended.said
    assert not sprung.exists()
