"""The map as a WSGI application, for any server that speaks WSGI: ``arpent.web.site.wsgi:application``."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

__all__ = ["application"]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arpent.web.site.settings")
application = get_wsgi_application()
