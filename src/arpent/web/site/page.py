"""The page, and what is said where there is none."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from arpent.web.problems import Other, problem_of
from arpent.web.site.refusing import refusal

__all__ = ["failed_400", "failed_403", "failed_404", "failed_500", "page"]


@require_safe
@never_cache
@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    """The map. Everything else comes through its modules."""
    return render(request, "map.html")


def failed_400(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A request that makes no sense, such as one for another host."""
    del exception
    return _failed(request, HTTPStatus.BAD_REQUEST, "BadRequest", "the request cannot be understood", _HOSTS)


def failed_403(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A request that is not allowed."""
    del exception
    cure = "Log in at /login/ as a member of the staff."
    return _failed(request, HTTPStatus.FORBIDDEN, "NotAllowed", "this is not allowed", cure)


def failed_404(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """An address where nothing is."""
    del exception
    cure = "Go back to the map at /."
    return _failed(request, HTTPStatus.NOT_FOUND, "NoSuchAddress", "there is nothing at this address", cure)


def failed_500(request: HttpRequest) -> HttpResponse:
    """A defect: what nobody foresaw."""
    error, cure = (
        "the map has failed in a way nobody foresaw",
        "Look at what the server has printed, and tell the authors.",
    )
    return _failed(request, HTTPStatus.INTERNAL_SERVER_ERROR, "Defect", error, cure)


_HOSTS = "Go back to the map; if its address is new, name it in ALLOWED_HOSTS."


def _failed(request: HttpRequest, status: HTTPStatus, failure: Other, error: str, cure: str) -> HttpResponse:
    """Two lines for people, in French a third before them; the same as JSON for programs."""
    if request.path.startswith(("/api/", "/tiles/")):
        return refusal(status, failure, error, cure)
    lines = [f"{error[0].upper()}{error[1:]}.", cure]
    if (get_language() or "").startswith("fr"):
        lines.insert(0, f"{problem_of(failure).fr}.")
    text = f"{status.value} – {chr(10).join(lines)}\n"
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
