"""Networks as plain modules, the registry, bundles with weights, importers of published ones.

Names are looked up when they are first used, so that the catalog of published models opens without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arpent.core.lazy import on_demand

if TYPE_CHECKING:
    from arpent.models.croma import Croma, CromaSettings
    from arpent.models.describer import Listener, NextWords, VisionAdapter, VisionLanguage, with_lora
    from arpent.models.describer_bundle import DescriberFacts, OpenedDescriber, open_describer, save_describer
    from arpent.models.describer_settings import DescriberSettings, LoraSettings, SmallModelSettings
    from arpent.models.download import Fetched, fetch, fetch_entry
    from arpent.models.exporters import EXPORTS, export
    from arpent.models.import_settings import ImportSettings, LayoutSettings
    from arpent.models.importers import import_weights, open_model, pixel_rule, pretrained_encoder, read_checkpoint
    from arpent.models.labelling import Labeller, Labelling, LabellingHead
    from arpent.models.labelling_settings import FusionName, ImageBranchSettings, LabellerSettings, TextBranchSettings
    from arpent.models.language_model import LanguageModel, Speech, open_language_model, train_tokenizer
    from arpent.models.layouts import layout_names
    from arpent.models.load import Bundle, Origin, load_bundle, load_state, save_bundle
    from arpent.models.losses import cross_entropy, dice_loss, focal_loss, lovasz_loss
    from arpent.models.metadata import Acquisition, MetadataSettings
    from arpent.models.mlm import mlm_metadata
    from arpent.models.one_batch import batch_mean, batch_rows, batch_total, largest
    from arpent.models.parts import PartName, Parts, under
    from arpent.models.planaura import Planaura, PlanauraSettings
    from arpent.models.planaura_answer import INVALID, MISSING, PlanauraOutput
    from arpent.models.planaura_change import ChangeHead, PlanauraChangeSettings
    from arpent.models.published import Published, models_folder, published_model, published_names, weights_file
    from arpent.models.recurrent import Forecast, Forecaster, ForecasterSettings, ForecastHead, Seen
    from arpent.models.registry import Architecture, architecture, architectures, build, parts_of, tile_needs
    from arpent.models.speaking import SpeakingRule, Spoken, speak
    from arpent.models.stem import StemRule, extend_stem
    from arpent.models.tiles import TileNeeds
    from arpent.models.unet import UNet, UNetSettings
    from arpent.models.whole_batch import as_one

__all__ = [
    "EXPORTS",
    "INVALID",
    "MISSING",
    "Acquisition",
    "Architecture",
    "Bundle",
    "ChangeHead",
    "Croma",
    "CromaSettings",
    "DescriberFacts",
    "DescriberSettings",
    "Fetched",
    "Forecast",
    "ForecastHead",
    "Forecaster",
    "ForecasterSettings",
    "FusionName",
    "ImageBranchSettings",
    "ImportSettings",
    "Labeller",
    "LabellerSettings",
    "Labelling",
    "LabellingHead",
    "LanguageModel",
    "LayoutSettings",
    "Listener",
    "LoraSettings",
    "MetadataSettings",
    "NextWords",
    "OpenedDescriber",
    "Origin",
    "PartName",
    "Parts",
    "Planaura",
    "PlanauraChangeSettings",
    "PlanauraOutput",
    "PlanauraSettings",
    "Published",
    "Seen",
    "SmallModelSettings",
    "SpeakingRule",
    "Speech",
    "Spoken",
    "StemRule",
    "TextBranchSettings",
    "TileNeeds",
    "UNet",
    "UNetSettings",
    "VisionAdapter",
    "VisionLanguage",
    "architecture",
    "architectures",
    "as_one",
    "batch_mean",
    "batch_rows",
    "batch_total",
    "build",
    "cross_entropy",
    "dice_loss",
    "export",
    "extend_stem",
    "fetch",
    "fetch_entry",
    "focal_loss",
    "import_weights",
    "largest",
    "layout_names",
    "load_bundle",
    "load_state",
    "lovasz_loss",
    "mlm_metadata",
    "models_folder",
    "open_describer",
    "open_language_model",
    "open_model",
    "parts_of",
    "pixel_rule",
    "pretrained_encoder",
    "published_model",
    "published_names",
    "read_checkpoint",
    "save_bundle",
    "save_describer",
    "speak",
    "tile_needs",
    "train_tokenizer",
    "under",
    "weights_file",
    "with_lora",
]

__getattr__ = on_demand(
    __name__,
    {
        "croma": ("Croma", "CromaSettings"),
        "describer": ("Listener", "NextWords", "VisionAdapter", "VisionLanguage", "with_lora"),
        "describer_bundle": ("DescriberFacts", "OpenedDescriber", "open_describer", "save_describer"),
        "describer_settings": ("DescriberSettings", "LoraSettings", "SmallModelSettings"),
        "download": ("Fetched", "fetch", "fetch_entry"),
        "exporters": ("EXPORTS", "export"),
        "import_settings": ("ImportSettings", "LayoutSettings"),
        "importers": ("import_weights", "open_model", "pixel_rule", "pretrained_encoder", "read_checkpoint"),
        "labelling": ("Labeller", "Labelling", "LabellingHead"),
        "labelling_settings": ("FusionName", "ImageBranchSettings", "LabellerSettings", "TextBranchSettings"),
        "language_model": ("LanguageModel", "Speech", "open_language_model", "train_tokenizer"),
        "layouts": ("layout_names",),
        "load": ("Bundle", "Origin", "load_bundle", "load_state", "save_bundle"),
        "losses": ("cross_entropy", "dice_loss", "focal_loss", "lovasz_loss"),
        "metadata": ("Acquisition", "MetadataSettings"),
        "mlm": ("mlm_metadata",),
        "one_batch": ("batch_mean", "batch_rows", "batch_total", "largest"),
        "parts": ("PartName", "Parts", "under"),
        "planaura": ("Planaura", "PlanauraSettings"),
        "planaura_answer": ("INVALID", "MISSING", "PlanauraOutput"),
        "planaura_change": ("ChangeHead", "PlanauraChangeSettings"),
        "published": ("Published", "models_folder", "published_model", "published_names", "weights_file"),
        "recurrent": ("Forecast", "ForecastHead", "Forecaster", "ForecasterSettings", "Seen"),
        "registry": ("Architecture", "architecture", "architectures", "build", "parts_of", "tile_needs"),
        "speaking": ("SpeakingRule", "Spoken", "speak"),
        "stem": ("StemRule", "extend_stem"),
        "tiles": ("TileNeeds",),
        "unet": ("UNet", "UNetSettings"),
        "whole_batch": ("as_one",),
    },
)
