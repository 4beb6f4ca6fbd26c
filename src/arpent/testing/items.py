"""STAC items held against the core schemas of STAC, which pystac carries: the network is never asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pystac.errors import STACTypeError, STACValidationError
from pystac.validation import validate_dict

from arpent.errors import OutputError
from arpent.io.stac import STAC_VERSION

__all__ = ["validate_stac"]


def validate_stac(item: Mapping[str, Any]) -> None:
    """Checks an item. Needs jsonschema.

    Raises:
        OutputError: it is not valid; the message names the first thing that is wrong.
    """
    try:
        validate_dict(dict(item), extensions=[])
    except (STACTypeError, STACValidationError) as problem:
        raise OutputError(
            f"item '{item.get('id')}' is not valid STAC {STAC_VERSION}",
            found=str(problem).split("\n\n")[0],
            cure="Correct the item.",
        ) from problem
