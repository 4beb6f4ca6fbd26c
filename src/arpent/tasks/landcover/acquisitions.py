"""What is known of an image beside its pixels: from the index in training, from the image and the user on maps."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, time

import numpy as np
from numpy.typing import NDArray

from arpent.core import Contract, Grid, ground_outline
from arpent.data import Sample
from arpent.errors import DatasetError
from arpent.io import open_image
from arpent.language import say
from arpent.models import Bundle
from arpent.models.metadata import Acquisition, Told, encode, settings_in
from arpent.tasks.landcover.settings import MapSettings

__all__ = ["acquisition_of", "describer", "told", "unheard"]

Describe = Callable[[Sample], NDArray[np.float32]]

_TIME = re.compile(r"(\d{1,2})\s*[h:]\s*(\d{2})(?!\d)")


def describer(network: Mapping[str, object]) -> Describe | None:
    """What tells a network of a sample, from the network's settings; None where it has no branch for it."""
    settings = settings_in(network)
    if settings is None:
        return None
    seen: dict[str, NDArray[np.float32]] = {}

    def describe(sample: Sample) -> NDArray[np.float32]:
        # Two threads may both find it out; they find the same.
        if sample.name not in seen:
            seen[sample.name] = encode(acquisition_of(sample), settings)
        return seen[sample.name]

    return describe


def acquisition_of(sample: Sample) -> Acquisition:
    """What an index says of a sample: columns ``lon``, ``lat``, ``altitude``, ``camera``, ``date`` and ``time``.

    The place is that of the image's georeference where the index gives none, and the camera is its sensor.

    Raises:
        DatasetError: a column holds something else than numbers, or than a time.
    """
    longitude, latitude = _number(sample, "lon"), _number(sample, "lat")
    if longitude is None or latitude is None:
        with open_image(sample.image, sensor=sample.sensor or None) as reader:
            longitude, latitude = _middle(reader.grid)
    camera = sample.attributes.get("camera") or sample.sensor
    return Acquisition(
        longitude, latitude, _number(sample, "altitude"), str(camera) if camera else None, sample.date, _hour(sample)
    )


def told(
    bundle: Bundle, grid: Grid, settings: MapSettings, taken: datetime | None, sensor: str | None = None
) -> Bundle:
    """The model of a bundle with what is known of one image folded in; the bundle itself where it has no use for it.

    Args:
        bundle: of the model.
        grid: of the image, for its place.
        settings: name altitude and camera.
        taken: when the image was taken; midnight stands for a day without a time.
        sensor: of the image, by its file; the camera where the user names neither, as in training.
    """
    branch = settings_in(bundle.contract.settings)
    if branch is None:
        return bundle
    hour = taken.time() if taken is not None and taken.time() != time() else None
    day = None if taken is None else taken.date()
    longitude, latitude = _middle(grid)
    camera = settings.camera or sensor or settings.sensor
    known = Acquisition(longitude, latitude, settings.altitude, camera, day, hour)
    return Bundle(Told(bundle.model, encode(known, branch)).eval(), bundle.contract)


def unheard(contract: Contract, settings: MapSettings) -> str | None:
    """A line about what the user says of an image and the network cannot take in; None where it takes in all."""
    branch = settings_in(contract.settings)
    if branch is None:
        said = settings.altitude is not None or settings.camera is not None
        return say("landcover.told_nothing", settings.language) if said else None
    if not branch.cameras or settings.camera is None or settings.camera in branch.cameras:
        return None
    known = ", ".join(branch.cameras)
    return say("landcover.camera_unknown", settings.language, camera=settings.camera, known=known)


def _middle(grid: Grid) -> tuple[float, float] | tuple[None, None]:
    """Longitude and latitude of the middle of a grid."""
    if not grid.georeferenced:
        return None, None
    longitude, latitude = ground_outline(grid).mean(axis=0)
    return float(longitude), float(latitude)


def _number(sample: Sample, name: str) -> float | None:
    given = sample.attributes.get(name)
    if given is None or given == "":
        return None
    try:
        value = float(given)
    except (TypeError, ValueError):
        raise _wrong(sample, name, given, "a number") from None
    return value if math.isfinite(value) else None


def _hour(sample: Sample) -> time | None:
    given = sample.attributes.get("time")
    if given is None or given == "":
        return None
    found = _TIME.match(str(given).strip())
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise _wrong(sample, "time", given, "a time such as 10:25 or 10h25")
    return time(int(found[1]), int(found[2]))


def _wrong(sample: Sample, name: str, found: object, expected: str) -> DatasetError:
    return DatasetError(
        f"the column '{name}' of sample '{sample.name}' cannot be used",
        found=found,
        expected=expected,
        cure="Correct it, or leave it empty.",
    )
