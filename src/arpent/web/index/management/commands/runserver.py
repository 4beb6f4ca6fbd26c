"""``manage.py runserver``: Django's own server, under the map's rule of who may be served."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.staticfiles.management.commands.runserver import Command as Runserver

from arpent.web.site.guard import check_address

__all__ = ["Command"]


class Command(Runserver):
    """Serves the map to its programmers."""

    help = "Serves the map with Django's own server, for programmers; arpent map serve is for everybody else."

    def run(self, **options: Any) -> None:  # noqa: ANN401 - as Django calls it
        """Refuses to listen to strangers without a key and names, then serves."""
        check_address(self.addr, settings.ENVIRONMENT)
        super().run(**options)
