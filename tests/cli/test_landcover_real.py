"""Land cover on real images, by the commands as typed: years that differ, outlines, eleven bits, and whole scenes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

from arpent.core import Band, Contract
from arpent.data import read_statistics, standardisation
from arpent.models import load_bundle, save_bundle
from arpent.tasks.landcover import LandcoverSettings, LandcoverTask

pytestmark = pytest.mark.requires("data")

ROOT = Path(__file__).parents[2]
FIT = {"epochs": 2, "device": "cpu", "optimiser": {"rate": 0.01, "schedule": "constant"}}
OUTLINED = ["forest", "water", "road", "building"]


def trained(arpent, folder, **settings):
    """A training as typed; its history."""
    config = {"task": {}, "patch": 64, "batch_size": 4, "augment": {"geometry": "none"}, "fit": FIT, **settings}
    (folder / "train.yaml").write_text(yaml.safe_dump(config))
    said = arpent("landcover", "train", folder / "train.yaml", "-o", folder / "run")
    assert said.code == 0, said.err
    return [json.loads(line) for line in (folder / "run" / "history.jsonl").read_text().splitlines()]


def test_the_shift_between_two_years_of_naip_is_measured_and_warned_about(arpent, data_folder, tmp_path):
    """`stats` shows it; `predict` warns with the same numbers, and not about the year of training."""
    years = {2009: "20090818", 2018: "20180716"}
    images = {year: data_folder / "landcover/naip" / f"m_4709963_se_14_1_{day}.tif" for year, day in years.items()}
    means = {}
    for year, image in images.items():
        words = ("stats", image, "--sensor", "bd-ortho", "-o", tmp_path / f"{year}.json", "--no-picture", "--json")
        said = arpent(*words)
        assert said.code == 0, said.err
        means[year] = {name: band["mean"] for name, band in said.document["bands"].items()}
    assert all(abs(means[2018][name] - means[2009][name]) > 15 for name in ("red", "green", "blue"))

    task = LandcoverTask(LandcoverSettings(network={"widths": [4]}))
    contract = Contract(
        task="landcover",
        architecture="unet",
        settings=task.network_settings,
        bands=[Band(name=name) for name in means[2009]],
        normalisation=standardisation(read_statistics(tmp_path / "2009.json"), "NAIP 2009"),
        dtype="uint8",
        classes=task.classes,
        arpent="0",
    )
    model = save_bundle(tmp_path / "model.safetensors", task.build(), contract)
    warnings = {}
    for year, image in images.items():
        words = ("predict", image, "--model", model, "--sensor", "bd-ortho", "--runtime", "torch")
        said = arpent("landcover", *words, "-o", tmp_path / f"map{year}")
        assert said.code == 0, said.err
        warnings[year] = [line for line in said.err.splitlines() if "far from the images of training" in line]
    assert warnings[2009] == []
    (warning,) = warnings[2018]
    told = re.findall(r"(\w+): mean ([\d.]+) and deviation [\d.]+, training had ([\d.]+)", warning)
    assert told
    for name, now, then in told:
        assert float(now) == pytest.approx(means[2018][name], rel=0.02)  # a warning looks at a sample of the pixels
        assert float(then) == pytest.approx(means[2009][name], rel=0.01)


def test_new_brunswick_is_trained_on_from_outlines_in_another_reference_system(arpent, data_folder, tmp_path):
    folder = data_folder / "landcover" / "new_brunswick"
    outlines = folder / "BakerLake_2017_clipped.gpkg"
    classes = {"nodata": 255, "classes": [{"id": k, "name": name} for k, name in enumerate(OUTLINED, start=1)]}
    (tmp_path / "classes.yaml").write_text(yaml.safe_dump(classes))
    image = folder / "23322E759967N_clipped_1m_2of2.tif"
    rows = [
        f"{image},{outlines},Quatreclasses,train,train,0,0,340,326",
        f"{image},{outlines},Quatreclasses,val,val,340,0,142,326",
    ]
    (tmp_path / "index.csv").write_text(
        "\n".join(["image,mask,mask_field,name,split,row,col,height,width", *rows]) + "\n"
    )
    history = trained(
        arpent,
        tmp_path,
        index=str(tmp_path / "index.csv"),
        task={
            "classes": str(tmp_path / "classes.yaml"),
            "bands": ["red", "green", "blue"],
            "network": {"widths": [8, 16]},
        },
        patches=40,
        fit={**FIT, "epochs": 4},
    )
    losses = [epoch["validation"]["loss"] for epoch in history]
    assert min(losses[1:]) < 0.95 * losses[0]
    said = arpent("landcover", "predict", folder / "23322E759967N_clipped_1m_1of2.tif", "--model", tmp_path / "run",
                  "-o", tmp_path / "map", "--vector", "--quiet")  # fmt: skip
    assert said.code == 0, said.err
    with rasterio.open(tmp_path / "map" / "classes.tif") as made:
        assert set(np.unique(made.read(1))) <= {1, 2, 3, 4}


def test_eleven_bits_and_their_bytes_give_the_same_map(arpent, data_folder, tmp_path):
    """A model that learnt bytes keeps how they were made: it maps the deep image as it maps the converted one."""
    source = data_folder / "landcover" / "spacenet_wv2"
    deep, outlines = source / "sample_geotiff.tif", source / "geotiff_labels.geojson"
    classes = {"nodata": 255, "classes": [{"id": 1, "name": "ground"}, {"id": 2, "name": "yes"}]}  # building=yes
    (tmp_path / "classes.yaml").write_text(yaml.safe_dump(classes))
    rows = [f"{deep},{outlines},building,ground,{name},{name},0,{col},900,{width}"
            for name, col, width in (("train", 0, 640), ("val", 640, 260))]  # fmt: skip
    head = "image,mask,mask_field,mask_background,name,split,row,col,height,width"
    (tmp_path / "index.csv").write_text("\n".join([head, *rows]) + "\n")
    trained(
        arpent,
        tmp_path,
        index=str(tmp_path / "index.csv"),
        task={"classes": str(tmp_path / "classes.yaml"), "bands": ["band_1"], "network": {"widths": [4, 8]}},
        to_bytes="percentile",
        patches=24,
        fit={**FIT, "epochs": 1},
    )
    learnt = load_bundle(tmp_path / "run" / "model.safetensors")
    rule = learnt.contract.normalisation
    assert rule.to_bytes is not None
    with rasterio.open(deep) as image:
        pixels, profile = image.read(), image.profile
    assert pixels.max() > 255
    with rasterio.open(tmp_path / "bytes.tif", "w", **profile | {"dtype": "uint8", "nodata": 0}) as image:
        image.write(rule.to_bytes(pixels, (pixels != profile["nodata"]).all(axis=0)))
    plain = learnt.contract.model_copy(
        update={"normalisation": rule.model_copy(update={"to_bytes": None}), "dtype": "uint8"}
    )
    save_bundle(tmp_path / "plain.safetensors", learnt.model, plain)
    for image, model, name in ((deep, tmp_path / "run", "a"), (tmp_path / "bytes.tif", "plain.safetensors", "b")):
        said = arpent("landcover", "predict", image, "--model", tmp_path / model, "-o", tmp_path / name, "--runtime",
                      "torch", "--quiet")  # fmt: skip
        assert said.code == 0, said.err
    maps = [rasterio.open(tmp_path / name / "classes.tif").read(1) for name in "ab"]
    assert np.array_equal(*maps)
    assert len(np.unique(maps[0])) > 1


def test_the_benchmark_of_real_scenes_leaves_one_out_beside_a_forest(data_folder, tmp_path):
    script = shutil.copy(ROOT / "bench" / "landcover_real.py", tmp_path)
    words = ["--seeds", "1", "--epochs", "1", "--patches", "8", "--trees", "3", "--folds", "coast"]
    words += ["--data", str(data_folder / "landcover" / "terramind")]
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "coast left out: 93.4 % of the truth is of classes that were learnt" in done.stdout
    for learner in ("random forest", "small U-Net"):
        assert re.search(rf"mean over the scenes left out, {learner}: OA [\d.]+ %, mIoU [\d.]+ %", done.stdout)
