"""Addresses of the map."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.i18n import JSONCatalog

from arpent.web.api.answers import api
from arpent.web.site import page, tiles
from arpent.web.site.login import Login

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", page.page, name="page"),
    path("login/", Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("words.json", JSONCatalog.as_view(packages=["arpent.web.page"]), name="words"),
    path("api/", api.urls),
    path("tiles/", include(tiles.urlpatterns)),
]

handler400 = page.failed_400
handler403 = page.failed_403
handler404 = page.failed_404
handler500 = page.failed_500
