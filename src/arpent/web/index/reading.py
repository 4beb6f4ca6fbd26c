"""Looking things up in the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Prefetch, Q

from arpent.errors import UnknownName
from arpent.web.index.folding import terms
from arpent.web.index.models import LARGEST, Frame, Layer, Run, State

__all__ = ["Between", "frame_of", "layer_of", "layers_of_numbers", "runs_matching", "version"]


@dataclass(frozen=True, slots=True)
class Between:
    """Days from `start` to `end`, both included; None is open."""

    start: date | None = None
    end: date | None = None

    def condition(self, field: str) -> Q:
        """What a date field must meet."""
        wanted = Q()
        if self.start is not None:
            wanted &= Q(**{f"{field}__gte": self.start})
        if self.end is not None:
            wanted &= Q(**{f"{field}__lte": self.end})
        return wanted


def version() -> int:
    """The version of the index; 0 before anything was registered."""
    number: int | None = State.objects.values_list("version", flat=True).first()
    return number or 0


def runs_matching(search: str = "", days: Between | None = None) -> list[Run]:
    """Runs with those of their layers that bear all the words and have a frame in these days; newest first."""
    wanted = Q()
    for term in terms(search):
        wanted &= Q(words__contains=term)
    if days is not None and (days.start or days.end):
        wanted &= Q(id__in=Frame.objects.filter(days.condition("date")).values("layer_id"))
    found = (
        Layer.objects.filter(wanted)
        .order_by("place")
        .prefetch_related(Prefetch("frames", Frame.objects.order_by("place")))
    )
    runs = Run.objects.order_by("-created", "id").prefetch_related(Prefetch("layers", found))
    return [run for run in runs if run.layers.all()]


def layer_of(number: int) -> Layer:
    """The layer of that number.

    Raises:
        UnknownName: there is none.
    """
    return layers_of_numbers([number])[0]


def layers_of_numbers(numbers: Sequence[int]) -> list[Layer]:
    """The layers of these numbers, in that order, with their frames.

    Raises:
        UnknownName: there is no such layer.
    """
    frames = Prefetch("frames", Frame.objects.order_by("place"))
    known = Layer.objects.prefetch_related(frames).in_bulk([number for number in numbers if 0 <= number <= LARGEST])
    for number in numbers:
        if number not in known:
            raise UnknownName(f"there is no layer {number}", cure="Ask /api/layers which there are.")
    return [known[number] for number in dict.fromkeys(numbers)]


def frame_of(layer: Layer, number: int | None) -> Frame:
    """A frame of a layer; its only one, or its latest, if no number is given.

    Raises:
        UnknownName: the layer has none of that number.
    """
    frames = Frame.objects.filter(layer=layer).order_by("place")
    frame: Frame | None = frames.last() if number is None else frames.filter(id=min(number, LARGEST)).first()
    if frame is None:
        raise UnknownName(f"layer {layer.id} has no frame {number}", cure="Ask /api/layers which it has.")
    return frame
