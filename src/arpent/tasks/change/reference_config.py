"""Planaura's own configuration files, of both generations, read unchanged. Opens without torch.

Names, meanings and defaults of the keys are those of the reference; `reference_plan` says what Arpent makes of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from arpent.core import Settings, load_yaml, merge, parse
from arpent.errors import InvalidSetting
from arpent.tasks.change.reference_keys import ChangeMapKeys, Count, FeatureMapKeys, ModelKeys, MosaicKeys

__all__ = ["Generation", "ReferenceConfig", "ReferenceFile", "read_reference"]

Generation = Literal["2026-01", "2026-06"]

_LATER = ("feature_maps.write_as_df", "feature_maps.upsample_feature_map", "process_bbox", "process_bbox_crs")
"""Keys that came with the second generation."""

_PHOTO_DEFAULTS: Mapping[str, object] = {"paths_included_in_csvs": False, "feature_maps.write_as_image": True}
"""Where the reference's script for ordinary pictures starts from other values."""

_WITHOUT_EFFECT = (
    "use_multi_gpu",
    "using_multi_gpu",
    "use_xarray",
    "data_loader_num_workers",
    "conditioned_on",
    "image_format",
    "search_input_folder_ignore",
    "search_target_folder_ignore",
    "model_params.loss",
    "model_params.freeze_backbone",
    "model_params.freeze_encoder",
    "model_params.resume_encoder_only",
    "model_params.restore_weights_only",
    "model_params.ignore_index",
    "model_params.backbone",
    "model_params.mask_ratio",
)
"""Keys of training and of the reference's own machinery: taken, and told to change nothing."""


class ReferenceConfig(Settings):
    """A configuration of Planaura's ``infer_geotiff`` and ``infer_photo``."""

    task_list: tuple[Literal["infer", "mosaic"], ...] = ("infer", "mosaic")
    """What is done: ``infer`` compares the pairs, ``mosaic`` fuses them."""
    csv_inference_file: str
    """CSV list of the pairs: columns input_file_0, input_file_1."""
    inference_input_folder_frame_0: str = ""
    """Folder of the first images, where the list has bare names."""
    inference_input_folder_frame_1: str = ""
    """Folder of the second images, likewise."""
    inference_input_folder_frame_2: str = ""
    """Folder of the third images, likewise."""
    inference_save_folder_frame_0: str
    """Where products of the first date go, and those of all dates together; mosaics too."""
    inference_save_folder_frame_1: str = ""
    """Where products of the second date go."""
    inference_save_folder_frame_2: str = ""
    """Where products of the third date go."""
    paths_included_in_csvs: bool = True
    """Whether the list has whole paths."""
    num_frames: Annotated[int, Field(ge=1, le=3)] = 2
    """Dates per row: 1 for embeddings, 2 to compare, 3 with two dates before."""
    use_gpu: bool = True
    """Use a GPU where there is one."""
    use_multi_gpu: bool = False
    """Changes nothing here."""
    using_multi_gpu: bool = False
    """Changes nothing here."""
    autocast_float16: bool = False
    """On a GPU, calculate in 16 bits (bfloat16 here)."""
    use_xarray: bool = False
    """Changes nothing here."""
    data_loader_num_workers: int | None = None
    """Changes nothing here."""
    batch_size: Count = 4
    """Tiles per pass through the network."""
    save_reconstructed_images: bool = False
    """Also write the images that the decoder paints."""
    tif_compression: Literal["NONE", "LZW", "DEFLATE", "ZSTD"] = "NONE"
    """Compression of images: ZSTD, or DEFLATE, which also stands for NONE and LZW here: nothing is lost by it."""
    concatenate_char: Annotated[str, Field(min_length=1, max_length=8)] = "!"
    """Stands between the parts of a product's name."""
    num_predictions: Annotated[int, Field(ge=1, le=8)] = 1
    """How often each pair is compared, each time with tiles shifted by 64 pixels more."""
    minimum_valid_percentage: Annotated[float, Field(ge=0, le=1)] = 0.9
    """Share of a tile that must hold data at each date; used by the profile planaura alone."""
    process_bbox: tuple[float, float, float, float] | None = None
    """Only this part: left, bottom, right, top (generation 2026-06)."""
    process_bbox_crs: str | None = None
    """Reference system of that box; that of the first image if not given (generation 2026-06)."""
    reference_prefix: str | None = None
    """The product that decides which pair a mosaic shows; cosine_map if there is one."""
    ignore_prefixes: tuple[str, ...] | None = None
    """Products that mosaics leave out."""
    change_map: ChangeMapKeys = ChangeMapKeys()
    """What is written about change."""
    feature_maps: FeatureMapKeys = FeatureMapKeys()
    """What is written of the embeddings."""
    mosaic_params: MosaicKeys = MosaicKeys()
    """How pairs become one map."""
    model_params: ModelKeys = ModelKeys()
    """The network and its images."""
    conditioned_on: Any = None
    """Changes nothing here."""
    image_format: str | None = None
    """Changes nothing here: pairs are listed, not searched."""
    search_input_folder_ignore: Any = None
    """Changes nothing here."""
    search_target_folder_ignore: Any = None
    """Changes nothing here."""

    @field_validator("concatenate_char")
    @classmethod
    def _apart(cls, mark: str) -> str:
        if mark[0].isalnum():
            raise ValueError("a mark that is no letter or digit, so that names can be taken apart again")
        return mark

    @field_validator("process_bbox")
    @classmethod
    def _ordered(cls, box: tuple[float, float, float, float] | None) -> tuple[float, float, float, float] | None:
        if box is not None and not (box[0] < box[2] and box[1] < box[3]):
            raise ValueError("left, bottom, right, top, each less than its opposite")
        return box

    @model_validator(mode="after")
    def _placed(self) -> Self:
        for frame in range(1, self.num_frames):
            if not self.save_folders[frame]:
                raise ValueError(f"inference_save_folder_frame_{frame}, since num_frames is {self.num_frames}")
        if not self.paths_included_in_csvs:
            for frame in range(self.num_frames):
                if not self.input_folders[frame]:
                    raise ValueError(f"inference_input_folder_frame_{frame}, since paths_included_in_csvs is false")
        return self

    @property
    def input_folders(self) -> tuple[str, ...]:
        """Folders of images, one per date."""
        folders = (
            self.inference_input_folder_frame_0,
            self.inference_input_folder_frame_1,
            self.inference_input_folder_frame_2,
        )
        return folders[: self.num_frames]

    @property
    def save_folders(self) -> tuple[str, ...]:
        """Folders of products, one per date."""
        folders = (
            self.inference_save_folder_frame_0,
            self.inference_save_folder_frame_1,
            self.inference_save_folder_frame_2,
        )
        return folders[: self.num_frames]


