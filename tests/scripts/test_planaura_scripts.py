"""Planaura's two programs, started on its configurations, and the commands that they stand for."""

import json

import numpy as np
import pytest
import torch
from odc.geo import CRS
from PIL import Image

from arpent.core import Grid, Strip, file_sha256
from arpent.io import CogWriter, RasterSpec
from arpent.models import build

NETWORK = {"image_size": 32, "patch": 8, "width": 32, "depth": 1, "heads": 2}
NETWORK |= {"decoder_width": 16, "decoder_depth": 1, "decoder_heads": 1, "frames": 2}
THEIRS = {"img_size": 32, "patch_size": 8, "patch_stride": 8, "embed_dim": 32, "depth": 1, "num_heads": 2}
THEIRS |= {"decoder_embed_dim": 16, "decoder_depth": 1, "decoder_num_heads": 1, "no_data": 0}
BANDS = {"infer_geotiff.py": ("B02", "B03", "B04", "B8A", "B11", "B12"), "infer_photo.py": ("red", "green", "blue")}
COMMANDS = {"infer_geotiff.py": ("change", "run"), "infer_photo.py": ("change", "photo")}


def written(folder, script, out):
    """A configuration of that program, its weights, and a list of one pair."""
    bands = BANDS[script]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build("planaura", {**NETWORK, "channels": len(bands)})
    torch.save({f"backbone.{key}": tensor for key, tensor in network.state_dict().items()}, folder / "weights.pth")
    ending = "tif" if script == "infer_geotiff.py" else "png"
    (folder / "pairs.csv").write_text(f"input_file_0,input_file_1\nbefore.{ending},after.{ending}\n")
    for number, name in enumerate(("before", "after")):
        pixels = np.random.default_rng(number).integers(40, 220, (len(bands), 40, 70))
        if ending == "png":
            Image.fromarray(pixels.transpose(1, 2, 0).astype("uint8")).save(folder / f"{name}.png")
            continue
        grid = Grid.north_up(500_000, 5_900_000, 30, 40, 70, CRS("EPSG:3979"))
        with CogWriter(folder / f"{name}.tif", RasterSpec(grid, bands, "int16", nodata=0)) as writer:
            writer.write(Strip(0, pixels.astype("int16")))
    model = {"load_params": {"checkpoint_path": "weights.pth"}, "bands": list(bands)}
    model |= THEIRS | {"data_mean": [120] * len(bands), "data_std": [60] * len(bands)}
    keys = {"csv_inference_file": "pairs.csv", "paths_included_in_csvs": True, "use_multi_gpu": False}
    keys |= {"inference_save_folder_frame_0": out, "inference_save_folder_frame_1": out, "model_params": model}
    keys |= {"feature_maps": {"return": False}}
    path = folder / f"{out}.yaml"
    path.write_text(json.dumps(keys))  # JSON is YAML
    return path.name


def hashes(folder):
    return {path.name: file_sha256(path) for path in sorted(folder.glob("*.tif"))}


@pytest.mark.slow
@pytest.mark.parametrize("script", COMMANDS)
def test_a_configuration_gives_what_the_command_gives(script, typed, arpent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = typed(script, written(tmp_path, script, "theirs"), "-o", "run_theirs", "--runtime", "torch")
    assert said.code == 0, said.err
    line = ("arpent", *COMMANDS[script], "theirs.yaml", "-o", "run_theirs", "--runtime", "torch")
    assert said.err.startswith(f"{script} → {' '.join(line)}\n")
    assert (
        arpent(*COMMANDS[script], written(tmp_path, script, "ours"), "-o", "run_ours", "--runtime", "torch").code == 0
    )
    found = hashes(tmp_path / "theirs")
    assert any(name.startswith("cosine") for name in found)
    assert found == hashes(tmp_path / "ours")


@pytest.mark.parametrize("script", COMMANDS)
@pytest.mark.parametrize("words", [(), ("gone.yaml",), ("--profil", "arpent", "gone.yaml")])
def test_what_cannot_be_used_ends_as_in_the_command(script, words, typed, arpent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said, wanted = typed(script, *words), arpent(*COMMANDS[script], *words)
    assert said.code == wanted.code != 0
    assert said.err.splitlines()[1:] == wanted.err.splitlines()
    assert words or "CONFIG.yaml" in said.err


def test_machines_are_told_alone_and_quiet_is_quiet(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = typed("infer_geotiff.py", "gone.yaml", "--json")
    assert json.loads(said.out)["error"]["exit_code"] == said.code
    assert "→" not in typed("infer_geotiff.py", "gone.yaml", "--quiet").err
