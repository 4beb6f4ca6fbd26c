"""Which band is which: names from the file, from its sensor, from its file name, and never from the position alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from arpent.core import Sensor, band_count, sensor, sensor_names
from arpent.errors import BandMismatch, InvalidSetting, nearest
from arpent.io.header import BandHeader, Header

__all__ = ["Layer", "SensorFile", "default_layers", "is_quality", "name_layers", "pick", "recognise", "sensor_of"]

QUALITY = frozenset({"fmask", "scl", "qa_pixel", "qa_radsat", "sr_qa_aerosol", "qa60", "cloudmask", "udm2"})
"""Layers of flags or classes: reachable by name, never among the default bands, never interpolated."""

_COLOURS = frozenset({"red", "green", "blue", "nir", "pan", "coastal", "rededge"})
_FOURTH = 4  # the band that writers of four bytes per pixel mark as alpha, be it near infrared
_PLACEHOLDER = re.compile(r"(?:band|layer)[ _-]?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Layer:
    """One band, wherever it is kept.

    Attributes:
        address: the file, as GDAL calls it.
        index: of the band in that file, from 1.
        name: its own name.
        aliases: its common name and the other names it answers to.
        default: whether it is read when no band is named.
        alpha: whether the alpha band of its file says which pixels count.
        left_out: index of that alpha band, which is no layer itself.
    """

    address: str
    index: int
    name: str
    aliases: tuple[str, ...] = ()
    default: bool = True
    alpha: bool = True
    left_out: int | None = None

    @property
    def quality(self) -> bool:
        """Whether it holds flags or classes, which have no in-between."""
        return is_quality(self.name)

    def answers_to(self, name: str) -> bool:
        """Whether `name`, in any case, means this layer."""
        return name.strip().casefold() in {self.name.casefold(), *(alias.casefold() for alias in self.aliases)}


@dataclass(frozen=True)
class SensorFile:
    """What a file name gives away.

    Attributes:
        sensor: whose product it is.
        band: the band it holds, for products of one file per band.
        scene: the part of the name that all files of the scene share.
    """

    sensor: Sensor
    band: str | None
    scene: str


def is_quality(name: str) -> bool:
    """Whether a band of that name holds flags or classes."""
    return name.casefold() in QUALITY


def recognise(file_name: str) -> SensorFile | None:
    """The sensor, band and scene that a file name gives away, if it follows a known pattern."""
    for name in sensor_names():
        known = sensor(name)
        match = re.search(known.file_pattern, file_name) if known.file_pattern else None
        if match:
            band = match.groupdict().get("band")
            scene = file_name[match.start() : match.start("band") if band else match.end()]
            return SensorFile(known, band, scene.rstrip("._"))
    return None


def named_by(known: Sensor | None, name: str) -> tuple[str, ...]:
    """What else a band of that name is called, by its sensor; nothing when the sensor does not know it."""
    for band in known.bands if known else ():
        if band.answers_to(name):
            others = (band.name, band.common, *band.aliases)
            return tuple(other for other in others if other and other.casefold() != name.casefold())
    return ()


def name_layers(header: Header, declared: Sensor | None, file_name: str) -> tuple[Layer, ...]:
    """The bands of one file, alpha left out, under the best names that can be had.

    In this order: the names in the file; those of the sensor that the caller declares; those of the sensor that
    the file's tags or its name give away; the colours that the file declares; ``band_1``, ``band_2`` …

    Raises:
        BandMismatch: the declared sensor has another number of bands than the file.
    """
    alpha = header.alpha
    bands = [band for band in header.bands if band.index != alpha]
    if alpha and declared and len(declared.bands) == len(header.bands):
        # Many writers mark a fourth band as alpha for want of a better word. The caller knows better.
        alpha, bands = None, list(header.bands)
    given = recognise(file_name)
    guessed = sensor_of(header, declared, file_name)
    names = _own_names(bands)
    if names is None and given and given.band and len(bands) == 1:
        names = [given.band]
    if names is None and guessed and len(guessed.bands) == len(bands):
        names = list(guessed.band_names)
    if names is None and declared:
        raise BandMismatch(
            f"{header.source} does not name its bands and is not a {declared.title} image",
            found=band_count(len(bands)),
            expected=f"{len(declared.bands)}: {', '.join(declared.band_names)}",
            cure="Name another sensor, or write the band names into the file.",
        )
    if names is None:
        names = _colours(bands)
    return tuple(
        Layer(
            address=header.address,
            index=band.index,
            name=name,
            aliases=named_by(guessed, name),
            default=len(bands) == 1 or not is_quality(name),
            alpha=alpha is not None,
            left_out=alpha,
        )
        for band, name in zip(bands, names, strict=True)
    )


def sensor_of(header: Header, declared: Sensor | None, file_name: str) -> Sensor | None:
    """Whose image a file is: as the caller declares it, as its metadata say, or as its name gives away."""
    given = recognise(file_name)
    return declared or _tagged(header) or (given.sensor if given else None)


def _tagged(header: Header) -> Sensor | None:
    """The sensor that the file's own metadata names, as Arpent's names go."""
    tags = {key.casefold(): value for key, value in header.tags.items()}
    name = tags.get("sensor", "")
    return sensor(name) if name in sensor_names() else None


def _own_names(bands: Sequence[BandHeader]) -> list[str] | None:
    """The names in the file; None when it has none, or the same for several, or only numbers."""
    named = [band.description for band in bands if band.description and not _PLACEHOLDER.fullmatch(band.description)]
    if not named or len({name.casefold() for name in named}) < len(named):
        return None
    return [
        band.description if band.description in named else f"band_{place}" for place, band in enumerate(bands, start=1)
    ]


def _colours(bands: Sequence[BandHeader]) -> list[str]:
    shown = [band.colour for band in bands]
    return [
        colour if colour in _COLOURS and shown.count(colour) == 1 else f"band_{place}"
        for place, colour in enumerate(shown, start=1)
    ]


def default_layers(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers that are read when no band is named."""
    return tuple(layer for layer in layers if layer.default)


