"""Published weights into bundles: read without running anybody's code, recognised, and described by a contract."""

from __future__ import annotations

import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from arpent.core import band_count
from arpent.core.classes import ClassMap, nomenclature
from arpent.core.contract import Contract, Normalisation
from arpent.core.hashing import file_sha256
from arpent.core.sensors import Band
from arpent.errors import FileMissing, InvalidSetting, UnreadableFile, WeightsMissing
from arpent.models.import_settings import ImportSettings
from arpent.models.layouts import Recognised, layout_names, recognise
from arpent.models.load import Bundle, load_bundle, load_state
from arpent.models.published import Published, models_folder, published_model, published_names, weights_file
from arpent.models.registry import build
from arpent.version import __version__

__all__ = ["DAMAGE", "import_weights", "open_model", "pixel_rule", "pretrained_encoder", "read_checkpoint"]

DAMAGE: tuple[type[Exception], ...] = (
    SafetensorError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
)
"""What the readers of torch and safetensors raise on files that are cut short, overwritten, or something else."""

_TASKS = {"croma": "describe", "flair": "landcover", "planaura": "change", "smp": "landcover"}


def import_weights(file: Path | str, layout: str, settings: ImportSettings | None = None) -> Bundle:
    """A bundle from published weights.

    Args:
        file: ``.safetensors``, or ``.pth``, ``.pt``, ``.bin``, ``.ckpt`` with nothing but tensors in them.
        layout: how its tensors are named: croma, flair, planaura, smp, timm, torchvision.
        settings: what the file does not tell.

    Raises:
        FileMissing, UnreadableFile: the file, among them one that would run code when it is opened.
        WeightsMismatch: tensors are missing, unexpected or misshapen.
        InvalidSetting: the bands cannot be guessed, or several published models that expect different images fit.
    """
    file, settings = Path(file), settings or ImportSettings()
    known = recognise(read_checkpoint(file), layout, settings)
    sha256 = file_sha256(file)
    itself = _published_as(sha256)
    kin = published_model(settings.like) if settings.like else itself or _kin(layout, known.channels)
    contract = _contract(known, layout, settings, kin)
    recipe = {"imported_as": layout, "file": file.name, "sha256": sha256, "left_out": list(known.left_out)}
    origin = {
        "recipe": {**recipe, "undescribed": list(known.undescribed)} if known.undescribed else recipe,
        "licence": settings.licence or (itself.licence if itself else None),
        "source": itself.page if itself else None,
    }
    with torch.random.fork_rng(devices=[]):
        model = build(known.architecture, known.settings)
    load_state(model, _with_counters(known.state, model.state_dict()), str(file))
    return Bundle(model.eval(), contract.model_copy(update=origin))


def open_model(source: Path | str, file: Path | None = None) -> Bundle:
    """A bundle by its path, or a published model by its name, from the weights on this machine.

    Args:
        source: path of a bundle, or a name in the catalog.
        file: the weights that stand for the published model; looked for in `models_folder()` by default.

    Raises:
        WeightsMissing: a published model that is not on this machine; the message says how to get it.
    """
    name = str(source)
    if name not in published_names() or Path(source).exists():
        return load_bundle(source)
    entry = published_model(name)
    if entry.layout not in layout_names():
        raise InvalidSetting(
            f"{name} is a language model, not a network of Arpent's own",
            cure=f"Use its folder, {models_folder() / name}, where a task asks for a language model.",
        )
    weights = file or weights_file(name)
    if weights is None:
        first = entry.files[0]
        raise WeightsMissing(
            f"the weights of {name} are not on this machine",
            cure=f"Run 'arpent models fetch {name}', or put {entry.address(first)} at "
            f"{models_folder() / name / first.name}.",
        )
    settings = ImportSettings(like=name, licence=entry.licence, task=entry.task)
    bundle = import_weights(weights, entry.layout, settings)
    return Bundle(bundle.model, bundle.contract.model_copy(update={"source": entry.page}))


def pretrained_encoder(file: Path | str) -> Mapping[str, Tensor]:
    """The tensors of an image encoder as torchvision or timm publish it, without its last layer.

    Raises:
        FileMissing, UnreadableFile: the file.
        WeightsMismatch: no such encoder.
    """
    return recognise(read_checkpoint(file), "torchvision", ImportSettings()).state


