"""The catalog of models that others have published, and how their weights come to this machine. No torch here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from arpent.core.contract import Normalisation
from arpent.core.names import table
from arpent.core.sensors import Band, sensor
from arpent.errors import BundleInvalid, UnknownName, WeightsMissing

__all__ = [
    "ImageNeeds",
    "Layout",
    "Published",
    "PublishedFile",
    "models_folder",
    "published_model",
    "published_names",
    "refuse_published",
    "weights_file",
]

Layout = Literal["croma", "flair", "planaura", "smp", "timm", "torchvision", "transformers"]
"""How the tensors of a file are named: which program wrote it."""


class ImageNeeds(BaseModel):
    """What a published model expects of its images.

    Attributes:
        sensor: whose bands they are, where that is one of Arpent's table.
        bands: names, in the order of the input channels.
        more_bands: further channels that are not the sensor's.
        gsd: metres per pixel; None when it does not matter.
        dtype: type of the pixels.
        nodata: number that means no data.
        nomenclature: what its output maps mean.
        origin: where the statistics come from.
        scale: factor applied to pixels first.
        mean: per band, after scaling.
        std: per band, after scaling.
        unit: whether what comes of it is cut off at 0 and 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sensor: str | None = None
    bands: tuple[str, ...]
    more_bands: tuple[Band, ...] = ()
    gsd: float | None = None
    dtype: Literal["uint8", "uint16", "int16", "float32"] | None = None
    nodata: float | None = None
    nomenclature: str | None = None
    origin: str
    scale: float = 1.0
    mean: tuple[float, ...]
    std: tuple[float, ...]
    unit: bool = False

    def described_bands(self) -> tuple[Band, ...]:
        """The bands with what is known of them."""
        own = sensor(self.sensor).select(self.bands) if self.sensor else tuple(Band(name=name) for name in self.bands)
        return (*own, *self.more_bands)

    def normalisation(self) -> Normalisation:
        """How its pixels become network input."""
        return Normalisation(origin=self.origin, scale=self.scale, mean=self.mean, std=self.std, unit=self.unit)


class PublishedFile(BaseModel):
    """One file of a published model; `sha256` where its publisher shows one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str | None = None


class Published(BaseModel):
    """A model in the catalog.

    Attributes:
        name: the key in Arpent's table ("flair-rgbi-15").
        title: for people.
        task: the task that uses it.
        repo: repository on Hugging Face.
        licence: of the weights.
        megabytes: size of the download, in 10^6 bytes.
        architecture: network that takes the weights.
        layout: how the tensors are named.
        files: the weights first, then what belongs to them.
        images: what it expects of images; None for models that see none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    task: str
    repo: str
    licence: str
    megabytes: float
    architecture: str
    layout: Layout
    files: tuple[PublishedFile, ...]
    images: ImageNeeds | None = None

    @property
    def page(self) -> str:
        """Where a person finds it."""
        return f"https://huggingface.co/{self.repo}"

    def address(self, file: PublishedFile) -> str:
        """Where a person can download one of its files."""
        return f"{self.page}/resolve/main/{file.name}"


@cache
def _catalog() -> Mapping[str, Published]:
    entries = table("published")
    return {name: Published(name=name, **_whole(entry, entries)) for name, entry in entries.items()}


def _whole(entry: Mapping[str, Any], entries: Mapping[str, Any]) -> dict[str, Any]:
    own = dict(entry)
    twin = own.pop("same_images_as", None)
    return own if twin is None else {**own, "images": entries[twin]["images"]}


def published_names() -> tuple[str, ...]:
    """Every model in the catalog."""
    return tuple(_catalog())


def published_model(name: str) -> Published:
    """The catalog's model of that name."""
    if name not in _catalog():
        raise UnknownName.among(name, _catalog(), "published model")
    return _catalog()[name]


_NO_BUNDLES: Mapping[Layout, tuple[str, str]] = {
    "croma": ("an encoder of satellite images", "Encode images with it: arpent describe embed --encoder {name}."),
    "timm": ("an encoder of photographs", "Train a model with it: arpent classify train --pretrained {name}."),
    "transformers": ("a language model", "Train a describer on it: 'arpent describe train' takes 'base: {name}'."),
}
"""What those published models are that give no answers by themselves, and what is done with them."""


def refuse_published(name: str, task: str | None = None) -> None:
    """Says how a published model becomes a bundle, where its name is given in place of one; else does nothing.

    Args:
        name: what stands where a bundle is wanted, and is no file or folder.
        task: what the bundle is wanted for.

    Raises:
        WeightsMissing: a published model that is not on this machine.
        BundleInvalid: its weights are here and no bundle yet; it is of another task, or gives no answers by itself.
    """
    if name not in _catalog():
        return
    entry = _catalog()[name]
    if entry.layout in _NO_BUNDLES:
        what, use = _NO_BUNDLES[entry.layout]
        raise BundleInvalid(f"{name} is {what}, which gives no answers by itself", cure=use.format(name=name))
    if task is not None and entry.task != task:
        raise BundleInvalid(
            f"{name} is a model for {entry.task}, not for {task}",
            cure="Give another one; 'arpent models list' says what each is for.",
        )
    make = f"'arpent models import {name} -o {name}.safetensors', and give that file"
    if weights_file(name) is None:
        raise WeightsMissing(
            f"the weights of {name}, a model for {entry.task}, are not on this machine",
            cure=f"Run 'arpent models fetch {name}', then {make}.",
        )
    raise BundleInvalid(f"{name} is a published model for {entry.task}, and no bundle yet", cure=f"Run {make}.")


def models_folder() -> Path:
    """Where models lie on this machine: ``$ARPENT_MODELS``, else ``arpent/models`` in the user's data folder."""
    if chosen := os.environ.get("ARPENT_MODELS"):
        return Path(chosen)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "arpent" / "models"


def weights_file(name: str, folder: Path | None = None) -> Path | None:
    """The weights of a published model on this machine, or None.

    They are looked for under ``<folder>/<name>/``, then in the folder itself under the publisher's file name, if
    that name is of this model alone.
    """
    folder = folder or models_folder()
    file = published_model(name).files[0].name
    places = [folder / name / file]
    if sum(entry.files[0].name == file for entry in _catalog().values()) == 1:
        places.append(folder / file)
    return next((place for place in places if _is_file(place)), None)


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except PermissionError:  # a folder that is closed to us holds nothing for us
        return False
