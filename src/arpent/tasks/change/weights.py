"""From whatever holds weights of Planaura to a bundle: Arpent's own bundles, checkpoints, published models.

Nothing in a file is ever run, every tensor must find its place, and what a checkpoint leaves unsaid about its images is
said by whoever asks for it, or by the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from arpent.core import Band, Contract, Normalisation, Progress, band_count, file_sha256
from arpent.core.bundle import HEADER_KEY
from arpent.errors import (
    BundleInvalid,
    FileMissing,
    InvalidSetting,
    UnknownName,
    UnreadableFile,
    WeightsMismatch,
    WeightsMissing,
)
from arpent.models import (
    Bundle,
    Origin,
    PlanauraSettings,
    Published,
    build,
    fetch_entry,
    load_bundle,
    load_state,
    published_model,
    published_names,
    read_checkpoint,
    weights_file,
)
from arpent.models.planaura_weights import fit_planaura, planaura_leftovers, planaura_settings, planaura_state
from arpent.models.published import PublishedFile, refuse_published
from arpent.models.shipped import shipped_bundle, shipped_names
from arpent.store import bundle_in
from arpent.version import __version__

__all__ = ["ModelFit", "find_model", "is_bundle", "load_model", "published_checkpoint"]

ARCHITECTURES = ("planaura", "planaura-change")
_LAYOUT = "planaura"


@dataclass(frozen=True)
class ModelFit:
    """What a checkpoint is to be made fit for. A bundle of Arpent says all this itself, and keeps to it.

    Attributes:
        bands: of the images, in order; those of the model if not given.
        normalisation: of the images; that of the published model that the checkpoint is, if not given.
        nodata: value of pixels without data; likewise.
        image_size: side in pixels that positions are resampled to; that of the checkpoint if not given.
        frames: dates that the positions must cover; those of the checkpoint if not given.
        keep_positions: False computes positions anew, which works for any number of dates.
        heads, decoder_heads: of the attention, which no tensor tells; the published ones if not given.
        shape: what else is known of the network, by names of `PlanauraSettings`; weights of another shape are refused.
        reset_patch_embedding: accept other bands than those of the checkpoint, with a first layer of random numbers.
        like: name of a published model whose images the checkpoint expects.
    """

    bands: tuple[str, ...] | None = None
    normalisation: Normalisation | None = None
    nodata: float | None = None
    image_size: int | None = None
    frames: int | None = None
    keep_positions: bool = True
    heads: int | None = None
    decoder_heads: int | None = None
    shape: Mapping[str, int] = field(default_factory=dict)
    reset_patch_embedding: bool = False
    like: str | None = None


def find_model(source: str | Path, progress: Progress | None = None) -> Path:
    """The file or folder that holds a model.

    Args:
        source: a bundle, the run that trained one, a checkpoint, the name of a model that comes with Arpent or is
            published, or a file on Hugging Face: ``NRCan/Planaura-1.0/Planaura-1.0-HLS.pth``, for other repositories
            with ``hf:`` before it.
        progress: told the bytes of a download.

    Raises:
        FileMissing: there is no such thing.
        WeightsMissing, NetworkMissing: it is published and cannot be had; the message says what to put where.
        BundleInvalid: the published model of that name is for something else.
    """
    text = str(source)
    path = Path(source)
    if path.exists():
        return bundle_in(path)
    if shipped := shipped_bundle(text):
        return shipped
    if text in _planauras():
        found = weights_file(text)
        if found is None:
            entry = published_model(text)
            raise WeightsMissing(
                f"the weights of {text} are not on this machine",
                cure=f"Run 'arpent models fetch {text}', or give the path of the file; {entry.page} has it.",
            )
        return found
    named = re.fullmatch(r"(hf:)?([\w.-]+/[\w.-]+)(?:/([\w.-]+))?", text)
    if named and (named[1] or named[2] in {published_model(name).repo for name in _planauras()}):
        return published_checkpoint(named[2], named[3] or "", progress)
    refuse_published(text, "change")
    known = ", ".join([*shipped_names(), *_planauras()])
    raise FileMissing(f"there is no model {text}", cure=f"Check the path, or name one of these: {known}.")


def published_checkpoint(repo: str, file: str, progress: Progress | None = None) -> Path:
    """A checkpoint of a Hugging Face repository, from this machine or, failing that, from the net.

    Args:
        repo: ``owner/name``.
        file: in it; ``.pth`` may be left out.
        progress: told the bytes.

    Raises:
        UnknownName: the repository is known and has no such file.
        NetworkMissing, WeightsMissing: it cannot be had; the message says what to put where.
    """
    whole = file if not file or Path(file).suffix in {".pth", ".safetensors", ".bin"} else f"{file}.pth"
    if not repo or not whole or Path(whole).name != whole:
        raise InvalidSetting(
            "weights on Hugging Face need a repository and a file in it",
            found=f"repository '{repo}', file '{file}'",
            cure="For example repo_id NRCan/Planaura-1.0 and model_name Planaura-1.0-HLS.",
        )
    entries = [entry for entry in map(published_model, _planauras()) if entry.repo == repo]
    known = next((entry for entry in entries if entry.files[0].name == whole), None)
    if known is None and entries:
        raise UnknownName.among(file, [entry.files[0].name for entry in entries], f"file of {repo}")
    if known is not None and (here := weights_file(known.name)):
        return here
    return fetch_entry(known or _stranger(repo, whole), progress=progress)[0].path


def is_bundle(path: Path) -> bool:
    """Whether a model brings its own contract."""
    if path.is_dir():
        return True
    if path.suffix != ".safetensors":
        return False
    try:
        with safe_open(path, framework="pt") as file:
            return HEADER_KEY in (file.metadata() or {})
    except (SafetensorError, OSError) as problem:
        raise UnreadableFile(
            f"{path} cannot be read as weights", found=problem, cure="Take a fresh copy of the file."
        ) from problem


def load_model(source: str | Path, fit: ModelFit | None = None, progress: Progress | None = None) -> Bundle:
    """A network that compares dates, with the contract that says which images it takes.

    Args:
        source: see `find_model`.
        fit: what a checkpoint is to be made fit for.
        progress: told the bytes of a download.

    Raises:
        BundleInvalid: the bundle is of another task.
        UnreadableFile: damaged, or with more in it than tensors.
        WeightsMismatch: tensors are missing, unexpected or misshapen, or the network is not the one described.
        ContractMismatch: other bands or more dates than the weights have learnt.
        InvalidSetting: something must be told that the tensors cannot tell.
    """
    path = find_model(source, progress)
    if is_bundle(path):
        bundle = load_bundle(path)
        if bundle.contract.architecture not in ARCHITECTURES:
            raise BundleInvalid(
                f"{path} is no model that compares dates",
                found=f"'{bundle.contract.architecture}' for '{bundle.contract.task}'",
                expected=" or ".join(ARCHITECTURES),
                cure="Give another bundle.",
            )
        return bundle
    return _from_checkpoint(path, fit or ModelFit())


def _from_checkpoint(path: Path, fit: ModelFit) -> Bundle:
    checkpoint = read_checkpoint(path)
    state = planaura_state(checkpoint)
    source = _shape_of(state, fit, path)
    kin = _kin(path, fit)
    contract = _contract(fit, kin, source)
    target = source.model_copy(
        update={
            "channels": len(contract.bands),
            "image_size": fit.image_size or source.image_size,
            "frames": fit.frames if not fit.keep_positions and fit.frames else max(source.frames, fit.frames or 0),
            "positions": "stored" if fit.keep_positions else "computed",
        }
    )
    target = PlanauraSettings.model_validate(target.model_dump())
    with torch.random.fork_rng(devices=[]):
        # A first layer that starts from random numbers starts from the same ones each time, or no run could be resumed.
        torch.manual_seed(0)
        fitted = fit_planaura(
            state,
            source,
            target,
            keep_positions=fit.keep_positions,
            reset_patch_embedding=fit.reset_patch_embedding,
        )
        model = build("planaura", target.model_dump(mode="json"))
    load_state(model, fitted, str(path))
    recipe = {
        "imported_as": _LAYOUT,
        "file": path.name,
        "sha256": file_sha256(path),
        "left_out": list(planaura_leftovers(checkpoint)),
        "untrained": ["patch embedding"] if target.channels != source.channels else [],
    }
    made = contract.model_copy(update={"settings": target.model_dump(mode="json"), "recipe": recipe})
    return Bundle(model.eval(), made, Origin(_from_checkpoint, path.absolute(), (fit,)))


def _shape_of(state: Mapping[str, Any], fit: ModelFit, path: Path) -> PlanauraSettings:
    """The network that the tensors belong to, which must be the one that was described."""
    told = planaura_settings(
        state,
        heads=fit.heads and _dividing(fit.heads, state, "encoder.patch_embed.proj.weight", "heads"),
        decoder_heads=fit.decoder_heads
        and _dividing(fit.decoder_heads, state, "decoder_embed.weight", "decoder_heads"),
    )
    differing = [
        f"{name} {getattr(told, name)} instead of {value}"
        for name, value in fit.shape.items()
        if getattr(told, name) != value
    ]
    if differing:
        raise WeightsMismatch(
            f"{path} holds another network than the one described",
            found=", ".join(differing),
            cure="Correct the description (model_params), or give the weights that belong to it.",
        )
    return told


def _dividing(heads: int, state: Mapping[str, Any], name: str, what: str) -> int:
    width = state[name].shape[0] if name in state else heads
    if width % heads:
        raise InvalidSetting(
            f"a width of {width} cannot be split into {heads} attention heads", cure=f"Correct '{what}'."
        )
    return heads


def _contract(fit: ModelFit, kin: Published | None, source: PlanauraSettings) -> Contract:
    images = kin.images if kin else None
    known = {band.name: band for band in (images.described_bands() if images else ())}
    names = fit.bands or tuple(known)
    normalisation = fit.normalisation or (images.normalisation() if images else None)
    if not names or normalisation is None:
        raise InvalidSetting(
            "the weights do not tell which images they were trained on",
            found=band_count(source.channels),
            cure=f"Say which published model they are like: --like {_planauras()[0]}, for one.",
        )
    if len(normalisation.mean) != len(names):
        raise InvalidSetting(
            "mean and standard deviation are needed for each band",
            found=len(normalisation.mean),
            expected=len(names),
            cure="Give one of each per band, in the order of the bands.",
        )
    own = fit.normalisation is None and images is not None
    return Contract(
        task="change",
        architecture="planaura",
        bands=tuple(known.get(name, Band(name=name)) for name in names),
        # Whoever gives statistics of his own has images of his own, of any resolution and type.
        gsd=images.gsd if own and images else None,
        dtype=images.dtype if own and images else None,
        nodata=fit.nodata if fit.nodata is not None else images.nodata if images else None,
        normalisation=normalisation,
        licence=kin.licence if kin else None,
        source=kin.page if kin else None,
        arpent=__version__,
    )


def _kin(path: Path, fit: ModelFit) -> Published | None:
    """The published model that a checkpoint is, or is said to be like."""
    if fit.like is not None:
        if fit.like not in _planauras():
            raise UnknownName.among(fit.like, _planauras(), "published model that compares dates")
        return published_model(fit.like)
    return next((entry for entry in map(published_model, _planauras()) if entry.files[0].name == path.name), None)


def _planauras() -> tuple[str, ...]:
    return tuple(name for name in published_names() if published_model(name).layout == _LAYOUT)


def _stranger(repo: str, file: str) -> Published:
    """A repository that the catalog does not know."""
    return Published(
        name=repo.replace("/", "--"),
        title=repo,
        task="change",
        repo=repo,
        licence="",
        megabytes=0,
        architecture="planaura",
        layout=_LAYOUT,
        files=(PublishedFile(name=file),),
    )
