"""Cameras and radars: which bands they have, in which order, at which size and scale."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from arpent.core.names import is_document, load_document, table
from arpent.core.settings import parse
from arpent.errors import InvalidSetting, UnknownName

__all__ = ["Band", "Sensor", "sensor", "sensor_names"]


class Band(BaseModel):
    """One band.

    Attributes:
        name: the sensor's own name for it ("B8A", "red_edge", "vv").
        common: the STAC common name, shared between sensors ("red", "nir08"); None for radar.
        wavelength: centre in nanometres; None for radar.
        gsd: metres per pixel on the ground, where it differs from the sensor's.
        aliases: other names that files give it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    common: str | None = None
    wavelength: float | None = None
    gsd: float | None = None
    aliases: tuple[str, ...] = ()

    def answers_to(self, name: str) -> bool:
        """Whether `name`, in any case, means this band."""
        wanted = name.strip().casefold()
        names = (self.name, self.common or self.name, *self.aliases)
        return wanted in {known.casefold() for known in names}


class Sensor(BaseModel):
    """What all images of one instrument have in common.

    Attributes:
        name: the key in Arpent's table ("sentinel-2-l2a").
        title: for people.
        bands: in the order of its usual files.
        gsd: metres per pixel on the ground.
        bits: significant bits of a digital number (11 for Pléiades Neo kept in 16).
        scale: reflectance (or power) = number × scale + offset.
        offset: see `scale`.
        nodata: the number that means "nothing here", if there is one.
        file_pattern: regular expression on the file name that tells this sensor, group ``band`` naming the band
            where the sensor's products keep one file per band.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    bands: tuple[Band, ...] = Field(min_length=1)
    gsd: float = Field(gt=0)
    bits: int = Field(ge=1, le=64)
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    file_pattern: str | None = None

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names in file order."""
        return tuple(band.name for band in self.bands)

    def band(self, name: str) -> Band:
        """The band that answers to `name`: its own, its common name or an alias."""
        for band in self.bands:
            if band.answers_to(name):
                return band
        raise UnknownName.among(name, self.band_names, f"band of {self.title}")

    def select(self, names: Sequence[str]) -> tuple[Band, ...]:
        """The bands that answer to `names`, in that order."""
        return tuple(self.band(name) for name in names)


@cache
def _sensors() -> dict[str, Sensor]:
    return {name: Sensor(name=name, **entry) for name, entry in table("sensors").items()}


def sensor_names() -> tuple[str, ...]:
    """Every sensor that Arpent knows by itself."""
    return tuple(_sensors())


def sensor(name: str) -> Sensor:
    """The sensor of that name, or the one in a file of somebody's own (``drone.yaml``).

    A sensor from a file answers to its name from then on, as those of Arpent do.

    Raises:
        UnknownName: no sensor is called so.
        FileMissing: there is no such file.
        InvalidSetting: the file does not describe a sensor, or another than before under the same name.
    """
    if is_document(name):
        return _remembered(_from_file(Path(name)))
    known = {**_sensors(), **_OWN}
    if name not in known:
        raise UnknownName.among(name, known, "sensor")
    return known[name]


_OWN: dict[str, Sensor] = {}
"""Sensors that were read from files, by name."""


def _from_file(path: Path) -> Sensor:
    document = {"name": path.stem, "title": path.stem, **load_document(path)}
    if isinstance(bands := document.get("bands"), list):
        document["bands"] = [{"name": one} if isinstance(one, str) else one for one in bands]
    read = parse(Sensor, document, path.name)
    for band in read.bands:
        for word in (band.name, band.common or band.name, *band.aliases):
            if [other.name for other in read.bands if other.answers_to(word)] != [band.name]:
                raise InvalidSetting(f"{path.name} has two bands that answer to '{word}'", cure="Rename one of them.")
    return read


def _remembered(own: Sensor) -> Sensor:
    if own.name in _sensors() or _OWN.get(own.name, own) != own:
        raise InvalidSetting(
            f"there is another sensor called '{own.name}'", cure="Give this one a name of its own: name: my-drone."
        )
    return _OWN.setdefault(own.name, own)