@dataclass(frozen=True)
class ReferenceFile:
    """A configuration as it was read.

    Attributes:
        config: all keys, defaults of the reference included.
        path: of the file.
        given: the keys that it gives, dotted.
        generation: of the reference, as the keys tell; the later one where they do not.
    """

    config: ReferenceConfig
    path: Path
    given: frozenset[str]
    generation: Generation

    @property
    def without_effect(self) -> tuple[str, ...]:
        """Keys that are given and change nothing here."""
        return tuple(key for key in _WITHOUT_EFFECT if key in self.given)


def read_reference(
    path: str | Path, assignments: Iterable[str] = (), kind: Literal["geotiff", "photo"] = "geotiff"
) -> ReferenceFile:
    """Reads a configuration of Planaura.

    Args:
        path: of the YAML file.
        assignments: ``key=value`` pairs in the reference's names, stronger than the file.
        kind: which of the reference's scripts it was written for; their defaults differ.

    Raises:
        UnknownSetting: a key that neither generation knows, with the nearest that they do.
        InvalidSetting: a value that cannot be used.
    """
    path = Path(path)
    mapping = merge(load_yaml(path), assignments)
    _refuse_references(mapping, path)
    given = frozenset(_dotted(mapping))
    if kind == "photo":
        missing = [f"{key}={str(value).lower()}" for key, value in _PHOTO_DEFAULTS.items() if key not in given]
        mapping = merge(mapping, missing)
    where = f"{path.name} with --set" if assignments else path.name
    config = parse(ReferenceConfig, _without_empty_groups(mapping), where)
    earlier = "feature_maps.write_as_csv" in given and not given & set(_LATER)
    return ReferenceFile(config, path, given, "2026-01" if earlier else "2026-06")


def _dotted(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _without_empty_groups(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A group whose keys are all commented out reads as nothing, and means its defaults."""
    groups = ("change_map", "feature_maps", "mosaic_params", "model_params")
    return {key: value for key, value in mapping.items() if not (key in groups and value is None)}


def _refuse_references(value: object, path: Path, place: str = "") -> None:
    """``${other.key}`` stood for another key's value; nothing else does so here, and no file is called that."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_references(inner, path, f"{place}.{key}" if place else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            _refuse_references(inner, path, place)
    elif isinstance(value, str) and "${" in value:
        raise InvalidSetting(
            f"{path.name}: '{place}' refers to another key", found=value, cure="Write the value out in full."
        )
