"""Files in object stores, wherever a command takes a path: those that are read whole are copied first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from arpent.errors import InvalidSetting

__all__ = ["fetched", "refuse_address"]

_SCHEMES = ("s3:", "gs:")
"""As `arpent.core.object_address` knows them; help must not wait for that room's libraries."""


def fetched(context: Any, parameter: Any, value: object) -> object:  # noqa: ANN401 - typer does not publish the types
    """The value of an option or argument, with paths that this machine can open in the place of addresses.

    Rasters keep their address: of them GDAL reads the parts that are needed. Options that know what to do with an
    address have a callback of their own (see `arpent.cli.places`).

    Raises:
        InvalidSetting: an address is given where something other than a run is written.
        FileMissing, NetworkMissing: nothing is there, or its store cannot be reached.
    """
    if context.resilient_parsing:  # completion asks about half-typed words
        return value
    if isinstance(value, list | tuple):
        return type(value)(_one(parameter, each) for each in value)
    return _one(parameter, value)


def refuse_address(path: Path, option: str = "--output") -> None:
    """Refuses an address in an object store where a file or folder of this machine is written.

    Raises:
        InvalidSetting: it is one.
    """
    if str(path).startswith(_SCHEMES):
        raise InvalidSetting(
            f"{option} cannot be an address here",
            expected="a folder or file on this machine; runs alone are sent to object stores",
            cure="Write it here, and copy it there.",
        )


def _one(parameter: Any, value: object) -> object:  # noqa: ANN401 - see above
    if not isinstance(value, Path) or not str(value).startswith(_SCHEMES):
        return value
    if "--output" in parameter.opts:
        refuse_address(value)
    from arpent.io.copies import local_copy

    return local_copy(value)
