"""Changing the map: for members of the staff who are logged in, with a CSRF token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.security.session import SessionAuthIsStaff

from arpent.errors import UnknownName
from arpent.store import runs_under
from arpent.web.api.features import Number
from arpent.web.api.shapes import RegisteredOut, RunIn
from arpent.web.index.known import known_runs
from arpent.web.index.registering import register, remove

__all__ = ["router"]

router = Router(tags=["staff"], auth=SessionAuthIsStaff())


@router.post("/runs", response=RegisteredOut)
def add(request: HttpRequest, body: RunIn) -> dict[str, Any]:
    """Registers a run by the name of its folder, which lies beside registered runs: paths never come from a request."""
    del request
    folders = dict.fromkeys(path.parent for path in known_runs(Path(settings.DATA_PATH)))
    beside = {entry.path.name: entry.path for folder in folders if folder.is_dir() for entry in runs_under(folder)}
    if body.name not in beside:
        raise UnknownName.among(body.name, beside, "run beside those that are registered")
    done = register(beside[body.name])
    return {
        "id": done.number,
        "name": done.name,
        "layers": done.layers,
        "is_new": done.is_new,
        "problems": list(done.problems),
    }


@router.delete("/runs/{run}", response={204: None})
def drop(request: HttpRequest, run: Number) -> HttpResponse:
    """Takes a run off the map; its folder stays as it is."""
    del request
    remove(run)
    return HttpResponse(status=204)
