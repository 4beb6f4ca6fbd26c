"""From images to a map in Python: simulate a commune, learn it, map it, and ask the run what it found.

Usage: python examples/map_a_commune.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from arpent.core import load_yaml, parse
from arpent.store import Place, open_run
from arpent.tasks.landcover import MapSettings, TrainSettings, map_image, train
from arpent.testing.simulation import Simulation, simulate

CONFIG = Path(__file__).with_name("landcover.yaml")


def main(folder: Path) -> None:
    """Does it all below `folder`."""
    places = simulate(folder / "commune", Simulation(size=256, scenes=3))
    settings = parse(TrainSettings, load_yaml(CONFIG) | {"index": str(folder / "commune" / "index.csv")}, CONFIG.name)
    model = train(settings, Place(exact=folder / "model"))
    made = map_image(
        str(places[0].image),
        model.path / "model.safetensors",
        Place(exact=folder / "map"),
        MapSettings(),
        truth=places[0].mask,
    )
    for area in made.areas:
        if area.share > 0:
            print(f"{area.entry.en:22} {area.square_metres or 0:10.0f} m²  {area.share:6.1%}")
    run = open_run(folder / "map")
    print(f"mIoU {run.manifest.metrics['miou']:.3f}, products: {[product.file for product in run.manifest.products]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
