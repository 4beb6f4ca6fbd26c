"""What users can set when they train and make land-cover maps. Opens without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from arpent.core import Language, Settings
from arpent.data import Augment, Mix
from arpent.engine import FitSettings, PredictSettings

__all__ = [
    "FinetuneSettings",
    "LandcoverSettings",
    "LossName",
    "MapSettings",
    "PartName",
    "Stage",
    "StrategyName",
    "TrainSettings",
]

LossName = Literal[
    "cross-entropy",
    "cross-entropy+dice",
    "cross-entropy+lovasz",
    "dice",
    "focal",
    "focal+dice",
    "lovasz",
]


PartName = Literal["head", "decoder", "encoder"]
StrategyName = Literal[
    "app-scratch", "ft-initialisation", "ft-freeze-encoder", "ft-finetune-head", "staged", "discriminative", "bn-only"
]


class LandcoverSettings(Settings):
    """What to map, from which bands, with which network."""

    classes: str = "commune"
    """Nomenclature of the masks and of the map."""
    bands: Annotated[tuple[str, ...], Field(min_length=1)] = ("red", "green", "blue", "nir")
    """Bands that the network sees, by name."""
    architecture: str = "unet"
    """Network, by its name in the registry."""
    network: Mapping[str, Any] = Field(default_factory=dict)
    """Settings of the network besides its numbers of bands and classes."""
    codes: str = ""
    """Code list of the masks ("hub", "flair", "cosia", "index" …), where it is not the nomenclature's own numbers."""
    loss: LossName = "cross-entropy+dice"
    """What is minimised; of two joined by a plus, their sum."""
    weights: Mapping[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """How much classes count in the loss, by name or number; 1 if not given, 0 is not learnt."""
    ignore: tuple[str, ...] = ()
    """Classes whose pixels count as having no truth, by name or number."""
    focal_gamma: Annotated[float, Field(ge=0)] = 2.0
    """How little pixels count in the focal loss that are right already; 0 gives the cross-entropy."""
    probabilities: bool = False
    """Whether a map also gives the probability of each class, in percent."""


class TrainSettings(Settings):
    """A land-cover training, from images and masks to a bundle."""

    index: str
    """CSV or Parquet table of images and masks, or a folder of both."""
    name: str = "landcover"
    """Name of the run and of the statistics in its bundle."""
    task: LandcoverSettings = LandcoverSettings()
    """What to map, from which bands, with which network."""
    patch: Annotated[int, Field(ge=8)] = 256
    """Side in pixels of the squares that are learnt from."""
    patches: Annotated[int, Field(ge=1)] | None = None
    """Squares per epoch; as many as would tile the training images if not given."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Squares per step."""
    workers: Annotated[int, Field(ge=0)] = 2
    """Threads that read ahead."""
    mix: Mix = "proportional"
    """How sensors share the squares: by their pixels, in turn (round-robin), or in a ratio given by sensor."""
    missing_bands: Literal["refuse", "fill"] = "refuse"
    """What becomes of a band that a sensor does not have: an error, or the band's mean everywhere."""
    resample_gsd: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Pixel sizes in metres that squares are read at, each as often; as the images have it if not given."""
    augment: Augment = Augment()
    """How squares are varied."""
    fit: FitSettings = FitSettings(best="miou")
    """How the network is trained."""
    normalise: Literal["norma-01", "norma-source", "norma-target"] = "norma-target"
    """How pixels are normalised: by their bit depth, as the model started from, or by the training images."""
    bits: Annotated[int, Field(ge=0, le=16)] | None = None
    """Significant bits of a pixel, for norma-01; those of the sensor if not given, 0 for pixels in [0, 1] already."""
    to_bytes: Literal["none", "percentile", "range", "fixed"] = "none"
    """How deep pixels become bytes first, which the model keeps and replays; none leaves them as they are."""
    byte_cut: Annotated[float, Field(ge=0, lt=50)] = 2.0
    """Percent of the pixels cut off at each end, for percentile."""
    byte_top: Annotated[float, Field(gt=0)] | None = None
    """Number that becomes 255, for fixed."""
    statistics: str | None = None
    """JSON file of 'arpent stats' that stands for measuring the training images."""
    pretrained: str | None = None
    """File of ImageNet weights for the encoder of a new network, as torchvision or timm keep them."""
    stem: Literal["zero", "copy", "mean", "spectral"] = "zero"
    """How bands begin that weights started from lack: at zero, as the nearest band, as the mean, or by wavelength."""
    language: Language = "en"
    """Language of what is said: en or fr."""


class Stage(Settings):
    """A stage of the strategy 'staged'."""

    train: PartName
    """Part that is freed, with all behind it: head, decoder (with the head) or encoder (the whole network)."""
    epochs: Annotated[int, Field(ge=1)]
    """Passes over the training set."""
    rate: Annotated[float, Field(gt=0)]
    """Learning rate."""


class FinetuneSettings(TrainSettings):
    """A trained land-cover model made to fit other images.

    Its network is that of the model; so are its bands and classes, where 'task' does not name others.
    """

    start: str
    """Bundle to start from, or the run that trained it."""
    strategy: StrategyName = "ft-initialisation"
    """What of the network is trained, and how."""
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """Learning rate of a level over that of the next one towards the head, for discriminative."""
    stages: tuple[Stage, ...] = ()
    """Stages of staged; head, decoder and all, in 1, 1 and 3 fifths of the epochs of 'fit', if not given."""


class MapSettings(PredictSettings):
    """How a land-cover map is made."""

    probabilities: bool = False
    """Also give the probability of each class, in percent."""
    sensor: str | None = None
    """Whose image it is, where neither the file nor its name says so."""
    altitude: float | None = None
    """Metres above the sea of the ground shown, for models that are told of it."""
    camera: str | None = None
    """Camera that took the image, for models that are told of it; its sensor if not given."""
    normalise: Literal["norma-01", "norma-source", "norma-target"] = "norma-source"
    """How pixels are normalised: by their bit depth, as the model learnt them, or by the image itself."""
    bits: Annotated[int, Field(ge=0, le=16)] | None = None
    """Significant bits of a pixel, for norma-01; those of the sensor if not given, 0 for pixels in [0, 1] already."""
    resample: bool = False
    """Read the image at the pixel size that the model was made for."""
    grid: Literal["model", "image"] = "model"
    """Pixels of the maps of a resampled image: those that the model saw, or those of the image."""
    box: tuple[float, float, float, float] | None = None
    """Only this part: left, bottom, right, top."""
    box_crs: str | None = None
    """Reference system of the box; that of the image if not given."""
    tta: Literal["none", "d4"] = "none"
    """Views of each tile whose scores are averaged: d4 turns and mirrors it in all eight ways; none looks once."""
    per_sheet: bool = False
    """Also write the class map of each sheet, under the sheet's name."""
    vector: bool = False
    """Also write the class map as polygons."""
    form: Literal["gpkg", "geoparquet"] = "gpkg"
    """Format of the polygons."""
    min_area: Annotated[float, Field(ge=0)] = 0.0
    """Smallest polygon in m²; smaller patches join their largest neighbour."""
    simplify: Annotated[float, Field(ge=0)] = 1.0
    """How far a border of polygons may move, in pixels; 0 keeps the pixels' stairs."""
    language: Language = "en"
    """Language of names on the preview: en or fr."""
