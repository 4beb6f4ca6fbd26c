"""``arpent change run`` as a stranger types it."""

from pathlib import Path

import numpy as np
import pytest
from odc.geo import CRS

from arpent.core import Grid, Strip
from arpent.io import CogWriter, RasterSpec

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "golden" / "planaura_tiny_official_layout.pth"
BANDS = ("B02", "B03", "B04", "B8A", "B11", "B12")
CONFIG = """
task_list: [infer]
csv_inference_file: pairs.csv
inference_save_folder_frame_0: out
inference_save_folder_frame_1: out
use_multi_gpu: false
change_map: { save_dates_layer: true, date_regex: '_(\\d{8})_' }
feature_maps: { return: false }
""" + (ROOT / "tests" / "golden" / "planaura_tiny.yaml").read_text().replace("weights.pth", str(TINY))


@pytest.fixture
def place(tmp_path, monkeypatch):
    for number, date in enumerate((20230825, 20240901)):
        values = np.random.default_rng(number).integers(200, 900, (6, 64, 70)).astype("int16")
        grid = Grid.north_up(500_000, 5_900_000, 10, 64, 70, CRS("EPSG:32611"))
        writer = CogWriter(tmp_path / f"été_{date}_10m.tif", RasterSpec(grid, BANDS, "int16", nodata=-9999))
        writer.write(Strip(0, values))
        writer.close()
    (tmp_path / "pairs.csv").write_text("input_file_0,input_file_1\nété_20230825_10m.tif,été_20240901_10m.tif\n")
    (tmp_path / "planaura.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_list_is_done_and_told(arpent, place):
    said = arpent("change", "run", "planaura.yaml", "-o", "run", "--profile", "planaura", "--runtime", "torch")
    assert said.code == 0, said.err
    assert "use_multi_gpu" in said.err
    assert "été_20230825_10m.tif and été_20240901_10m.tif (line 2)" in said.out
    assert "out (3)" in said.out
    cosine = place / "out" / "cosine_map!été_20230825_10m!été_20240901_10m.tif"
    assert cosine.samefile(place / "run" / cosine.name)
    again = arpent("change", "run", "planaura.yaml", "-o", "other")
    assert again.code == 7
    assert "--force" in again.err


def test_dates_in_doubt_are_told_and_the_plan_speaks_french(arpent, place):
    words = ("change", "run", "planaura.yaml", "--dry-run", "--language", "fr")
    said = arpent(*words, "--date0", "20250101")
    assert said.code == 0, said.err
    assert "ordre inverse" in said.err and "ces clés ne changent rien" in said.err
    assert "1 sur 1" in said.out and "terrain commun" in said.out and "tuile" in said.out and "(choisi)" in said.out
    assert "ordre inverse" not in arpent(*words).err


def test_a_plan_costs_nothing(arpent, place):
    words = ("change", "run", "planaura.yaml", "--dry-run")
    said = arpent(*words)
    assert said.code == 0, said.err
    assert "1 of 1" in said.out
    assert "70 × 64" in said.out
    told = arpent(*words, "--set", "num_predictions=3", "--json").document
    assert told["total"]["tiles"] == 3 * told["pairs"][0]["tiles"]
    assert told["settings"]["dates"] == "yes"
    assert told["pairs"][0]["overlap_m2"] == pytest.approx(64 * 70 * 100, rel=0.01)
    assert {path.name for path in place.iterdir()} == {
        "été_20230825_10m.tif", "été_20240901_10m.tif", "pairs.csv", "planaura.yaml"
    }  # fmt: skip


def test_failures_are_told_and_end_with_nine(arpent, place):
    with (place / "pairs.csv").open("a") as rows:
        rows.write("gone.tif,été_20240901_10m.tif\nété_20230825_10m.tif,torn_20240902_.tif\n")
    (place / "torn_20240902_.tif").write_bytes(b"II*\x00")
    plan = arpent("change", "run", "planaura.yaml", "--dry-run")
    assert "1 of 3" in plan.out
    said = arpent("change", "run", "planaura.yaml", "-o", "run", "--json")
    assert said.code == 9
    document = said.document
    assert "2 of 3 could not be done; first: " in document["error"]["what"]
    assert "(found" not in said.err.partition("first: ")[0]
    assert [one["state"] for one in document["result"]["outcomes"]] == ["failed", "done", "failed"]
    assert "gone.tif" in document["result"]["outcomes"][0]["problem"]


@pytest.mark.parametrize(
    "words, code, told",
    [
        (("--set", "change_map.retrun=true"), 2, "Did you mean 'return'"),
        (("--set", "inference_save_folder_frame_0=."), 2, "folder of the images"),
        (("--set", "model_params.depth=12"), 4, "depth 2 instead of 12"),
        (("--set", "model_params.load_params.checkpoint_path=none.pth"), 3, "none.pth"),
        (("--set", "model_params.load_params.checkpoint_path=''"), 2, "names no weights"),
        (("--set", "model_params.load_params.source=huggingface"), 2, "repository"),
        (("--date0", "20230231"), 2, "is not a date"),
        (("--profile", "reference"), 2, "reference"),
        (("--exclude", "clouds"), 2, "Did you mean 'cloud'"),
        (("--address", "auto"), 2, "Add --engine ray"),
        (("--set", "model_params.bands=[a, b]", "--set", "model_params.data_mean=[1, 1]", "--set",
          "model_params.data_std=[1, 1]"), 4, "--reset-patch-embedding"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(arpent, place, words, code, told):
    said = arpent("change", "run", "planaura.yaml", "-o", "run", *words)
    assert said.code == code, said.err
    assert told in said.err
    assert len(said.err.strip().splitlines()) <= 3  # notes, then the one line
