"""``arpent forecast despeckle``, as it is typed."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from arpent.store import open_run


@pytest.fixture
def radar(tmp_path):
    path = tmp_path / "series" / "S1_20240301.tif"
    path.parent.mkdir()
    power = np.random.default_rng(0).gamma(4.4, 0.1 / 4.4, (1, 60, 70)).astype(np.float32)
    facts = {"count": 1, "dtype": "float32", "height": 60, "width": 70, "crs": "EPSG:32631"}
    with rasterio.open(path, "w", "GTiff", **facts, transform=Affine(10, 0, 500_000, 0, -10, 4_900_000)) as dataset:
        dataset.write(power)
    return path


def test_an_image_and_its_report_card(arpent, radar, tmp_path) -> None:
    said = arpent("forecast", "despeckle", radar, "-o", tmp_path / "run", "--filter", "frost", "--window", 5, "--ratio")
    assert said.code == 0, said.err
    assert "looks before" in said.out and "S1_20240301" in said.out
    assert {"S1_20240301.tif", "S1_20240301_ratio.tif", "preview.png"} <= {p.name for p in (tmp_path / "run").iterdir()}


def test_the_same_as_one_document(arpent, radar, tmp_path) -> None:
    said = arpent("forecast", "despeckle", radar.parent, "-o", tmp_path / "run", "--enl", 4.4, "--json")
    document = json.loads(said.out)
    (image,) = document["images"]
    assert image["looks"] == {"band_1": 4.4}
    assert image["cards"]["band_1"]["mean_ratio"] == pytest.approx(1, abs=0.01)


def test_in_french(arpent, radar, tmp_path) -> None:
    said = arpent("forecast", "despeckle", radar, "-o", tmp_path / "run", "--language", "fr")
    assert "vues avant" in said.out and "exécution" in said.out
    assert open_run(tmp_path / "run").manifest.language == "fr"


def test_a_run_that_is_there_is_not_replaced_unless_told(arpent, radar, tmp_path) -> None:
    words = ("forecast", "despeckle", radar, "-o", tmp_path / "run")
    assert arpent(*words).code == 0
    again = arpent(*words)
    assert again.code == 7 and "--force" in again.err
    assert arpent(*words, "--force").code == 0


def test_part_of_a_folder(arpent, radar, tmp_path) -> None:
    (radar.parent / "broken.tif").write_bytes(b"")
    said = arpent("forecast", "despeckle", radar.parent, "-o", tmp_path / "run")
    assert said.code == 9
    assert "1 of 2 images could not be done" in said.err


def test_a_run_is_no_image(arpent, radar, tmp_path) -> None:
    said = arpent("forecast", "despeckle", radar, "-o", tmp_path / "out.tif")
    assert said.code == 2
    assert "'out.tif' is the name of an image" in said.err
    assert f"-o {tmp_path / 'out'}: " in said.err
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("--window", 6), "Try 7"),
        (("--filter", "leee"), "lee"),
        (("--units", "db"), "--units linear"),
        (("--filter", "quegan_yu"), "all dates"),
        (("--window", 61), "smaller --window"),
        (("--bands", "VV"), "bands band_1"),
    ],
)
def test_what_cannot_be_done_says_the_cure(arpent, radar, tmp_path, words, cure) -> None:
    said = arpent("forecast", "despeckle", radar, "-o", tmp_path / "run", *words)
    assert said.code in (2, 3)
    assert cure in said.err
    assert not (tmp_path / "run").exists()
