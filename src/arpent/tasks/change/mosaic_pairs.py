"""Which products belong to which pair: found in run folders, and in folders with the reference's file names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arpent.core import Language, no_folder
from arpent.errors import FileMissing, InvalidSetting
from arpent.language import say
from arpent.store import open_run
from arpent.store.manifest import MANIFEST
from arpent.tasks.change.asking import doubtful_pairs
from arpent.tasks.change.frames import Pair
from arpent.tasks.change.judgement import noted_thresholds
from arpent.tasks.change.mosaic_images import ComparedImages
from arpent.tasks.change.mosaic_layers import ProductName, product_name
from arpent.tasks.change.mosaic_settings import MosaicSettings

__all__ = ["Found", "PairProducts", "delete_residues", "find_pairs"]

_RASTERS = {".tif", ".tiff"}
_RESIDUE = re.compile(r"\.(?!csv$|parquet$|geoparquet$)\w+(?:\.aux\.xml|\.ovr|\.stac\.json)?", re.IGNORECASE)


@dataclass(frozen=True)
class PairProducts:
    """The products of one pair.

    Attributes:
        name: unique among the pairs of a mosaic, which are taken in the order of their names.
        files: by layer.
        pair: the images that were compared, where that is known.
        run: whether the files belong to a finished run folder, which vouches for them.
        thresholds: by layer, those from which on ground counted as changed when they were compared, where known.
    """

    name: str
    files: Mapping[str, Path]
    pair: Pair | None = None
    run: bool = False
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What lies in the folders.

    Attributes:
        pairs: in the order of their names.
        sources: manifests and folders they were found in.
        notes: what people should know about it.
    """

    pairs: tuple[PairProducts, ...]
    sources: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def find_pairs(
    sources: Sequence[str | Path], settings: MosaicSettings, frames: Mapping[str, Pair] | None = None
) -> Found:
    """The pairs in some folders.

    In a run folder the manifest says what is there. Other folders are read as the reference's, which keeps one folder
    for each date: files with the same suffix in different folders are one pair, unless a layer would come twice.

    Args:
        sources: run folders and other folders; one that is named twice counts once.
        settings: where the images are that were compared, and how their names tell the date.
        frames: the images that were compared, by suffix ("!before!after"), where the caller knows them.

    Raises:
        FileMissing: a folder is not there, or none holds a product.
        RunDamaged: a run folder lacks a file of its manifest.
    """
    known = frames or {}
    folders = list(dict.fromkeys(Path(source).resolve() for source in sources))
    pairs: list[PairProducts] = []
    plain: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise no_folder(folder, "Give run folders of 'arpent change'.")
        if (folder / MANIFEST).exists():
            pairs.extend(_in_run(folder, settings, known))
        else:
            plain.append(folder)
    if plain:
        pairs.extend(_in_folders(plain, settings, known))
    if not pairs:
        raise FileMissing(
            f"there is no product of a pair in {', '.join(map(str, folders)) or 'no folder at all'}",
            expected="files such as cosine_map.tif",
            cure="Compare pairs first: arpent change pair BEFORE AFTER -o RUN.",
        )
    pairs.sort(key=lambda one: one.name)
    origins = tuple(folder / MANIFEST if (folder / MANIFEST).exists() else folder for folder in folders)
    known_pairs = (one.pair for one in pairs if one.pair is not None)
    notes = (*_lacks(pairs, settings.language), *doubtful_pairs(known_pairs, settings.language))
    return Found(tuple(pairs), origins, notes)


def _lacks(pairs: Sequence[PairProducts], language: Language) -> Iterator[str]:
    """A line for every layer that some pairs have and others not."""
    for layer in sorted({layer for pair in pairs for layer in pair.files}):
        without = [pair.name for pair in pairs if layer not in pair.files]
        if without:
            key = "mosaic.lacks_more" if len(without) > 1 else "mosaic.lacks"
            yield say(key, language, name=without[0], layer=layer, count=len(without) - 1)


def _in_run(folder: Path, settings: MosaicSettings, frames: Mapping[str, Pair]) -> Iterator[PairProducts]:
    run = open_run(folder)
    groups: dict[str, dict[str, Path]] = {}
    for product in run.manifest.products:
        named = product_name(product.name) if product.kind == "raster" else None
        if named is not None:
            groups.setdefault(named.suffix, {})[named.layer] = run.locate(product)
    images = ComparedImages.of_run(run.manifest, settings)
    for suffix, files in groups.items():
        pair = frames.get(suffix) or images.of(suffix)
        limits = noted_thresholds(run.manifest.metrics)
        yield PairProducts(f"{folder.name}{suffix}", files, pair, run=True, thresholds=limits)


def _in_folders(
    folders: Sequence[Path], settings: MosaicSettings, frames: Mapping[str, Pair]
) -> Iterator[PairProducts]:
    groups: dict[str, dict[str, Path]] = {}
    for folder in folders:
        here: dict[str, dict[str, Path]] = {}
        for path in sorted(folder.iterdir()):
            named = _product(path)
            if named is not None:
                here.setdefault(named.suffix, {})[named.layer] = path
        for suffix, files in here.items():
            twice = groups.get(suffix, {}).keys() & files.keys()
            groups.setdefault(f"{folder.name}{suffix}" if twice else suffix, {}).update(files)
    images = ComparedImages.in_folders(settings)
    for suffix, files in groups.items():
        pair = frames.get(suffix) or images.of(suffix)
        yield PairProducts(suffix or folders[0].name, files, pair)


def _product(path: Path) -> ProductName | None:
    return product_name(path.stem) if path.suffix.lower() in _RASTERS and path.is_file() else None


def delete_residues(pairs: Sequence[PairProducts], *, only_check: bool = False) -> int:
    """Removes the rasters of pairs with all that stands beside them, but no table; how many files it were.

    Args:
        pairs: whose rasters go.
        only_check: find out whether they may be removed, and remove nothing.

    Raises:
        InvalidSetting: a pair lies in a finished run folder, whose manifest vouches for its files.
    """
    for pair in pairs:
        if pair.run:
            raise InvalidSetting(
                f"the products of {pair.name} belong to a finished run",
                cure="Leave out --delete-residues, and remove the whole run folder when it is no longer needed.",
            )
    stems: dict[Path, set[str]] = {}
    for path in () if only_check else (path for pair in pairs for path in pair.files.values()):
        stems.setdefault(path.parent, set()).add(path.stem)
    removed = 0
    for folder, own in stems.items():
        for beside in sorted(folder.iterdir()) if folder.is_dir() else ():
            if _is_residue(beside.name, own) and beside.is_file():
                beside.unlink()
                removed += 1
    return removed


def _is_residue(name: str, stems: Collection[str]) -> bool:
    """Whether a file is a raster of one of these stems, or belongs to one."""
    dots = [place for place, letter in enumerate(name) if letter == "."]
    return any(name[:dot] in stems and _RESIDUE.fullmatch(name[dot:]) for dot in dots)
