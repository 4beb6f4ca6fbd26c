"""Arithmetic on pixels: spectral indices, radiometry, quality masks, speckle filters."""

from arpent.core import ByteScale
from arpent.pixels.choice import highest
from arpent.pixels.edges import edge_distance
from arpent.pixels.indices import SpectralIndex, index_names, spectral_index, spectral_indices
from arpent.pixels.quality import (
    QUALITY_LAYERS,
    SEVERITY,
    Quality,
    bright_as_cloud,
    decode_quality,
    usable,
    worst_quality,
)
from arpent.pixels.radiometry import decibels_to_linear, linear_to_decibels
from arpent.pixels.speckle import (
    SENTINEL_1_LOOKS,
    SPECKLE_FILTERS,
    GrainMean,
    SpeckleFilter,
    check_window,
    local_mean,
    quegan_yu,
)
from arpent.pixels.speckle_card import (
    LOOKS_BLOCK,
    CardTally,
    SpeckleCard,
    edge_preservation,
    estimate_looks,
    looks_of_blocks,
    median_looks,
)
from arpent.pixels.upsampling import (
    TokenAxis,
    Upsampled,
    nearest_tokens,
    upsample,
    upsample_with_zeros,
    upsampling_matrix,
)

__all__ = [
    "LOOKS_BLOCK",
    "QUALITY_LAYERS",
    "SENTINEL_1_LOOKS",
    "SEVERITY",
    "SPECKLE_FILTERS",
    "ByteScale",
    "CardTally",
    "GrainMean",
    "Quality",
    "SpeckleCard",
    "SpeckleFilter",
    "SpectralIndex",
    "TokenAxis",
    "Upsampled",
    "bright_as_cloud",
    "check_window",
    "decibels_to_linear",
    "decode_quality",
    "edge_distance",
    "edge_preservation",
    "estimate_looks",
    "highest",
    "index_names",
    "linear_to_decibels",
    "local_mean",
    "looks_of_blocks",
    "median_looks",
    "nearest_tokens",
    "quegan_yu",
    "spectral_index",
    "spectral_indices",
    "upsample",
    "upsample_with_zeros",
    "upsampling_matrix",
    "usable",
    "worst_quality",
]
