"""The groups of keys in Planaura's configurations. Opens without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from arpent.core import Settings

__all__ = ["ChangeMapKeys", "Count", "FeatureMapKeys", "LoadKeys", "ModelKeys", "MosaicKeys"]

Count = Annotated[int, Field(ge=1)]
Dimension = Annotated[int, Field(ge=0)]


class ChangeMapKeys(Settings):
    """What is written about change (``change_map`` of a Planaura configuration)."""

    wanted: Annotated[bool, Field(alias="return")] = True
    """Write cosine maps."""
    upsample_cosine_map: bool = True
    """Bring them to the pixels of the images."""
    save_fmask_layer: bool = False
    """Write the worst quality of the dates; takes ``fmask_<image>`` beside each image, and writes dates too."""
    fmask_in_bit: bool = False
    """Whether those layers are bitwise, as delivered; else they hold the codes 0 to 6."""
    save_dates_layer: bool = False
    """Write the dates that were compared."""
    date_regex: str | None = None
    """Finds the date in a file's name: one group of 7 digits (YYYYDDD) or 8 (YYYYMMDD)."""


class FeatureMapKeys(Settings):
    """What is written of the embeddings (``feature_maps`` of a Planaura configuration)."""

    wanted: Annotated[bool, Field(alias="return")] = True
    """Write embeddings at all."""
    write_as_csv: bool | None = None
    """As CSV tables (generation 2026-01)."""
    write_as_df: bool | None = None
    """As GeoParquet tables (generation 2026-06); on, unless a table of the other kind is spoken of."""
    upsample_feature_map: bool = False
    """One row of the table per pixel, not per patch (generation 2026-06)."""
    write_as_image: bool = False
    """As images with one band per dimension."""
    embeddings: tuple[Dimension, ...] | None = None
    """Dimensions in those images; all if not given, or empty."""


class MosaicKeys(Settings):
    """How pairs become one map (``mosaic_params`` of a Planaura configuration)."""

    target_crs: str = "EPSG:3979"
    """Reference system of the mosaics."""
    target_resolution: Annotated[float, Field(gt=0)] = 30.0
    """Side of their pixels, in units of that system."""
    delete_residues: bool = False
    """Remove the products of single pairs when the mosaics are there; tables stay."""
    mosaic_save_postfix: str = "dummy"
    """Goes into the names of the mosaics."""


class LoadKeys(Settings):
    """Where weights come from (``model_params.load_params`` of a Planaura configuration)."""

    source: Literal["local", "huggingface"] = "local"
    """A file of this machine, or a repository of Hugging Face."""
    checkpoint_path: str = ""
    """With ``local``: the file; a bundle of Arpent does as well."""
    repo_id: str = ""
    """With ``huggingface``: the repository."""
    model_name: str = ""
    """With ``huggingface``: the file in it, with or without .pth."""


class ModelKeys(Settings):
    """The network and its images (``model_params`` of a Planaura configuration)."""

    load_params: LoadKeys = LoadKeys()
    """Where weights come from."""
    keep_pos_embedding: bool = True
    """Keep the positions of the weights, resampled where sizes differ; else compute them for the tiles at hand."""
    bands: Annotated[tuple[str, ...], Field(min_length=1)] = ("B02", "B03", "B04", "B8A", "B11", "B12")
    """Bands of the images, in order."""
    img_size: Count = 512
    """Side of a tile in pixels."""
    patch_size: Count = 16
    """Side of a patch in pixels."""
    patch_stride: Count | None = None
    """Pixels between answers: the patch's side (if not given), or a whole fraction of it down to 1."""
    tubelet_size: Literal[1] = 1
    """Dates per patch."""
    embed_dim: Count = 768
    """Width of the encoder."""
    depth: Count = 12
    """Blocks of the encoder."""
    num_heads: Count = 12
    """Attention heads of the encoder."""
    decoder_embed_dim: Count = 512
    """Width of the decoder."""
    decoder_depth: Annotated[int, Field(ge=0)] = 8
    """Blocks of the decoder."""
    decoder_num_heads: Count = 16
    """Attention heads of the decoder."""
    embed_attention: bool = True
    """Let patches attend to one another; else they are compared as embedded."""
    mask_ratio: float = 0.75
    """Of training; changes nothing here."""
    no_data: float = -9999.0
    """The value of pixels without data."""
    no_data_float: float = 0.0001
    """What the network sees there; no other value was ever trained."""
    data_mean: tuple[float, ...] | None = None
    """Mean per band; from the model's own description if not given."""
    data_std: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    """Standard deviation per band; likewise."""
    loss: str = "simple"
    """Of training; changes nothing here."""
    freeze_backbone: bool = False
    """Of training; changes nothing here."""
    freeze_encoder: bool = False
    """Of training; changes nothing here."""
    resume_encoder_only: bool = False
    """Of training; changes nothing here."""
    restore_weights_only: bool = True
    """Of training; changes nothing here."""
    ignore_index: int = 255
    """Of masks that no published network predicts; changes nothing here."""
    backbone: str = "planaura_reconstruction"
    """The one architecture; changes nothing here."""

    @field_validator("no_data_float")
    @classmethod
    def _trained(cls, value: float) -> float:
        if value != 0.0001:
            raise ValueError("0.0001, the value that the weights were trained with")
        return value

    @field_validator("patch_size")
    @classmethod
    def _whole_patches(cls, patch: int, known: ValidationInfo) -> int:
        tile = known.data.get("img_size", patch)
        if tile % patch:
            raise ValueError(f"a patch_size that goes into img_size, {tile}: that must be a multiple of the patch_size")
        return patch

    @field_validator("patch_stride")
    @classmethod
    def _whole_fraction(cls, stride: int | None, known: ValidationInfo) -> int | None:
        patch = known.data.get("patch_size")
        if stride is not None and patch is not None and patch % stride:
            raise ValueError(f"a patch_stride that divides the patch_size, {patch}")
        return stride

    @field_validator("data_mean", "data_std")
    @classmethod
    def _per_band(cls, numbers: tuple[float, ...] | None, known: ValidationInfo) -> tuple[float, ...] | None:
        bands, name = known.data.get("bands"), known.field_name
        if numbers is not None and bands is not None and len(numbers) != len(bands):
            raise ValueError(f"as many numbers in {name} as there are bands, {len(bands)}")
        if name == "data_std" and (known.data.get("data_mean", numbers) is None) != (numbers is None):
            raise ValueError("both data_mean and data_std, or neither")
        return numbers
