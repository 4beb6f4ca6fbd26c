"""Model bundles on disk: where their contract is written, and how it is read without torch.

A bundle is either one ``*.safetensors`` file, which carries the contract in its header, or a folder whose
``bundle.json`` is the contract and pins each part by its hash. `docs/formats/bundle.md` is the full description.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arpent.core.contract import BUNDLE_FORMAT, Contract
from arpent.core.formats import Format
from arpent.core.hashing import file_sha256
from arpent.errors import BundleInvalid, ConfigError, FileMissing, UnreadableFile

__all__ = [
    "DIGEST_KEY",
    "FOLDER_HEADER",
    "HEADER_KEY",
    "bundle_header",
    "bundle_sha256",
    "contract_document",
    "decode_contract",
    "encode_contract",
    "read_contract",
    "read_document",
]

HEADER_KEY = "arpent"
"""The one entry of a safetensors header that is ours: the contract as JSON."""

FOLDER_HEADER = "bundle.json"
"""The file that makes a folder a bundle."""

DIGEST_KEY = "sha256"
"""The entry beside the contract's own that pins the whole of a single-file bundle: contract and tensors."""

_IMPORT_CURE = "If it holds published weights: arpent models import FILE --as LAYOUT -o BUNDLE."
_LONGEST_HEADER = 100_000_000  # bytes; safetensors itself refuses longer ones


def bundle_header(path: Path) -> Path:
    """The file that stands for a model: itself, or of a folder the ``bundle.json``, which pins all its parts."""
    return path if path.is_file() else path / FOLDER_HEADER


def bundle_sha256(path: Path) -> str:
    """The hash of the file that stands for a model."""
    return file_sha256(bundle_header(path))


def read_contract(path: Path | str) -> Contract:
    """The contract of the bundle at `path`, a file or a folder; no tensor is read.

    Raises:
        FileMissing: nothing is there.
        BundleInvalid: it is no bundle, is damaged, or was made by a later version.
    """
    return decode_contract(read_document(path), Path(path))


def read_document(path: Path | str) -> dict[str, Any]:
    """The contract of the bundle at `path` as the JSON object that was written, unchecked."""
    path = Path(path)
    try:
        if path.is_dir():
            return _json_object((path / FOLDER_HEADER).read_bytes(), path)
        return _json_object(_metadata(path), path)
    except FileNotFoundError as error:
        if path.is_dir():
            raise BundleInvalid(
                f"{path} is not a model bundle",
                found="a folder without bundle.json",
                cure="Name a .safetensors bundle, or a folder that 'arpent models' has made.",
            ) from error
        raise FileMissing(
            f"there is no model at {path}",
            cure="Check the path; 'arpent models list' shows the models on this machine.",
        ) from error
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read", found=error.strerror, cure="Check the permissions of the file and its disk."
        ) from error


def decode_contract(document: Mapping[str, Any], path: Path) -> Contract:
    """The contract that `document` holds, brought to the present format; `path` is named in errors."""
    fields = {key: value for key, value in document.items() if key != DIGEST_KEY}
    try:
        return _FORMAT.read(Contract, fields, path)
    except ConfigError as error:
        raise _damaged(path, error.what) from error


def contract_document(contract: Contract) -> dict[str, Any]:
    """The contract as plain JSON values; infinities and NaN become strings, since JSON has no word for them."""
    document: dict[str, Any] = json.loads(contract.model_dump_json())
    return document


def encode_contract(document: Mapping[str, Any], *, indent: int | None = None) -> str:
    """`document` as JSON text that is the same on every machine and in every run."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, allow_nan=False, indent=indent)


def _metadata(path: Path) -> str:
    """The text of our entry in the header of a safetensors file."""
    with path.open("rb") as file:
        prefix = file.read(8)
        if len(prefix) < 8:
            raise _foreign(path, "a file of less than 8 bytes")
        (length,) = struct.unpack("<Q", prefix)
        size = path.stat().st_size
        if length > min(size - 8, _LONGEST_HEADER):
            # What is no safetensors file has any eight bytes here: the number would only puzzle.
            raise BundleInvalid(
                f"{path} is not a safetensors file",
                found=f"a file of {size} bytes that does not begin with its header",
                expected="a .safetensors file with Arpent's header",
                cure=_IMPORT_CURE,
            )
        header = _json_object(file.read(length), path)
    entries = header.get("__metadata__")
    if not isinstance(entries, dict) or not isinstance(entries.get(HEADER_KEY), str):
        raise BundleInvalid(
            f"{path} holds weights but no contract",
            cure="Turn it into a bundle: arpent models import FILE --as LAYOUT -o BUNDLE.",
        )
    text: str = entries[HEADER_KEY]
    return text


def _json_object(content: bytes | str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are both ValueError
        raise _foreign(path, "a header that is not JSON") from error
    if not isinstance(value, dict):
        raise _foreign(path, "a header that is not a JSON object")
    return value


def _foreign(path: Path, found: str) -> BundleInvalid:
    return BundleInvalid(
        f"{path} is not a model bundle",
        found=found,
        expected="a .safetensors file with Arpent's header",
        cure=_IMPORT_CURE,
    )


def _damaged(path: Path, found: str) -> BundleInvalid:
    return BundleInvalid(
        f"the contract of {path} is damaged", found=found, cure="Take a fresh copy, or export the model again."
    )


_FORMAT = Format(
    "bundle format",
    BUNDLE_FORMAT,
    _damaged,
    BundleInvalid,
    # Formats 2 to 5 add keys that may be left out, and change none.
    migrations={number: lambda document: document for number in range(1, BUNDLE_FORMAT)},
)