def pick(layers: Sequence[Layer], names: Sequence[str], source: str) -> tuple[Layer, ...]:
    """The layers that answer to `names`, in that order: by own name first, then by common name or alias.

    Raises:
        BandMismatch: none answers, or several do.
        InvalidSetting: no name was given.
    """
    if not names:
        raise InvalidSetting("no band is asked for", cure="Name at least one band, or leave `bands` out for all.")
    return tuple(_pick_one(layers, name, source) for name in names)


def _pick_one(layers: Sequence[Layer], name: str, source: str) -> Layer:
    own = [layer for layer in layers if layer.name.casefold() == name.strip().casefold()]
    found = own or [layer for layer in layers if layer.answers_to(name)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(layer.name for layer in layers)
    if found:
        raise BandMismatch(
            f"'{name}' means several bands of {source}",
            found=", ".join(layer.name for layer in found),
            cure="Use one of these names.",
        )
    known = [word for layer in layers for word in (layer.name, *layer.aliases)]
    guess = nearest(name, known)
    nameless = all(_PLACEHOLDER.fullmatch(layer.name) for layer in layers)
    if guess:
        cure = f"Did you mean '{guess}'?"
    elif nameless:
        cure = (
            "The file does not name its bands: say which sensor made it (--sensor, or the column 'sensor' of an "
            "index), or describe your own in a file (--sensor mine.yaml)."
        )
    else:
        cure = "Ask for bands that it has, or give an image with this one."
    if any(layer.left_out == _FOURTH for layer in layers):
        cure += " If the fourth band is not a mask, say whose image it is: --sensor bd-ortho."
    raise BandMismatch(f"{source} has no band '{name}'", found=f"bands {listed}", cure=cure)
