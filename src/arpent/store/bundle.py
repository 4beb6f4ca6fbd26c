"""Model bundles seen from the reading side: their contracts, and which ones a folder holds. No torch here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from arpent.core.bundle import FOLDER_HEADER, decode_contract, read_contract, read_document
from arpent.core.contract import Contract
from arpent.errors import BundleInvalid, FileMissing, UnreadableFile

__all__ = ["FoundBundle", "bundles_under", "read_contract"]


@dataclass(frozen=True)
class FoundBundle:
    """A bundle on this machine.

    Attributes:
        path: the file or folder.
        contract: what its header says; None where that cannot be used.
        problem: why the contract cannot be used.
        bytes: size on disk.
    """

    path: Path
    contract: Contract | None
    problem: str | None
    bytes: int


def bundles_under(place: Path | str) -> Iterator[FoundBundle]:
    """The bundle at `place`, or every bundle in that folder and its subfolders, in the order of their paths.

    Weights without a contract are passed over, and so is what lies under a name with a leading dot, where bundles
    are still being written; a bundle that cannot be read, is damaged or of a later format is listed with its problem.
    """
    place = Path(place)
    folders = {header.parent for header in place.rglob(FOLDER_HEADER)}
    files = [place] if place.is_file() else place.rglob("*.safetensors")
    singles = {file for file in files if folders.isdisjoint(file.parents)}
    for path in sorted(folders | singles):
        if any(part.startswith(".") for part in path.relative_to(place).parts):
            continue
        try:
            document = read_document(path)
        except BundleInvalid:
            continue
        except FileMissing:
            yield FoundBundle(path, None, "a link to a file that is not there", 0)
            continue
        except UnreadableFile as error:
            yield FoundBundle(path, None, str(error), 0)
            continue
        try:
            yield FoundBundle(path, decode_contract(document, path), None, _size(path))
        except BundleInvalid as error:
            yield FoundBundle(path, None, str(error), _size(path))


def _size(path: Path) -> int:
    """Bytes of what can be reached: a part that cannot is for `load_bundle` to name."""
    size = 0
    for file in path.rglob("*") if path.is_dir() else [path]:
        with suppress(OSError):
            size += file.stat().st_size if file.is_file() else 0
    return size
