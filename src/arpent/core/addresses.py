"""Addresses of files and folders in object stores, and what of an address may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from typing import Any

__all__ = ["object_address", "shown_address", "shown_values"]

_ADDRESS = re.compile(r"(s3|gs):/{1,2}([^/].*)", re.DOTALL)
_USER = re.compile(r"(://|\bhttps?:/)[^/?#\s]*@", re.IGNORECASE)
"""Of the web also with one slash, as in a `Path` that was made of an address."""

_SIGNED = re.compile(
    r"""([?&](?:[\w-]*(?:signature|credential|token|secret|password)|sig|(?:api[_-]?|access[_-]?)?key)=)[^&#\s'"|]+""",
    re.IGNORECASE,
)


def object_address(path: str | PathLike[str]) -> str | None:
    """``s3://bucket/key`` or ``gs://bucket/key``, also where it has become a `Path` on its way; None for all else."""
    found = _ADDRESS.fullmatch(str(path))
    return None if found is None else f"{found[1]}://{found[2].rstrip('/')}"


def shown_address(text: str | PathLike[str]) -> str:
    """An address, or a text with addresses in it, without what lets people in: for messages, file names, logs.

    User and password go; of a signed address the signature is no longer told, but that there was one.
    """
    return _SIGNED.sub(r"\1…", _USER.sub(r"\1", str(text)))


def shown_values(value: Any) -> Any:  # noqa: ANN401 - what JSON has
    """A value as JSON has it, with every text in it as `shown_address` shows it; names of keys stay."""
    if isinstance(value, str):
        return shown_address(value)
    if isinstance(value, Mapping):
        return {key: shown_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [shown_values(inner) for inner in value]
    return value