def read_checkpoint(file: Path | str) -> Mapping[str, Any]:
    """The content of a weights file: named tensors, possibly nested. Nothing in the file is ever run.

    Raises:
        FileMissing: nothing there.
        UnreadableFile: damaged, of another kind, or with more in it than tensors.
    """
    file = Path(file)
    try:
        content = load_file(file) if file.suffix == ".safetensors" else _unpickled(file)
    except FileNotFoundError as error:
        raise FileMissing(f"there is no file {file}", cure="Check the path.") from error
    except pickle.UnpicklingError as error:
        raise UnreadableFile(
            f"{file} holds more than tensors and was not opened, since opening it could run a stranger's code",
            cure="Ask its publisher for a .safetensors file, or for a state dict alone.",
        ) from error
    except DAMAGE as error:
        raise UnreadableFile(
            f"{file} cannot be read as weights",
            found=str(error).strip().partition("\n")[0] or type(error).__name__,
            cure="Take a fresh copy of the file.",
        ) from error
    if not isinstance(content, Mapping):
        raise UnreadableFile(
            f"{file} holds no named tensors",
            found=f"a {type(content).__name__}",
            cure="Save the network's state dict and import that.",
        )
    return content


def _unpickled(file: Path) -> object:
    with warnings.catch_warnings():
        # torch warns of pickle protocols other than its own; the errors that may follow say what matters.
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(file, map_location="cpu", weights_only=True)


def _published_as(sha256: str) -> Published | None:
    """The model of the catalog that this very file is."""
    entries = (published_model(name) for name in published_names())
    return next((entry for entry in entries if any(file.sha256 == sha256 for file in entry.files)), None)


def _kin(layout: str, channels: int) -> Published | None:
    """The model of the catalog with this layout and as many bands; the first of several that expect the same images."""
    of_torchvision = "timm" if layout == "torchvision" else layout
    entries = (published_model(name) for name in published_names())
    fitting = [
        entry
        for entry in entries
        if entry.layout == of_torchvision and entry.images and len(entry.images.described_bands()) == channels
    ]
    if any(entry.images != fitting[0].images for entry in fitting):
        raise InvalidSetting(
            f"weights in the layout '{layout}' with {band_count(channels)} fit several published models, which expect "
            "different images",
            found=", ".join(entry.name for entry in fitting),
            cure=f"Say whose images yours expect: --like {fitting[0].name}, for one.",
        )
    return fitting[0] if fitting else None


def _contract(known: Recognised, layout: str, settings: ImportSettings, kin: Published | None) -> Contract:
    images = kin.images if kin else None
    bands = _bands(settings, images.described_bands() if images else (), known.channels)
    normalisation = images.normalisation() if images else None
    if settings.normalise:
        normalisation = pixel_rule(settings.normalise, len(bands))
    names = settings.nomenclature or (images.nomenclature if images else None)
    return Contract(
        task=settings.task or (kin.task if kin else _TASKS.get(layout, "classify")),
        architecture=known.architecture,
        settings=known.settings,
        bands=bands,
        gsd=settings.gsd or (images.gsd if images else None),
        dtype=images.dtype if images else None,
        nodata=images.nodata if images else None,
        normalisation=normalisation,
        classes=_classes(names, known.classes),
        arpent=__version__,
    )


def _bands(settings: ImportSettings, of_kin: tuple[Band, ...], channels: int) -> tuple[Band, ...]:
    known = {band.name: band for band in of_kin}
    bands = tuple(known.get(name, Band(name=name)) for name in settings.bands) if settings.bands else of_kin
    if len(bands) != channels:
        raise InvalidSetting(
            f"the weights take {band_count(channels)}",
            found=f"{len(bands)} named" if bands else "no names",
            cure="Name them in order: --bands red,green,blue,…",
        )
    return bands


def pixel_rule(name: str, bands: int) -> Normalisation:
    """How bytes become network input: imagenet, symmetric (-1 to 1) or unit (0 to 1).

    Raises:
        InvalidSetting: ImageNet's statistics, for other bands than three.
    """
    if name == "symmetric":
        return Normalisation(origin="bytes to -1…1", scale=1 / 127.5, mean=(1.0,) * bands, std=(1.0,) * bands)
    if name == "unit":
        return Normalisation(origin="bytes to 0…1", scale=1 / 255, mean=(0.0,) * bands, std=(1.0,) * bands)
    if bands != 3:
        raise InvalidSetting(
            "ImageNet has statistics for red, green and blue only",
            found=band_count(bands),
            cure="Choose --normalise unit or symmetric.",
        )
    photographs = published_model("mobilenet-v2").images
    assert photographs is not None
    return photographs.normalisation()


def _classes(name: str | None, maps: int) -> ClassMap | None:
    if name is None:
        return None
    classes = nomenclature(name)
    if len(classes) != maps:
        raise InvalidSetting(
            f"the nomenclature '{name}' has {len(classes)} classes and the weights make {maps} maps",
            cure="Name the nomenclature that the weights were trained on: --nomenclature NAME.",
        )
    return classes


def _with_counters(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with batch-norm counters, which old files lack and no prediction depends on."""
    counters = {name: tensor for name, tensor in own.items() if name.endswith("num_batches_tracked")}
    return {**counters, **state}
