"""The API as a whole: its parts, and how it tells failures."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from arpent.errors import ArpentError
from arpent.version import __version__
from arpent.web.api import features, layers, runs, values
from arpent.web.site.guard import told
from arpent.web.site.refusing import refusal

__all__ = ["api"]

_EXPECTED = "See /api/docs for what is expected."

api = NinjaAPI(
    title="Arpent's map",
    version=__version__,
    description="Layers, values and areas of registered runs. Errors are {error, cure, class, means}: "
    "one line, what to do, the name of its class, and what such errors mean in English and French.",
    urls_namespace="api",
)
for _part in (layers, features, values, runs):
    api.add_router("", _part.router)


@api.exception_handler(ArpentError)
@api.exception_handler(DatabaseError)
@api.exception_handler(Http404)
def _failed(request: HttpRequest, problem: Exception) -> HttpResponse:
    del request
    answer = told(problem)
    assert answer is not None
    return answer


@api.exception_handler(ValidationError)
def _refused(request: HttpRequest, problem: ValidationError) -> HttpResponse:
    """Parameters that are not what the API expects."""
    del request
    faults = "; ".join(f"{fault['loc'][-1]}: {_short(fault['msg'])}" for fault in problem.errors[:3])
    line = f"the request cannot be used ({faults})"
    return refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "BadRequest", line, _EXPECTED)


def _short(message: Any) -> str:  # noqa: ANN401 - pydantic's messages come as they come
    return str(message).partition("\n")[0][:120]


@api.exception_handler(HttpError)
def _closed(request: HttpRequest, problem: HttpError) -> HttpResponse:
    """What ninja itself refuses: a missing login or CSRF token, a body that is no JSON."""
    del request
    line = str(problem).partition("\n")[0].lower()
    if problem.status_code not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return refusal(problem.status_code, "BadRequest", line, _EXPECTED)
    cure = "Log in at /login/ as a member of the staff, and send the CSRF token."
    return refusal(problem.status_code, "NotAllowed", line, cure)
