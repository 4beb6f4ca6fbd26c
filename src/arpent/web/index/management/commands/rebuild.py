"""``manage.py rebuild``: the index from the run folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from arpent.web.index.gathering import everything_known
from arpent.web.index.registering import rebuild

__all__ = ["Command"]


class Command(BaseCommand):
    """Makes the index anew."""

    help = "Empties the index and fills it again from the runs that were registered and imported."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as Django calls it
        """Rebuilds, and tells what came of it."""
        del args, options
        done, failed = rebuild(everything_known(Path(settings.DATA_PATH)))
        for line in failed:
            self.stderr.write(line)
        self.stdout.write(f"{len(done)} runs are on the map, {len(failed)} could not be registered again.")
