"""The network that a fine-tuning starts from: with the bands, the classes and the weights that were asked for."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from arpent.core import Band, sensor
from arpent.errors import InvalidSetting
from arpent.models import Bundle, StemRule, build, extend_stem, load_state, parts_of, pretrained_encoder, under
from arpent.tasks.landcover.settings import FinetuneSettings, TrainSettings
from arpent.tasks.landcover.task import LandcoverTask

__all__ = ["adapted", "new_network", "resolved", "same_classes"]

_SIZES = {"channels", "classes"}
_RGB = ("red", "green", "blue")


def resolved(settings: FinetuneSettings, bundle: Bundle) -> FinetuneSettings:
    """The settings with the network, bands and classes of the model, where others are not named.

    Raises:
        InvalidSetting: they name another network.
    """
    contract, asked = bundle.contract, settings.task
    own = {key: value for key, value in contract.settings.items() if key not in _SIZES}
    strange = [key for key, value in asked.network.items() if own.get(key) != value]
    named = "architecture" in asked.model_fields_set
    if (named and asked.architecture != contract.architecture) or strange:
        raise InvalidSetting(
            f"{settings.start} is of another network than 'task' names",
            found=f"{contract.architecture} with {own}",
            expected=f"{asked.architecture} with {dict(asked.network)}",
            cure="Leave 'task.architecture' and 'task.network' out, or start from another model.",
        )
    changes = {"architecture": contract.architecture, "network": own}
    if "bands" not in asked.model_fields_set:
        changes["bands"] = contract.band_names
    if "classes" not in asked.model_fields_set and contract.classes is not None:
        changes["classes"] = contract.classes.name
    return settings.model_copy(update={"task": asked.model_copy(update=changes)})


def same_classes(bundle: Bundle, task: LandcoverTask) -> bool:
    """Whether the maps of the model mean what the masks mean: the same numbers for the same names, in their order."""
    known = bundle.contract.classes
    return known is not None and [(c.id, c.en) for c in known.classes] == [(c.id, c.en) for c in task.classes.classes]


def adapted(bundle: Bundle, task: LandcoverTask, bands: Sequence[Band], how: StemRule, seed: int = 0) -> nn.Module:
    """The network of a bundle for these bands, and with a new head where the classes are others.

    Args:
        bundle: to start from; left as it is.
        task: with the classes and bands wanted.
        bands: the wanted ones, described as far as they are known; found in the model by name.
        how: how bands begin that the model has not seen.
        seed: of a new head.

    Raises:
        ContractMismatch: the model knows none of the bands.
        InvalidSetting: a wavelength is needed and not known.
    """
    known = bundle.contract.bands
    target = [_described(band, known) for band in bands]
    model = copy.deepcopy(bundle.model)
    if [band.name for band in target] != [band.name for band in known]:
        model = extend_stem(model, known, target, how)
    if same_classes(bundle, task):
        return model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = task.build()
    head = parts_of(task.config.architecture, task.network_settings).head
    new = {name: tensor for name, tensor in fresh.state_dict().items() if any(under(name, part) for part in head)}
    load_state(fresh, {**model.state_dict(), **new}, "the model that is started from")
    return fresh


def _described(band: Band, known: Sequence[Band]) -> Band:
    """A band of which only the name is given, as the model describes it."""
    if band.wavelength is not None:
        return band
    return next((one for one in known if one.answers_to(band.name)), band)


def new_network(settings: TrainSettings, task: LandcoverTask, bands: Sequence[Band]) -> nn.Module:
    """A new network, with an encoder trained on photographs where a file of its weights is given.

    Without one it is the network that every training from scratch with this seed begins with. Bands other than red,
    green and blue begin as `stem` says.

    Raises:
        WeightsMismatch: the file holds another encoder.
        InvalidSetting: the network has no encoder made for photographs.
    """
    photographs = settings.pretrained is not None
    if photographs and settings.task.architecture != "smp-unet":
        raise InvalidSetting(
            f"the architecture '{settings.task.architecture}' has no encoder made for photographs",
            cure="Leave 'pretrained' out, or choose the architecture smp-unet.",
        )
    sizes = {**task.network_settings, **({"channels": len(_RGB)} if photographs else {})}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.fit.seed)
        model = build(settings.task.architecture, sizes)
    if settings.pretrained is None:
        return model
    _give_encoder(model.get_submodule("encoder"), settings.pretrained)
    rgb = sensor("bd-ortho").select(_RGB)
    return extend_stem(model, rgb, [_described(band, rgb) for band in bands], settings.stem)


def _give_encoder(encoder: nn.Module, file: str) -> None:
    """Gives an encoder the published weights of a file: all of them, but for counters that old files lack."""
    own, published = encoder.state_dict(), pretrained_encoder(Path(file))
    counters = {name: tensor for name, tensor in own.items() if name.endswith("num_batches_tracked")}
    load_state(encoder, {**counters, **published}, file)
