"""What a configuration of Planaura asks for, in Arpent's words, before anything is computed. Opens without torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arpent.core import Language, date_pattern, parse
from arpent.errors import ArpentError, FileMissing, InvalidSetting
from arpent.io.gdal import is_remote
from arpent.language import say
from arpent.pixels import usable
from arpent.tasks.change.asking import doubtful_pairs
from arpent.tasks.change.frames import Frame, Pair, before_after
from arpent.tasks.change.mosaic_grid import named_system
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.tasks.change.pair_list import PairList, PairRow, read_pair_list
from arpent.tasks.change.reference_config import ReferenceConfig, ReferenceFile
from arpent.tasks.change.reference_names import check_date, check_mark, date_in, pair_suffix
from arpent.tasks.change.settings import ChangeSettings

__all__ = [
    "PlannedPair",
    "ReferencePlan",
    "Refused",
    "mosaic_settings",
    "placed",
    "plan_reference",
    "reference_settings",
]

SHIFT = 64
"""Pixels between the tiles of one prediction and those of the next."""


@dataclass(frozen=True)
class PlannedPair:
    """A pair and what its products are called after.

    Attributes:
        pair: its dates.
        suffix: ``!before!after``.
    """

    pair: Pair
    suffix: str


@dataclass(frozen=True)
class Refused:
    """A row of the list that cannot be done.

    Attributes:
        item: what people call it.
        error: why.
    """

    item: str
    error: ArpentError


@dataclass(frozen=True)
class ReferencePlan:
    """Everything that a configuration asks for.

    Attributes:
        file: the configuration.
        settings: how pairs are compared.
        pairs: those that can be.
        refused: those that cannot.
        folders: where products go, one folder per date.
        notes: what people should know.
    """

    file: ReferenceFile
    settings: ChangeSettings
    pairs: tuple[PlannedPair, ...]
    refused: tuple[Refused, ...]
    folders: tuple[Path, ...]
    notes: tuple[str, ...]

    @property
    def config(self) -> ReferenceConfig:
        """The keys of the configuration."""
        return self.file.config

    @property
    def shifts(self) -> tuple[int, ...]:
        """Pixels by which the tiles of each prediction are shifted."""
        return tuple(SHIFT * number for number in range(self.config.num_predictions))


def plan_reference(
    file: ReferenceFile, overrides: Mapping[str, Any] | None = None, dates: Sequence[int | None] = ()
) -> ReferencePlan:
    """What a configuration asks for.

    Args:
        file: the configuration.
        overrides: settings of `ChangeSettings` that are stronger than it.
        dates: YYYYDDD or YYYYMMDD per frame, instead of those in the names; None keeps what the name says.

    Raises:
        FileMissing, UnreadableFile: the list of pairs cannot be used. A missing image only refuses its pair.
        InvalidSetting: a value cannot be used (be it for mosaics alone), or products would go to the images' folder.
    """
    config = file.config
    settings = reference_settings(file, overrides or {})
    if "mosaic" in config.task_list:
        mosaic_settings(file, settings)  # refuses what cannot be fused before hours are spent on its pairs
    usable(np.zeros(1, np.uint8), settings.exclude)  # refuses a quality that there is not, before the first pair does
    check_mark(config.concatenate_char)
    if settings.box_crs is not None:
        named_system(settings.box_crs)
    listed = read_pair_list(placed(config.csv_inference_file, file.path.parent), config.num_frames)
    folders = tuple(Path(folder) for folder in config.save_folders)
    rows = _Rows(file, tuple(None if date is None else check_date(date) for date in dates))
    pairs, refused = rows.planned(listed.rows)
    _refuse_input_folders(folders, pairs)
    doubts = doubtful_pairs((one.pair for one in pairs), settings.language)
    notes = (*_notes(file, settings, listed), *rows.notes(settings.language), *doubts)
    return ReferencePlan(file, settings, tuple(pairs), tuple(refused), folders, notes)


def reference_settings(file: ReferenceFile, overrides: Mapping[str, Any]) -> ChangeSettings:
    """How a configuration wants pairs to be compared.

    Args:
        file: the configuration.
        overrides: settings of `ChangeSettings` that are stronger than it.
    """
    config, model = file.config, file.config.model_params
    change, features = config.change_map, config.feature_maps
    stride = model.patch_stride or model.patch_size
    values: dict[str, Any] = {
        "stride": 0 if stride == model.patch_size else stride,
        "attention": model.embed_attention,
        "upsample": change.upsample_cosine_map,
        "dates": "yes" if dates_wanted(config) else "no",
        "quality": "yes" if change.wanted and change.save_fmask_layer else "auto" if overrides.get("exclude") else "no",
        "reconstruct": config.save_reconstructed_images,
        "features": features.wanted and features.write_as_image,
        "dims": features.embeddings or None,
        "table": _table(file),
        "table_dims": "all",
        "table_pixels": features.upsample_feature_map,
        "compression": "zstd" if config.tif_compression == "ZSTD" else "deflate",
        "batch_size": config.batch_size,
        "device": "auto" if config.use_gpu else "cpu",
        "box": config.process_bbox,
        "box_crs": config.process_bbox_crs,
    }
    compares = config.num_frames > 1 and change.wanted
    if not (compares or values["features"] or values["reconstruct"] or values["table"] != "none"):
        raise InvalidSetting(
            f"{file.path.name} asks for nothing",
            cure="Set change_map.return (for two dates or more), feature_maps.return with one of its forms, or "
            "save_reconstructed_images.",
        )
    merged = {**values, **overrides}
    if merged.get("profile") == "planaura":
        merged.setdefault("minimum_valid", config.minimum_valid_percentage)
    return parse(ChangeSettings, merged, file.path.name)


def mosaic_settings(file: ReferenceFile, settings: ChangeSettings) -> MosaicSettings:
    """How a configuration wants pairs to be fused.

    Args:
        file: the configuration.
        settings: how its pairs are compared.

    Raises:
        InvalidSetting: there is no such reference system, or no file can have such a name.
    """
    config, mosaic = file.config, file.config.mosaic_params
    values: dict[str, Any] = {
        "profile": settings.profile,
        "crs": mosaic.target_crs,
        "resolution": mosaic.target_resolution,
        "reference": config.reference_prefix,
        "ignore": config.ignore_prefixes or (),
        "postfix": mosaic.mosaic_save_postfix,
        "date_regex": config.change_map.date_regex,
        "compression": settings.compression,
        "read_threads": settings.read_threads,
        "language": settings.language,
    }
    if settings.threshold is not None:
        values["threshold"] = settings.threshold
    named_system(mosaic.target_crs)
    return parse(MosaicSettings, values, file.path.name, {"postfix": "mosaic_params.mosaic_save_postfix"})


def dates_wanted(config: ReferenceConfig) -> bool:
    """Whether dates are written; the layer of qualities brings them along."""
    change = config.change_map
    return change.wanted and (change.save_dates_layer or change.save_fmask_layer)


def _table(file: ReferenceFile) -> str:
    features = file.config.feature_maps
    if not features.wanted:
        return "none"
    if features.write_as_df or (features.write_as_df is None and features.write_as_csv is None):
        return "geoparquet"
    return "csv" if features.write_as_csv else "none"


def placed(name: str, home: Path) -> Path:
    """A path as a configuration means it: from the working folder or, where nothing is there, from its own folder."""
    path = Path(name).expanduser()
    return home / path if not path.is_absolute() and not _there(path) and _there(home / path) else path


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no file can have such a name
        return False


class _Rows:
    """Turns rows of the list into pairs."""

    def __init__(self, file: ReferenceFile, dates: Sequence[int | None]) -> None:
        config = file.config
        self._config, self._home, self._dates = config, file.path.parent, dates
        change = config.change_map
        self._dated = dates_wanted(config)
        self._pattern = date_pattern(change.date_regex) if change.date_regex else None
        self._layer = "fmask" if change.fmask_in_bit else "planaura"
        self._counted = False

    def planned(self, rows: Sequence[PairRow]) -> tuple[list[PlannedPair], list[Refused]]:
        """The pairs that can be done, and those that cannot."""
        pairs: list[PlannedPair] = []
        refused: list[Refused] = []
        for row in rows:
            # A name that does not tell its row would leave people searching the list.
            item = f"{' and '.join(Path(name).name for name in row.files)} (line {row.line})"
            try:
                frames = tuple(self._frame(number, name) for number, name in enumerate(row.files))
                pair = Pair(frames, item, before_after(frames))
                pairs.append(PlannedPair(pair, pair_suffix(pair, self._config.concatenate_char)))
            except ArpentError as problem:
                refused.append(Refused(item, problem))
        # Names are compared as file systems that do not tell capitals from small letters do.
        first: dict[str, PlannedPair] = {}
        for planned in pairs:
            one = first.setdefault(planned.suffix.casefold(), planned)
            if one is not planned:
                refused.append(Refused(planned.pair.name, _same_name(planned, one)))
        return list(first.values()), refused

    def notes(self, language: Language) -> Iterator[str]:
        """What people should know about the dates."""
        if self._counted:
            yield say("reference.numbered", language)

    def _frame(self, number: int, name: str) -> Frame:
        image = self._image(number, name)
        return Frame(image, self._date(number, image), layer=self._layer)

    def _image(self, number: int, name: str) -> str:
        if is_remote(name):
            return name
        config = self._config
        path = Path(name)
        if not config.paths_included_in_csvs:
            path = Path(config.input_folders[number]) / name
        found = placed(str(path), self._home)
        if not _there(found):
            raise FileMissing(
                f"there is no image {path}",
                cure="Check the list of pairs, 'paths_included_in_csvs' and 'inference_input_folder_frame_"
                f"{number}'; relative paths start at the working folder, or else at the configuration's.",
            )
        return str(found)

    def _date(self, number: int, image: str) -> int | None:
        if number < len(self._dates) and self._dates[number] is not None:
            return self._dates[number]
        if self._pattern is None:
            self._counted = self._counted or self._dated
            return number if self._dated else None
        found = date_in(image, self._pattern)
        if found is None and self._dated:
            raise InvalidSetting(
                f"date_regex {self._pattern.pattern} finds no date in {Path(image).name}",
                cure=f"Rename the file, correct change_map.date_regex, or give the date with --date{number}.",
            )
        return found


def _same_name(later: PlannedPair, first: PlannedPair) -> InvalidSetting:
    return InvalidSetting(
        f"the products of {later.pair.name} would be called like those of {first.pair.name}",
        found=later.suffix,
        cure="Rename the images of one of them, or put it into a list of its own with other save folders.",
    )


def _refuse_input_folders(folders: Sequence[Path], pairs: Sequence[PlannedPair]) -> None:
    """Products beside images could take their place."""
    images = {Path(os.path.realpath(frame.image)).parent for one in pairs for frame in one.pair.frames}
    for number, folder in enumerate(folders):
        if Path(os.path.realpath(folder)) in images:
            raise InvalidSetting(
                f"inference_save_folder_frame_{number} is a folder of the images",
                found=folder,
                cure="Name another folder, such as one below it, so that no image can be overwritten.",
            )


def _notes(file: ReferenceFile, settings: ChangeSettings, listed: PairList) -> Iterator[str]:
    config, language = file.config, settings.language
    if file.without_effect:
        yield say("reference.without_effect", language, keys=", ".join(file.without_effect))
    if "tif_compression" in file.given and config.tif_compression in ("NONE", "LZW"):
        yield say("reference.compression", language, word=config.tif_compression)
    yield say("reference.no_sidecars", language)
    if settings.profile == "arpent" and "minimum_valid_percentage" in file.given:
        yield say("reference.minimum_valid", language)
    for lines, key in ((listed.skipped, "left_out"), (listed.repeated, "repeated")):
        if lines:
            told = f"{', '.join(map(str, lines[:8]))}{' …' if len(lines) > 8 else ''}"
            yield say(f"reference.{key}", language, lines=told)
