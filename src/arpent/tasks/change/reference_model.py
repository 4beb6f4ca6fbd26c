"""The weights that a configuration of Planaura names, and what they are to be made fit for."""

from __future__ import annotations

from pathlib import Path

from arpent.core import Normalisation, Progress
from arpent.errors import InvalidSetting
from arpent.tasks.change.reference_config import ReferenceFile
from arpent.tasks.change.reference_plan import placed
from arpent.tasks.change.weights import ModelFit, find_model, published_checkpoint

__all__ = ["model_fit", "reference_model"]


def model_fit(file: ReferenceFile, *, reset_patch_embedding: bool = False) -> ModelFit:
    """What a checkpoint must be made fit for, as the configuration says.

    Args:
        file: the configuration.
        reset_patch_embedding: accept other bands than those of the checkpoint.
    """
    model = file.config.model_params
    normalisation = None
    if model.data_mean is not None and model.data_std is not None:
        normalisation = Normalisation(origin=file.path.name, mean=model.data_mean, std=model.data_std)
    return ModelFit(
        bands=model.bands,
        normalisation=normalisation,
        nodata=model.no_data,
        image_size=model.img_size,
        frames=file.config.num_frames,
        keep_positions=model.keep_pos_embedding,
        heads=model.num_heads,
        decoder_heads=model.decoder_num_heads,
        shape={
            "patch": model.patch_size,
            "width": model.embed_dim,
            "depth": model.depth,
            "decoder_width": model.decoder_embed_dim,
            "decoder_depth": model.decoder_depth,
        },
        reset_patch_embedding=reset_patch_embedding,
    )


def reference_model(file: ReferenceFile, progress: Progress | None = None) -> Path:
    """The file of the weights that a configuration names.

    Raises:
        InvalidSetting: it names none.
        FileMissing, WeightsMissing, NetworkMissing: they cannot be had.
    """
    load = file.config.model_params.load_params
    if load.source == "huggingface":
        return published_checkpoint(load.repo_id, load.model_name, progress)
    if not load.checkpoint_path:
        raise InvalidSetting(
            f"{file.path.name} names no weights",
            cure="Set model_params.load_params.checkpoint_path, or source: huggingface with repo_id and model_name.",
        )
    return find_model(placed(load.checkpoint_path, file.path.parent), progress)
