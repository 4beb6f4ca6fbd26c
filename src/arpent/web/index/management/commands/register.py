"""``manage.py register``: runs on the map."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from arpent.web.index.gathering import gather

__all__ = ["Command"]


class Command(BaseCommand):
    """Registers runs."""

    help = "Puts runs on the map: run folders, or folders that hold them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options."""
        parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run folder, or a folder of runs")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as Django calls it
        """Registers, and tells what came of each."""
        del args
        gathered = gather(options["runs"])
        for done in gathered.done:
            state = "registered" if done.is_new else "on the map already"
            self.stdout.write(f"{done.path.name}: {state}, {done.layers} layers")
            for problem in done.problems:
                self.stderr.write(f"{done.path.name}: {problem}")
        for line in gathered.failed:
            self.stderr.write(line)
        gathered.check()
