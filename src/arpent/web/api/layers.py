"""What there is on the map: its version, and its layers with their frames."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.gzip import gzip_page
from ninja import Query, Router
from ninja.decorators import decorate_view

from arpent.web.api.shapes import LayersOut, StateOut
from arpent.web.index.models import Frame, Layer, Run
from arpent.web.index.reading import Between, runs_matching, version

__all__ = ["router"]

router = Router(tags=["layers"])


@router.get("/state", response=StateOut)
def state(request: HttpRequest, response: HttpResponse) -> Any:  # noqa: ANN401 - an answer, or its content
    """The version of the index: it changes when a run is registered or removed."""
    number = version()
    etag = f'"{number}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers={"ETag": etag, "Cache-Control": "no-cache"})
    response["ETag"], response["Cache-Control"] = etag, "no-cache"
    return {"version": number}


@router.get("/layers", response=LayersOut)
@decorate_view(gzip_page)  # layers of a run have much in common
def layers(
    request: HttpRequest,
    search: Annotated[str, Query(max_length=200)] = "",
    start: Annotated[date | None, Query(alias="from")] = None,
    end: Annotated[date | None, Query(alias="to")] = None,
) -> dict[str, Any]:
    """The layers of all runs, the newest run first.

    Args:
        request: as Django gives it.
        search: words in the names of runs and layers.
        start: leaves out layers whose frames all lie before this day.
        end: leaves out layers whose frames all lie after this day.
    """
    del request
    number = version()  # first: a change in between is then seen at the next look
    return {"version": number, "runs": [_run(run) for run in runs_matching(search, Between(start, end))]}


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "task": run.task,
        "language": run.language,
        "created": run.created,
        "layers": [_layer(layer) for layer in run.layers.all()],
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "id": layer.id,
        "name": layer.name,
        "kind": layer.kind,
        "title": {"en": layer.title_en, "fr": layer.title_fr},
        "source": layer.source,
        "bounds": [layer.west, layer.south, layer.east, layer.north],
        "minzoom": layer.minzoom,
        "maxzoom": layer.maxzoom,
        "bands": layer.bands,
        "issue": layer.issue,
        "legend": layer.legend,
        "frames": [_frame(frame) for frame in layer.frames.all()],
        "skill": layer.skill,
        "warnings": layer.warnings,
    }


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "id": frame.id,
        "date": frame.date,
        "horizon": frame.horizon,
        "observed": frame.observed,
        "etag": frame.digest[:16],
    }
