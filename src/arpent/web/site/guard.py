"""What stands between the map and the world: headers, who may be served, and how failures are told."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from http import HTTPStatus

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from arpent.errors import ArpentError, InvalidSetting
from arpent.web.index.failing import cure_of
from arpent.web.site.environment import LOCAL_HOSTS, Environment
from arpent.web.site.refusing import refusal
from arpent.web.statuses import status_of

__all__ = ["POLICY", "Answers", "Headers", "check_address", "told"]

_LOG = logging.getLogger("arpent.web")

Next = Callable[[HttpRequest], HttpResponse]

_FOLDERS = re.compile(r"(?<![\w.:/])(?!/(?:api|tiles)/)(?:/[^\s/'\"]+)*/(?=[^\s/'\"])")
"""Folders of this machine; the addresses of the map are none."""

_LOOPBACK = {*LOCAL_HOSTS, "::1"}


POLICY = "; ".join(
    (
        "default-src 'self'",
        # Images of OpenStreetMap are the one thing from elsewhere, and come only to who switches them on.
        "img-src 'self' data: blob: https://tile.openstreetmap.org",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy: everything from the map itself, nothing inline."""


class Headers:
    """Gives every answer the policy of the site, those of static files included.

    Cookies that came through TLS go through TLS alone ever after.
    """

    def __init__(self, get_response: Next) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer of the next layer, with the headers."""
        response = self._next(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(self)"
        # Not for every cookie in production: a map on a network of one's own may be served without TLS.
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response


class Answers:
    """Turns what a view raises into a status and one line with its cure."""

    def __init__(self, get_response: Next) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer of the next layer."""
        return self._next(request)

    def process_exception(self, request: HttpRequest, problem: Exception) -> HttpResponse | None:
        """The answer to a failure that Django has no answer to."""
        del request
        return told(problem)


def told(problem: Exception) -> JsonResponse | None:
    """A failure as status, one line and its cure; None for what nobody foresaw, which is left to Django."""
    if isinstance(problem, ArpentError):
        line = _placeless(str(problem).removesuffix(problem.cure).rstrip(". "))
        return refusal(status_of(type(problem)), type(problem), line, _placeless(problem.cure))
    if isinstance(problem, DatabaseError):
        _LOG.warning("database: %s", problem)
        line = "the map's database cannot be used now"
        return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Database", line, cure_of(str(problem)))
    if isinstance(problem, Http404):
        line, cure = "there is nothing at this address", "Look at the map's list of layers."
        return refusal(HTTPStatus.NOT_FOUND, "NoSuchAddress", line, cure)
    if isinstance(problem, PermissionDenied):
        line, cure = "this is not allowed", "Log in at /login/ as a member of the staff."
        return refusal(HTTPStatus.FORBIDDEN, "NotAllowed", line, cure)
    if isinstance(problem, SuspiciousOperation | BadRequest):
        line, cure = "the request cannot be understood", "Go back to the map."
        return refusal(HTTPStatus.BAD_REQUEST, "BadRequest", line, cure)
    return None


def _placeless(text: str) -> str:
    """A message with the names of files and without their folders: strangers need not know where they lie."""
    return _FOLDERS.sub("", text)


def check_address(host: str, environment: Environment) -> None:
    """Refuses to listen to others than this machine before it is known by which names, and with which key.

    Raises:
        InvalidSetting: ALLOWED_HOSTS or DJANGO_SECRET_KEY is not given.
    """
    if host in _LOOPBACK or host.startswith("127."):
        return
    given = {"ALLOWED_HOSTS": environment.hosts_given, "DJANGO_SECRET_KEY": bool(environment.key)}
    lacking = [name for name, is_given in given.items() if not is_given]
    if lacking:
        raise InvalidSetting(
            f"the map is not served to others at {host} as it is",
            found=f"no {' and no '.join(lacking)}",
            expected="the names under which it may be reached, and a secret key",
            cure=f"Set {' and '.join(lacking)} in the environment or in .env, or serve at 127.0.0.1.",
        )
