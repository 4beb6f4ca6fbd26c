"""How fast pictures get labels: `classify predict` on a folder, beside the bare network on tensors in memory.

Both run the same network with the same threads, in turns, so that whatever else the machine does hits both. Goals: at
least nine tenths of the bare network's pictures a second, from JPEGs of 256² and from photographs of three megapixels,
which are decoded at a fraction of their size; and with OpenVINO at least twice those of PyTorch,
of small pictures, whose reading does not take longer than that.

Usage: python bench/classify.py [--pictures 256] [--rounds 3] [--threads 1]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

WITHIN, FASTER = 0.9, 2.0
SIDE, BATCH = 256, 8


def main(argv: list[str]) -> int:
    """Prints what it measures; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    import torch

    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as home:
        place = Path(home)
        bundle = made_bundle(place / "labeller.safetensors")
        folders = {
            "JPEGs of 256²": made_pictures(place / "small", asked.pictures, 256, 256),
            "photographs of 3 megapixels": made_pictures(place / "large", asked.pictures // 4, 1536, 2048),
        }
        met = [compared(name, folder, bundle, asked.rounds) for name, folder in folders.items()]
    return 0 if all(met) else 1


def made_bundle(path: Path) -> Path:
    """MobileNetV2 and a head of 17 labels with random weights: what they say does not matter for their speed."""
    import torch

    from arpent.core import Contract, Normalisation, sensor
    from arpent.models import LabellerSettings, save_bundle
    from arpent.models.labelling import build_labeller
    from arpent.models.labelling_settings import ImageBranchSettings

    torch.manual_seed(0)
    settings = LabellerSettings(labels=17, image=ImageBranchSettings(side=SIDE))
    recipe = {"labels": [f"label {n}" for n in range(17)], "masked": False, "cautions": {"en": [], "fr": []}}
    contract = Contract(
        task="classify",
        architecture="labeller",
        settings=settings.model_dump(mode="json"),
        bands=sensor("bd-ortho").select(("red", "green", "blue")),
        normalisation=Normalisation(origin="bench", scale=1 / 127.5, mean=(1.0,) * 3, std=(1.0,) * 3),
        recipe=recipe,
        arpent="0",
    )
    return save_bundle(path, build_labeller(settings).eval(), contract)


def made_pictures(folder: Path, count: int, height: int, width: int) -> Path:
    """JPEGs with something in them: smooth noise, as large in the file as photographs are."""
    import cv2
    import numpy as np

    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = random.integers(0, 255, (height // 16, width // 16, 3)).astype(np.uint8)
        picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        noise = random.integers(0, 24, picture.shape, dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:04d}.jpg"), cv2.add(picture, noise), [cv2.IMWRITE_JPEG_QUALITY, 88])
    return folder


def compared(name: str, folder: Path, bundle: Path, rounds: int) -> bool:
    """Pictures a second of predict, with PyTorch and with OpenVINO, each between two turns of the bare network."""
    count = len(list(folder.iterdir()))
    rates: dict[str, list[float]] = {"bare": [], "torch": [], "openvino": []}
    beside: dict[str, list[float]] = {"torch": [], "openvino": []}
    busy: list[float] = []
    for turn in range(rounds):
        for runtime, ratios in beside.items():
            before = bare(bundle, count)
            made = predicted(folder, bundle, runtime, folder.parent / f"{folder.name}-{runtime}-{turn}")
            after = bare(bundle, count)
            rates["bare"] += [before, after]
            rates[runtime].append(made["pictures_per_second"])
            ratios.append(made["pictures_per_second"] / ((before + after) / 2))
            if runtime == "torch":
                busy.append(made["network_share"])
    share, faster = median(beside["torch"]), median(beside["openvino"])
    print(f"{name} ({count} pictures, median of {rounds} rounds)")
    for runtime, told in rates.items():
        print(f"  {runtime:10} {median(told):8.1f} pictures/s")
    at_work = f"the network is at work {median(busy):.0%} of the time"
    met = share >= WITHIN and (faster >= FASTER or not name.startswith("JPEG"))
    print(f"  predict / bare network      {share:.2f}  (goal {WITHIN}); {at_work}")
    print(f"  OpenVINO / PyTorch eager    {faster:.2f}  (goal {FASTER}, of JPEGs)  {'met' if met else 'MISSED'}")
    return met


def bare(bundle: Path, count: int) -> float:
    """Pictures a second of the network alone, on tensors in memory."""
    import numpy as np

    from arpent.tasks.classify.asking import Asked

    asked = Asked.open(bundle, runtime="torch", device="cpu")
    images = np.random.default_rng(0).random((BATCH, 3, SIDE, SIDE), np.float32)
    asked.chances(asked.features(images), None)
    batches = max(2, -(-count // BATCH))
    began = time.perf_counter()
    for _ in range(batches):
        asked.chances(asked.features(images), None)
    return batches * BATCH / (time.perf_counter() - began)


def predicted(folder: Path, bundle: Path, runtime: str, target: Path) -> Mapping[str, float]:
    """What a run says of the whole loop of ``classify predict``: reading, network, tables."""
    from arpent.store import Place
    from arpent.tasks.classify.predict_settings import LabelSettings
    from arpent.tasks.classify.predicting import label_pictures

    settings = LabelSettings.model_validate({"runtime": runtime, "device": "cpu", "figures": 0, "batch_size": BATCH})
    made = label_pictures([str(folder)], bundle, Place(exact=target), settings)
    return {name: float(value or 0) for name, value in made.run.manifest.metrics.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
