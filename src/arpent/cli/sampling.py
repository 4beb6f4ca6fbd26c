"""An image made up for a calibration, where nobody has named one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arpent.core import Sensor, sensor, sensor_names
from arpent.errors import InvalidSetting

__all__ = ["sample_for"]

_SIDE = 2048
"""Pixels of it along a side: room for a few tiles."""


def sample_for(given: Mapping[str, Any], folder: Path) -> Path:
    """A simulated landscape such as the model of a command line has learnt from.

    Args:
        given: parameters of the command; "model", and "sensor" where that is said.
        folder: for the image.

    Raises:
        InvalidSetting: no sensor is known that sees the bands of the model.
    """
    from arpent.store import bundle_in, read_contract
    from arpent.testing.simulation import Simulation, simulate

    if given.get("model") is None:
        raise InvalidSetting("no model is named", cure="Add --model, and an image as a sample if there is one.")
    contract = read_contract(bundle_in(Path(given["model"])))
    wanted = {name for name in contract.band_names if name not in contract.absent}
    names = [given["sensor"]] if given.get("sensor") else [*contract.sensors, *sensor_names()]
    fitting = [one for one in map(sensor, names) if wanted <= {band.name for band in one.bands}]
    if not fitting:
        raise InvalidSetting(
            "no sensor that can be simulated sees what the model wants",
            expected=", ".join(sorted(wanted)),
            cure="Name an image as a sample.",
        )
    taken = min(fitting, key=lambda one: _far(one, contract.gsd))
    return simulate(folder / "sample", Simulation(sensor=(taken.name,), size=_SIDE))[0].image


def _far(one: Sensor, gsd: float | None) -> float:
    """How far its pixels are from those of training; 0 for those of the very size."""
    return 0.0 if gsd is None or one.gsd is None else abs(one.gsd / gsd - 1)
