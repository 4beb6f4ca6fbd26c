"""Makes the small bundles that come with Arpent anew: ``python scripts/bundles.py [NAME...] [--folder FOLDER]``.

Each learns from land that the simulator makes, and is judged on other land; its contract says both. Without names all
that have a recipe are made. With ``--judge`` nothing is made: what is shipped is judged, beside what it claims.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

from arpent.cli.console import progress
from arpent.core.bundle import read_contract
from arpent.demo.recipes import judge_bundle, make_bundle, recipe_named, recipe_names
from arpent.models.shipped import shipped_bundle, shipped_folder


def main() -> None:
    """Reads the command line and does what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"among {', '.join(recipe_names())}; all by default")
    parser.add_argument("--folder", type=Path, help="for data and runs; one that goes away if not given")
    parser.add_argument("--output", type=Path, default=shipped_folder(), help="where bundles go")
    parser.add_argument("--judge", action="store_true", help="judge what is shipped, and make nothing")
    parser.add_argument("--small", action="store_true", help="a try that learns next to nothing, in seconds")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for name in asked.names or recipe_names():
            folder = (asked.folder or Path(scratch)) / name
            if asked.judge:
                _compare(name, folder)
                continue
            output = asked.output / recipe_named(name).file
            made = make_bundle(name, output, folder, small=asked.small, progress=progress())
            print(made)
            _show(read_contract(made).metrics)


def _compare(name: str, folder: Path) -> None:
    bundle = shipped_bundle(name)
    if bundle is None:
        raise SystemExit(f"{name} is not shipped; make it first")
    claimed = read_contract(bundle).metrics
    for figure, value in judge_bundle(name, bundle, folder, progress=progress()).items():
        print(f"{name}  {figure:32} {value:8.4f}  claimed {claimed[figure]:8.4f}")


def _show(figures: Mapping[str, float]) -> None:
    for figure, value in figures.items():
        if figure.startswith("judged/"):
            print(f"  {figure:32} {value:8.4f}")


if __name__ == "__main__":
    main()
