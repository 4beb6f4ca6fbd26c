"""How the map says no: a status, one line, its cure, and what such a line means in both languages."""

from __future__ import annotations

from http import HTTPStatus

from django.http import JsonResponse

from arpent.errors import ArpentError
from arpent.web.problems import Other, problem_of

__all__ = ["refusal"]


def refusal(status: int, failure: type[ArpentError] | Other, error: str, cure: str) -> JsonResponse:
    """The answer to what failed.

    Args:
        status: of HTTP.
        failure: its class.
        error: what is wrong, in one line.
        cure: what to do.
    """
    problem = problem_of(failure)
    means = {"en": problem.en, "fr": problem.fr}
    response = JsonResponse({"error": error, "cure": cure, "class": problem.name, "means": means}, status=status)
    response.headers["Cache-Control"] = "no-store"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "5"
    return response
