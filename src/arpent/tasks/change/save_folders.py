"""Products under the reference's names, in the folders that a Planaura configuration names for them.

The run folder holds the products and vouches for them; these folders hold second names of the same files.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from arpent.core import file_sha256, publish_file, writing
from arpent.errors import RunExists

__all__ = ["SaveFolders", "link_or_copy", "refuse"]

_NOT_LINKABLE = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
"""Two disks, or a file system without links."""

_SHOWN = 3
_KINDS = {".tif", ".csv", ".geoparquet", ".parquet", ".qml"}
_FRAME = re.compile(r"(?:infer|feature_maps)_(\d)")
_ENDINGS = {".parquet": ".geoparquet"}
"""Where the reference's name of a kind of file is another one."""


@dataclass(frozen=True)
class SaveFolders:
    """The folders of products, one per date.

    Attributes:
        folders: the first one also takes what belongs to all dates.
        force: whether files that are there may be replaced.
    """

    folders: Sequence[Path]
    force: bool = False

    def target(self, file: Path) -> Path:
        """Where a product goes: ``infer_1`` and ``feature_maps_1`` to the folder of the second date."""
        match = _FRAME.match(file.name)
        number = min(int(match[1]), len(self.folders) - 1) if match else 0
        return self.folders[number] / f"{file.stem}{_ENDINGS.get(file.suffix, file.suffix)}"

    def place(self, file: Path, target: Path | None = None) -> Path:
        """Gives a finished product its name there: a second one for the same bytes, or a copy on another disk.

        Args:
            file: the product.
            target: where it goes, if not where products of its name do.

        Raises:
            RunExists: another file has that name.
        """
        target = target or self.target(file)
        if target.exists() and target.samefile(file):
            return target
        if target.exists() and not self.force and not _alike(target, file):
            refuse([target])
        # Without the number of the process: what one that was killed has left here goes with the next attempt.
        beside = target.with_name(f".{target.name}.partial")
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                link_or_copy(file, beside)
                publish_file(beside, target)
            finally:
                beside.unlink(missing_ok=True)
        return target

    def make_ready(self) -> None:
        """Makes the folders, and a file in each: hours later would be late to learn that none can be written there.

        Raises:
            NotWritable, DiskFull: for the first folder that cannot take products.
        """
        for folder in dict.fromkeys(self.folders):
            attempt = folder / ".arpent.partial"
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
                attempt.write_bytes(b"?")
                attempt.unlink()

    def withdraw(self, file: Path) -> None:
        """Takes back the name that `place` has given to a product; another file of that name stays."""
        target = self.target(file)
        if target.exists() and (target.samefile(file) or _alike(target, file)):
            with writing(target):
                target.unlink()

    def refuse_present(self, suffixes: Collection[str], mosaics: str | None) -> None:
        """Refuses to begin where products of the same names are, unless they may be replaced.

        Args:
            suffixes: of the pairs whose products will be made.
            mosaics: the word in the names of the mosaics that will be made; None for none.

        Raises:
            RunExists: names some of them.
        """
        if not self.force:
            refuse(sorted(self._present(suffixes, mosaics)))

    def _present(self, suffixes: Collection[str], mosaics: str | None) -> Iterator[Path]:
        named = re.compile(rf"mosaic_\w+_{re.escape(mosaics)}_\w\d?" if mosaics else r"mosaic_\w+_\w\d?")
        for folder in dict.fromkeys(self.folders):
            for file in folder.iterdir() if folder.is_dir() else ():
                if file.suffix.lower() not in _KINDS:
                    continue
                product = re.match(r"[a-z_]+(?:_\d)?", file.stem)
                of_pair = product and file.stem.endswith(tuple(suffixes))
                if of_pair or (mosaics is not None and named.fullmatch(file.stem)):
                    yield file


def _alike(target: Path, file: Path) -> bool:
    return target.stat().st_size == file.stat().st_size and file_sha256(target) == file_sha256(file)


def link_or_copy(file: Path, place: Path) -> Path:
    """Gives a file a second name, or a copy where it cannot have one; what was there goes."""
    place.unlink(missing_ok=True)
    try:
        os.link(file, place)
    except OSError as problem:
        if problem.errno not in _NOT_LINKABLE:
            raise
        shutil.copyfile(file, place)
    return place


def refuse(files: Sequence[Path]) -> None:
    """Refuses to write over files, where there are any.

    Raises:
        RunExists: names some of them.
    """
    if files:
        more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
        raise RunExists(
            "products of these names are there already",
            found=", ".join(map(str, files[:_SHOWN])) + more,
            cure="Choose other save folders, replace them with --force, or go on with their run with --resume.",
        )
