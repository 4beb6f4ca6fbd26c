"""``manage.py load_predictions``: predictions of other programs on the map."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from arpent.web.index.importing import load_predictions

__all__ = ["Command"]

_SHOWN = 100


class Command(BaseCommand):
    """Imports a file of predictions."""

    help = "Puts predictions of a GeoJSON or CSV file, or a run by its manifest.json, on the map."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("--file", type=Path, required=True, help="a .geojson, .csv or manifest.json file")
        parser.add_argument("--crs", help="reference system, if the file does not declare it: EPSG:2154")
        parser.add_argument("--strict", action="store_true", help="import nothing if a single row is bad")
        parser.add_argument("--name", default="", help="on the map; that of the file if not given")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as Django calls it
        """Imports, and tells every bad row."""
        del args
        file: Path = options["file"]
        done = load_predictions(file, crs=options["crs"], strict=options["strict"], name=options["name"])
        for row in done.bad[:_SHOWN]:
            self.stderr.write(f"row {row.number}: {row.reason}")
        folder = done.registration.path
        if len(done.bad) > _SHOWN:
            self.stderr.write(f"… and {len(done.bad) - _SHOWN:,} more: see {folder / 'refused.csv'}")
        for problem in done.registration.problems:
            self.stderr.write(problem)
        if not done.is_new:
            self.stdout.write(f"{file.name} is on the map already.")
        elif done.rows is None:
            self.stdout.write(f"{done.registration.name}: {done.registration.layers} layers.")
        else:
            self.stdout.write(f"{file.name}: {done.rows:,} rows are on the map, {len(done.bad):,} were left out.")
