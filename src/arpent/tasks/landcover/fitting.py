"""Brings an image and a model together: the pixel size at which it is read, and the numbers that the network sees."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from arpent.core import Contract, Grid, sensor
from arpent.core.boxes import window_in_box
from arpent.data import measure
from arpent.errors import BandMismatch, ContractMismatch, GeoreferenceMissing, InvalidSetting
from arpent.io import ImageReader, open_image
from arpent.language import say
from arpent.tasks.landcover.radiometry import rule_anew
from arpent.tasks.landcover.settings import MapSettings
from arpent.tasks.landcover.survey import SAME_SIZE

__all__ = ["Opened", "check_fit", "normalised", "of_its_sensor", "open_fitting"]

_LARGEST_DENOMINATOR = 10


@dataclass(frozen=True)
class Opened:
    """An image as a model will see it.

    Attributes:
        reader: of its pixels, perhaps resampled.
        own: the image's own grid.
    """

    reader: ImageReader
    own: Grid


def of_its_sensor(contract: Contract, image: str, settings: MapSettings) -> Contract:
    """What a model demands of this image: of a model for several sensors, what it demands of those of its sensor.

    Raises:
        InvalidSetting: nobody says which of the sensors took the image.
        UnknownName: another one took it.
    """
    if not contract.sensors:
        return contract
    with open_image(image, sensor=settings.sensor) as reader:
        name = reader.sensor
    if name is None:
        raise InvalidSetting(
            f"the model was trained on images of several sensors, and nothing says which of them took {image}",
            expected=", ".join(contract.sensors),
            cure=f"Say it: --sensor {next(iter(contract.sensors))}.",
        )
    if settings.sensor is None and name not in contract.sensors:
        raise InvalidSetting(
            f"{image} looks like an image of {name}, which the model has not learnt",
            expected=", ".join(contract.sensors),
            cure=f"If it is not, say whose it is: --sensor {next(iter(contract.sensors))}; else take another model.",
        )
    return contract.of_sensor(name)


def open_fitting(image: str, contract: Contract, settings: MapSettings) -> Opened:
    """The image with the bands of a model and, if that is asked for, at its pixel size.

    Raises:
        BandMismatch: it lacks a band that the model sees.
        GeoreferenceMissing: it should be resampled, or mapped in a box, and names no place on earth.
        NoOverlap: it does not reach the box.
    """
    bands, absent = contract.band_names, contract.absent
    try:
        reader = open_image(image, bands=bands, absent=absent, sensor=settings.sensor)
    except BandMismatch as error:
        raise _lacking(error, contract) from error
    own = _part(reader.grid, image, settings)
    grid = _grid_of(reader, contract) if settings.resample else None
    if grid is None and own == reader.grid:
        return Opened(reader, own)
    reader.close()
    part = own if grid is None else _part(grid, image, settings)
    return Opened(open_image(image, bands=bands, absent=absent, sensor=settings.sensor, grid=part), own)


def _part(grid: Grid, image: str, settings: MapSettings) -> Grid:
    """The part of a grid that is asked for; all of it, if none is."""
    if settings.box is None:
        return grid
    return grid.crop(window_in_box(grid, settings.box, settings.box_crs, image))


def _lacking(error: BandMismatch, contract: Contract) -> BandMismatch:
    """The same error, with what the model sees, and what helps here."""
    cure = "Give an image of these bands, or a model of the bands that there are."
    if "--sensor" in error.cure:
        cure = f"{error.cure} Else: {cure[0].lower()}{cure[1:]}"
    expected = f"what the model sees: {', '.join(contract.band_names)}"
    return BandMismatch(error.what, found=error.found, expected=expected, cure=cure)


def _grid_of(reader: ImageReader, contract: Contract) -> Grid | None:
    """The grid of the image with pixels of the model's size; None where they have it."""
    if contract.gsd is None:
        return None
    if reader.gsd is None:
        raise GeoreferenceMissing(
            f"{reader.source} cannot be resampled, since it names no place on earth",
            cure="Georeference it, or predict without --resample.",
        )
    factor = _tidy(contract.gsd / reader.gsd)
    if abs(factor - 1) <= SAME_SIZE:
        return None
    return reader.grid.rescaled(factor)


def _tidy(factor: float) -> float:
    """A simple ratio that is meant: in a projection pixels are not quite as large on the ground as they are called."""
    if factor < 1:
        return 1 / _tidy(1 / factor)
    simple = Fraction(factor).limit_denominator(_LARGEST_DENOMINATOR)
    return float(simple) if abs(simple / Fraction(factor) - 1) <= SAME_SIZE / 2 else factor


def check_fit(contract: Contract, reader: ImageReader) -> None:
    """Refuses an image that does not fit the model, and says what would make it fit.

    Raises:
        ContractMismatch: says exactly what differs.
    """
    reasons = contract.differences(reader.bands, reader.gsd, str(reader.dtype))
    if not reasons:
        return
    cures = []
    if contract.model_copy(update={"gsd": None}).differences(reader.bands, reader.gsd, str(reader.dtype)) != reasons:
        cures.append(f"add --resample to read it at {contract.gsd:.3g} m")
    if contract.model_copy(update={"dtype": None}).differences(reader.bands, reader.gsd, str(reader.dtype)) != reasons:
        cures.append("add --normalise norma-target to go by the image's own statistics")
    others = "use images like those of training, or a model made for these"
    told = ", and ".join(cures) if len(cures) == len(reasons) else others
    raise ContractMismatch(
        f"{reader.source} does not fit the model: {'; '.join(reasons)}", cure=f"{told[0].upper()}{told[1:]}."
    )


def normalised(contract: Contract, reader: ImageReader, settings: MapSettings) -> Contract:
    """The contract with the normalisation that is asked for.

    One other than the model's own speaks of the image's numbers themselves: their type need not be that of training.
    """
    if settings.normalise == "norma-source":
        return contract
    bands = [name for name in contract.band_names if name not in contract.absent]
    rule = rule_anew(
        settings.normalise,
        contract,
        str(reader.dtype),
        bits=_bits(reader, settings),
        statistics=lambda: measure(reader).select(bands),
        origin=say("landcover.own_statistics", settings.language, source=reader.source),
        depth="Give it with --bits (11 or 12, mostly; 0 for pixels in [0, 1] already), or name the sensor: --sensor.",
    )
    return contract.model_copy(update={"normalisation": rule, "dtype": None})


def _bits(reader: ImageReader, settings: MapSettings) -> int | None:
    if settings.bits is not None:
        return settings.bits
    known = sensor(settings.sensor).bits if settings.sensor else None
    return 8 if str(reader.dtype) == "uint8" else known
